// Bytes whose buffer is gone, wherever a store takes bytes; and bytes that are only unusual.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  type EmbeddedStore,
  Extension,
  memoryFileSystem,
  openSync,
  type Value,
} from "../../mod.ts";
import { detachedBytes, outlyingBytes } from "../support/lost_views.ts";

const MESSAGE = /detached/;

/** Every way in for bytes. */
const ways: Readonly<Record<string, (store: EmbeddedStore, bytes: Uint8Array) => unknown>> = {
  "put, value": (store, bytes) => store.put("k", bytes),
  "put, long key": (store, bytes) => store.put("k".repeat(50), bytes),
  "put, key": (store, bytes) => store.put(bytes, 1),
  "putSync, value": (store, bytes) => store.putSync("k", bytes),
  "putSync, both": (store, bytes) => store.putSync(bytes, bytes),
  "putBytes": (store, bytes) => store.putBytes("k", bytes),
  "putString, key": (store, bytes) => store.putString(bytes, "v"),
  "in an object": (store, bytes) => store.put("k", { a: { b: bytes } }),
  "in an array": (store, bytes) => store.putSync("k", [1, bytes]),
  "putMap": (store, bytes) => store.putMap("k", { a: bytes }),
  "an extension": (store, bytes) => store.put("k", { a: new Extension(1, bytes) }),
  "an extension's data": (store, bytes) => {
    const extension = new Extension(1, Uint8Array.of(1));
    Object.defineProperty(extension, "data", { value: bytes });
    return store.put("k", { extension });
  },
  "delete": (store, bytes) => store.delete(bytes),
  "deleteSync": (store, bytes) => store.deleteSync(bytes),
  "batch.put, value": (store, bytes) => store.batch().put("k", bytes).write(),
  "batch.put, key": (store, bytes) => store.batch().put(bytes, 1).write(),
  "batch.delete": (store, bytes) => store.batch().delete(bytes).write(),
  "write, value": (store, bytes) =>
    store.write([{ type: "put", key: "a", value: 1 }, { type: "put", key: "k", value: bytes }]),
  "writeSync, key": (store, bytes) =>
    store.writeSync([{ type: "put", key: "a", value: 1 }, { type: "delete", key: bytes }]),
  "get": (store, bytes) => store.get(bytes),
  "getSync": (store, bytes) => store.getSync(bytes),
  "has": (store, bytes) => store.has(bytes),
  "getMany": (store, bytes) => store.getMany(["a", bytes]),
  "prefix": (store, bytes) => store.keys({ prefix: bytes }),
  "gte": (store, bytes) => store.count({ gte: bytes }),
  "gt": (store, bytes) => store.entries({ gt: bytes }),
  "lte": (store, bytes) => store.values({ lte: bytes }),
  "lt": (store, bytes) => store.snapshot().keys({ lt: bytes }),
  "seek": (store, bytes) => store.keys().seek(bytes),
  "scanPrefix": (store, bytes) => store.scanPrefix(bytes, () => {}),
  "scanRange": (store, bytes) => store.scanRange(bytes, "z", () => {}),
  "compact": (store, bytes) => store.compact({ start: bytes }),
};

test("A detached or outlying Uint8Array counts as an empty one", async () => {
  for (const bytes of [detachedBytes(5), ...outlyingBytes()]) {
    for (const [name, way] of Object.entries(ways)) {
      const store = openSync("/db", { fileSystem: memoryFileSystem() });
      store.putSync("", "the empty key");
      const attempt = Promise.resolve().then(() => way(store, bytes));
      await assert.rejects(attempt, { name: "TypeError", message: MESSAGE }, name);
      assert.deepEqual([...store.entries()], [["", "the empty key"]], name);
      store.closeSync();
    }
  }
});

test("An error for detached bytes in a record names their path", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  const value = { files: [{ content: detachedBytes(3) }] };
  assert.throws(
    () => store.putSync("k", value),
    /value\.files\[0\]\.content is a Uint8Array whose/,
  );
  store.closeSync();
});

test("Bytes that a getter of the same record detaches are refused, and nothing is stored", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  const bytes = Uint8Array.of(1, 2, 3);
  const value = {
    get a(): number {
      structuredClone(bytes, { transfer: [bytes.buffer] });
      return 1;
    },
    bytes,
  };
  assert.throws(() => store.putSync("k", value), { name: "TypeError", message: MESSAGE });
  assert.equal(store.hasSync("k"), false);
  store.closeSync();
});

test("Honest empty bytes, and bytes in shared or resizable memory, are stored as they are at the call", async () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  const shared = new Uint8Array(new SharedArrayBuffer(16), 3, 5).fill(9);
  const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
  const tracking = new Uint8Array(buffer, 2).fill(4);
  const given: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    "empty at the end": new Uint8Array(new ArrayBuffer(8), 8, 0),
    "empty Buffer": Buffer.alloc(0),
    shared,
    resizable: new Uint8Array(buffer, 1, 4),
    tracking,
  };
  const expected: Record<string, number[]> = {};
  for (const [name, bytes] of Object.entries(given)) {
    expected[name] = [...bytes];
    store.putSync(name, bytes);
    store.putSync(`${name} in a record`, { bytes });
    store.putSync(bytes, name);
    assert.equal(store.getSync(bytes), name);
  }
  const promise = store.put("after the call", shared);
  shared.fill(0);
  buffer.resize(0);
  await promise;
  for (const [name, bytes] of Object.entries(expected)) {
    assert.deepEqual([...store.getSync(name) as Uint8Array], bytes, name);
    const record = store.getSync(`${name} in a record`) as { bytes: Uint8Array };
    assert.deepEqual([...record.bytes], bytes, name);
    assert.equal(record.bytes.buffer instanceof ArrayBuffer, true);
    assert.ok(store.hasSync(Uint8Array.from(bytes)), name);
  }
  assert.deepEqual(store.getSync("after the call") as Value, new Uint8Array(5).fill(9));
  store.closeSync();
});

test("A length-tracking view that has shrunk is stored as long as it is at the call", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
  const tracking = new Uint8Array(buffer, 2);
  buffer.resize(4);
  store.putSync("k", tracking);
  buffer.resize(2);
  store.putSync("empty", tracking);
  assert.deepEqual(store.getSync("k"), new Uint8Array(2));
  assert.deepEqual(store.getSync("empty"), new Uint8Array(0));
  store.closeSync();
});
