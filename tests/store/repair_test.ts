/**
 * Tests `verifyStore`, `repair` and `destroy` on a real disk, and what they refuse.
 * tests/faults/repair_test.ts tests damage.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import {
  destroy,
  destroySync,
  LockedError,
  memoryFileSystem,
  open,
  repair,
  repairSync,
  UnsupportedFormatError,
  type VerifyProgress,
  verifyStore,
  verifyStoreSync,
} from "../../mod.ts";
import type { Compressor } from "../../src/compression/compressor.ts";
import { noneCompressor } from "../../src/compression/none.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { checkRepair, repairVictim, requireSame } from "../support/repair_stores.ts";
import { contentOf, DIRECTORY, makeStoreFiles, openFiles } from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

function contentsOf(directory: string): Map<string, string> {
  return new Map(
    fs.readdirSync(directory).filter((name) => !name.startsWith("LOCK")).sort()
      .map((name) => [name, fs.readFileSync(path.join(directory, name), "hex")]),
  );
}

test("A store on a disk is verified, damaged, repaired, opened and destroyed", async () => {
  const { path: directory, dispose } = temporaryDirectory("repair");
  try {
    const store = await open(directory, { blockSizeBytes: 512, compression: "zstd" });
    for (let i = 0; i < 500; i++) await store.put(`k${i}`, `value ${i}`);
    await store.close();
    const sound = await verifyStore(directory);
    assert.deepEqual(sound.problems, []);
    assert.ok(sound.isSound && sound.tables >= 1 && sound.entries >= 500 && sound.bytes > 1000);
    fs.rmSync(path.join(directory, "CURRENT"));
    const before = contentsOf(directory);
    const found = await verifyStore(directory);
    assert.equal(found.isSound, false);
    assert.equal(found.problems[0]!.file, path.join(directory, "CURRENT"));
    const plan = await repair(directory, { dryRun: true });
    assert.deepEqual(contentsOf(directory), before);
    assert.ok(!fs.existsSync(path.join(directory, "LOCK")) || before.size > 0);
    const report = await repair(directory);
    assert.deepEqual(report, { ...plan, dryRun: false });
    assert.deepEqual(report.unknown, []);
    assert.equal((await verifyStore(directory)).isSound, true);
    const after = contentsOf(directory);
    assert.equal(repairSync(directory).isSound, true);
    assert.deepEqual(contentsOf(directory), after);
    const again = await open(directory);
    assert.equal(await again.count(), 500);
    await again.close();
    fs.writeFileSync(path.join(directory, "notes.txt"), "mine");
    await destroy(directory);
    assert.deepEqual([...contentsOf(directory).keys()], ["notes.txt"]);
    await assert.rejects(destroy(directory), { code: "NOT_A_STORE" });
  } finally {
    dispose();
  }
});

test("A store of which only tables are left is repaired, and tables of the Go program are not touched", async () => {
  const victim = await repairVictim();
  const files = victim.fileSystem.clone();
  for (const name of ["CURRENT", victim.manifest, ...victim.logs]) {
    files.removeSync(`${DIRECTORY}/${name}`);
  }
  assert.ok(checkRepair(files, victim).report.unknown.length > 0);
  const go = new CloneableFileSystem();
  go.makeDirectorySync(DIRECTORY);
  go.setContent(`${DIRECTORY}/000001.sst`, new Uint8Array(100));
  assert.throws(() => repairSync(DIRECTORY, { fileSystem: go }), { code: "NOT_A_STORE" });
  assert.throws(() => destroySync(DIRECTORY, { fileSystem: go }), { code: "NOT_A_STORE" });
  assert.deepEqual(go.listSync(DIRECTORY), ["000001.sst"]);
});

test("A table that was copied over another one of its level leaves what the others have", async () => {
  const fileSystem = new CloneableFileSystem();
  const options = { memtableSizeBytes: 4096, blockSizeBytes: 256, l0CompactionTrigger: 2 } as const;
  const store = await open(DIRECTORY, { ...options, fileSystem });
  for (let i = 0; i < 900; i++) await store.put(`k${String(i).padStart(5, "0")}`, `value ${i}`);
  await store.compact();
  await store.close();
  const tables = fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"));
  assert.ok(tables.length > 2, `${tables.length} tables`);
  for (const target of tables) {
    for (const source of tables.filter((name) => name !== target)) {
      const files = fileSystem.clone();
      files.setContent(`${DIRECTORY}/${target}`, files.content(`${DIRECTORY}/${source}`));
      const plan = await repair(DIRECTORY, { fileSystem: files, dryRun: true });
      const report = await repair(DIRECTORY, { fileSystem: files });
      assert.deepEqual(report, { ...plan, dryRun: false });
      assert.ok(report.unknown.some((text) => text.includes(target)), report.unknown.join());
      assert.equal((await verifyStore(DIRECTORY, { fileSystem: files })).isSound, true);
      const repaired = await open(DIRECTORY, { ...options, fileSystem: files });
      for (const [key, value] of repaired.entries()) {
        assert.equal(value, `value ${Number((key as string).slice(1))}`);
      }
      assert.ok(await repaired.count() >= 900 - 600 && await repaired.count() < 900);
      await repaired.close();
    }
  }
});

test("repair and destroy refuse a store that is open, and a dry run does not need its lock", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  await store.put("a", 1);
  await assert.rejects(repair("/db", { fileSystem }), LockedError);
  await assert.rejects(destroy("/db", { fileSystem }), LockedError);
  assert.throws(() => repairSync("/db", { fileSystem }), LockedError);
  assert.throws(() => destroySync("/db", { fileSystem }), LockedError);
  assert.equal((await repair("/db", { fileSystem, dryRun: true })).isSound, true);
  assert.equal(await store.get("a"), 1);
});

test("What is no store, or one of a newer version, is refused and left as it is", async () => {
  const fileSystem = memoryFileSystem();
  fileSystem.makeDirectorySync("/empty");
  const calls = [
    () => verifyStore("/empty", { fileSystem }),
    () => verifyStore("/missing", { fileSystem }),
    () => repair("/empty", { fileSystem }),
    () => repair("/missing", { fileSystem }),
    () => destroy("/empty", { fileSystem }),
    () => destroy("/missing", { fileSystem }),
  ];
  for (const call of calls) await assert.rejects(call, { code: "NOT_A_STORE" });
  assert.deepEqual(fileSystem.listSync("/empty"), []);
  // No version has a codec 9.
  const compressor: Compressor = {
    ...noneCompressor(),
    codec: 9,
    compress: (from, start, end, into, offset) => {
      into.set(from.subarray(start, end - 8), offset);
      return end - start - 8;
    },
  };
  const newer = makeStoreFiles({
    tables: [{ level: 1, number: 7, entries: [["a", "x".repeat(300)], ["b", "y"]] }],
    lastSequence: 2,
    table: { compressor },
  });
  const before = newer.clone();
  assert.match(
    verifyStoreSync(DIRECTORY, { fileSystem: newer }).problems[0]!.message,
    /its format is codec 9, supported is/,
  );
  assert.throws(() => repairSync(DIRECTORY, { fileSystem: newer }), UnsupportedFormatError);
  requireSame(before, newer, "the refused repair");
});

test("A damaged codec is damage, and not a newer version, if the checksum of all footers says so", async () => {
  const victim = await repairVictim();
  for (const name of victim.tables) {
    const files = victim.fileSystem.clone();
    const content = files.content(`${DIRECTORY}/${name}`);
    // The codec of the first block, which the checksum of the block does not cover.
    const view = new DataView(content.buffer);
    let at = 0;
    while (view.getUint32(at + 4, true) !== at - 4 || content[at + 8]! > 3) at++;
    content[at + 8] = 9;
    files.setContent(`${DIRECTORY}/${name}`, content);
    const { problems } = verifyStoreSync(DIRECTORY, { fileSystem: files });
    assert.match(problems[0]!.message, /a block has codec 9, which its metadata does not describe/);
    assert.equal(problems.length, 1);
    const { report, wrong } = checkRepair(files, victim);
    assert.ok(report.salvagedEntries > 0 || report.unknown.length > 0, name);
    assert.ok(wrong.length <= 15, `${name}: ${wrong.length} keys are wrong`);
  }
});

test("Progress is told, and a signal ends verifyStore and repair", async () => {
  const victim = await repairVictim();
  const fileSystem = victim.fileSystem.clone();
  fileSystem.removeSync(`${DIRECTORY}/CURRENT`);
  const before = fileSystem.clone();
  for (const call of [verifyStore, repair]) {
    const seen: VerifyProgress[] = [];
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = call(DIRECTORY, {
      fileSystem,
      signal: AbortSignal.abort(reason),
      onProgress: (progress) => seen.push(progress),
    });
    await assert.rejects(aborted, (error) => error === reason);
    assert.deepEqual(seen, []);
    const thrown = call(DIRECTORY, {
      fileSystem,
      signal: controller.signal,
      onProgress() {
        throw reason;
      },
    });
    await assert.rejects(thrown, (error) => error === reason);
    requireSame(before, fileSystem, "the call that was ended");
  }
  const seen: VerifyProgress[] = [];
  verifyStoreSync(DIRECTORY, { fileSystem, onProgress: (progress) => seen.push(progress) });
  assert.ok(seen.length >= victim.tables.length);
  for (const wrong of [5, null, { dry: true }, { dryRun: 1 }, { signal: 1 }, { onProgress: 1 }]) {
    await assert.rejects(repair(DIRECTORY, wrong as never), TypeError);
  }
  for (const wrong of [5, null, { dryRun: true }, { signal: 1 }]) {
    await assert.rejects(verifyStore(DIRECTORY, wrong as never), TypeError);
  }
  await assert.rejects(destroy(DIRECTORY, { force: true } as never), TypeError);
});

test("verifyStore names a missing table, a damaged log and a missing log, and writes nothing", async () => {
  const victim = await repairVictim();
  const problemsAfter = (damage: (files: CloneableFileSystem) => void): string[] => {
    const files = victim.fileSystem.clone();
    damage(files);
    const before = files.clone();
    const report = verifyStoreSync(DIRECTORY, { fileSystem: files });
    requireSame(before, files, "verifyStore");
    assert.equal(report.isSound, report.problems.length === 0);
    return report.problems.map(({ file }) => file);
  };
  assert.deepEqual(problemsAfter(() => {}), []);
  for (const name of [...victim.tables, ...victim.logs, victim.manifest]) {
    const file = `${DIRECTORY}/${name}`;
    assert.deepEqual(problemsAfter((files) => files.removeSync(file)), [file]);
  }
  const [log] = victim.logs;
  const file = `${DIRECTORY}/${log}`;
  const damaged = problemsAfter((files) => {
    const content = files.content(file);
    content[100]! ^= 1;
    files.setContent(file, content);
  });
  assert.ok(damaged.length <= 1);
});

test("Files with numbers far above those of the store are not its own", async () => {
  const files = makeStoreFiles({ tables: [{ level: 1, number: 10, entries: [["a", "1"]] }] });
  const foreign = `${DIRECTORY}/4000000000.sst`;
  files.setContent(foreign, Uint8Array.of(1, 2, 3));
  files.removeSync(`${DIRECTORY}/CURRENT`);
  const report = repairSync(DIRECTORY, { fileSystem: files });
  assert.ok(!report.files.some(({ file }) => file.startsWith("4000000000")));
  const store = openFiles(files);
  assert.deepEqual(contentOf(store), { a: "1" });
  store.closeSync();
  await destroy(DIRECTORY, { fileSystem: files });
  assert.deepEqual(
    files.listSync(DIRECTORY).filter((name) => !name.startsWith("LOCK")),
    ["4000000000.sst"],
  );
});

test("Damaged files are put aside under other names, and destroy removes them", async () => {
  const victim = await repairVictim();
  const files = victim.fileSystem.clone();
  const [name] = victim.tables;
  const content = files.content(`${DIRECTORY}/${name}`);
  content[100]! ^= 1;
  files.setContent(`${DIRECTORY}/${name}`, content);
  repairSync(DIRECTORY, { fileSystem: files });
  assert.deepEqual(files.content(`${DIRECTORY}/${name}.damaged`), content);
  openFiles(files).closeSync();
  assert.ok(files.listSync(DIRECTORY).includes(`${name}.damaged`), "an open has removed it");
  await destroy(DIRECTORY, { fileSystem: files });
  assert.deepEqual(files.listSync(DIRECTORY).filter((found) => !found.startsWith("LOCK")), []);
});
