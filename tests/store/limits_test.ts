// Every limit at one less, at it, and one more: what a write accepts comes back from flush,
// compaction, recovery and reopening, and what a write refuses has changed nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedStore,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  memoryFileSystem,
  open,
  type Options,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { crashCopy } from "./file_systems.ts";

/** Puts what `fill` does into a store and checks it wherever it may be: memory, log, tables. */
async function throughEverything(
  options: Options,
  fill: (store: EmbeddedStore) => Promise<void>,
  check: (store: EmbeddedStore, where: string) => Promise<void>,
): Promise<void> {
  const opened = (fileSystem: FileSystem): Promise<EmbeddedStore> =>
    open("/db", { ...options, fileSystem });
  const fileSystem = memoryFileSystem();
  const store = await opened(fileSystem);
  await fill(store);
  await check(store, "in memory");
  const recovered = await opened(crashCopy(fileSystem, "/db"));
  await check(recovered, "recovered");
  await recovered.close();
  await store.flush();
  await check(store, "flushed");
  await fill(store);
  await store.compact();
  await check(store, "compacted");
  await store.close();
  const again = await opened(fileSystem);
  await check(again, "reopened");
  await again.close();
}

const lastKey = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);

test("Keys of one less than the limit and of the limit come back from everywhere", async () => {
  for (const compression of ["none", "zstd", "snappy"] as const) {
    const keys = [MAX_KEY_BYTES - 1, MAX_KEY_BYTES].map(lastKey);
    await throughEverything(
      { compression, keyEncoding: "bytes", blockSizeBytes: 1024, memtableSizeBytes: 1 << 20 },
      async (store) => {
        for (const key of keys) await store.put(key, key.length);
        await store.write(keys.map((key) => ({ type: "put", key, value: key.length })));
      },
      async (store, where) => {
        for (const key of keys) assert.equal(await store.get(key), key.length, where);
        assert.deepEqual(
          await store.keys().toArray(),
          keys,
          `${compression}: the scan, ${where}`,
        );
      },
    );
  }
});

test("Keys of one more than the limit are refused by every call, and nothing has changed", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem });
  await store.put("before", 1);
  const key = lastKey(MAX_KEY_BYTES + 1);
  const text = "é".repeat(MAX_KEY_BYTES / 2) + "x";
  for (const long of [key, text]) {
    await assert.rejects(store.put(long, 1), RangeError);
    await assert.rejects(store.delete(long), RangeError);
    await assert.rejects(store.get(long), RangeError);
    assert.throws(() => store.putSync(long, 1), RangeError);
    assert.throws(() => store.deleteSync(long), RangeError);
    assert.throws(() => store.getSync(long), RangeError);
    assert.throws(() => store.batch().put(long, 1), RangeError);
    assert.throws(() => store.batch().delete(long), RangeError);
    await assert.rejects(
      async () =>
        await store.write([
          { type: "put", key: "half", value: 1 },
          { type: "put", key: long, value: 1 },
        ]),
      RangeError,
    );
  }
  assert.deepEqual(await store.keys().toArray(), ["before"]);
  await store.close();
  const again = await open("/db", { fileSystem });
  assert.deepEqual(await again.keys().toArray(), ["before"]);
  await again.close();
});

test("Values around every size at which their place changes come back from everywhere", async () => {
  // Lengths of 8, 16 and 20 bits, the arena's limit, the size of a block, that of the log's window.
  const edges = [0xff, 0x100, 0x1000, 0xffff, 0x1_0000, 0x1_0000 - 64, 1 << 20, 4 << 20];
  const lengths = [...new Set(edges.flatMap((edge) => [edge - 6, edge - 1, edge, edge + 1]))];
  const valueOf = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 97) bytes[i] = (i * 31 + length) & 0xff;
    return bytes;
  };
  for (const compression of ["none", "zstd", "snappy"] as const) {
    await throughEverything(
      { compression, memtableSizeBytes: 64 << 20, blockSizeBytes: 4096 },
      async (store) => {
        for (const length of [0, ...lengths]) await store.put(`v${length}`, valueOf(length));
      },
      async (store, where) => {
        for (const length of [0, ...lengths]) {
          const found = await store.get(`v${length}`) as Uint8Array;
          const what = `${compression}, ${length} bytes, ${where}`;
          assert.equal(found?.length, length, what);
          assert.ok(
            found.every((byte, at) => byte === (at % 97 === 0 ? (at * 31 + length) & 0xff : 0)),
            what,
          );
        }
      },
    );
  }
});

test("A value of one byte more than the limit is refused before anything is copied", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem });
  // The limit includes a header of six bytes. Nothing touches the pages of this array.
  const value = new Uint8Array(MAX_VALUE_BYTES - 6 + 1);
  await assert.rejects(store.put("k", value), RangeError);
  assert.throws(() => store.putSync("k", value), RangeError);
  assert.throws(() => store.batch().put("k", value), RangeError);
  assert.deepEqual(await store.keys().toArray(), []);
  await store.close();
  assert.deepEqual(fileSystem.listSync("/db").filter((name) => name.endsWith(".wal")), []);
});

test("Blocks with one entry less than 16 bits can count, as many, and one more come back", async () => {
  for (const count of [65_534, 65_535, 65_536, 65_537]) {
    const fileSystem = memoryFileSystem();
    const options: Options = {
      fileSystem,
      blockSizeBytes: 4 << 20,
      memtableSizeBytes: 64 << 20,
      compression: "none",
    };
    const store = await open("/db", options);
    const batch = store.batch();
    for (let i = 0; i < count; i++) batch.put(`k${String(i).padStart(5, "0")}`, true);
    await batch.write();
    await store.flush();
    for (const i of [0, 65_533, count - 2, count - 1]) {
      assert.equal(await store.get(`k${String(i).padStart(5, "0")}`), true, `${i} of ${count}`);
    }
    await store.close();
    const again = await open("/db", options);
    assert.equal(await again.count(), count);
    await again.close();
  }
});

test("Batches with more entries than 16 bits can count and longer than a memtable are whole", async () => {
  const fill = async (store: EmbeddedStore): Promise<void> => {
    const batch = store.batch();
    for (let i = 0; i < 65_537; i++) batch.put(`b${i}`, i);
    await batch.write();
  };
  await throughEverything({ memtableSizeBytes: 64 << 10 }, fill, async (store, where) => {
    assert.equal(await store.count(), 65_537, where);
    assert.equal(await store.get("b65536"), 65_536, where);
  });
});

test("The empty key, the empty value and keys of 0xff bytes come back from everywhere", async () => {
  const keys = [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0xff), Uint8Array.of(0xff, 0)];
  await throughEverything(
    { keyEncoding: "bytes" },
    async (store) => {
      for (const key of keys) await store.put(key, new Uint8Array(0));
    },
    async (store, where) => {
      assert.deepEqual(await store.keys().toArray(), keys, where);
      for (const key of keys) assert.deepEqual(await store.get(key), new Uint8Array(0), where);
    },
  );
});
