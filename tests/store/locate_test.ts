/** Tests `locate` and `tables`: where the entries of a key are. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { CorruptionError, type KeyPlace, memoryFileSystem, open, type Options } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const options: Options = {
  memtableSizeBytes: 1 << 20,
  blockSizeBytes: 512,
  l0CompactionTrigger: 100,
  walSync: "none",
};

/** The parts of a place that do not depend on sizes and numbers. */
function short(place: KeyPlace): string {
  return place.place === "memtable"
    ? `memtable ${place.type}`
    : `L${place.level} ${place.answer} ${place.type ?? "-"}`;
}

test("locate names every version of a key, the newest first, and tables without it", async () => {
  await using store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  const others = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) await store.put(`k${i}`, `value ${i} ${"x".repeat(50)}`);
  };
  await others();
  await store.put("k5", 1n);
  await store.compact();
  await store.delete("k5");
  await store.put("a", 1);
  await store.put("z", 2);
  await store.flush();
  await store.put("a", 1);
  await store.put("z", 2);
  await store.flush();
  await store.put("k5", true);
  await store.put("other", 1);
  await store.put("k5", "text");
  const places = await store.locate("k5");
  const answers = places.map(short);
  assert.deepEqual(answers.slice(0, 2), ["memtable string", "memtable bool"]);
  // Whether the filter of a table without the key can tell depends on its bits.
  assert.match(answers[2]!, /^L0 (filtered|absent) -$/);
  assert.deepEqual(answers.slice(3).map((text) => text.replace(/^L\d/, "L")), [
    "L found tombstone",
    "L found int64",
  ]);
  const [newest, older] = places;
  assert.ok(newest?.place === "memtable" && older?.place === "memtable");
  assert.ok(newest.sequence === older.sequence + 2, `${newest.sequence} and ${older.sequence}`);
  // Type, flag and length come before the text (docs/FORMAT.md).
  assert.equal(newest.valueBytes, 6 + "text".length);
  assert.deepEqual(store.locateSync("k5").map(short), answers);
  assert.deepEqual(await store.locate(new TextEncoder().encode("k5")), store.locateSync("k5"));
});

test("locate names the block, and whether it was in the cache", async () => {
  await using store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  for (let i = 0; i < 500; i++) await store.put(`k${1000 + i}`, "x".repeat(40));
  await store.compact();
  const [table] = store.tables();
  const place = (await store.locate("k1250"))[0];
  assert.ok(place?.place === "table" && table !== undefined);
  assert.equal(place.file, table.file);
  assert.equal(place.answer, "found");
  assert.ok(place.block! > 0 && place.block! < place.blocks!);
  assert.ok(place.blockOffset! + place.blockBytes! < table.sizeBytes);
  assert.equal(place.wasCached, false);
  const again = (await store.locate("k1250"))[0];
  assert.ok(again?.place === "table" && again.wasCached === true);
  assert.deepEqual(await store.locate("zzz"), []);
});

test("tables lists each table once, and those that a range meets", async () => {
  await using store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  for (const part of ["a", "m", "t"]) {
    for (let i = 0; i < 50; i++) await store.put(`${part}${10 + i}`, i);
    await store.delete(`${part}10`);
    await store.flush();
  }
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const tables = store.tables().map(({ level, entries, tombstones, smallest, largest }) => [
    level,
    entries,
    tombstones,
    text(smallest),
    text(largest),
  ]);
  assert.deepEqual(tables, [
    [0, 50, 1, "t10", "t59"],
    [0, 50, 1, "m10", "m59"],
    [0, 50, 1, "a10", "a59"],
  ]);
  const bytes = store.stats().levels.reduce((sum, level) => sum + level.sizeBytes, 0);
  assert.equal(store.tables().reduce((sum, table) => sum + table.sizeBytes, 0), bytes);
  const meeting = (range: Parameters<typeof store.tables>[0]): string[] =>
    store.tables(range).map(({ smallest }) => text(smallest));
  assert.deepEqual(meeting({ prefix: "m" }), ["m10"]);
  assert.deepEqual(meeting({ gt: "a59", lt: "m10" }), []);
  assert.deepEqual(meeting({ gte: "a59", lte: "m10" }), ["m10", "a10"]);
  // The caller may change what it gets.
  store.tables()[0]!.smallest.fill(0);
  assert.deepEqual(meeting({ prefix: "t" }), ["t10"]);
});

test("A wrong key, a wrong range and a closed store are errors", async () => {
  const store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  assert.throws(() => store.tables({ from: 1 } as never), TypeError);
  await assert.rejects(store.locate(1 as never), TypeError);
  assert.throws(() => store.locateSync("\ud800"), TypeError);
  await store.close();
  await assert.rejects(store.locate("a"), { code: "CLOSED" });
  assert.throws(() => store.tables(), { code: "CLOSED" });
});

test("A damaged block is an error that names its file, and only for the keys in it", async () => {
  const { path: directory, dispose } = temporaryDirectory("locate");
  try {
    await findDamage(directory);
  } finally {
    dispose();
  }
});

async function findDamage(directory: string): Promise<void> {
  {
    await using store = await open(directory, options);
    for (let i = 0; i < 500; i++) await store.put(`k${1000 + i}`, "x".repeat(40));
    await store.compact();
  }
  await using store = await open(directory, { readOnly: true });
  const file = path.join(directory, store.tables()[0]!.file);
  const bytes = readFileSync(file);
  bytes[20]! ^= 0xff;
  writeFileSync(file, bytes);
  const isNamed = (error: Error): boolean =>
    error instanceof CorruptionError && error.message.includes(file);
  await assert.rejects(store.locate("k1000"), isNamed);
  assert.throws(() => store.locateSync("k1000"), isNamed);
  assert.deepEqual((await store.locate("k1499")).map(short), ["L1 found string"]);
}
