// The memory of large values that a store returns: it belongs to the one who gets it, and numbers
// of every kind can be read from it in place.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";

const LENGTHS = [5000, 10_007, 100_001, 300_000];

/** Bytes of which half can be compressed. */
function halfRandom(length: number): Uint8Array {
  const bytes = randomBytes(length, new Random(length));
  return bytes.fill(7, length >> 1);
}

/** What the store returns for a key, in every way. Whoever gets it changes it. */
async function* results(store: EmbeddedStore, key: string): AsyncGenerator<[string, unknown]> {
  yield ["getSync", store.getSync(key)];
  yield ["get", await store.get(key)];
  yield ["getEntrySync", store.getEntrySync(key)?.value];
  yield ["getEntry", (await store.getEntry(key))?.value];
  for (const value of await store.getMany([key, key])) yield ["getMany", value];
  for (const value of store.values({ prefix: key })) yield ["values", value];
  for (const [, value] of store.entries({ prefix: key, reverse: true })) yield ["entries", value];
  for await (const [, value] of store.entries({ prefix: key })) yield ["await entries", value];
  const found: unknown[] = [];
  await store.scanPrefix(key, (_key, value) => void found.push(value));
  yield ["scanPrefix", found[0]];
  const stream = await store.getStream(key);
  yield ["getStream", new Uint8Array(await new Response(stream).arrayBuffer())];
  using snapshot = store.snapshot();
  yield ["snapshot", snapshot.getSync(key)];
  yield ["transaction", store.transactionSync((tx) => tx.getSync(key))];
  yield ["transaction again", store.transactionSync((tx) => (tx.getSync(key), tx.getSync(key)))];
  let seen: unknown;
  await store.update(key, (value) => {
    seen = value;
    return (value as Uint8Array).slice();
  });
  yield ["update", seen];
}

for (const compression of ["none", "zstd"] as const) {
  test(`A large value belongs to the one who gets it, compression ${compression}`, async () => {
    const options = { fileSystem: memoryFileSystem(), largeValueBytes: 4096, compression };
    await using store = await open("/db", options);
    for (const hasTime of [false, true]) {
      for (const length of LENGTHS) {
        const key = `${length}`;
        const expected = halfRandom(length);
        await store.put(key, expected, hasTime ? { ttlMs: 1e9 } : {});
        for await (const [way, found] of results(store, key)) {
          const what = `${way} of ${length}, time ${hasTime}`;
          assert.ok(found instanceof Uint8Array, what);
          assert.equal(found.constructor, Uint8Array, what);
          assert.equal(Buffer.compare(found, expected), 0, what);
          assert.equal(found.byteOffset % 8, 0, what);
          // Nothing else of the store is in the memory that the caller can reach.
          assert.ok(found.buffer.byteLength - length < 32, what);
          found.fill(0);
        }
      }
    }
  });
}
