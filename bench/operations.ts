/**
 * The measured loops that workloads.ts composes: puts, gets, batches, scans, opens.
 *
 * Keys and values are made outside of the measured time, a chunk at a time. The answers of the
 * store are checked (each value's length and ends, the first of every 1024 byte by byte).
 * Everything else between the first operation and the last is measured, background work included.
 * The asynchronous loops give the event loop a turn after each chunk, as a server would.
 */

import { type EmbeddedStore, open, openSync, type Options } from "../mod.ts";
import {
  keyOf,
  missingKeyOf,
  type SeededRandom,
  valueLength,
  type ValuePool,
} from "./key_values.ts";
import { type Stopwatch, turn } from "./measure.ts";

/** What a workload works on. */
export interface Bench {
  /** Directory of the store. */
  readonly directory: string;
  /** Entries of the store: keys 0 to `entries` - 1. */
  readonly entries: number;
  /** Most reads of a workload that reads single keys. */
  readonly reads: number;
  readonly random: SeededRandom;
  readonly values: ValuePool;
  /** Options for every open. */
  readonly options: Options;
  /** Runs during operations, and stops while data is made or checked. */
  readonly stopwatch: Stopwatch;
}

const chunkLength = 1024;
const lanes = 64;

/** Throws because the store gave a wrong answer. */
export function wrong(key: string, problem: string): never {
  throw new Error(`The store answered wrongly for key "${key}": ${problem}`);
}

/** Checks a value; `thorough` compares every byte. */
export function check(key: string, value: unknown, expected: Uint8Array, thorough: boolean): void {
  if (!(value instanceof Uint8Array)) wrong(key, `found ${typeof value}, expected bytes`);
  if (value.length !== valueLength) wrong(key, `found ${value.length} bytes`);
  if (value[0] !== expected[0] || value[valueLength - 1] !== expected[valueLength - 1]) {
    wrong(key, "the value is another one");
  }
  if (thorough && value.some((byte, at) => byte !== expected[at])) {
    wrong(key, "the value differs inside");
  }
}

/** The numbers of the entries that a workload uses, in its order. */
export type Order = (bench: Bench, position: number) => number;

export const inKeyOrder: Order = (_bench, position) => position;
export const atRandom: Order = (bench) => bench.random.below(bench.entries);
/** Entries of the hot part: their blocks fit in the default cache. */
function hotEntries(bench: Bench): number {
  return Math.min(200_000, bench.entries);
}

export const inHotPart: Order = (bench) => bench.random.below(hotEntries(bench));

/** Keys and values of a chunk. */
interface Chunk {
  readonly keys: string[];
  readonly values: Uint8Array[];
  readonly length: number;
}

/** Makes the entries of the next chunk, with the stopwatch standing. */
function makeChunk(
  bench: Bench,
  order: Order,
  start: number,
  total: number,
  generation = 0,
): Chunk {
  bench.stopwatch.stop();
  const length = Math.min(chunkLength, total - start);
  const keys: string[] = [];
  const values: Uint8Array[] = [];
  for (let i = 0; i < length; i++) {
    const index = order(bench, start + i);
    keys.push(keyOf(index));
    values.push(bench.values.valueOf(index, generation));
  }
  bench.stopwatch.start();
  return { keys, values, length };
}

/** Runs `operation` for each position below `length`, 64 at a time. */
async function inFlight(length: number, operation: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < length) await operation(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** How operations are issued. */
export type Mode = "sync" | "await" | "64";

/** Runs a chunk at a time: `sync` per entry, or `async` per entry, as the mode says. */
async function forEachEntry(
  bench: Bench,
  mode: Mode,
  total: number,
  next: (start: number) => Chunk,
  sync: (chunk: Chunk, i: number) => void,
  async: (chunk: Chunk, i: number) => Promise<void>,
): Promise<number> {
  bench.stopwatch.start();
  for (let start = 0; start < total; start += chunkLength) {
    const chunk = next(start);
    if (mode === "sync") {
      for (let i = 0; i < chunk.length; i++) sync(chunk, i);
    } else if (mode === "await") {
      for (let i = 0; i < chunk.length; i++) await async(chunk, i);
      await turn();
    } else {
      await inFlight(chunk.length, (i) => async(chunk, i));
      await turn();
    }
  }
  bench.stopwatch.stop();
  return total;
}

/** Single puts. */
export function put(
  bench: Bench,
  store: EmbeddedStore,
  mode: Mode,
  order: Order,
  total: number,
  generation = 0,
): Promise<number> {
  return forEachEntry(
    bench,
    mode,
    total,
    (start) => makeChunk(bench, order, start, total, generation),
    (chunk, i) => store.putSync(chunk.keys[i]!, chunk.values[i]!),
    (chunk, i) => store.put(chunk.keys[i]!, chunk.values[i]!),
  );
}

/** Single gets, each checked. */
export function get(bench: Bench, store: EmbeddedStore, mode: Mode, order: Order): Promise<number> {
  return forEachEntry(
    bench,
    mode,
    bench.reads,
    (start) => makeChunk(bench, order, start, bench.reads),
    (chunk, i) => {
      const key = chunk.keys[i]!;
      check(key, store.getSync(key), chunk.values[i]!, i === 0);
    },
    async (chunk, i) => {
      const key = chunk.keys[i]!;
      check(key, await store.get(key), chunk.values[i]!, i === 0);
    },
  );
}

/** Gets of 100 keys at a time, each checked; counts keys. */
export async function getMany(bench: Bench, store: EmbeddedStore): Promise<number> {
  const total = Math.max(100, Math.floor(bench.reads / 100) * 100);
  for (let start = 0; start < total; start += 100) {
    const keys: string[] = [];
    const expected: Uint8Array[] = [];
    for (let i = 0; i < 100; i++) {
      const index = atRandom(bench, start + i);
      keys.push(keyOf(index));
      expected.push(bench.values.valueOf(index));
    }
    bench.stopwatch.start();
    const found = await store.getMany(keys);
    await turn();
    bench.stopwatch.stop();
    if (found.length !== keys.length) wrong(keys[0]!, `getMany gave ${found.length} answers`);
    for (let i = 0; i < 100; i++) check(keys[i]!, found[i], expected[i]!, i === 0);
  }
  return total;
}

/** Reads something of every block of the hot part, so that all of them are cached. */
export function warmUp(bench: Bench, store: EmbeddedStore): void {
  for (let index = 0; index < hotEntries(bench); index += 32) store.getSync(keyOf(index));
}

/** Batches of `size` entries; counts entries. */
export async function putBatches(
  bench: Bench,
  store: EmbeddedStore,
  order: Order,
  size: number,
  total: number,
): Promise<number> {
  bench.stopwatch.start();
  for (let start = 0; start < total; start += size) {
    bench.stopwatch.stop();
    const keys: string[] = [];
    const values: Uint8Array[] = [];
    for (let i = start; i < Math.min(start + size, total); i++) {
      const index = order(bench, i);
      keys.push(keyOf(index));
      values.push(bench.values.valueOf(index));
    }
    bench.stopwatch.start();
    const batch = store.batch();
    for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
    await batch.write();
    await turn();
  }
  bench.stopwatch.stop();
  return total;
}

/** Counts what a scan gives, and checks the first entry of every 1024. */
export class ScanCheck {
  #count = 0;
  readonly #bench: Bench;
  readonly #reverse: boolean;

  constructor(bench: Bench, reverse = false) {
    this.#bench = bench;
    this.#reverse = reverse;
  }

  see(key: unknown, value: unknown): void {
    const position = this.#count++;
    if ((position & 1023) !== 0) return;
    const index = this.#reverse ? this.#bench.entries - 1 - position : position;
    if (key !== keyOf(index)) wrong(keyOf(index), `the scan gave "${String(key)}" in its place`);
    check(keyOf(index), value, this.#bench.values.valueOf(index), true);
  }

  /** Number of entries seen, which must be all. */
  finish(): number {
    if (this.#count !== this.#bench.entries) {
      throw new Error(`The scan gave ${this.#count} entries, expected ${this.#bench.entries}`);
    }
    return this.#count;
  }
}

/** A full scan in the measured time. */
export async function scan(
  bench: Bench,
  reverse: boolean,
  body: (checker: ScanCheck) => Promise<void> | void,
): Promise<number> {
  const checker = new ScanCheck(bench, reverse);
  bench.stopwatch.start();
  await body(checker);
  bench.stopwatch.stop();
  return checker.finish();
}

/** Reads of keys that are not there, between keys that are. */
export function getMissing(bench: Bench, store: EmbeddedStore, mode: Mode): Promise<number> {
  const next = (start: number): Chunk => {
    const chunk = makeChunk(bench, atRandom, start, bench.reads);
    bench.stopwatch.stop();
    const keys = chunk.keys.map((key) => missingKeyOf(Number(key)));
    bench.stopwatch.start();
    return { ...chunk, keys };
  };
  const expectNothing = (key: string, value: unknown): void => {
    if (value !== undefined) wrong(key, "it was never written");
  };
  return forEachEntry(
    bench,
    mode,
    bench.reads,
    next,
    (chunk, i) => expectNothing(chunk.keys[i]!, store.getSync(chunk.keys[i]!)),
    async (chunk, i) => expectNothing(chunk.keys[i]!, await store.get(chunk.keys[i]!)),
  );
}

/** Scans of the 100 entries that share a prefix; counts scans. */
export async function prefixScans(bench: Bench, store: EmbeddedStore, mode: Mode): Promise<number> {
  const groups = Math.floor(bench.entries / 100);
  const total = Math.max(1, Math.floor(bench.reads / 100));
  bench.stopwatch.start();
  for (let i = 0; i < total; i++) {
    const group = bench.random.below(groups);
    const prefix = keyOf(group * 100).slice(0, -2);
    let count = 0;
    let last: unknown;
    if (mode === "sync") {
      for (const [key] of store.entries({ prefix })) {
        count++;
        last = key;
      }
    } else {
      for await (const [key] of store.entries({ prefix })) {
        count++;
        last = key;
      }
    }
    if (count !== 100 || last !== keyOf(group * 100 + 99)) {
      wrong(prefix, `the scan gave ${count} entries`);
    }
  }
  bench.stopwatch.stop();
  return total;
}

/** Four gets of five operations, one put; every get must see the latest put. */
export function mixed(bench: Bench, store: EmbeddedStore, mode: "sync" | "await"): Promise<number> {
  const generations = new Uint8Array(bench.entries);
  let isPut: boolean[] = [];
  const next = (start: number): Chunk => {
    bench.stopwatch.stop();
    isPut = [];
    const keys: string[] = [];
    const values: Uint8Array[] = [];
    const length = Math.min(chunkLength, bench.reads - start);
    for (let i = 0; i < length; i++) {
      const index = bench.random.below(bench.entries);
      isPut.push(bench.random.below(5) === 0);
      if (isPut[i]) generations[index] = (generations[index]! + 1) & 0xff;
      keys.push(keyOf(index));
      values.push(bench.values.valueOf(index, generations[index]));
    }
    bench.stopwatch.start();
    return { keys, values, length };
  };
  return forEachEntry(
    bench,
    mode,
    bench.reads,
    next,
    (chunk, i) => {
      const key = chunk.keys[i]!;
      if (isPut[i]) store.putSync(key, chunk.values[i]!);
      else check(key, store.getSync(key), chunk.values[i]!, i === 0);
    },
    async (chunk, i) => {
      const key = chunk.keys[i]!;
      if (isPut[i]) await store.put(key, chunk.values[i]!);
      else check(key, await store.get(key), chunk.values[i]!, i === 0);
    },
  );
}

/** Opens and closes; the store that the caller opened is closed first. */
export async function openOften(
  bench: Bench,
  store: EmbeddedStore,
  mode: "sync" | "await",
): Promise<number> {
  const total = 50;
  await store.close();
  for (let i = 0; i < total; i++) {
    bench.stopwatch.start();
    const again = mode === "sync"
      ? openSync(bench.directory, bench.options)
      : await open(bench.directory, bench.options);
    bench.stopwatch.stop();
    const index = bench.random.below(bench.entries);
    check(keyOf(index), again.getSync(keyOf(index)), bench.values.valueOf(index), true);
    await again.close();
  }
  return total;
}
