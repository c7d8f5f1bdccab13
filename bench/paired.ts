/**
 * Has a change made hot calls slower, by as little as a few percent? Two versions of the library
 * take turns of some milliseconds in one process:
 *
 *     node bench/paired.ts /path/to/old/mod.ts [/path/to/new/mod.ts] [rounds] [rows]
 *
 * `rows` is a regular expression for names of rows. The turns of a pair are neighbours, so that a
 * busy machine slows both. The CPU time of the process counts, and of all pairs the median of
 * second to first.
 *
 * The version that is loaded second can be 10 % slower in a row only because it is second. So each
 * round has two processes: old before new, and new before old. The figure of a round is the
 * geometric mean of both ratios of new to old, in which the effect of the order cancels out.
 *
 * The stores are in memory, 10,000 entries of 16 + 100 bytes, without a thread. Each version has
 * its own functions, and so its own compiled code.
 */

import { spawnSync } from "node:child_process";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Library from "../mod.ts";
import { keyOf, SeededRandom } from "./key_values.ts";
import { median } from "./smoke_verdict.ts";

const ENTRIES = 10_000;
const CALLS = 1000;
/** After this number of turns both versions are compiled as well as they will be. */
const WARM_UP = 1000;
const PAIRS = 300;
const BATCH = 100;
const value = new Uint8Array(100).fill(7);

const runtime = "Deno" in globalThis ? "Deno" : "Bun" in globalThis ? "Bun" : "Node";

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

/** For each row the median of the ratios of CPU time, second to first. */
async function compare(
  first: typeof Library,
  second: typeof Library,
  only: RegExp,
): Promise<Record<string, number>> {
  const medians: Record<string, number> = {};
  for (const [name, turn] of Object.entries(rows)) {
    if (!only.test(name)) continue;
    const stores = [await storeOf(first), await storeOf(second)] as const;
    const random = new SeededRandom(5);
    const ratios: number[] = [];
    for (let pair = -WARM_UP; pair < PAIRS; pair++) {
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
    medians[name] = median(ratios);
    for (const store of stores) store.closeSync();
  }
  return medians;
}

const load = async (file: string): Promise<typeof Library> =>
  await import(pathToFileURL(path.resolve(file)).href);

/** What `compare` says in a process of its own. */
function inProcess(first: string, second: string, only: string): Record<string, number> {
  const program = [fileURLToPath(import.meta.url), "--one", first, second, only];
  if (runtime === "Deno") program.unshift("run", "-A", "--no-check");
  const { stdout, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" });
  if (!stdout.startsWith("{")) throw new Error(`a comparison failed: ${stderr}`);
  return JSON.parse(stdout);
}

const given = process.argv.slice(2);
if (given[0] === "--one") {
  const [first, second] = [await load(given[1]!), await load(given[2]!)];
  console.log(JSON.stringify(await compare(first, second, new RegExp(given[3]!))));
} else {
  const here = path.join(import.meta.dirname!, "..", "mod.ts");
  const [before, now = here, rounds = "3", only = ""] = given;
  if (before === undefined) throw new RangeError("Cannot compare: expected the path of a mod.ts");
  const figures: Record<string, number[]> = {};
  for (let round = 0; round < Number(rounds); round++) {
    const forward = inProcess(before, now, only);
    const backward = inProcess(now, before, only);
    for (const [name, ratio] of Object.entries(forward)) {
      (figures[name] ??= []).push(Math.sqrt(ratio / backward[name]!));
    }
  }
  console.log(
    `CPU time, new to old, ${runtime}: median of ${rounds}, lowest, highest`,
  );
  for (const [name, ratios] of Object.entries(figures)) {
    const shown = [median(ratios), Math.min(...ratios), Math.max(...ratios)];
    console.log(name.padEnd(24), ...shown.map((ratio) => ratio.toFixed(3)));
  }
}
