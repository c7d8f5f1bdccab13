/**
 * Two bindings of RocksDB, as their documentation calls fast.
 *
 * `rocksdb` (https://github.com/Level/rocksdb, RocksDB 6.17; its README sends one to the API of
 * leveldown): callbacks; `cacheSize`; `batch(operations)`; iterators with `highWaterMark` bytes
 * read ahead. Its prebuilt library aborts on official Node binaries from 20.12 on
 * (https://github.com/Level/rocksdb/issues/228), so there the table shows that it can't be loaded,
 * unless it was built from source.
 *
 * `rocksdb-native` (https://github.com/holepunchto/rocksdb-native): batches of reads and writes
 * (README "Usage"); `capacity` reads ahead that many entries of an iterator. It offers no
 * fsync of a write and no size for its block cache (RocksDB's own default, 32 MB, or none).
 */

import {
  type Engine,
  type EngineKind,
  type OpenOptions,
  type ScanRange,
  versionOf,
} from "../engine.ts";

type Callback<T> = (error: Error | null, result?: T) => void;

interface LevelIterator {
  next(done: (error: Error | null, key?: string, value?: Uint8Array) => void): void;
  end(done: Callback<void>): void;
}

interface LevelDatabase {
  open(options: object, done: Callback<void>): void;
  put(key: string, value: Uint8Array, options: object, done: Callback<void>): void;
  batch(operations: object[], options: object, done: Callback<void>): void;
  get(key: string, options: object, done: Callback<Uint8Array>): void;
  getMany(
    keys: readonly string[],
    options: object,
    done: Callback<(Uint8Array | undefined)[]>,
  ): void;
  iterator(options: object): LevelIterator;
  compactRange(start: string, end: string, done: Callback<void>): void;
  close(done: Callback<void>): void;
}

interface LevelModule {
  default: (location: string) => LevelDatabase;
}

/** The result of a call that takes a callback. */
function promised<T>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    call((error, result) => error ? reject(error) : resolve(result as T))
  );
}

async function openLevel(module: LevelModule, options: OpenOptions): Promise<Engine> {
  const db = module.default(options.directory);
  await promised<void>((done) => db.open({ cacheSize: options.cacheBytes }, done));
  const write = { sync: options.durability === "durable" };
  // The library takes Buffers only; a Buffer over the same memory copies nothing.
  const bufferOf = (value: Uint8Array): Uint8Array =>
    Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    put: (key, value) => promised<void>((done) => db.put(key, bufferOf(value), write, done)),
    writeBatch: (keys, values) => {
      const operations = keys.map((key, i) => ({ type: "put", key, value: bufferOf(values[i]!) }));
      return promised<void>((done) => db.batch(operations, write, done));
    },
    get: (key) =>
      new Promise((resolve, reject) =>
        db.get(key, {}, (error, value) => {
          if (error === null || error === undefined) resolve(value);
          else if (/not\s*found/i.test(error.message)) resolve(undefined);
          else reject(error);
        })
      ),
    getMany: (keys) => promised((done) => db.getMany(keys, {}, done)),
    scanBulk: async ({ prefix, end, reverse }: ScanRange, see) => {
      const iterator = db.iterator({
        ...(prefix === null || end === null ? {} : { gte: prefix, lt: end }),
        reverse,
        keyAsBuffer: false,
        highWaterMark: 128 * 1024,
      });
      await new Promise<void>((resolve, reject) => {
        const step = (error: Error | null, key?: string, value?: Uint8Array): void => {
          if (error) return reject(error);
          if (key === undefined) return resolve();
          see(key, value!);
          iterator.next(step);
        };
        iterator.next(step);
      });
      await promised<void>((done) => iterator.end(done));
    },
    compact: () => promised<void>((done) => db.compactRange("\x00", "\x7f", done)),
    close: () => promised<void>((done) => db.close(done)),
  };
}

/** The binding of the Level project. */
export const rocksdbKind: EngineKind = {
  name: "rocksdb",
  runtimes: ["node"],
  notes:
    "none: sync false, in the operating system when a put resolves, fsync at flush. durable: " +
    "sync true, fdatasync before a put resolves. Snappy",
  load: async () => {
    const name = "rocksdb";
    const module = await import(name) as LevelModule;
    return { version: await versionOf(name), open: (options) => openLevel(module, options) };
  },
};

interface NativeReads {
  get(key: string): Promise<Uint8Array | null>;
  tryFlush(): void;
}

interface NativeWrites {
  tryPut(key: string, value: Uint8Array): void;
  flush(): Promise<void>;
}

interface NativeDatabase {
  ready(): Promise<void>;
  put(key: string, value: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array | null>;
  read(options: object): NativeReads;
  write(options: object): NativeWrites;
  iterator(range: object, options: object): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>;
  compactRange(): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface NativeModule {
  default: new (path: string, options: object) => NativeDatabase;
}

async function openNative(module: NativeModule, options: OpenOptions): Promise<Engine> {
  if (options.durability === "durable") {
    throw new Error("Cannot open durably: rocksdb-native has no option that fsyncs a write");
  }
  const hasCache = options.cacheBytes > 0;
  const db = new module.default(options.directory, {
    blockCache: hasCache,
    // RocksDB refuses to keep these in a cache that is not there.
    tableCacheIndexAndFilterBlocks: hasCache,
  });
  await db.ready();
  const decoder = new TextDecoder();
  const scan = async (
    { prefix, end, reverse }: ScanRange,
    see: (key: string, value: Uint8Array) => void,
  ): Promise<void> => {
    const range = prefix === null || end === null ? {} : { gte: prefix, lt: end };
    const capacity = prefix === null ? 1000 : 128;
    for await (const { key, value } of db.iterator(range, { reverse, capacity })) {
      see(decoder.decode(key), value);
    }
  };
  return {
    put: (key, value) => db.put(key, value),
    writeBatch: (keys, values) => {
      const batch = db.write({ capacity: keys.length, autoDestroy: true });
      for (let i = 0; i < keys.length; i++) batch.tryPut(keys[i]!, values[i]!);
      return batch.flush();
    },
    get: (key) => db.get(key),
    getMany: (keys) => {
      const batch = db.read({ capacity: keys.length, autoDestroy: true });
      const values = keys.map((key) => batch.get(key));
      batch.tryFlush();
      return Promise.all(values);
    },
    scanForAwait: scan,
    compact: async () => {
      await db.flush();
      await db.compactRange();
    },
    close: () => db.close(),
  };
}

/** The binding of Holepunch. */
export const rocksdbNativeKind: EngineKind = {
  name: "rocksdb-native",
  runtimes: ["node"],
  notes:
    "none: in the operating system when a put resolves, fsync at flush (memtables of 64 MB). " +
    "durable: not offered. Uncompressed; its block cache is RocksDB's default of 32 MB",
  load: async () => {
    const name = "rocksdb-native";
    const module = await import(name) as NativeModule;
    return { version: await versionOf(name), open: (options) => openNative(module, options) };
  },
};
