// Damaged and missing files of large values.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError, repairSync, type Value, verifyStoreSync } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import { putBoth, requireSame, ValueBench } from "../support/value_bench.ts";

test("A damaged value is named by verify, does not come into a copy, and is left out by repair", async () => {
  const random = new Random(10);
  const bench = new ValueBench(10, { compression: "none" });
  const { fileSystem } = bench;
  let store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 20; i++) {
    model.set(`key ${String(i).padStart(2, "0")}`, randomBytes(3000, random));
  }
  for (const [key, value] of model) store.putSync(key, value);
  await store.flush();
  const [name] = [...bench.names(".val"), ...bench.names(".wal")];
  const path = `/db/${name}`;
  const content = fileSystem.content(path);
  content[5000]! ^= 1;
  fileSystem.setContent(path, content);
  const report = await store.verify();
  assert.equal(report.isSound, false);
  assert.equal(report.problems[0]!.file, path);
  await assert.rejects(store.checkpoint("/copy"), CorruptionError);
  store.closeSync();
  assert.equal(verifyStoreSync("/db", { fileSystem }).isSound, false);
  const repaired = repairSync("/db", { fileSystem });
  assert.equal(repaired.unknown.length, 1);
  assert.equal(verifyStoreSync("/db", { fileSystem }).isSound, true);
  store = bench.open();
  assert.equal(store.countSync(), 19);
  for (const [key, value] of store.entries()) assert.deepEqual(value, model.get(String(key)));
  await store.compact();
  assert.equal(store.countSync(), 19);
  store.closeSync();
});

test("Damage to any byte of a file of values gives the right values or a CorruptionError", () => {
  const random = new Random(15);
  for (const kind of [".wal", ".val"]) {
    const bench = new ValueBench(15, { largeValueBytes: 64 });
    const model = new Map<string, Value>();
    const store = bench.open({ flushOnClose: false });
    for (let i = 0; i < 6; i++) {
      const value = i % 2 === 0 ? randomBytes(80, random) : "words and words ".repeat(20 + i);
      putBoth(store, model, `key ${i}`, value);
    }
    if (kind === ".wal") store.flushSync();
    store.closeSync();
    // A recovery moves the values of logs to a value file.
    bench.open().closeSync();
    const [name] = bench.names(kind);
    const path = `/db/${name}`;
    const whole = bench.fileSystem.content(path);
    let noticed = 0;
    let tried = 0;
    for (let at = 0; at < whole.length; at += 1 + random.below(4)) {
      tried++;
      const damaged = whole.slice();
      damaged[at]! ^= 1 << (at % 8);
      bench.fileSystem.setContent(path, damaged);
      const { isSound } = verifyStoreSync("/db", { fileSystem: bench.fileSystem });
      const reader = bench.open({ readOnly: true });
      let isRight = true;
      for (const [key, value] of model) {
        try {
          assert.deepEqual(reader.getSync(key), value);
        } catch (error) {
          assert.ok(error instanceof CorruptionError && error.file === path, String(error));
          isRight = false;
        }
      }
      reader.closeSync();
      assert.equal(isSound, isRight, `byte ${at} of ${name}`);
      if (!isRight) noticed++;
    }
    assert.ok(noticed > tried / 3, `${noticed} of ${tried}`);
    for (let length = whole.length - 1; length > 0; length = Math.floor(length * 0.8)) {
      bench.fileSystem.setContent(path, whole.slice(0, length));
      const reader = bench.open({ readOnly: true });
      for (const [key, value] of model) {
        try {
          assert.deepEqual(reader.getSync(key), value);
        } catch (error) {
          assert.ok(error instanceof CorruptionError && error.file === path, String(error));
        }
      }
      reader.closeSync();
    }
  }
});

test("A missing file of values is reported by open, and nothing is changed", () => {
  const random = new Random(11);
  const bench = new ValueBench(11);
  const store = bench.open();
  for (let i = 0; i < 20; i++) store.putSync(`key ${i}`, randomBytes(3000, random));
  store.closeSync();
  const [name] = [...bench.names(".val"), ...bench.names(".wal")];
  bench.fileSystem.removeSync(`/db/${name}`);
  const before = bench.fileSystem.dump("/db");
  assert.throws(() => bench.open(), (error) => {
    return error instanceof CorruptionError && error.message.includes(name!);
  });
  assert.deepEqual(bench.fileSystem.dump("/db"), before);
});

test("A repair without a manifest takes logs that tables refer to for files of values", async () => {
  const random = new Random(12);
  const bench = new ValueBench(12, { compression: "none" });
  const store = bench.open();
  const model = new Map<string, Value>();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) putBoth(store, model, `key ${i}`, randomBytes(3000, random));
    await store.flush();
  }
  putBoth(store, model, "key 3", 3);
  await store.close();
  const { fileSystem } = bench;
  for (const name of bench.names()) {
    if (name === "CURRENT" || name.startsWith("MANIFEST")) fileSystem.removeSync(`/db/${name}`);
  }
  repairSync("/db", { fileSystem });
  const again = bench.open();
  requireSame(again, model);
  again.closeSync();
});
