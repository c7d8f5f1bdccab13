// What a table says of the times at which its entries expire.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "../../src/bytes/byte_reader.ts";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import {
  decodeTableExpiry,
  encodeTableExpiry,
  expiredCount,
  ExpiryCollector,
  nextExpiry,
  type TableExpiry,
  tableExpiryBytes,
} from "../../src/sstable/table_expiry.ts";
import { TableReader } from "../../src/sstable/table_reader.ts";
import { TableWriter } from "../../src/sstable/table_writer.ts";
import { appendExpiry } from "../../src/value/expiry.ts";
import { encodeValue } from "../../src/value/value_codec.ts";
import { checkResources } from "../../src/store/upkeep/check_table.ts";
import { bytesOf, splitViewOf } from "../support/entries.ts";
import { withSeed } from "../support/seeded.ts";

function collected(times: readonly number[]): TableExpiry | undefined {
  const collector = new ExpiryCollector();
  for (const time of times) collector.add(time);
  return collector.finish();
}

test("Without a time there is nothing to say, and nothing has expired", () => {
  assert.equal(collected([]), undefined);
  assert.equal(expiredCount(undefined, Infinity), 0);
  assert.equal(nextExpiry(undefined, 0), Infinity);
});

test("Equal times are one time", () => {
  const expiry = collected([5, 5, 5])!;
  assert.deepEqual(expiry, { count: 3, times: [5] });
  assert.deepEqual([4, 5, 6].map((now) => expiredCount(expiry, now)), [0, 3, 3]);
  assert.deepEqual([4, 5].map((now) => nextExpiry(expiry, now)), [5, Infinity]);
});

test("The estimate of what has expired is 0 before the first and right from the last on, and never falls", () => {
  withSeed(0x7ab1e, (random) => {
    for (let round = 0; round < 200; round++) {
      const count = 1 + random.below(3000);
      const spread = random.pick([1, 10, 1e6]);
      const times = Array.from({ length: count }, () => 1000 + random.below(spread));
      if (random.below(2) === 0) times[random.below(count)] = 8e15;
      const expiry = collected(times)!;
      const sorted = times.toSorted((a, b) => a - b);
      assert.equal(expiry.count, count);
      assert.equal(expiry.times[0], sorted[0]);
      assert.equal(expiry.times.at(-1), sorted.at(-1));
      assert.equal(expiredCount(expiry, sorted[0]! - 1), 0);
      assert.equal(expiredCount(expiry, sorted.at(-1)!), count);
      let before = 0;
      for (let now = sorted[0]!; now !== Infinity; now = nextExpiry(expiry, now)) {
        const estimate = expiredCount(expiry, now);
        const truth = sorted.filter((time) => time <= now).length;
        assert.ok(estimate >= Math.max(1, before), `${estimate} after ${before}`);
        // Shares of a sample of 512 times: four times its standard deviation is 1/11.
        assert.ok(estimate <= truth + count / 11 + 1, `${estimate} of ${truth} and ${count}`);
        assert.ok(estimate >= truth - count / 8 - count / 11 - 1 || truth < count, `${estimate}`);
        before = estimate;
      }
    }
  });
});

test("One value that lives for years does not hide that all others have expired", () => {
  const expiry = collected([8e15, ...Array.from({ length: 999 }, (_, i) => i)])!;
  assert.ok(expiredCount(expiry, 1000) >= 800, `${expiredCount(expiry, 1000)}`);
});

test("The encoding gives back what was encoded, and everything else is a DecodeError", () => {
  for (const times of [[7], [1, 2, 3], Array.from({ length: 1000 }, (_, i) => i * i)]) {
    const expiry = collected(times)!;
    const writer = new ByteWriter(16);
    encodeTableExpiry(writer, expiry);
    assert.equal(writer.length, tableExpiryBytes(expiry));
    const read = (end: number): TableExpiry =>
      decodeTableExpiry(new ByteReader(writer.bytes, 0, end));
    assert.deepEqual(read(writer.length), expiry);
    for (let end = 0; end < writer.length; end++) assert.throws(() => read(end), DecodeError);
  }
  const bad = [
    { count: 0, times: [1] },
    { count: 1, times: [] },
    { count: 2, times: [2, 1] },
    { count: 20, times: Array.from({ length: 10 }, (_, i) => i) },
    { count: 1, times: [2 ** 60] },
  ];
  for (const expiry of bad) {
    const writer = new ByteWriter(16);
    writer.appendUint64(expiry.count);
    writer.appendUint8(expiry.times.length);
    for (const time of expiry.times) {
      writer.appendUint32(time % 2 ** 32);
      writer.appendUint32(Math.floor(time / 2 ** 32));
    }
    const reader = new ByteReader(writer.bytes, 0, writer.length);
    assert.throws(() => decodeTableExpiry(reader), DecodeError, JSON.stringify(expiry));
  }
});

test("A table has the times in a critical field if values expire, and no such field otherwise", () => {
  const fileSystem = memoryFileSystem();
  const write = (name: string, times: readonly (number | undefined)[]) => {
    const handle = fileSystem.createSync(name);
    const writer = new TableWriter(handle, {
      tableNumber: 7,
      level: 1,
      compressor: compressorFor("none", 3),
      blockSizeBytes: 256,
      bloomFalsePositiveRate: 0.01,
    });
    for (const [i, time] of times.entries()) {
      const value = new ByteWriter(16);
      if (time !== undefined) appendExpiry(value, time);
      encodeValue("x".repeat(5000), value);
      const entry = { key: bytesOf(`k${i}`), value: value.bytes.slice(0, value.length) };
      writer.add(splitViewOf(entry));
    }
    const summary = writer.finish();
    handle.syncSync();
    handle.closeSync();
    return summary;
  };
  const plain = write("/plain", [undefined, undefined]);
  const timed = write("/timed", [undefined, 30, 20]);
  assert.equal(plain.expiry, undefined);
  assert.equal(timed.expiry!.count, 2);
  const resources = checkResources(fileSystem);
  for (const [name, { expiry, ...summary }] of [["/plain", plain], ["/timed", timed]] as const) {
    const { sections } = new TableReader(name, { number: 7, ...summary }, resources);
    const index = sections.loadIndexSync();
    const extension = sections.tail!.properties.extension!;
    assert.deepEqual(extension.expiry, expiry);
    // Readers of keys must read a value that expires.
    assert.equal(index.isLone(0), true);
    assert.equal(index.isLone(1), expiry === undefined);
  }
  resources.handles.close();
});
