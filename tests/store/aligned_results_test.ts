// Bytes that come out of a store, looked at as numbers: every typed array can be made over them in
// place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, Extension, memoryFileSystem, open } from "../../mod.ts";

const NUMBERS = [1.5, -2.25, 1e300, Math.PI];

/** Checks that all kinds of numbers can be read from the bytes in place. */
function requireAligned(bytes: unknown, what: string): void {
  assert.ok(bytes instanceof Uint8Array, what);
  const { buffer, byteOffset, byteLength } = bytes;
  assert.equal(byteOffset % 8, 0, `${what}: begins at ${byteOffset}`);
  for (const Numbers of [Uint16Array, Int32Array, Float32Array, Float64Array, BigInt64Array]) {
    const count = Math.floor(byteLength / Numbers.BYTES_PER_ELEMENT);
    assert.equal(new Numbers(buffer as ArrayBuffer, byteOffset, count).length, count, what);
  }
}

/** A store with keys and values of many lengths, which lie at every offset. */
async function* stores(): AsyncGenerator<[where: string, EmbeddedStore]> {
  for (const isFlushed of [false, true]) {
    await using store = await open("/db", { fileSystem: memoryFileSystem(), blockSizeBytes: 1024 });
    for (let i = 0; i < 300; i++) {
      const value = new Uint8Array(i % 41).fill(i);
      await store.put(`k${"x".repeat(i % 9)}${String(i).padStart(3, "0")}`, value);
      await store.put(`r${i}`, {
        bytes: value,
        list: [new Uint8Array(i % 13)],
        at: new Extension(5, new Uint8Array(i % 7)),
      });
    }
    await store.put("large", new Uint8Array(5001));
    await store.put("numbers", new Uint8Array(new Float64Array(NUMBERS).buffer));
    if (isFlushed) await store.flush();
    yield [isFlushed ? "a table" : "a memtable", store];
  }
}

function requireRecord(value: unknown, what: string): void {
  const { bytes, list, at } = value as { bytes: unknown; list: unknown[]; at: Extension };
  requireAligned(bytes, `${what}, bytes in a record`);
  requireAligned(list[0], `${what}, bytes in a list`);
  requireAligned(at.data, `${what}, an extension's data`);
}

function requireValue(value: unknown, what: string): void {
  if (value instanceof Uint8Array) requireAligned(value, what);
  else requireRecord(value, what);
}

test("Most values and keys that a store returns can't be viewed as a Float64Array", async () => {
  for await (const [where, store] of stores()) {
    const keys = await store.keys().toArray() as string[];
    for (const key of keys) {
      requireValue(store.getSync(key), `getSync, ${where}`);
      requireValue(await store.get(key), `get, ${where}`);
    }
    for (const value of await store.getMany(keys)) requireValue(value, `getMany, ${where}`);
    for (const reverse of [false, true]) {
      for (const [key, value] of store.entries({ keyEncoding: "bytes", reverse })) {
        requireAligned(key, `a key of entries, ${where}`);
        requireValue(value, `entries, ${where}`);
      }
      for await (const value of store.values({ reverse })) requireValue(value, `values, ${where}`);
      for (const key of store.keys({ keyEncoding: "bytes", reverse })) requireAligned(key, "keys");
    }
    await store.scanPrefix("", (key, value) => {
      requireAligned(key, `a key of scanPrefix, ${where}`);
      requireValue(value, `scanPrefix, ${where}`);
    }, { keyEncoding: "bytes" });
    using snapshot = store.snapshot();
    for (const value of snapshot.values()) requireValue(value, `a snapshot's values, ${where}`);
    requireAligned(await store.getBytes("numbers"), `getBytes, ${where}`);
    const { buffer, byteOffset } = store.getSync("numbers") as Uint8Array;
    assert.deepEqual([...new Float64Array(buffer, byteOffset, NUMBERS.length)], NUMBERS);
  }
});

test("The key of an entry, read as bytes, can't be viewed as numbers", async () => {
  const options = { fileSystem: memoryFileSystem(), keyEncoding: "bytes" } as const;
  await using store = await open("/db", options);
  for (let length = 1; length < 30; length++) {
    const key = new Uint8Array(length).fill(length);
    await store.put(key, 1);
    requireAligned((await store.getEntry(key))!.key, "getEntry");
  }
});
