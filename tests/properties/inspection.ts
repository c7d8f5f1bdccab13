/**
 * What is compared after every step of a history, beyond the answers of the step itself: the keys
 * that it changed, a window of the key space by get and by a scan in either direction, and, after
 * steps that move data, all of it, with the levels in the manifest.
 */

import assert from "node:assert/strict";
import { compareViews, type TableMetadata } from "../../src/version/table_metadata.ts";
import { manifestName, tableName } from "../../src/version/file_names.ts";
import { decodeCurrent, decodeManifest } from "../../src/version/manifest_format.ts";
import { keyCount, pool } from "./keys.ts";
import { DIRECTORY, type World } from "./world.ts";
import { takeText } from "./values.ts";

const WINDOW_ENTRIES = 4;

/** Compares what the last step changed, and a window in one direction. */
export function inspectSome(world: World): void {
  const { store, model, touched } = world;
  // Of a step that changed many keys, the first and the last are enough.
  for (const key of touched.length > 4 ? [touched[0]!, touched.at(-1)!] : touched) {
    world.require([takeText(store.getSync(world.key(key)))], [world.expected(key)]);
  }
  const key = touched.at(-1) ?? world.random.below(keyCount);
  touched.length = 0;
  const bound = world.key(key);
  const reverse = world.random.below(2) === 0;
  const range = reverse ? { lte: bound, reverse } : { gte: bound };
  const found: string[] = [];
  for (const entry of store.entries({ ...range, limit: WINDOW_ENTRIES })) {
    found.push(world.entryText(entry));
  }
  const expected = model.near(world.binary(key), reverse, WINDOW_ENTRIES);
  world.require(found, expected.map(([key, text]) => key + text));
  requireLegal(world);
}

/** Compares everything by scans, and this number of keys by get; by default all. */
export function inspectAll(world: World, sampledGets?: number): void {
  const { store } = world;
  world.touched.length = 0;
  const expected = world.select({ reverse: false });
  const found: string[] = [];
  for (const entry of store.entries()) found.push(world.entryText(entry));
  world.require(found, expected.map(([key, text]) => key + text));
  if (sampledGets === undefined || world.random.below(3) === 0) {
    const keys: string[] = [];
    for (const key of store.keys({ reverse: true })) keys.push(world.binaryOf(key));
    world.require(keys, expected.map(([key]) => key).reverse());
  }
  const first = world.random.below(pool.length);
  for (let i = 0; i < (sampledGets ?? pool.length); i++) {
    const key = (first + i * 7) % pool.length;
    world.require([takeText(store.getSync(world.key(key)))], [world.expected(key)]);
  }
  inspectLevels(world);
  requireLegal(world);
}

/** Requires what must hold of the tables at any time, as the manifest has them. */
export function inspectLevels(world: World, options: { isQuiet?: boolean } = {}): void {
  const { files } = world;
  const current = decodeCurrent(files.content(`${DIRECTORY}/CURRENT`));
  const { storeId, manifestNumber } = current;
  const manifest = files.content(`${DIRECTORY}/${manifestName(manifestNumber)}`);
  const tables = new Map<number, { level: number; table: TableMetadata }>();
  for (const edit of decodeManifest(manifest, storeId, manifestNumber).edits) {
    for (const { number } of edit.removed) assert.ok(tables.delete(number), `table ${number}`);
    for (const { level, table } of edit.added) {
      assert.ok(!tables.has(table.number), `table ${table.number} was there already`);
      tables.set(table.number, { level, table });
    }
  }
  const levels: TableMetadata[][] = [];
  for (const { level, table } of tables.values()) {
    (levels[level] ??= []).push(table);
    if (level > world.deepestLevel) world.deepestLevel = level;
    const status = files.statSync(`${DIRECTORY}/${tableName(table.number)}`);
    assert.equal(status?.sizeBytes, table.sizeBytes, `size of table ${table.number}`);
  }
  world.maxTables = Math.max(world.maxTables, tables.size);
  for (const level of levels.slice(1)) {
    const sorted = (level ?? []).toSorted((a, b) => compareViews(a.smallestView, b.smallestView));
    for (let i = 1; i < sorted.length; i++) {
      const before = sorted[i - 1]!;
      assert.ok(
        compareViews(before.largestView, sorted[i]!.smallestView) < 0,
        `tables ${before.number} and ${sorted[i]!.number} of one level overlap`,
      );
    }
  }
  if (!options.isQuiet) return;
  const used = new Set(
    [...tables.values()].flatMap(({ table }) => table.valueUses.map(({ number }) => number)),
  );
  const left = files.listSync(DIRECTORY).filter((name) =>
    name.endsWith(".sst") && !tables.has(Number(name.slice(0, -4))) || name.endsWith(".tmp") ||
    name.endsWith(".val") && !used.has(Number(name.slice(0, -4)))
  );
  assert.deepEqual(left, [], "files that nobody refers to");
}

function requireLegal({ files }: World): void {
  assert.deepEqual(files.violations, []);
}
