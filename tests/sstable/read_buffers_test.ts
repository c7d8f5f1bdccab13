/** Buffers that are kept between reads, and who must not have one that is still being read into. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, memoryFileSystem, open } from "../../mod.ts";
import { giveReadBuffer, newReadBuffer, takeReadBuffer } from "../../src/sstable/read_buffers.ts";
import { interceptingFileSystem } from "../support/intercepting_file_system.ts";

test("Read buffers are large enough, kept by size, and never given to two", () => {
  for (const length of [0, 1, 17 * 1024, 17 * 1024 + 1, 64 * 1024, 100_000, 128 * 1024]) {
    const taken = Array.from({ length: 3 }, () => takeReadBuffer(length));
    assert.equal(new Set(taken).size, 3);
    for (const { bytes, view } of taken) {
      assert.ok(bytes.length >= length);
      assert.equal(view.buffer, bytes.buffer);
      assert.equal(view.byteLength, bytes.length);
    }
    for (const buffer of taken) giveReadBuffer(buffer);
    const again = new Set(Array.from({ length: 3 }, () => takeReadBuffer(length)));
    assert.deepEqual(again, new Set(taken));
  }
});

test("Read buffers of other sizes are left to the garbage collector, and not too many are kept", () => {
  const large = takeReadBuffer(128 * 1024 + 1);
  assert.equal(large.bytes.length, 128 * 1024 + 1);
  giveReadBuffer(large);
  assert.notEqual(takeReadBuffer(large.bytes.length), large);
  const many = Array.from({ length: 20 }, () => newReadBuffer(128 * 1024));
  for (const buffer of many) giveReadBuffer(buffer);
  const kept = Array.from({ length: 20 }, () => takeReadBuffer(128 * 1024));
  const reused = kept.filter((buffer) => many.includes(buffer)).length;
  assert.ok(reused > 0 && reused <= 4, `${reused} were kept`);
});

test("A cursor that is closed during a read gives the buffer of the read to nobody", async () => {
  const held: (() => void)[] = [];
  let isHolding = false;
  const reading = Promise.withResolvers<void>();
  const store = await open("/db", {
    fileSystem: interceptingFileSystem(memoryFileSystem(), {
      delay: (operation) =>
        isHolding && operation === "read"
          ? new Promise((resolve) => {
            held.push(resolve);
            reading.resolve();
          })
          : Promise.resolve(),
    }),
    compression: "none",
    blockSizeBytes: 1024,
    blockCacheSizeBytes: 0,
    walSync: "none",
  });
  const keyOf = (n: number): string => `key${String(n).padStart(5, "0")}`;
  for (let n = 0; n < 5000; n++) store.putSync(keyOf(n), `value of ${n}`);
  await store.compact();
  const abandoned = store.entries({ gte: keyOf(3000) });
  // Far enough that it reads ahead.
  await abandoned.nextMany(300);
  isHolding = true;
  const step = abandoned.nextMany(2000);
  await reading.promise;
  await abandoned.close();
  let seen = 0;
  for (const [key, value] of store.entries({ limit: 2500 })) {
    assert.deepEqual([key, value], [keyOf(seen), `value of ${seen}`]);
    // In the middle of a window: the read of the other one ends.
    if (++seen === 150) {
      for (const resolve of held) resolve();
      await assert.rejects(step, ClosedError);
    }
  }
  assert.equal(seen, 2500);
  await store.close();
});
