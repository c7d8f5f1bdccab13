/**
 * The rows of the table: what each is called, which operations a store needs for it, and how it is
 * opened. run_one.ts runs one of them in a process; run.ts runs them all.
 */

import { BusyLoops } from "../busy_loops.ts";
import type { Durability, Engine } from "./engine.ts";
import {
  atRandom,
  type Bench,
  type Done,
  get,
  getMany,
  hotEntries,
  inHotPart,
  inKeyOrder,
  mixed,
  type Mode,
  openOften,
  type Order,
  put,
  putBatches,
  putWithTurns,
  transact,
  warmUp,
  writtenBy,
} from "./loops.ts";
import { checkContent, prefixScans, scanAll } from "./scan_loops.ts";

/** Bytes of cache that every store gets, if it has a cache. */
export const cacheBytes: number = 64 * 1024 * 1024;

/** What a row shows. */
export type Unit = "operations a second" | "milliseconds";

/** One row. */
export interface Workload {
  readonly name: string;
  /** How the table calls it. */
  readonly title: string;
  /** Rows that do the same thing in different ways share a family. */
  readonly family: string;
  readonly unit: Unit;
  /** An empty directory, the shared full store (only to be read), or a copy of it. */
  readonly store: "empty" | "shared" | "copy";
  readonly durability: Durability;
  readonly cacheBytes: number;
  /** Whether the longest stall of the event loop means something. */
  readonly isAsync: boolean;
  /** Whether a store has the operations for it. */
  readonly needs: (engine: Engine) => boolean;
  /** Done before anything is measured. */
  readonly setUp?: (bench: Bench) => Promise<void>;
  readonly run: (bench: Bench, open: () => Promise<Engine> | Engine) => Promise<Done & Shown>;
  /** Whether the row is the one that write amplification is taken from. */
  readonly showsWriteAmplification?: boolean;
  /**
   * Whether files are dropped from the page cache before each chunk. Of tinykvs only: peers that
   * map their files into memory keep their pages. It holds the event loop, so stalls say nothing
   * there.
   */
  readonly isFromDisk?: boolean;
  /** Whether it fills a store with all entries: the more of them, the slower it gets. */
  readonly isFill?: boolean;
  /** Numbers of the entries that the store must hold after writing, in the order of keys. */
  readonly leaves?: (bench: Bench, done: Done) => Iterable<number>;
}

/** For rows that are not a rate: the number to show, and others of interest. */
export interface Shown {
  readonly milliseconds?: number;
  readonly firstMilliseconds?: number;
}

const titles: Readonly<Record<Mode, string>> = {
  sync: "sync",
  await: "await each",
  "64": "64 in flight",
};

const base = {
  unit: "operations a second",
  store: "shared",
  durability: "none",
  cacheBytes,
} as const;

const canPut: Readonly<Record<Mode, (engine: Engine) => boolean>> = {
  sync: (engine) => engine.putSync !== undefined,
  await: (engine) => engine.put !== undefined,
  "64": (engine) => engine.put !== undefined,
};
const canGet: Readonly<Record<Mode, (engine: Engine) => boolean>> = {
  sync: (engine) => engine.getSync !== undefined,
  await: (engine) => engine.get !== undefined,
  "64": (engine) => engine.get !== undefined,
};
const canBatch = (engine: Engine): boolean => engine.writeBatch !== undefined;
const canScan = (engine: Engine): boolean =>
  (engine.scanForOf ?? engine.scanBulk ?? engine.scanForAwait) !== undefined;

function fill(name: string, title: string, order: Order, mode: Mode): Workload {
  return {
    ...base,
    name: `${name}-${mode}`,
    title: `${title}, ${titles[mode]}`,
    family: name,
    store: "empty",
    isFill: true,
    showsWriteAmplification: name === "fillrandom",
    isAsync: mode !== "sync",
    needs: canPut[mode],
    run: (bench) => put(bench, mode, order, bench.entries),
    leaves: (bench, done) => writtenBy(bench, order, done.operations),
  };
}

/** As another row, beside two programs that do nothing but take the processor. */
function besideLoops(row: Workload): Workload {
  return {
    ...row,
    name: `${row.name}-loaded`,
    title: `${row.title}, beside two busy loops`,
    family: `${row.family}-loaded`,
    run: async (bench, open) => {
      const loops = await BusyLoops.start(2);
      try {
        return await row.run(bench, open);
      } finally {
        loops.stop();
      }
    },
  };
}

function fillBatch(name: string, title: string, order: Order): Workload {
  return {
    ...base,
    name,
    title,
    family: name,
    store: "empty",
    isFill: true,
    isAsync: true,
    needs: canBatch,
    run: (bench) => putBatches(bench, order, 1000, bench.entries),
    leaves: (bench, done) => writtenBy(bench, order, done.operations),
  };
}

/** Few enough for a write that waits for the disk each. */
const durableTotal = ({ entries }: Bench): number => Math.min(entries, 20_000);

function durable(name: string, title: string, mode: Mode | "batch"): Workload {
  return {
    ...base,
    name: mode === "sync" ? `${name}-sync` : name,
    title,
    family: name,
    store: "empty",
    durability: "durable",
    isAsync: mode !== "sync",
    needs: mode === "batch" ? canBatch : canPut[mode],
    run: (bench) =>
      mode === "batch"
        ? putBatches(bench, inKeyOrder, 64, durableTotal(bench))
        : put(bench, mode, inKeyOrder, durableTotal(bench)),
    leaves: (bench, done) => writtenBy(bench, inKeyOrder, done.operations),
  };
}

function read(
  name: string,
  title: string,
  order: Order,
  mode: Mode,
  more: Partial<Workload> = {},
  isMissing = false,
): Workload {
  return {
    ...base,
    name: `${name}-${mode}`,
    title: `${title}, ${titles[mode]}`,
    family: name,
    isAsync: mode !== "sync",
    needs: canGet[mode],
    run: (bench) => get(bench, mode, order, isMissing),
    ...more,
  };
}

function many(name: string, title: string, family: string, more: Partial<Workload>): Workload {
  return {
    ...base,
    name,
    title,
    family,
    isAsync: true,
    needs: (engine) => engine.getMany !== undefined,
    run: (bench) => getMany(bench),
    ...more,
  };
}

const warm: Partial<Workload> = { setUp: (bench) => warmUp(bench, hotEntries(bench.entries), 8) };
/** The cache is full from the start, so that a few seconds show what a long run would. */
const fullCache: Partial<Workload> = { setUp: (bench) => warmUp(bench, bench.entries, 64) };
const noCache: Partial<Workload> = { cacheBytes: 0 };
const fromDisk: Partial<Workload> = { cacheBytes: 0, isFromDisk: true, isAsync: false };

function scan(
  name: string,
  title: string,
  way: "scanForOf" | "scanForAwait" | "scanBulk",
): Workload {
  return {
    ...base,
    name,
    title,
    family: "scan",
    isAsync: way !== "scanForOf",
    needs: (engine) => engine[way] !== undefined,
    run: (bench) => scanAll(bench, way, false),
  };
}

function mix(name: string, title: string, mode: "sync" | "await", isHot: boolean): Workload {
  const limitOf = ({ entries }: Bench): number => isHot ? hotEntries(entries) : entries;
  return {
    ...base,
    name: `${name}-${mode}`,
    title: `${title}, ${titles[mode]}`,
    family: name,
    store: "copy",
    isAsync: mode !== "sync",
    needs: (engine) =>
      canPut[mode](engine) && (engine.getSync ?? (mode === "await" ? engine.get : undefined)) !==
        undefined,
    ...(isHot ? warm : fullCache),
    run: (bench) => mixed(bench, mode, limitOf(bench)),
  };
}

function transactions(mode: "sync" | "await"): Workload {
  return {
    ...base,
    name: `transactions-${mode}`,
    title: `transactions of 5 gets and 5 puts, cached, ${titles[mode]}`,
    family: "transactions",
    store: "copy",
    isAsync: mode !== "sync",
    needs: (engine) =>
      (mode === "sync" ? engine.transactionSync : engine.transaction) !== undefined,
    ...warm,
    run: (bench) => transact(bench, mode, hotEntries(bench.entries)),
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Makes the store that the reading workloads share: every entry once, scattered, compacted. */
export const prepareWorkload: Workload = {
  ...base,
  name: "prepare",
  title: "prepare",
  family: "prepare",
  store: "empty",
  isAsync: true,
  needs: (engine) => canBatch(engine) && canScan(engine),
  run: async (bench) => {
    const { entries } = bench;
    let stride = Math.floor(entries * 0.618) | 1;
    while (greatestCommonDivisor(stride, entries) !== 1) stride += 2;
    const order: Order = (position) => (position * stride) % entries;
    const patient = { ...bench, budgetSeconds: Infinity };
    const done = await putBatches(patient, order, 1000, entries);
    await bench.engine.compact?.();
    return done;
  },
  leaves: (bench) => writtenBy(bench, inKeyOrder, bench.entries),
};

/** Opens, writes, reads and closes: whether a store works on this runtime at all. */
export const probeWorkload: Workload = {
  ...base,
  name: "probe",
  title: "probe",
  family: "probe",
  store: "empty",
  isAsync: true,
  needs: () => true,
  run: async (bench) => {
    const done = await putBatches({ ...bench, entries: 10 }, inKeyOrder, 10, 10);
    return done;
  },
  leaves: (bench) => writtenBy(bench, inKeyOrder, 10),
};

/** Every row, in the order of the table. */
export const workloads: readonly Workload[] = [
  ...(["sync", "await", "64"] as const).map((mode) =>
    fill("fillseq", "put, in key order", inKeyOrder, mode)
  ),
  ...(["sync", "await", "64"] as const).map((mode) =>
    fill("fillrandom", "put, random keys", atRandom, mode)
  ),
  fillBatch("fillbatch-seq", "batches of 1000, in key order", inKeyOrder),
  fillBatch("fillbatch-random", "batches of 1000, random keys", atRandom),
  besideLoops(fillBatch("fillbatch-seq", "batches of 1000, in key order", inKeyOrder)),
  besideLoops(fillBatch("fillbatch-random", "batches of 1000, random keys", atRandom)),
  durable("durable-one", "durable put, one at a time, sync", "sync"),
  durable("durable-one", "durable put, one at a time, await each", "await"),
  durable("durable-64", "durable put, 64 in flight", "64"),
  durable("durable-batch64", "durable batches of 64, entries", "batch"),
  read("get-hot", "get, cached", inHotPart, "sync", warm),
  read("get-hot", "get, cached", inHotPart, "await", warm),
  read("get-seq", "get, in key order", inKeyOrder, "sync"),
  read("get-missing", "get, missing key", atRandom, "sync", {}, true),
  read("get-missing", "get, missing key", atRandom, "await", {}, true),
  read("get-random", "get, random, 64 MB cache", atRandom, "sync", fullCache),
  read("get-random", "get, random, 64 MB cache", atRandom, "await", fullCache),
  read("get-nocache", "get, random, no cache", atRandom, "sync", noCache),
  read("get-nocache", "get, random, no cache", atRandom, "await", noCache),
  many("get-many100", "getMany of 100, random, no cache, keys", "get-nocache", noCache),
  read("get-disk", "get, random, from the disk", atRandom, "await", fromDisk),
  many("get-disk-many100", "getMany of 100, random, from the disk, keys", "get-disk", fromDisk),
  scan("scan-for-of", "full scan, for…of", "scanForOf"),
  scan("scan-for-await", "full scan, for await", "scanForAwait"),
  scan("scan-bulk", "full scan, callback or pages", "scanBulk"),
  {
    ...base,
    name: "scan-reverse",
    title: "full scan, reverse",
    family: "scan-reverse",
    isAsync: false,
    needs: canScan,
    run: (bench) => scanAll(bench, "any", true),
  },
  {
    ...base,
    name: "prefix100-sync",
    title: "prefix scans of 100, cached, sync",
    family: "prefix100",
    isAsync: false,
    needs: (engine) => engine.scanForOf !== undefined,
    ...warm,
    run: (bench) => prefixScans(bench, true),
  },
  {
    ...base,
    name: "prefix100-async",
    title: "prefix scans of 100, cached, async or pages",
    family: "prefix100",
    isAsync: true,
    needs: (engine) => (engine.scanBulk ?? engine.scanForAwait) !== undefined,
    ...warm,
    run: (bench) => prefixScans(bench, false),
  },
  mix("mixed-hot", "4 gets to 1 put, cached", "sync", true),
  mix("mixed-hot", "4 gets to 1 put, cached", "await", true),
  mix("mixed-cold", "4 gets to 1 put, over all", "sync", false),
  mix("mixed-cold", "4 gets to 1 put, over all", "await", false),
  transactions("sync"),
  transactions("await"),
  {
    ...base,
    name: "open",
    title: "open and first get, ms",
    family: "open",
    unit: "milliseconds",
    isAsync: false,
    needs: (engine) => (engine.getSync ?? engine.get) !== undefined,
    run: async (bench, open) => {
      await bench.engine.close();
      const times = await openOften(bench, open);
      const sorted = [...times].sort((a, b) => a - b);
      return {
        operations: times.length,
        stopped: false,
        milliseconds: sorted[Math.floor(sorted.length / 2)]!,
        firstMilliseconds: times[0]!,
      };
    },
  },
  {
    ...base,
    name: "stall",
    title: "longest stall while putting, ms",
    family: "stall",
    unit: "milliseconds",
    store: "empty",
    isFill: true,
    isAsync: true,
    needs: (engine) => (engine.put ?? engine.putSync) !== undefined,
    run: (bench) => putWithTurns(bench, bench.entries),
    leaves: (bench, done) => writtenBy(bench, atRandom, done.operations),
  },
];

/** Throws unless the store contains what the workload must have written. */
export async function verify(workload: Workload, bench: Bench, done: Done): Promise<void> {
  if (workload.leaves === undefined || bench.isFloor) return;
  await checkContent(bench.engine, workload.leaves(bench, done), bench.values);
}
