// What holds of the levels after every single edit of the manifest, with flushes, compactions of
// the background and of the caller all at once; and that the manifest itself does not grow without
// end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSync } from "../../mod.ts";
import { decodeCurrent, decodeManifest } from "../../src/version/manifest_format.ts";
import { manifestName, parseFileName, tableName } from "../../src/version/file_names.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import { LiveTable, type Version } from "../../src/version/version.ts";
import { applyEdit, emptyVersionState } from "../../src/version/version_state.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { readTable, textOf } from "../support/store_tables.ts";
import { withSeedAsync } from "../support/seeded.ts";

const DIRECTORY = "/db";

/**
 * The version on disk. Applying an edit checks it: disjoint levels, unique tables, nothing twice.
 */
function versionOnDisk(fileSystem: CloneableFileSystem): Version {
  const { storeId, manifestNumber } = decodeCurrent(fileSystem.content(`${DIRECTORY}/CURRENT`));
  const bytes = fileSystem.content(`${DIRECTORY}/${manifestName(manifestNumber)}`);
  let state = emptyVersionState();
  for (const edit of decodeManifest(bytes, storeId, manifestNumber).edits) {
    state = applyEdit(state, edit, (table) => new LiveTable(table, undefined as never));
  }
  return state.version;
}

/** The numbers that the entries of a table carry, by key; a tombstone carries none. */
function entriesOf(
  fileSystem: CloneableFileSystem,
  table: TableMetadata,
  known: Map<number, Map<string, number | undefined>>,
): Map<string, number | undefined> {
  let entries = known.get(table.number);
  if (entries === undefined) {
    entries = new Map(
      readTable(fileSystem, DIRECTORY, table).map(([key, value]) => [
        key,
        value === undefined ? undefined : Number.parseInt(value),
      ]),
    );
    known.set(table.number, entries);
    const keys = [...entries.keys()];
    const what = tableName(table.number);
    assert.equal(entries.size, table.entryCount, what);
    assert.equal([...entries.values()].filter((n) => n === undefined).length, table.tombstoneCount);
    assert.equal(keys[0], textOf(table.smallest), what);
    assert.equal(keys.at(-1), textOf(table.largest), what);
    assert.equal(fileSystem.content(`${DIRECTORY}/${what}`).length, table.sizeBytes, what);
  }
  return entries;
}

/** Newer above older: of a key's numbers none may be below a smaller one. */
function requireOrder(
  fileSystem: CloneableFileSystem,
  known: Map<number, Map<string, number | undefined>>,
): void {
  const newest = new Map<string, number>();
  for (const [level, tables] of versionOnDisk(fileSystem).tables.entries()) {
    for (const table of tables) {
      for (const [key, number] of entriesOf(fileSystem, table, known)) {
        const above = newest.get(key) ?? Infinity;
        if (number === undefined) continue;
        assert.ok(
          number < above,
          `${key}: ${number} in ${tableName(table.number)} of level ${level} lies below ${above}`,
        );
        newest.set(key, number);
      }
    }
  }
}

test("After every edit levels are disjoint, newer is above older, and counts are those of the files", async () => {
  let edits = 0;
  for (let seed = 1; seed <= 6; seed++) {
    await withSeedAsync(seed, async (random) => {
      const fileSystem = new CloneableFileSystem();
      const known = new Map<number, Map<string, number | undefined>>();
      fileSystem.after = (operation, path) => {
        const isEdit = operation === "sync" && path.includes("MANIFEST-");
        if (!isEdit || fileSystem.statSync(`${DIRECTORY}/CURRENT`) === undefined) return;
        edits++;
        requireOrder(fileSystem, known);
      };
      const store = openSync(DIRECTORY, {
        fileSystem,
        memtableSizeBytes: 4096,
        blockSizeBytes: 256,
        compression: "none",
        l0CompactionTrigger: 2 + random.below(3),
        levelSizeMultiplier: 2,
        maxLevels: 4,
      });
      const pending: Promise<void>[] = [];
      const expected = new Map<string, number>();
      for (let i = 0; i < 2500; i++) {
        const key = `k${String(random.below(300)).padStart(4, "0")}`;
        if (random.below(5) === 0) {
          expected.delete(key);
          pending.push(store.delete(key));
        } else {
          expected.set(key, i);
          pending.push(store.put(key, `${i} ${"x".repeat(random.below(60))}`));
        }
        const what = random.below(120);
        if (what < 2) pending.push(store.compact(), store.compact(), store.flush());
        else if (what < 4) pending.push(store.flush(), store.flush());
        else if (what < 5) {
          pending.push(store.compact({ start: "k0100", end: "k0200" }), store.compact());
        } else if (what < 15) await Promise.all(pending.splice(0));
      }
      await Promise.all(pending);
      await store.compact();
      requireOrder(fileSystem, known);
      const found = [...store.entries()].map(([key, value]) => [key, Number.parseInt(`${value}`)]);
      assert.deepEqual(found, [...expected].sort(([a], [b]) => a < b ? -1 : 1));
      await store.close();
    });
  }
  assert.ok(edits >= 300, `only ${edits} edits were looked at`);
});

test("The manifest stays within its bound however many edits there are, and is one file", async () => {
  const fileSystem = new CloneableFileSystem();
  let largest = 0;
  let written = 0;
  fileSystem.after = (operation, path) => {
    if (!path.includes("MANIFEST-") || operation !== "sync") return;
    const { sizeBytes } = fileSystem.statSync(path)!;
    largest = Math.max(largest, sizeBytes);
    written++;
  };
  const store = openSync(DIRECTORY, { fileSystem, memtableSizeBytes: 4096, compression: "none" });
  for (let i = 0; i < 1500; i++) {
    store.putSync(`k${i % 7}`, i);
    await store.flush();
  }
  // 64 KiB, or four times the first record, which names a handful of tables here; and one record
  // more.
  assert.ok(written >= 1500, `${written} edits`);
  assert.ok(largest > 64 * 1024, `the bound was never reached: ${largest}`);
  assert.ok(largest < 64 * 1024 + 1024, `${largest} bytes`);
  const manifests = fileSystem.listSync(DIRECTORY)
    .filter((name) => parseFileName(name)?.kind === "manifest");
  assert.equal(manifests.length, 1);
  await store.close();
});

test("A manifest with a torn tail is never appended to: what follows is there after reopening", async () => {
  const made = new CloneableFileSystem();
  const options = { memtableSizeBytes: 4096, compression: "none" } as const;
  const store = openSync(DIRECTORY, { ...options, fileSystem: made });
  store.putSync("a", 1);
  await store.flush();
  store.putSync("b", 2);
  const name = made.listSync(DIRECTORY).find((found) => found.startsWith("MANIFEST-"))!;
  const path = `${DIRECTORY}/${name}`;
  const whole = made.content(path);
  for (const tail of [1, 15, 16, 17, 200, 1000]) {
    const crashed = made.clone();
    const bytes = new Uint8Array(whole.length + tail);
    bytes.set(whole);
    for (let i = whole.length; i < bytes.length; i++) bytes[i] = (i * 37) & 0xff;
    crashed.setContent(path, bytes);
    for (let round = 0; round < 3; round++) {
      const again = openSync(DIRECTORY, { ...options, fileSystem: crashed });
      assert.equal(again.getSync("a"), 1);
      assert.equal(again.getSync("b"), 2);
      for (let i = 0; i < round; i++) assert.equal(again.getSync(`r${i}`), i, `${tail}, ${round}`);
      again.putSync(`r${round}`, round);
      await again.flush();
      await again.close();
      const left = crashed.statSync(path);
      assert.ok(left === undefined || left.sizeBytes === bytes.length, `it was appended to`);
    }
  }
  await store.close();
});
