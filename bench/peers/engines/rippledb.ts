/**
 * rippledb (https://github.com/heineiuo/rippledb), LevelDB in plain TypeScript. Its README offers
 * the defaults and a WriteBatch; the block cache counts blocks of 4 KiB. `sync` of its write
 * options is accepted and never used, so it has no durable form.
 */

import { createRequire } from "node:module";
import {
  type Engine,
  type EngineKind,
  type OpenOptions,
  type ScanRange,
  versionOf,
} from "../engine.ts";

interface WriteBatch {
  put(key: string, value: Uint8Array): void;
}

interface Database {
  ok(): Promise<boolean>;
  put(key: string, value: Uint8Array): Promise<void>;
  batch(batch: WriteBatch): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  iterator(options: object): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>;
  compactRange(start: string, end: string): Promise<void>;
  close(): Promise<void>;
}

interface Module {
  Database: new (directory: string, options: object) => Database;
  WriteBatch: new () => WriteBatch;
}

interface CacheModule {
  default: new (options: { max: number }) => object;
}

async function openEngine(
  { Database, WriteBatch }: Module,
  cache: CacheModule,
  options: OpenOptions,
): Promise<Engine> {
  if (options.durability === "durable") {
    throw new Error("Cannot open durably: rippledb accepts the option sync and never calls fsync");
  }
  // A cache of 0 would have no limit.
  const blockCache = new cache.default({ max: Math.max(1, options.cacheBytes / 4096) });
  const db = new Database(options.directory, { blockCache });
  await db.ok();
  const decoder = new TextDecoder();
  return {
    put: (key, value) => db.put(key, value),
    writeBatch: (keys, values) => {
      const batch = new WriteBatch();
      for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
      return db.batch(batch);
    },
    get: (key) => db.get(key),
    scanForAwait: async ({ prefix, end, reverse }: ScanRange, see) => {
      // In reverse it starts below `start`, and finds nothing without one.
      const range = reverse ? { reverse, start: "\x7f" } : prefix === null ? {} : { start: prefix };
      for await (const { key, value } of db.iterator(range)) {
        const text = decoder.decode(key);
        if (end !== null && text >= end) break;
        see(text, value);
      }
    },
    compact: () => db.compactRange("\x00", "\x7f"),
    close: () => db.close(),
  };
}

/** rippledb. */
export const rippledbKind: EngineKind = {
  name: "rippledb",
  runtimes: ["node"],
  notes: "none: in the operating system when a put resolves. durable: not offered",
  load: async () => {
    const name = "rippledb";
    // The runtimes differ in what they make of its `exports.default` under `import`.
    const require = createRequire(import.meta.url);
    const module = require(name) as Module;
    const cache = require(`${name}/build/src/Cache.js`) as CacheModule;
    return {
      version: await versionOf(name),
      open: (options) => openEngine(module, cache, options),
    };
  },
};
