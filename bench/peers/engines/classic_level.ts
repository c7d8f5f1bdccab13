/**
 * classic-level (https://github.com/Level/classic-level), as its README calls fast:
 *
 * - native encodings ("utf8", "view") need no transcoding; "Opening": `cacheSize`;
 * - abstract-level README, "db.getSync": "can be significantly faster than db.get()";
 * - "Reading": "optimal performance can be achieved by setting highWaterMarkBytes to at least size
 *   multiplied by the expected byte length of an entry" for `iterator.nextv(size)`;
 * - "Writing": `sync` false is the default; a batch is one write.
 *
 * It compresses with Snappy and has no filter, both LevelDB's defaults, and no synchronous put.
 */

import {
  type Engine,
  type EngineKind,
  type OpenOptions,
  type ScanRange,
  versionOf,
} from "../engine.ts";

type Entry = [string, Uint8Array];

interface Iterator extends AsyncIterable<Entry> {
  nextv(size: number): Promise<Entry[]>;
  close(): Promise<void>;
}

interface KeyIterator {
  nextv(size: number): Promise<string[]>;
  close(): Promise<void>;
}

interface Database {
  open(): Promise<void>;
  put(key: string, value: Uint8Array, options: object): Promise<void>;
  batch(operations: object[], options: object): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  getSync(key: string): Uint8Array | undefined;
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  iterator(options: object): Iterator;
  keys(options: object): KeyIterator;
  compactRange(start: string, end: string): Promise<void>;
  close(): Promise<void>;
}

interface Module {
  ClassicLevel: new (location: string, options: object) => Database;
}

const pageLength = 1000;

async function openEngine({ ClassicLevel }: Module, options: OpenOptions): Promise<Engine> {
  const db = new ClassicLevel(options.directory, {
    keyEncoding: "utf8",
    valueEncoding: "view",
    cacheSize: options.cacheBytes,
  });
  await db.open();
  const write = { sync: options.durability === "durable" };
  const iterator = ({ prefix, end, reverse }: ScanRange): Iterator =>
    db.iterator({
      ...(prefix === null || end === null ? {} : { gte: prefix, lt: end }),
      reverse,
      highWaterMarkBytes: pageLength * 128,
    });
  return {
    put: (key, value) => db.put(key, value, write),
    writeBatch: (keys, values) =>
      db.batch(keys.map((key, i) => ({ type: "put", key, value: values[i] })), write),
    getSync: (key) => db.getSync(key),
    get: (key) => db.get(key),
    getMany: (keys) => db.getMany(keys),
    scanForAwait: async (range, see) => {
      for await (const [key, value] of iterator(range)) see(key, value);
    },
    scanBulk: async (range, see) => {
      const pages = iterator(range);
      for (;;) {
        const page = await pages.nextv(pageLength);
        if (page.length === 0) break;
        for (let i = 0; i < page.length; i++) see(page[i]![0], page[i]![1]);
      }
      await pages.close();
    },
    listKeys: async (see) => {
      const pages = db.keys({ highWaterMarkBytes: pageLength * 128 });
      for (;;) {
        const page = await pages.nextv(pageLength);
        if (page.length === 0) break;
        for (const key of page) see(key);
      }
      await pages.close();
    },
    compact: () => db.compactRange("\x00", "\x7f"),
    close: () => db.close(),
  };
}

/** classic-level. */
export const classicLevelKind: EngineKind = {
  name: "classic-level",
  runtimes: ["node", "deno", "bun"],
  notes:
    "none: sync false, in the operating system when a put resolves, fsync at flush. durable: " +
    "sync true, fdatasync before a put resolves. Snappy",
  load: async () => {
    const name = "classic-level";
    const module = await import(name) as Module;
    return { version: await versionOf(name), open: (options) => openEngine(module, options) };
  },
};
