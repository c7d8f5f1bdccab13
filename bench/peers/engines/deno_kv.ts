/**
 * Deno KV on a local file, as https://docs.deno.com/api/deno/~/Deno.AtomicOperation and
 * https://docs.deno.com/api/deno/~/Deno.KvListOptions describe it: one key part a key, bytes as
 * values, many mutations in one `atomic()`, at most 10 keys in one `getMany`, ranges by `list` with
 * a `batchSize` of 500. It has no settings for its cache or for fsync; strace shows one fsync a
 * commit.
 */

import type { Engine, EngineKind, OpenOptions, ScanRange, See } from "../engine.ts";

interface Entry {
  readonly key: readonly string[];
  readonly value: Uint8Array | null;
}

interface Atomic {
  set(key: readonly string[], value: Uint8Array): Atomic;
  commit(): Promise<unknown>;
}

interface Kv {
  set(key: readonly string[], value: Uint8Array): Promise<unknown>;
  get(key: readonly string[]): Promise<Entry>;
  getMany(keys: readonly (readonly string[])[]): Promise<Entry[]>;
  list(selector: object, options: object): AsyncIterable<Entry>;
  atomic(): Atomic;
  close(): void;
}

/** Most keys that one getMany takes. */
const getManyLimit = 10;

function openEngine(kv: Kv): Engine {
  const scan = async ({ prefix, end, reverse }: ScanRange, see: See): Promise<void> => {
    const selector = prefix === null || end === null
      ? { prefix: [] }
      : { start: [prefix], end: [end] };
    for await (const { key, value } of kv.list(selector, { reverse, batchSize: 500 })) {
      see(key[0]!, value!);
    }
  };
  return {
    put: (key, value) => kv.set([key], value),
    writeBatch: (keys, values) => {
      const atomic = kv.atomic();
      for (let i = 0; i < keys.length; i++) atomic.set([keys[i]!], values[i]!);
      return atomic.commit();
    },
    get: async (key) => (await kv.get([key])).value,
    getMany: async (keys) => {
      const groups: Promise<Entry[]>[] = [];
      for (let i = 0; i < keys.length; i += getManyLimit) {
        groups.push(kv.getMany(keys.slice(i, i + getManyLimit).map((key) => [key])));
      }
      return (await Promise.all(groups)).flat().map(({ value }) => value);
    },
    scanForAwait: scan,
    close: () => kv.close(),
  };
}

/** Deno KV. */
export const denoKvKind: EngineKind = {
  name: "Deno KV",
  runtimes: ["deno"],
  notes:
    "no settings: one fsync in each commit, also in the rows in which the others do not wait " +
    "for the disk. Uncompressed, in SQLite",
  load: () => {
    const deno = (globalThis as {
      Deno?: { version: { deno: string }; openKv?: (path: string) => Promise<Kv> };
    }).Deno;
    const openKv = deno?.openKv;
    if (deno === undefined || openKv === undefined) {
      return Promise.reject(new Error("this runtime has no Deno.openKv"));
    }
    const open = async ({ directory }: OpenOptions): Promise<Engine> =>
      openEngine(await openKv(`${directory}/kv.db`));
    return Promise.resolve({ version: deno.version.deno, open });
  },
};
