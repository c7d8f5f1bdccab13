/**
 * The measured loops that workloads.ts composes: puts, gets, batches, opens over an Engine; those
 * of scans are in scan_loops.ts.
 *
 * As in bench/operations.ts, keys and values are made outside of the measured time, a chunk at a
 * time; loops of promises give the event loop a turn after each chunk, in the measured time, so
 * that background work counts. Answers are summed up while they arrive (digests.ts) and checked
 * afterwards; the first value of each chunk is compared byte by byte. A loop that has used up its
 * budget of time stops after the chunk at hand, and says so.
 */

import {
  keyOf,
  missingKeyOf,
  type SeededRandom,
  valueLength,
  type ValuePool,
} from "../key_values.ts";
import { type Stopwatch, turn } from "../measure.ts";
import { digestValue, weighted } from "./digests.ts";
import type { Engine, EngineTransaction } from "./engine.ts";

/** What a workload works on. */
export interface Bench {
  readonly engine: Engine;
  /** Whether the engine is a floor, whose answers are nothing. */
  readonly isFloor: boolean;
  /** Entries of the full store: keys 0 to `entries` - 1. */
  readonly entries: number;
  /** Seconds after which a loop stops. */
  readonly budgetSeconds: number;
  readonly values: ValuePool;
  /** A generator of random numbers, the same each time. */
  readonly newRandom: () => SeededRandom;
  readonly stopwatch: Stopwatch;
  /** Called before each chunk, while nothing is measured. */
  readonly beforeChunk?: () => void;
}

/** What a loop did. */
export interface Done {
  readonly operations: number;
  /** Whether the budget ended it. */
  readonly stopped: boolean;
  /** True if the store did it synchronously, without turns of the event loop in between. */
  readonly wasSync?: boolean;
  /** Throws if an answer was wrong; to be called when stalls are not watched any more. */
  readonly check?: () => void;
}

/** How operations are issued: one by one, each awaited, or 64 in flight. */
export type Mode = "sync" | "await" | "64";

/** The number of the entry at a position. Draws from `random` at most once. */
export type Order = (position: number, random: SeededRandom, entries: number) => number;

export const inKeyOrder: Order = (position) => position;
export const atRandom: Order = (_position, random, entries) => random.below(entries);

/** Entries whose blocks fit in any cache of 64 MB. */
export function hotEntries(entries: number): number {
  return Math.min(200_000, entries);
}
export const inHotPart: Order = (_position, random, entries) => random.below(hotEntries(entries));

/** How many operations make a chunk; the second number is the most. */
interface ChunkLengths {
  readonly least: number;
  readonly most: number;
}

/**
 * A store whose promises resolve without a turn of the event loop holds it up for a whole chunk:
 * 1024 awaited gets of 4 µs would show as a stall of 4 ms that the loop made, not the store. A turn
 * costs 2 µs, so 128 of them in between cost 1 % at 600k operations a second. With 64 in flight a
 * chunk is longer, because its end leaves lanes idle.
 */
const chunksOf: Readonly<Record<Mode, ChunkLengths>> = {
  sync: { least: 128, most: 1024 },
  await: { least: 32, most: 128 },
  "64": { least: 128, most: 512 },
};
const lanes = 64;

/** The engine's operation, which `workloads.ts` has made sure is there. */
export function need<T>(operation: T | undefined, name: string): T {
  if (operation === undefined) throw new Error(`The engine has no ${name}`);
  return operation;
}

/** Runs `operation` for each position below `length`, 64 at a time. */
async function inFlight(length: number, operation: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < length) await operation(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/**
 * Runs `body` for chunk after chunk, until all is done or the budget is used up. Chunks grow from
 * `least` to `most` operations while they are quick, so that a slow store stops in time, too.
 */
export async function inChunks(
  bench: Bench,
  total: number,
  { least, most }: ChunkLengths,
  make: (start: number, end: number) => void,
  body: (start: number, length: number) => Promise<void> | void,
): Promise<Done> {
  let start = 0;
  let length = least;
  while (start < total && bench.stopwatch.seconds < bench.budgetSeconds) {
    const end = Math.min(start + length, total);
    const before = bench.stopwatch.seconds;
    make(start, end);
    bench.beforeChunk?.();
    bench.stopwatch.start();
    const pending = body(start, end - start);
    if (pending !== undefined) {
      await pending;
      await turn();
    }
    bench.stopwatch.stop();
    if (bench.stopwatch.seconds - before < 0.1) length = Math.min(most, length * 2);
    start = end;
  }
  return { operations: start, stopped: start < total };
}

/** Issues `sync` or `async` for the positions of a chunk. */
function issue(
  mode: Mode,
  length: number,
  sync: (i: number) => void,
  async: (i: number) => Promise<void>,
): Promise<void> | void {
  if (mode === "sync") {
    for (let i = 0; i < length; i++) sync(i);
    return;
  }
  if (mode === "64") return inFlight(length, async);
  return (async () => {
    for (let i = 0; i < length; i++) await async(i);
  })();
}

/** Single puts. */
export function put(bench: Bench, mode: Mode, order: Order, total: number): Promise<Done> {
  const { engine, values, entries } = bench;
  const random = bench.newRandom();
  const keys: string[] = [];
  const chunk: Uint8Array[] = [];
  return inChunks(bench, total, chunksOf[mode], (start, end) => {
    for (let i = 0; i < end - start; i++) {
      const index = order(start + i, random, entries);
      keys[i] = keyOf(index);
      chunk[i] = values.valueOf(index);
    }
  }, (_start, length) =>
    issue(
      mode,
      length,
      (i) => engine.putSync!(keys[i]!, chunk[i]!),
      async (i) => void await engine.put!(keys[i]!, chunk[i]!),
    ));
}

/** Batches of `size` entries; counts entries. */
export function putBatches(
  bench: Bench,
  order: Order,
  size: number,
  total: number,
): Promise<Done> {
  const { engine, values, entries } = bench;
  const random = bench.newRandom();
  let keys: string[] = [];
  let batch: Uint8Array[] = [];
  return inChunks(bench, total, { least: size, most: size }, (start, end) => {
    keys = [];
    batch = [];
    for (let i = start; i < end; i++) {
      const index = order(i, random, entries);
      keys.push(keyOf(index));
      batch.push(values.valueOf(index));
    }
  }, async () => void await need(engine.writeBatch, "writeBatch")(keys, batch));
}

/** Puts in groups of 16 with a turn of the event loop after each, as a busy server does. */
export async function putWithTurns(bench: Bench, total: number): Promise<Done> {
  const { engine, values, entries, stopwatch } = bench;
  const random = bench.newRandom();
  const groupLength = 16;
  let operations = 0;
  stopwatch.start();
  while (operations < total) {
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < groupLength; i++) {
      const index = random.below(entries);
      if (engine.put !== undefined) pending.push(engine.put(keyOf(index), values.valueOf(index)));
      else need(engine.putSync, "put")(keyOf(index), values.valueOf(index));
    }
    await Promise.all(pending);
    await turn();
    operations += groupLength;
    stopwatch.stop();
    if (stopwatch.seconds >= bench.budgetSeconds) break;
    stopwatch.start();
  }
  stopwatch.stop();
  return { operations, stopped: operations < total };
}

/** The entries that the first `operations` writes of an order leave, in the order of keys. */
export function* writtenBy(bench: Bench, order: Order, operations: number): Generator<number> {
  const random = bench.newRandom();
  const written = new Uint8Array(bench.entries);
  for (let i = 0; i < operations; i++) written[order(i, random, bench.entries)] = 1;
  for (let index = 0; index < written.length; index++) if (written[index] === 1) yield index;
}

/** Compares byte by byte; the value of a reused buffer may lie in a longer one. */
function compare(key: string, value: Uint8Array | null | undefined, expected: Uint8Array): void {
  let same = value?.length === expected.length;
  for (let at = 0; same && at < valueLength; at++) same = value![at] === expected[at];
  if (!same) throw new Error(`Wrong answer for key "${key}"`);
}

/** Single gets of entries, or of keys that are not there. */
export async function get(
  bench: Bench,
  mode: Mode,
  order: Order,
  isMissing = false,
): Promise<Done> {
  const { engine, values, entries, isFloor } = bench;
  const random = bench.newRandom();
  const keys: string[] = [];
  let first: Uint8Array = new Uint8Array(0);
  let sum = 0;
  let expected = 0;
  const see = (position: number, i: number, value: Uint8Array | null | undefined): void => {
    sum = (sum + weighted(digestValue(value), position + i)) | 0;
    if (i === 0 && !isMissing && !isFloor) compare(keys[0]!, value, first);
  };
  const done = await inChunks(bench, entries, chunksOf[mode], (start, end) => {
    for (let i = 0; i < end - start; i++) {
      const index = order(start + i, random, entries);
      const value = isMissing ? undefined : values.valueOf(index);
      keys[i] = isMissing ? missingKeyOf(index) : keyOf(index);
      if (i === 0 && value !== undefined) first = value;
      expected = (expected + weighted(digestValue(value), start + i)) | 0;
    }
  }, (start, length) =>
    issue(
      mode,
      length,
      (i) => see(start, i, engine.getSync!(keys[i]!)),
      async (i) => see(start, i, await engine.get!(keys[i]!)),
    ));
  checkSum(bench, sum, expected, done.operations);
  return done;
}

function checkSum(bench: Bench, sum: number, expected: number, operations: number): void {
  if (sum !== expected && !bench.isFloor) {
    throw new Error(`Wrong answer: one or more of ${operations} gets gave another value`);
  }
}

/** Gets of 100 keys at a time; counts keys. */
export async function getMany(bench: Bench): Promise<Done> {
  const { engine, values, entries } = bench;
  const random = bench.newRandom();
  let keys: string[] = [];
  let sum = 0;
  let expected = 0;
  const done = await inChunks(bench, entries, { least: 100, most: 100 }, (start, end) => {
    keys = [];
    for (let i = start; i < end; i++) {
      const index = random.below(entries);
      keys.push(keyOf(index));
      expected = (expected + weighted(digestValue(values.valueOf(index)), i)) | 0;
    }
  }, async (start) => {
    const found = await need(engine.getMany, "getMany")(keys);
    for (let i = 0; i < found.length; i++) {
      sum = (sum + weighted(digestValue(found[i]), start + i)) | 0;
    }
  });
  checkSum(bench, sum, expected, done.operations);
  return done;
}

/**
 * Reads every `step`th entry below `limit`, so that the cache holds what of it fits. Every 8th
 * reaches each block of any store; every 64th suffices where the cache is too small for all of them
 * anyway.
 */
export async function warmUp(bench: Bench, limit: number, step: number): Promise<void> {
  const { engine } = bench;
  const untilMs = performance.now() + bench.budgetSeconds * 1000;
  for (let index = 0; index < limit && performance.now() < untilMs; index += step) {
    if (engine.getSync !== undefined) engine.getSync(keyOf(index));
    else await engine.get?.(keyOf(index));
  }
}

/** Four gets of five operations, one put; every get must see the latest put. */
export async function mixed(bench: Bench, mode: "sync" | "await", limit: number): Promise<Done> {
  const { engine, values } = bench;
  const random = bench.newRandom();
  const generations = new Uint8Array(bench.entries);
  const keys: string[] = [];
  const chunk: Uint8Array[] = [];
  const isPut: boolean[] = [];
  let sum = 0;
  let expected = 0;
  const see = (position: number, value: Uint8Array | null | undefined): void => {
    sum = (sum + weighted(digestValue(value), position)) | 0;
  };
  const done = await inChunks(bench, bench.entries, chunksOf[mode], (start, end) => {
    for (let i = 0; i < end - start; i++) {
      const index = random.below(limit);
      isPut[i] = random.below(5) === 0;
      if (isPut[i]) generations[index] = (generations[index]! + 1) & 0xff;
      keys[i] = keyOf(index);
      chunk[i] = values.valueOf(index, generations[index]);
      if (!isPut[i]) expected = (expected + weighted(digestValue(chunk[i]), start + i)) | 0;
    }
  }, (start, length) =>
    issue(
      mode,
      length,
      (i) => {
        if (isPut[i]) engine.putSync!(keys[i]!, chunk[i]!);
        else see(start + i, engine.getSync!(keys[i]!));
      },
      async (i) => {
        if (isPut[i]) await engine.put!(keys[i]!, chunk[i]!);
        else {
          const value = engine.get === undefined
            ? engine.getSync!(keys[i]!)
            : await engine.get(keys[i]!);
          see(start + i, value);
        }
      },
    ));
  checkSum(bench, sum, expected, done.operations);
  return done;
}

/** Gets, and then puts, of one transaction. */
const PER_TRANSACTION = 5;

/**
 * Transactions of five gets and five puts of random keys; every get must see the latest put. Counts
 * transactions.
 */
export async function transact(
  bench: Bench,
  mode: "sync" | "await",
  limit: number,
): Promise<Done> {
  const { engine, values } = bench;
  const random = bench.newRandom();
  const generations = new Uint8Array(bench.entries);
  const keys: string[] = [];
  const chunk: Uint8Array[] = [];
  const positionOf = (at: number, i: number): number => at * 2 * PER_TRANSACTION + i;
  let sum = 0;
  let expected = 0;
  const total = Math.floor(bench.entries / (2 * PER_TRANSACTION));
  const done = await inChunks(
    bench,
    total,
    { least: 16, most: 128 },
    (start, end) => {
      for (let at = 0; at < end - start; at++) {
        for (let i = 0; i < 2 * PER_TRANSACTION; i++) {
          const index = random.below(limit);
          const isPut = i >= PER_TRANSACTION;
          if (isPut) generations[index] = (generations[index]! + 1) & 0xff;
          const position = positionOf(at, i);
          keys[position] = keyOf(index);
          chunk[position] = values.valueOf(index, generations[index]);
          if (!isPut) {
            const digest = weighted(
              digestValue(chunk[position]),
              positionOf(start + at, i),
            );
            expected = (expected + digest) | 0;
          }
        }
      }
    },
    (start, length) => {
      const bodyOf = (at: number) => ({ get, put }: EngineTransaction): void => {
        for (let i = 0; i < PER_TRANSACTION; i++) {
          const value = get(keys[positionOf(at, i)]!);
          sum = (sum + weighted(digestValue(value), positionOf(start + at, i))) |
            0;
        }
        for (let i = PER_TRANSACTION; i < 2 * PER_TRANSACTION; i++) {
          const position = positionOf(at, i);
          put(keys[position]!, chunk[position]!);
        }
      };
      return issue(
        mode,
        length,
        (at) =>
          need(engine.transactionSync, "transactionSync").call(
            engine,
            bodyOf(at),
          ),
        async (at) => {
          await need(engine.transaction, "transaction").call(
            engine,
            bodyOf(at),
          );
        },
      );
    },
  );
  checkSum(bench, sum, expected, done.operations);
  return done;
}

/**
 * Opens, reads one entry, closes; returns the milliseconds from open to answer of each. The caller
 * has closed the store.
 */
export async function openOften(
  bench: Bench,
  open: () => Promise<Engine> | Engine,
): Promise<number[]> {
  const random = bench.newRandom();
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const index = random.below(bench.entries);
    const key = keyOf(index);
    const startedMs = performance.now();
    const engine = await open();
    const value = engine.getSync === undefined
      ? await need(engine.get, "get")(key)
      : engine.getSync(key);
    times.push(performance.now() - startedMs);
    compare(key, value, bench.values.valueOf(index));
    await engine.close();
  }
  return times;
}
