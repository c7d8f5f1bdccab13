/**
 * @tinykvs/core from the source of this repository, with default options but what the comparison
 * is about. `none`: the operating system has every record when a put returns, fsync at flush and
 * close. `durable`: walSync "batch", fdatasync before a put resolves, shared by those in flight.
 *
 * The library is imported where it is used only, so that the processes of peers do not carry it.
 */

import packageJson from "../../../package.json" with { type: "json" };
import type {
  EmbeddedStore,
  EmbeddedTransaction,
  open as openStore,
  Options,
} from "../../../mod.ts";
import { turn } from "../../measure.ts";
import type {
  Engine,
  EngineKind,
  EngineTransaction,
  LoadedEngine,
  OpenOptions,
  ScanRange,
} from "../engine.ts";

/** How long to wait until background work has ended. */
const restMs = 20_000;

/**
 * Bytes of flushed tables, of tables that compaction wrote, and of logs. Logs are deleted with
 * their memtable, so their bytes come from what an entry takes in the log that is still there: all
 * entries of a filling row are alike.
 */
async function writtenBytes(store: EmbeddedStore, puts: number): Promise<number> {
  const untilMs = performance.now() + restMs;
  let stats = store.stats();
  while (
    (stats.immutableMemtables > 0 || stats.pendingCompactionBytes > 0) &&
    performance.now() < untilMs
  ) {
    await turn();
    stats = store.stats();
  }
  const { memtable, wal, flush, compaction } = stats;
  if (memtable.entryCount === 0 || stats.immutableMemtables > 0) {
    throw new Error("Cannot tell the bytes of the logs: no memtable is being filled");
  }
  const logBytes = puts * wal.sizeBytes / memtable.entryCount;
  return flush.bytesWritten + compaction.bytesWritten + logBytes;
}

/** The transaction in the shape that the loops drive. */
function viewOf(tx: EmbeddedTransaction): EngineTransaction {
  return {
    get: (key) => tx.getSync(key) as Uint8Array | undefined,
    put: (key, value) => tx.putSync(key, value),
  };
}

/** Options of the measured store: `variant` may name some that this version does not have yet. */
type Variant = Options & { readonly backgroundThread?: boolean };

async function openEngine(
  open: typeof openStore,
  options: OpenOptions,
  variant: Variant,
): Promise<Engine> {
  const store = await open(options.directory, {
    walSync: options.durability === "durable" ? "batch" : "none",
    // A preset brings its own.
    ...(variant.preset === undefined ? { blockCacheSizeBytes: options.cacheBytes } : {}),
    ...variant,
  });
  const rangeOf = ({ prefix, reverse }: ScanRange): { prefix?: string; reverse: boolean } =>
    prefix === null ? { reverse } : { prefix, reverse };
  const engine: Engine = {
    putSync: (key, value) => store.putSync(key, value),
    put: (key, value) => store.put(key, value),
    writeBatch: (keys, values) => {
      const batch = store.batch();
      for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
      return batch.write();
    },
    transactionSync: (body) => store.transactionSync((tx) => body(viewOf(tx))),
    transaction: (body) => store.transaction((tx) => body(viewOf(tx))),
    getSync: (key) => store.getSync(key) as Uint8Array | undefined,
    get: (key) => store.get(key) as Promise<Uint8Array | undefined>,
    getMany: (keys) => store.getMany(keys) as Promise<(Uint8Array | undefined)[]>,
    scanForOf: (range, see) => {
      for (const [key, value] of store.entries(rangeOf(range))) {
        see(key as string, value as Uint8Array);
      }
    },
    scanForAwait: async (range, see) => {
      for await (const [key, value] of store.entries(rangeOf(range))) {
        see(key as string, value as Uint8Array);
      }
    },
    scanBulk: async ({ prefix, reverse }, see) => {
      if (reverse) throw new Error("Cannot scan in reverse with a callback");
      await store.scanPrefix(
        prefix ?? "",
        (key, value) => see(key as string, value as Uint8Array),
      );
    },
    listKeys: (see) => {
      for (const key of store.keys()) see(key as string);
    },
    writtenBytes: (puts) => writtenBytes(store, puts),
    compact: () => store.compact(),
    close: () => store.close(),
  };
  if (options.durability === "durable") {
    // One at a time, a sync in the call takes less than one through a thread and back.
    engine.writeBatch = (keys, values) =>
      store.writeSync(keys.map((key, i) => ({ type: "put", key, value: values[i]! })));
  }
  return engine;
}

async function load(variant: Variant): Promise<LoadedEngine> {
  const { defaultOptions, open } = await import("../../../mod.ts");
  for (const name of Object.keys(variant)) {
    if (name !== "preset" && !Object.hasOwn(defaultOptions(), name)) {
      throw new Error(`this version has no option "${name}"`);
    }
  }
  return { version: packageJson.version, open: (options) => openEngine(open, options, variant) };
}

const runtimes = ["node", "deno", "bun"] as const;

/** The variants: default options, and others for the rows in which they matter. */
export const tinykvsKinds: readonly EngineKind[] = [
  {
    name: "tinykvs",
    runtimes,
    isOwn: true,
    notes:
      "zstd level -1. none: a put is in the operating system when it returns, fsync at flush " +
      "and close. durable: fdatasync before a put resolves, shared by those in flight",
    load: () => load({}),
  },
  {
    name: "tinykvs none",
    runtimes,
    isOwn: true,
    rowsOfInterest: ["get-random-sync", "get-nocache-sync", "mixed-cold-sync"],
    notes: 'as tinykvs, with compression "none"',
    load: () => load({ compression: "none" }),
  },
  {
    name: "tinykvs level 1",
    runtimes,
    isOwn: true,
    rowsOfInterest: ["fillbatch-random", "get-random-sync", "get-nocache-sync", "scan-for-of"],
    notes: "as tinykvs, with compressionLevel 1",
    load: () => load({ compressionLevel: 1 }),
  },
  {
    name: "tinykvs low-memory",
    runtimes,
    isOwn: true,
    rowsOfInterest: ["fillseq", "fillrandom", "get-random", "scan", "mixed-cold"],
    notes: 'as tinykvs, with preset "low-memory": no block cache, no filters',
    load: () => load({ preset: "low-memory" }),
  },
  {
    name: "tinykvs inline",
    runtimes,
    isOwn: true,
    rowsOfInterest: ["fillrandom", "fillbatch-random", "stall"],
    notes:
      "as tinykvs, with backgroundThread false: flushes and compactions in slices on the main " +
      "thread",
    load: () => load({ backgroundThread: false }),
  },
];
