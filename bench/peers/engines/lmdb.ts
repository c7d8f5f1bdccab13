/**
 * lmdb-js (https://github.com/kriszyp/lmdb-js), as its README calls fast:
 *
 * - "Values": `encoding: "binary"` stores bytes as they are; "Keys": strings in the default
 *   ordered-binary encoding (`keyEncoding: "binary"` is "generally slower").
 * - "db.getBinaryFast": "uses reusable buffers, which is faster", valid until the next get.
 * - "db.put": puts of one event turn share a transaction, "db.batch": its own transaction.
 * - "db.transaction": the body runs in the next write transaction, which resolves when it is
 *   committed; "db.transactionSync": at once, on the main thread.
 * - "LMDB Flags": `noSync`, "can significantly improve write performance"; `useWritemap`, "combined
 *   with noSync, normal reads/writes/transactions involve virtually zero explicit I/O calls";
 *   `noMemInit`, "a small performance boost". Measured here, the write map makes single puts 1.5 to
 *   3 times as fast.
 * - `noReadAhead`, "improves random-access performance when the DB is larger than memory": set where
 *   that is so.
 * - "Overlapping Sync Options" is off in durable rows, so that a put resolves after its fsync: with
 *   it on, and `flushed` awaited, 64 in flight gave half as many puts.
 *
 * LMDB has no cache of its own: it reads the memory-mapped file, so `cacheBytes` does nothing.
 */

import {
  type Engine,
  type EngineKind,
  type OpenOptions,
  type ScanRange,
  versionOf,
} from "../engine.ts";

interface Database {
  put(key: string, value: Uint8Array): Promise<boolean>;
  putSync(key: string, value: Uint8Array): boolean;
  batch(body: () => void): Promise<boolean>;
  transaction(body: () => void): Promise<unknown>;
  transactionSync(body: () => void): unknown;
  getBinaryFast(key: string): Uint8Array | undefined;
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  getRange(options: { start?: string; end?: string; reverse?: boolean }): Iterable<
    { key: string; value: Uint8Array }
  >;
  getKeys(): Iterable<string>;
  close(): Promise<void>;
}

interface Module {
  open(options: Record<string, unknown>): Database;
}

function openEngine(
  { open }: Module,
  { directory, durability, isBeyondMemory = false }: OpenOptions,
): Engine {
  const flags = durability === "none"
    ? { noSync: true, overlappingSync: false, useWritemap: true, noMemInit: true }
    // "Overlapping Sync Options": without it a commit, and so a put, resolves after its fsync.
    : { overlappingSync: false };
  const db = open({
    path: directory,
    encoding: "binary",
    ...flags,
    ...(isBeyondMemory ? { noReadAhead: true } : {}),
  });
  const rangeOf = ({ prefix, end, reverse }: ScanRange): { start?: string; end?: string } => {
    if (prefix === null || end === null) return reverse ? { reverse } as object : {};
    if (reverse) throw new Error("Cannot scan a prefix in reverse");
    return { start: prefix, end };
  };
  const own = {
    get: (key: string) => db.getBinaryFast(key),
    put: (key: string, value: Uint8Array) => void db.put(key, value),
  };
  const engine: Engine = {
    transactionSync: (body) => void db.transactionSync(() => body(own)),
    transaction: (body) => db.transaction(() => body(own)),
    putSync: (key, value) => void db.putSync(key, value),
    put: (key, value) => db.put(key, value),
    writeBatch: (keys, values) =>
      db.batch(() => {
        for (let i = 0; i < keys.length; i++) void db.put(keys[i]!, values[i]!);
      }),
    getSync: (key) => db.getBinaryFast(key),
    getMany: (keys) => db.getMany(keys),
    scanForOf: (range, see) => {
      for (const { key, value } of db.getRange(rangeOf(range))) see(key, value);
    },
    listKeys: (see) => {
      for (const key of db.getKeys()) see(key);
    },
    close: () => db.close(),
  };
  return engine;
}

/** lmdb-js. */
export const lmdbKind: EngineKind = {
  name: "lmdb",
  runtimes: ["node", "deno", "bun"],
  notes:
    "none: noSync and a write map, in the page cache when a put resolves, never fsynced; the " +
    "file may be corrupt after power loss. durable: fdatasync in each commit, shared by the puts " +
    "of one turn. Uncompressed, memory-mapped: no cache of its own, reads come from the page cache",
  load: async () => {
    const name = "lmdb";
    const module = await import(name) as Module;
    return { version: await versionOf(name), open: (options) => openEngine(module, options) };
  },
};
