/**
 * Loads a directory tree into a store, one entry a file, and puts the store through its paces:
 * reopen, look every file up and compare it with the disk, scan a prefix, delete a subtree,
 * compact, and show the statistics. Stops with an error at the first wrong answer.
 *
 *   node examples/load_tree.ts <tree> <empty directory for the store>
 *
 * `npm run demo` starts it on a runtime of your choice with a directory that it removes again.
 * On Deno it needs to read the tree, and to read and write the store's directory, nothing else.
 */

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { type EmbeddedStore, open, type Stats } from "../mod.ts";
import { bytes, duration, integer, percent, rate } from "./human_numbers.ts";
import { Progress } from "./progress.ts";

/** Larger files are left out: the default tree has binaries of 100 MB, which make a dull demo. */
const maximumFileBytes = 4 * 1024 * 1024;

/** Bytes of file content that are written as one atomic batch. */
const batchBytes = 1024 * 1024;

const lookups = 10_000;

/** A file of the tree. */
interface TreeFile {
  /** Path in the tree, with "/": the key. */
  readonly key: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** The regular files below `folder`, without those that are too large. Links are not followed. */
function listTree(folder: string): { files: TreeFile[]; leftOut: number } {
  const files: TreeFile[] = [];
  let leftOut = 0;
  const visit = (directory: string, prefix: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const file = path.join(directory, entry.name);
      const key = `${prefix}${entry.name}`;
      if (entry.isDirectory()) visit(file, `${key}/`);
      if (!entry.isFile()) continue;
      const sizeBytes = lstatSync(file).size;
      if (sizeBytes <= maximumFileBytes) files.push({ key, path: file, sizeBytes });
      else leftOut++;
    }
  };
  visit(folder, "");
  return { files, leftOut };
}

/** Prints a step's name and what came of it. */
function report(step: string, text: string): void {
  console.log(`${step.padEnd(10)} ${text}`);
}

/** Throws unless the two are equal. */
function expectEqual(what: string, found: number | string, expected: number | string): void {
  if (found !== expected) throw new Error(`${what}: found ${found}, expected ${expected}`);
}

/** Whether two byte arrays are equal. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Writes every file, in batches. */
async function load(
  store: EmbeddedStore,
  files: readonly TreeFile[],
  totalBytes: number,
): Promise<void> {
  const progress = new Progress(totalBytes);
  let batch = store.batch();
  let pendingBytes = 0;
  let doneBytes = 0;
  const startedMs = performance.now();
  for (const file of files) {
    batch.put(file.key, new Uint8Array(readFileSync(file.path)));
    pendingBytes += file.sizeBytes;
    if (pendingBytes >= batchBytes || file === files.at(-1)) {
      await batch.write();
      doneBytes += pendingBytes;
      progress.add(
        pendingBytes,
        () => `${bytes(doneBytes)}  ${rate(doneBytes, performance.now() - startedMs, bytes)}`,
      );
      batch = store.batch();
      pendingBytes = 0;
    }
  }
  const tookMs = progress.finish();
  report(
    "loaded",
    `${integer(files.length)} files, ${bytes(totalBytes)} in ${duration(tookMs)}: ` +
      `${rate(files.length, tookMs)}, ${rate(totalBytes, tookMs, bytes)}, durable`,
  );
}

/** Gets every file and compares it with the disk. */
async function compare(
  store: EmbeddedStore,
  files: readonly TreeFile[],
  totalBytes: number,
): Promise<void> {
  const progress = new Progress(totalBytes);
  let compared = 0;
  let getMs = 0;
  for (const file of files) {
    const startedMs = performance.now();
    const value = await store.get(file.key);
    getMs += performance.now() - startedMs;
    if (!(value instanceof Uint8Array) || !sameBytes(value, readFileSync(file.path))) {
      throw new Error(`The store's content of "${file.key}" is not that of the disk`);
    }
    compared++;
    progress.add(file.sizeBytes, () => `${integer(compared)} files`);
  }
  progress.finish();
  expectEqual("Number of entries", await store.count(), files.length);
  report(
    "compared",
    `all ${integer(compared)} files with the disk: ${rate(compared, getMs)}, ` +
      `${rate(totalBytes, getMs, bytes)} out of the store`,
  );
}

/** Looks keys up in a scattered order, there and not there. */
function lookUp(store: EmbeddedStore, files: readonly TreeFile[]): void {
  const keyAt = (i: number): string => files[(i * 7919) % files.length]!.key;
  const startedMs = performance.now();
  for (let i = 0; i < lookups; i++) {
    if (!store.hasSync(keyAt(i))) throw new Error(`The store lost "${keyAt(i)}"`);
  }
  const middleMs = performance.now();
  for (let i = 0; i < lookups; i++) {
    if (store.hasSync(`${keyAt(i)}~`)) throw new Error(`The store made up "${keyAt(i)}~"`);
  }
  const endMs = performance.now();
  report(
    "looked up",
    `${integer(lookups)} keys that are there: ${rate(lookups, middleMs - startedMs)}; ` +
      `that are not: ${rate(lookups, endMs - middleMs)}`,
  );
}

/** The folder at the top of the tree with the most files, with its "/", and their number. */
function largestFolder(files: readonly TreeFile[]): { prefix: string; count: number } {
  const counts = new Map<string, number>();
  for (const { key } of files) {
    const prefix = key.includes("/") ? key.slice(0, key.indexOf("/") + 1) : "";
    if (prefix !== "") counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  let best = { prefix: "", count: files.length };
  for (const [prefix, count] of counts) {
    if (best.prefix === "" || count > best.count) best = { prefix, count };
  }
  return best;
}

/** Scans everything and compares the keys with those of the tree, in the store's order. */
async function scanAll(store: EmbeddedStore, expectedKeys: readonly string[]): Promise<void> {
  const encoder = new TextEncoder();
  const byBytes = (a: Uint8Array, b: Uint8Array): number => {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (a[i] !== b[i]) return a[i]! - b[i]!;
    }
    return a.length - b.length;
  };
  const sorted = expectedKeys.map((key) => ({ key, encoded: encoder.encode(key) }))
    .sort((a, b) => byBytes(a.encoded, b.encoded));
  const startedMs = performance.now();
  let position = 0;
  let scannedBytes = 0;
  for await (const [key, value] of store.entries()) {
    expectEqual(`Entry ${position} of the scan`, String(key), sorted[position]?.key ?? "the end");
    scannedBytes += value instanceof Uint8Array ? value.length : 0;
    position++;
  }
  const tookMs = performance.now() - startedMs;
  expectEqual("Entries scanned", position, sorted.length);
  report(
    "scanned",
    `all ${integer(position)} entries in order: ${rate(position, tookMs)}, ` +
      rate(scannedBytes, tookMs, bytes),
  );
}

/** Scans a folder, then deletes what the scan found. */
async function scanAndDelete(
  store: EmbeddedStore,
  prefix: string,
  expected: number,
): Promise<void> {
  const startedMs = performance.now();
  const keys: string[] = [];
  for await (const key of store.keys({ prefix })) keys.push(String(key));
  const scannedMs = performance.now();
  expectEqual(`Entries under "${prefix}"`, keys.length, expected);
  report(
    "scanned",
    `${integer(keys.length)} keys under "${prefix}" in ${duration(scannedMs - startedMs)}`,
  );

  const batch = store.batch();
  for (const key of keys) batch.delete(key);
  await batch.write();
  const deletedMs = performance.now();
  expectEqual(`Entries left under "${prefix}"`, await store.count({ prefix }), 0);
  report("deleted", `them as one batch in ${duration(deletedMs - scannedMs)}`);
}

/** Bytes of all files of the store. */
function sizeOnDisk(directory: string): number {
  return readdirSync(directory).reduce(
    (total, name) => total + lstatSync(path.join(directory, name)).size,
    0,
  );
}

/** Compacts everything. */
async function compact(store: EmbeddedStore, directory: string): Promise<void> {
  const before = sizeOnDisk(directory);
  const startedMs = performance.now();
  await store.compact();
  const tookMs = performance.now() - startedMs;
  report("compacted", `${bytes(before)} to ${bytes(sizeOnDisk(directory))} in ${duration(tookMs)}`);
}

/** Prints rows of cells: the first column to the left, the others to the right. */
function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
    );
    console.log(`  ${cells.join("   ")}`);
  }
}

/** Prints what the store knows about itself. */
function printStats(stats: Stats): void {
  console.log("\nstatistics since the store was opened again");
  printTable([
    ["level", "tables", "entries", "size"],
    ...stats.levels.filter(({ tables }) => tables > 0).map((level) => [
      `L${level.level}`,
      integer(level.tables),
      integer(level.entries),
      bytes(level.sizeBytes),
    ]),
  ]);
  const { cache, memtable, wal, flush, compaction, stalls } = stats;
  const hitRate = percent(cache.hits, cache.hits + cache.misses);
  console.log();
  printTable([
    ["memtable", `${integer(memtable.entryCount)} entries`, bytes(memtable.sizeBytes)],
    ["log", "", bytes(wal.sizeBytes)],
    [
      "block cache",
      `${hitRate} hits`,
      `${bytes(cache.sizeBytes)} of ${bytes(cache.capacityBytes)}`,
    ],
    ["indexes", "", bytes(stats.indexBytes)],
    ["filters", "", bytes(stats.filterBytes)],
    ["flushes", integer(flush.count), `${bytes(flush.bytesWritten)} written`],
    ["compactions", integer(compaction.count), `${bytes(compaction.bytesWritten)} written`],
    ["write stalls", integer(stalls.count), duration(stalls.totalMs)],
  ]);
}

/** Runs the whole example. */
async function main(tree: string, directory: string): Promise<void> {
  const { files, leftOut } = listTree(tree);
  if (files.length === 0) throw new Error(`Cannot load "${tree}": it holds no files`);
  const totalBytes = files.reduce((total, file) => total + file.sizeBytes, 0);
  console.log(`tree   ${tree}`);
  console.log(
    `       ${integer(files.length)} files, ${bytes(totalBytes)}` +
      (leftOut > 0 ? ` (${integer(leftOut)} larger than ${bytes(maximumFileBytes)} left out)` : ""),
  );
  console.log(`store  ${directory}\n`);

  const store = await open(directory);
  await load(store, files, totalBytes);
  const closingMs = performance.now();
  await store.close();
  report("closed", `in ${duration(performance.now() - closingMs)}`);
  const onDisk = sizeOnDisk(directory);

  const openingMs = performance.now();
  const reopened = await open(directory);
  try {
    report("reopened", `in ${duration(performance.now() - openingMs)}`);
    await compare(reopened, files, totalBytes);
    lookUp(reopened, files);
    await scanAll(reopened, files.map(({ key }) => key));

    const { prefix, count } = largestFolder(files);
    await scanAndDelete(reopened, prefix, count);
    await compact(reopened, directory);
    const kept = files.filter(({ key }) => !key.startsWith(prefix));
    await scanAll(reopened, kept.map(({ key }) => key));

    printStats(reopened.stats());
  } finally {
    await reopened.close();
  }
  console.log(
    `\nbytes in ${bytes(totalBytes)}, on disk ${bytes(onDisk)} after loading: ` +
      `ratio ${(totalBytes / onDisk).toFixed(2)}`,
  );
}

const [tree, directory] = process.argv.slice(2);
if (tree === undefined || directory === undefined) {
  console.error("usage: load_tree.ts <tree> <empty directory for the store>");
  process.exitCode = 2;
} else {
  await main(path.resolve(tree), path.resolve(directory));
}
