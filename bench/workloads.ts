/**
 * The workloads, named after those of LevelDB's db_bench. db_bench.ts runs one of them in a
 * process; bench/run.ts runs them all. operations.ts has the loops, and says what is measured.
 *
 * "sync" calls the synchronous twin in a loop, "await" awaits each operation, "64" keeps 64
 * operations in flight.
 */

import { defaultOptions, type EmbeddedStore, type Options } from "../mod.ts";
import { keyOf } from "./key_values.ts";
import { turn } from "./measure.ts";
import {
  atRandom,
  type Bench,
  check,
  get,
  getMany,
  getMissing,
  inHotPart,
  inKeyOrder,
  mixed,
  type Mode,
  openOften,
  type Order,
  prefixScans,
  put,
  putBatches,
  scan,
  warmUp,
  wrong,
} from "./operations.ts";

/** One workload. */
export interface Workload {
  readonly name: string;
  /** An empty directory, the shared compacted store (only to be read), or a copy of it. */
  readonly store: "empty" | "shared" | "copy";
  /** Whether the longest stall of the event loop means something. */
  readonly isAsync: boolean;
  /** Options that make the workload what it is. */
  readonly options: Options;
  /** What is done before anything is measured. */
  readonly setUp?: (bench: Bench, store: EmbeddedStore) => void;
  /** Runs it with an open store and returns the number of operations. Does not close the store. */
  readonly run: (bench: Bench, store: EmbeddedStore) => Promise<number> | number;
  /** For workloads that write: looks at the reopened store and throws if it is not as expected. */
  readonly verify?: (bench: Bench, store: EmbeddedStore) => Promise<void>;
}

/** Expects keys 0 to `expected` - 1, and checks the values of about 1,000 of them. */
async function verifyEntries(
  bench: Bench,
  store: EmbeddedStore,
  expected: number,
  generation = 0,
): Promise<void> {
  const count = await store.count();
  if (count !== expected) throw new Error(`The store holds ${count} entries, expected ${expected}`);
  const step = Math.max(1, Math.floor(expected / 1000));
  for (let index = 0; index < expected; index += step) {
    check(
      keyOf(index),
      await store.get(keyOf(index)),
      bench.values.valueOf(index, generation),
      true,
    );
  }
}

/** Checks the keys that `writes` random puts leave, by drawing the same numbers again. */
async function verifyRandom(bench: Bench, store: EmbeddedStore, writes: number): Promise<void> {
  const written = new Uint8Array(bench.entries);
  for (let i = 0; i < writes; i++) written[bench.random.below(bench.entries)] = 1;
  let expected = 0;
  for (const mark of written) expected += mark;
  const count = await store.count();
  if (count !== expected) throw new Error(`The store holds ${count} entries, expected ${expected}`);
  const step = Math.max(1, Math.floor(bench.entries / 1000));
  for (let index = 0; index < bench.entries; index += step) {
    const value = await store.get(keyOf(index));
    if (written[index] === 1) check(keyOf(index), value, bench.values.valueOf(index), true);
    else if (value !== undefined) wrong(keyOf(index), "it was never written");
  }
}

/** Few enough operations for a write that waits for the disk each. */
function durableTotal(bench: Bench): number {
  return Math.min(bench.entries, 20_000);
}

const noCache: Options = { blockCacheSizeBytes: 0 };
const durable: Options = { walSync: "batch" };
const modes: readonly Mode[] = ["sync", "await", "64"];
const twoModes = ["sync", "await"] as const;

/** Makes the store that the reading workloads share: filled at random, then compacted. */
export const prepareWorkload: Workload = {
  name: "prepare",
  store: "empty",
  isAsync: false,
  options: {},
  run: async (bench, store) => {
    // Every entry once, in an order that is not that of the keys.
    let stride = Math.floor(bench.entries * 0.618) | 1;
    while (greatestCommonDivisor(stride, bench.entries) !== 1) stride += 2;
    const scattered: Order = (_bench, position) => (position * stride) % bench.entries;
    const total = await putBatches(bench, store, scattered, 1000, bench.entries);
    await store.compact();
    return total;
  },
  verify: (bench, store) => verifyEntries(bench, store, bench.entries),
};

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * What the background thread changes, if this version has one. It takes jobs from 1 MiB on, so
 * memtables must not be smaller if it is to take part in a short run.
 */
const threadOptions: Readonly<Record<string, Options>> =
  Object.hasOwn(defaultOptions(), "backgroundThread")
    ? {
      inline: { backgroundThread: false, memtableSizeBytes: 2 ** 20 } as Options,
      thread: { backgroundThread: true, memtableSizeBytes: 2 ** 20 } as Options,
    }
    : {};

/** Every workload, in the order in which they run. */
export const workloads: readonly Workload[] = [
  {
    name: "idle",
    store: "empty",
    isAsync: true,
    options: {},
    run: async (bench) => {
      bench.stopwatch.start();
      let turns = 0;
      for (const endMs = performance.now() + 500; performance.now() < endMs; turns++) await turn();
      bench.stopwatch.stop();
      return turns;
    },
  },
  ...modes.map((mode): Workload => ({
    name: `fillseq-${mode}`,
    store: "empty",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => put(bench, store, mode, inKeyOrder, bench.entries),
    verify: (bench, store) => verifyEntries(bench, store, bench.entries),
  })),
  ...modes.map((mode): Workload => ({
    name: `fillrandom-${mode}`,
    store: "empty",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => put(bench, store, mode, atRandom, bench.entries),
    verify: (bench, store) => verifyRandom(bench, store, bench.entries),
  })),
  ...Object.entries(threadOptions).map(([way, options]): Workload => ({
    name: `fillrandom-${way}`,
    store: "empty",
    isAsync: true,
    options,
    run: (bench, store) => put(bench, store, "64", atRandom, bench.entries),
    verify: (bench, store) => verifyRandom(bench, store, bench.entries),
  })),
  {
    name: "fillbatch-seq",
    store: "empty",
    isAsync: true,
    options: {},
    run: (bench, store) => putBatches(bench, store, inKeyOrder, 1000, bench.entries),
    verify: (bench, store) => verifyEntries(bench, store, bench.entries),
  },
  {
    name: "fillbatch-random",
    store: "empty",
    isAsync: true,
    options: {},
    run: (bench, store) => putBatches(bench, store, atRandom, 1000, bench.entries),
    verify: (bench, store) => verifyRandom(bench, store, bench.entries),
  },
  ...modes.map((mode): Workload => ({
    name: `overwrite-${mode}`,
    store: "copy",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => put(bench, store, mode, inKeyOrder, bench.entries, 1),
    verify: (bench, store) => verifyEntries(bench, store, bench.entries, 1),
  })),
  ...(["await", "64"] as const).map((mode): Workload => ({
    name: `durable-${mode}`,
    store: "empty",
    isAsync: true,
    options: durable,
    run: (bench, store) => put(bench, store, mode, inKeyOrder, durableTotal(bench)),
    verify: (bench, store) => verifyEntries(bench, store, durableTotal(bench)),
  })),
  {
    name: "durable-batch64",
    store: "empty",
    isAsync: true,
    options: durable,
    run: (bench, store) => putBatches(bench, store, inKeyOrder, 64, durableTotal(bench)),
    verify: (bench, store) => verifyEntries(bench, store, durableTotal(bench)),
  },
  ...modes.map((mode): Workload => ({
    name: `readrandom-hot-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: {},
    setUp: warmUp,
    run: (bench, store) => get(bench, store, mode, inHotPart),
  })),
  ...modes.map((mode): Workload => ({
    name: `readrandom-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => get(bench, store, mode, atRandom),
  })),
  ...modes.map((mode): Workload => ({
    name: `readrandom-cold-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: noCache,
    run: (bench, store) => get(bench, store, mode, atRandom),
  })),
  {
    name: "getmany-cold",
    store: "shared",
    isAsync: true,
    options: noCache,
    run: getMany,
  },
  ...twoModes.map((mode): Workload => ({
    name: `readmissing-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => getMissing(bench, store, mode),
  })),
  ...twoModes.map((mode): Workload => ({
    name: `readseq-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => get(bench, store, mode, inKeyOrder),
  })),
  {
    name: "scan-for-of",
    store: "shared",
    isAsync: false,
    options: {},
    run: (bench, store) =>
      scan(bench, false, (checker) => {
        for (const [key, value] of store.entries()) checker.see(key, value);
      }),
  },
  {
    name: "scan-for-await",
    store: "shared",
    isAsync: true,
    options: {},
    run: (bench, store) =>
      scan(bench, false, async (checker) => {
        for await (const [key, value] of store.entries()) checker.see(key, value);
      }),
  },
  {
    name: "scan-callback",
    store: "shared",
    isAsync: true,
    options: {},
    run: (bench, store) =>
      scan(
        bench,
        false,
        (checker) => store.scanPrefix("", (key, value) => checker.see(key, value)),
      ),
  },
  {
    name: "scan-reverse",
    store: "shared",
    isAsync: false,
    options: {},
    run: (bench, store) =>
      scan(bench, true, (checker) => {
        for (const [key, value] of store.entries({ reverse: true })) checker.see(key, value);
      }),
  },
  ...twoModes.map((mode): Workload => ({
    name: `prefix100-${mode}`,
    store: "shared",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => prefixScans(bench, store, mode),
  })),
  ...twoModes.map((mode): Workload => ({
    name: `mixed-${mode}`,
    store: "copy",
    isAsync: mode !== "sync",
    options: {},
    run: (bench, store) => mixed(bench, store, mode),
    verify: async (bench, store) => {
      const count = await store.count();
      if (count !== bench.entries) {
        throw new Error(`The store holds ${count} entries, expected ${bench.entries}`);
      }
    },
  })),
  ...twoModes.map((mode): Workload => ({
    name: `open-${mode}`,
    store: "shared",
    isAsync: false,
    options: {},
    run: (bench, store) => openOften(bench, store, mode),
  })),
];
