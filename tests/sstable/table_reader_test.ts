/**
 * Opening and reading tables: what is shared and cached, and that no damaged or hostile table ever
 * gives a wrong value, hides a key, or takes memory on its word.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../src/bytes/crc32.ts";
import { CorruptionError, UnsupportedFormatError } from "../../src/errors.ts";
import { CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD } from "../../src/compression/compressor.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { countingFileSystem } from "../support/counting_file_system.ts";
import { drainSync } from "../support/cursors.ts";
import {
  bytesOf,
  dataViewOf,
  hexOf,
  type PlainEntry,
  textOf,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import {
  assembleTable,
  cursorOf,
  type HandmadeBlock,
  type HandmadeTable,
  lookUp,
  payloadOf,
  readerOf,
  readerOfBytes,
  storedBlock,
  TABLE_PATH,
  type TestTable,
  writeTable,
} from "../support/tables.ts";

function numbered(count: number, valueBytes = 20): PlainEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: bytesOf(`key ${String(i).padStart(4, "0")}`),
    value: i % 7 === 3 ? tombstone : valueOfLength(valueBytes, i),
  }));
}

test("TableReader reads back every table, for all codecs, block sizes and cache sizes", () => {
  const entries = numbered(300);
  for (const codec of ["none", "snappy", "zstd"] as const) {
    for (const blockSizeBytes of [1, 100, 1000, 16_384, 1_000_000]) {
      for (const cacheBytes of [0, 900, 1 << 20]) {
        for (const filter of [false, 0.01] as const) {
          const { fileSystem, summary } = writeTable(entries, { codec, blockSizeBytes, filter });
          const reader = readerOf(fileSystem, summary, {
            blockCacheBytes: cacheBytes,
            metadataCacheBytes: cacheBytes,
          });
          for (const entry of entries) assert.equal(lookUp(reader, entry.key), textOf(entry));
          for (const absent of ["", "key", "key 0000 ", "key 0299x", "z"]) {
            assert.equal(lookUp(reader, bytesOf(absent)), undefined);
          }
          assert.equal(reader.sections.hasFilter, filter !== false);
          assert.deepEqual(reader.sections.tail?.properties.tombstoneCount, summary.tombstoneCount);
        }
      }
    }
  }
});

test("TableReader reads a small table's tail and index in one go", () => {
  const { fileSystem, summary } = writeTable(numbered(50));
  const counting = countingFileSystem(fileSystem);
  readerOf(counting, summary).sections.loadIndexSync();
  assert.equal(counting.counts.reads, 1);
});

test("TableReader reads an index that is longer than its first read", async () => {
  const entries = numbered(3000);
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 1 });
  for (const isAsync of [false, true]) {
    const counting = countingFileSystem(fileSystem, { isAsync });
    const reader = readerOf(counting, summary);
    const index = isAsync ? await reader.sections.loadIndex() : reader.sections.loadIndexSync();
    assert.equal(index.blockCount, 3000);
    assert.equal(counting.counts.reads, 2);
    assert.equal(reader.sections.index, index);
    assert.ok(reader.sections.indexBytes > 16 * 1024);
  }
});

test("TableReader reads metadata that is longer than its first read, with fields it does not know", async () => {
  const entries = numbered(50);
  const { bytes } = writeTable(entries);
  const footer = bytes.slice(-64);
  const field = new Uint8Array(8 + 20_000).fill(7);
  const head = dataViewOf(field);
  head.setUint16(0, 99, true);
  head.setUint16(2, 0, true);
  head.setUint32(4, 20_000, true);
  const longer = Uint8Array.from([...bytes.subarray(0, -68), ...field, 0, 0, 0, 0, ...footer]);
  const view = dataViewOf(longer);
  const at = longer.length - 64;
  const metadataOffset = Number(view.getBigUint64(at + 24, true));
  view.setUint32(at + 32, at - metadataOffset, true);
  view.setBigUint64(at + 48, BigInt(longer.length), true);
  const metadataCrc = crc32(longer, view, metadataOffset, at - 4);
  const checksum = crc32(longer, view, at, longer.length, metadataCrc);
  view.setUint32(at - 4, checksum, true);
  const reader = readerOfBytes(longer, { sizeBytes: longer.length, checksum });
  await reader.sections.loadIndex();
  assert.deepEqual(drainSync(cursorOf(reader)), entries.map(textOf));
  const synchronous = readerOfBytes(longer, { sizeBytes: longer.length, checksum });
  assert.deepEqual(drainSync(cursorOf(synchronous)), entries.map(textOf));
});

test("TableReader shares one read between concurrent loads of a block", async () => {
  const { fileSystem, summary } = writeTable(numbered(100));
  const counting = countingFileSystem(fileSystem, { isAsync: true });
  const reader = readerOf(counting, summary, { blockCacheBytes: 0 });
  const index = await reader.sections.loadIndex();
  const before = counting.counts.reads;
  const blocks = await Promise.all(Array.from({ length: 20 }, () => reader.loadBlock(index, 2)));
  assert.equal(counting.counts.reads - before, 1);
  assert.equal(new Set(blocks).size, 1);
  await reader.loadBlock(index, 2);
  assert.equal(counting.counts.reads - before, 2);
});

test("TableReader shares one read between concurrent loads of the index and of the filter", async () => {
  const { fileSystem, summary } = writeTable(numbered(100));
  const counting = countingFileSystem(fileSystem, { isAsync: true });
  const reader = readerOf(counting, summary, { metadataCacheBytes: 0 });
  const indexes = await Promise.all(Array.from({ length: 20 }, () => reader.sections.loadIndex()));
  assert.equal(counting.counts.reads, 1);
  assert.equal(new Set(indexes).size, 1);
  const filters = await Promise.all(Array.from({ length: 20 }, () => reader.sections.loadFilter()));
  assert.equal(counting.counts.reads, 2);
  assert.equal(new Set(filters).size, 1);
});

test("TableReader can repeat a load after it failed", async () => {
  const { bytes, summary } = writeTable(numbered(100));
  const mutant = bytes.slice();
  mutant[10]! ^= 1;
  const reader = readerOfBytes(mutant, summary);
  const index = await reader.sections.loadIndex();
  await assert.rejects(reader.loadBlock(index, 0), CorruptionError);
  await assert.rejects(reader.loadBlock(index, 0), CorruptionError);
  assert.equal((await reader.loadBlock(index, 1)).count > 0, true);
});

test("TableReader removes everything of a disposed table from the caches", () => {
  const { fileSystem, summary } = writeTable(numbered(100));
  const counting = countingFileSystem(fileSystem);
  const reader = readerOf(counting, summary);
  for (const { key } of numbered(100)) lookUp(reader, key);
  assert.ok(reader.sections.indexBytes > 0 && reader.sections.filterBytes > 0);
  assert.equal(counting.counts.openHandles, 1);
  reader.dispose();
  assert.deepEqual([reader.sections.indexBytes, reader.sections.filterBytes], [0, 0]);
  assert.equal(reader.cachedBlock(0), undefined);
  assert.equal(counting.counts.openHandles, 0);
});

test("TableReader refuses a file of another size before it reads it", () => {
  const { bytes, summary } = writeTable(numbered(10));
  for (const wrong of [bytes.slice(1), Uint8Array.from([...bytes, 0]), new Uint8Array(0)]) {
    const reader = readerOfBytes(wrong, summary);
    assert.throws(() => reader.sections.loadIndexSync(), CorruptionError);
  }
});

test("TableReader refuses another table than the manifest names", () => {
  const one = writeTable(numbered(10, 20));
  const other = writeTable(
    numbered(10, 20).map(({ key }, i) => ({
      key,
      value: i % 7 === 3 ? tombstone : valueOfLength(20, i + 1),
    })),
    { filter: 0.01, level: 2 },
  );
  assert.equal(one.bytes.length, other.bytes.length);
  assert.throws(
    () => readerOfBytes(other.bytes, one.summary).sections.loadIndexSync(),
    (error) => error instanceof CorruptionError && /another table/.test(error.message),
  );
});

/**
 * Everything that reading can tell of a table: scans in both directions and a lookup of every key.
 */
function readAll(bytes: Uint8Array, table: TestTable, entries: readonly PlainEntry[]): void {
  const expected = entries.map(textOf);
  const reader = readerOfBytes(bytes, table.summary);
  const attempt = (read: () => void): boolean => {
    try {
      read();
      return true;
    } catch (error) {
      if (error instanceof CorruptionError || error instanceof UnsupportedFormatError) {
        assert.equal(error.file, TABLE_PATH);
        assert.ok(error.message.includes(TABLE_PATH), error.message);
        if (error instanceof CorruptionError) {
          assert.ok(error.offset >= 0 && error.offset <= bytes.length, `offset ${error.offset}`);
        }
        return false;
      }
      throw error;
    }
  };
  const isOpen = attempt(() => reader.sections.loadIndexSync());
  let isWhole = attempt(() => assert.deepEqual(drainSync(cursorOf(reader)), expected));
  isWhole =
    attempt(() =>
      assert.deepEqual(drainSync(cursorOf(reader, { reverse: true })), expected.toReversed())
    ) && isWhole;
  entries.forEach((entry, i) => {
    isWhole = attempt(() => assert.equal(lookUp(reader, entry.key), expected[i])) && isWhole;
  });
  if (isWhole) throw new Error("the damage was not noticed");
  if (!isOpen) {
    assert.throws(
      () => reader.sections.loadIndexSync(),
      (error) => error instanceof CorruptionError || error instanceof UnsupportedFormatError,
    );
  }
}

test("TableReader notices every changed byte, and gives right values or errors for it", () => {
  const entries = numbered(12);
  for (const codec of ["none", "snappy", "zstd"] as const) {
    const table = writeTable(entries, { codec, blockSizeBytes: 128 });
    for (let at = 0; at < table.bytes.length; at++) {
      for (const change of [(byte: number) => byte ^ 1 << at % 8, () => 0, () => 0xff]) {
        const mutant = table.bytes.slice();
        mutant[at] = change(mutant[at]!);
        if (mutant[at] === table.bytes[at]) continue;
        try {
          readAll(mutant, table, entries);
        } catch (error) {
          const message = `codec ${codec}: byte ${at} is ${mutant[at]}, was ${table.bytes[at]}`;
          throw new Error(message, { cause: error });
        }
      }
    }
  }
});

test("TableReader refuses a table cut off anywhere", () => {
  const table = writeTable(numbered(12), { codec: "zstd", blockSizeBytes: 128 });
  for (let length = 0; length < table.bytes.length; length++) {
    const reader = readerOfBytes(table.bytes.slice(0, length), table.summary);
    assert.throws(() => reader.sections.loadIndexSync(), CorruptionError, `cut to ${length}`);
  }
});

test("TableReader refuses a cut table under the identity of its own size", () => {
  const { bytes } = writeTable(numbered(12), { blockSizeBytes: 128 });
  for (let length = 0; length < bytes.length; length++) {
    for (const checksum of [undefined, 0]) {
      const reader = readerOfBytes(bytes.slice(0, length), { sizeBytes: length, checksum });
      assert.throws(() => reader.sections.loadIndexSync(), CorruptionError, `cut to ${length}`);
    }
  }
});

test("TableReader notices two blocks that have changed places", () => {
  const entries = numbered(40, 30).map(({ key }, i) => ({ key, value: valueOfLength(30, i) }));
  const table = writeTable(entries, { blockSizeBytes: 200 });
  const index = readerOf(table.fileSystem, table.summary).sections.loadIndexSync();
  const [a, b, size] = [index.blockOffset(1), index.blockOffset(3), index.blockSize(1)];
  assert.equal(index.blockSize(3), size);
  const mutant = table.bytes.slice();
  mutant.set(table.bytes.subarray(a, a + size), b);
  mutant.set(table.bytes.subarray(b, b + size), a);
  readAll(mutant, table, entries);
});

test("TableReader does not check checksums of blocks if it is told not to, and stays safe", () => {
  const entries = numbered(12);
  const { bytes, summary } = writeTable(entries, { codec: "zstd", blockSizeBytes: 128 });
  for (let at = 0; at < 600; at++) {
    const mutant = bytes.slice();
    mutant[at]! ^= 0x10;
    const reader = readerOfBytes(mutant, summary, { verifyChecksums: false });
    for (const { key } of entries) {
      try {
        lookUp(reader, key);
      } catch (error) {
        const isTyped = error instanceof CorruptionError || error instanceof UnsupportedFormatError;
        assert.ok(isTyped, String(error));
      }
    }
  }
});

const entry = { key: bytesOf("key"), value: valueOfLength(400, 1) };
const payload = payloadOf([entry]);

function handmade(
  block: HandmadeBlock,
  changes: Partial<HandmadeTable> = {},
): { bytes: Uint8Array; sizeBytes: number; checksum: number } {
  return assembleTable({
    blocks: [block],
    entryCount: 1,
    smallest: entry.key,
    largest: entry.key,
    ...changes,
  });
}

function refusal(table: { bytes: Uint8Array; sizeBytes: number; checksum: number }): Error {
  const reader = readerOfBytes(table.bytes, table);
  try {
    drainSync(cursorOf(reader));
  } catch (error) {
    return error as Error;
  }
  throw new Error("the table was accepted");
}

function compressed(codec: "zstd" | "snappy", from: Uint8Array): Uint8Array {
  const compressor = compressorFor(codec, 1);
  const into = new Uint8Array(compressor.maxCompressedLength(from.length));
  return into.slice(0, compressor.compress(from, 0, from.length, into, 0));
}

test("TableReader reads a table that was put together by hand", () => {
  const stored: [Uint8Array, number][] = [
    [payload, CODEC_NONE],
    [compressed("zstd", payload), CODEC_ZSTD],
    [compressed("snappy", payload), CODEC_SNAPPY],
  ];
  for (const [bytes, codec] of stored) {
    const table = handmade(storedBlock(entry.key, bytes, payload.length, codec));
    assert.deepEqual(drainSync(cursorOf(readerOfBytes(table.bytes, table))), [textOf(entry)]);
  }
});

test("TableReader refuses a wrong claim of a block's length without allocating for it", () => {
  const stored: [Uint8Array, number][] = [
    [payload, CODEC_NONE],
    [compressed("zstd", payload), CODEC_ZSTD],
    [compressed("snappy", payload), CODEC_SNAPPY],
  ];
  const claims = [0, 1, payload.length - 1, payload.length + 1, 2 ** 30, 2 ** 31, 2 ** 32 - 1];
  for (const [bytes, codec] of stored) {
    for (const claim of claims) {
      const error = refusal(handmade(storedBlock(entry.key, bytes, claim, codec)));
      assert.ok(error instanceof CorruptionError, String(error));
      assert.match(error.message, new RegExp(`it claims ${claim} bytes`));
    }
  }
});

/** A zstd frame without a content size: one block that repeats a byte. */
function repeatedFrame(size: number): Uint8Array {
  const header = (size << 3) | (1 << 1) | 1;
  return Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x50, header, header >> 8, header >> 16, 1);
}

test("TableReader bounds the claim of a zstd frame that states no length by its blocks", () => {
  for (
    const [size, claim] of [[100, 101], [100, 2 ** 30], [131_072, 131_073], [131_072, 2 ** 30]]
  ) {
    const error = refusal(
      handmade(storedBlock(entry.key, repeatedFrame(size!), claim!, CODEC_ZSTD)),
    );
    assert.ok(error instanceof CorruptionError);
    assert.match(error.message, new RegExp(`states nothing and holds at most ${size}$`));
  }
});

test("TableReader refuses a frame whose stated length does not fit its blocks", () => {
  // Content size 2^30 in four bytes, single segment, one block that repeats a byte 100 times.
  const header = (100 << 3) | (1 << 1) | 1;
  const frame = Uint8Array.of(
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0xa0,
    0,
    0,
    0,
    0x40,
    header,
    header >> 8,
    0,
    1,
  );
  const error = refusal(handmade(storedBlock(entry.key, frame, 2 ** 30, CODEC_ZSTD)));
  assert.ok(error instanceof CorruptionError);
  assert.match(error.message, /states 1073741824 and holds at most 100$/);
});

test("TableReader names a codec that it does not have", () => {
  const error = refusal(handmade(storedBlock(entry.key, payload, payload.length, 4)));
  assert.ok(error instanceof UnsupportedFormatError);
  assert.match(error.found, /codec 4/);
});

test("TableReader refuses blocks that do not hold what the index says", () => {
  const other = payloadOf([{ key: bytesOf("kez"), value: tombstone }]);
  const wrong = refusal(handmade(storedBlock(entry.key, other, other.length, CODEC_NONE)));
  assert.match(wrong.message, /first key/);
  const more = payloadOf([entry, { key: bytesOf("kez"), value: tombstone }]);
  const last = refusal(handmade(storedBlock(entry.key, more, more.length, CODEC_NONE)));
  assert.match(last.message, /last key/);
  const second = payloadOf([{ key: bytesOf("kf"), value: tombstone }]);
  const first = payloadOf([entry, { key: bytesOf("kg"), value: tombstone }]);
  const overlapping = refusal(assembleTable({
    blocks: [
      storedBlock(entry.key, first, first.length, CODEC_NONE),
      storedBlock(bytesOf("kf"), second, second.length, CODEC_NONE),
    ],
    entryCount: 3,
    smallest: entry.key,
    largest: bytesOf("kf"),
  }));
  assert.match(overlapping.message, /next block/);
  for (const error of [wrong, last, overlapping]) assert.ok(error instanceof CorruptionError);
});

test("TableReader refuses impossible fields in block and index under valid checksums", () => {
  for (const value of [0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]) {
    for (const at of [1, 3, 10]) {
      const damaged = payload.slice();
      const view = dataViewOf(damaged);
      if (at === 1) view.setUint16(1, value, true);
      else view.setUint32(at, value, true);
      if (hexOf(damaged) === hexOf(payload)) continue;
      const error = refusal(
        handmade(storedBlock(entry.key, damaged, damaged.length, CODEC_NONE)),
      );
      assert.ok(error instanceof CorruptionError, String(error));
    }
    for (let at = 0; at < 50; at++) {
      let isChanged = false;
      const table = handmade(storedBlock(entry.key, payload, payload.length, CODEC_NONE), {
        damageIndex: (index) => {
          if (at + 4 > index.byteLength) return;
          isChanged = index.getUint32(at, true) !== value;
          index.setUint32(at, value, true);
        },
      });
      if (!isChanged) continue;
      const error = refusal(table);
      assert.ok(error instanceof CorruptionError, `${value} at ${at}: ${error}`);
    }
  }
});

test("TableReader refuses bytes that are not a filter under a valid checksum", () => {
  for (const length of [1, 23, 24, 32]) {
    for (const byte of [0, 1, 0xff]) {
      const table = handmade(storedBlock(entry.key, payload, payload.length, CODEC_NONE), {
        filter: new Uint8Array(length).fill(byte),
      });
      const reader = readerOfBytes(table.bytes, table);
      reader.sections.loadIndexSync();
      assert.throws(
        () => reader.sections.loadFilterSync(),
        (error) => error instanceof CorruptionError && /filter/.test(error.message),
      );
    }
  }
});
