/**
 * Has a change made hot calls slower, by as little as a few percent? Two versions of the library
 * take turns of some milliseconds in one process:
 *
 *     node bench/paired.ts /path/to/old/mod.ts [/path/to/new/mod.ts] [pairs]
 *
 * The turns of a pair are neighbours, so that a busy machine slows both. The CPU time of the
 * process counts, and of all pairs the median of new to old. The first table compares the old
 * version with itself, loaded twice: what differs there is the error of the method.
 *
 * The stores are in memory, 10,000 entries of 16 + 100 bytes, without a thread. Each version has
 * its own functions, and so its own compiled code.
 */

import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type * as Library from "../mod.ts";
import { keyOf, SeededRandom } from "./key_values.ts";
import { median } from "./smoke_verdict.ts";

const ENTRIES = 10_000;
const CALLS = 1000;
const WARM_UP = 15;
const BATCH = 100;
const value = new Uint8Array(100).fill(7);

const [oldPath, newPath = path.join(import.meta.dirname!, "..", "mod.ts"), given] = process.argv
  .slice(2);
if (oldPath === undefined) throw new RangeError("Cannot compare: expected the path of a mod.ts");
const pairs = Number(given ?? 100);

/** CPU time of the process in ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A turn: some calls on a store, with keys of its own. */
type Turn = (store: Library.EmbeddedStore, keys: readonly string[]) => void | Promise<void>;

const rows: Readonly<Record<string, Turn>> = {
  putSync(store, keys) {
    for (const key of keys) store.putSync(key, value);
  },
  "batches of 100"(store, keys) {
    for (let at = 0; at < keys.length; at += BATCH) {
      const batch = store.batch();
      for (const key of keys.slice(at, at + BATCH)) batch.put(key, value);
      store.writeSync(batch);
    }
  },
  getSync(store, keys) {
    for (const key of keys) store.getSync(key);
  },
  async "await get"(store, keys) {
    for (const key of keys) await store.get(key);
  },
  "getSync, missing"(store, keys) {
    for (const key of keys) store.getSync(`${key}x`);
  },
  "scan, for...of"(store, [gte]) {
    let count = 0;
    for (const _ of store.entries({ gte: gte!, limit: 4 * CALLS })) count++;
    if (count === 0) throw new Error("the scan is empty");
  },
  "scan, reverse"(store, [lt]) {
    for (const _ of store.entries({ lt: lt!, limit: 4 * CALLS, reverse: true }));
  },
  "20 entries of a prefix"(store, keys) {
    for (const key of keys.slice(0, CALLS / 20)) {
      for (const _ of store.entries({ gte: key, limit: 20 }));
    }
  },
};

async function storeOf(
  { openSync, memoryFileSystem }: typeof Library,
): Promise<Library.EmbeddedStore> {
  const store = openSync("/db", {
    fileSystem: memoryFileSystem(),
    walSync: "none",
    backgroundThread: false,
  });
  const batch = store.batch();
  for (let i = 0; i < ENTRIES; i++) batch.put(keyOf(i), value);
  store.writeSync(batch);
  await store.flush();
  return store;
}

/** The median of the ratios of CPU time, second to first, and the quartiles. */
async function compare(first: typeof Library, second: typeof Library): Promise<void> {
  for (const [name, turn] of Object.entries(rows)) {
    const stores = [await storeOf(first), await storeOf(second)] as const;
    const random = new SeededRandom(5);
    const ratios: number[] = [];
    for (let pair = -WARM_UP; pair < pairs; pair++) {
      const keys = Array.from({ length: CALLS }, () => keyOf(random.below(ENTRIES)));
      const times = [0, 0];
      // Each is the first one in every second pair.
      for (const which of pair % 2 === 0 ? [0, 1] : [1, 0]) {
        const start = cpuMs();
        await turn(stores[which]!, keys);
        times[which] = cpuMs() - start;
      }
      if (pair >= 0 && times[0]! > 0) ratios.push(times[1]! / times[0]!);
    }
    ratios.sort((a, b) => a - b);
    const shown = [median(ratios), ratios[ratios.length >> 2]!, ratios[(ratios.length * 3) >> 2]!]
      .map((ratio) => ratio.toFixed(3));
    console.log(`${name.padEnd(24)} ${shown[0]}   quartiles ${shown[1]} to ${shown[2]}`);
    for (const store of stores) store.closeSync();
  }
}

const load = async (file: string): Promise<typeof Library> =>
  await import(pathToFileURL(path.resolve(file)).href);

const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-paired-"));
try {
  // A copy has a module of its own for each file.
  const copy = path.join(folder, "old");
  const root = path.dirname(path.resolve(oldPath));
  const entries = readdirSync(root).filter((name) => name.endsWith(".ts"));
  for (const part of [...entries, "src", "wasm", "package.json"]) {
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
  const [before, same, now] = [
    await load(oldPath),
    await load(path.join(copy, "mod.ts")),
    await load(newPath),
  ];
  console.log(`CPU time, old version to itself, Node ${process.version}`);
  await compare(before, same);
  console.log("new version to old version");
  await compare(before, now);
} finally {
  rmSync(folder, { recursive: true });
}
