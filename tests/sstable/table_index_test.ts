/** The index: golden bytes, the search for a block, and every kind of invalid section. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { encodeIndexHead, TableIndex } from "../../src/sstable/table_index.ts";
import { bytesOf, compareKeys, dataViewOf, hexOf } from "../support/entries.ts";
import { awkwardKey, withSeed } from "../support/seeded.ts";

interface IndexEntry {
  readonly key: Uint8Array;
  readonly size: number;
}

function encode(
  entryCount: number,
  blocks: readonly IndexEntry[],
  largest: Uint8Array,
): Uint8Array {
  const writer = new ByteWriter(64);
  encodeIndexHead(writer, entryCount, blocks[0]?.key ?? bytesOf(""), largest, blocks.length);
  let offset = 0;
  for (const { key, size } of blocks) {
    writer.appendUint32(key.length);
    writer.appendBytes(key, 0, key.length);
    writer.appendUint64(offset);
    writer.appendUint32(size);
    offset += size;
  }
  return writer.bytes.slice(0, writer.length);
}

const blocks: readonly IndexEntry[] = [
  { key: bytesOf("a"), size: 100 },
  { key: bytesOf("abc"), size: 50 },
  { key: bytesOf("b"), size: 7 },
];
const section = encode(9, blocks, bytesOf("zz"));
const DATA_END = 157;

function decode(bytes: Uint8Array, dataEnd = DATA_END, blockCount = 3): TableIndex {
  // Decoded from the middle of a larger chunk, as the reader does.
  const chunk = Uint8Array.from([9, 9, 9, ...bytes, 8, 8]);
  return new TableIndex(chunk, 3, 3 + bytes.length, dataEnd, blockCount);
}

function requireRefused(bytes: Uint8Array, dataEnd = DATA_END, blockCount = 3): void {
  assert.throws(() => decode(bytes, dataEnd, blockCount), DecodeError);
}

test("encodeIndexHead makes the golden section", () => {
  assert.equal(
    hexOf(section),
    "0900000000000000" + "01000000" + "61" + "02000000" + "7a7a" + "03000000" +
      "01000000" + "61" + "0000000000000000" + "64000000" +
      "03000000" + "616263" + "6400000000000000" + "32000000" +
      "01000000" + "62" + "9600000000000000" + "07000000",
  );
});

test("TableIndex gives back what was encoded", () => {
  const index = decode(section);
  assert.deepEqual([index.blockCount, index.entryCount], [3, 9]);
  assert.deepEqual([0, 1, 2].map((i) => index.blockOffset(i)), [0, 100, 150]);
  assert.deepEqual([0, 1, 2].map((i) => index.blockSize(i)), [100, 50, 7]);
  const part = (start: number, end: number): string => hexOf(index.bytes.slice(start, end));
  assert.equal(part(index.smallestStart, index.smallestEnd), hexOf(bytesOf("a")));
  assert.equal(part(index.largestStart, index.largestEnd), hexOf(bytesOf("zz")));
  blocks.forEach(({ key }, i) =>
    assert.equal(part(index.firstKeyStart(i), index.firstKeyEnd(i)), hexOf(key))
  );
  assert.ok(index.sizeBytes >= section.length);
});

test("TableIndex finds the block for every key", () => {
  for (let seed = 1; seed <= 50; seed++) {
    withSeed(seed, (random) => {
      const keys = new Map<string, Uint8Array>();
      // In every other seed all keys of the table share a prefix, and most of the searched ones
      // don't.
      const shared = seed % 2 === 0 ? awkwardKey(random) : bytesOf("");
      for (let i = 0; i <= random.below(80); i++) {
        const key = Uint8Array.from([...shared, ...awkwardKey(random)]);
        keys.set(hexOf(key), key);
      }
      const sorted = [...keys.values()].sort(compareKeys);
      const entries = sorted.map((key) => ({ key, size: 20 }));
      const bytes = encode(1000, entries, sorted.at(-1)!);
      const index = decode(bytes, 20 * entries.length, entries.length);
      for (const probe of [...sorted, ...Array.from({ length: 60 }, () => awkwardKey(random))]) {
        const expected = sorted.findLastIndex((key) => compareKeys(key, probe) <= 0);
        assert.equal(index.blockFor(dataViewOf(probe), 0, probe.length), expected);
      }
    });
  }
});

test("TableIndex keeps offsets of more than 32 bits", () => {
  const bytes = encode(2, [{ key: bytesOf("a"), size: 0xfffffff0 }, {
    key: bytesOf("b"),
    size: 0xffffffff,
  }, { key: bytesOf("c"), size: 20 }], bytesOf("c"));
  const index = decode(bytes, 0xfffffff0 + 0xffffffff + 20);
  assert.equal(index.blockOffset(2), 0xfffffff0 + 0xffffffff);
  assert.equal(index.blockSize(1), 0xffffffff);
});

test("TableIndex refuses a section that is cut off or followed by more bytes", () => {
  for (let length = 0; length < section.length; length++) requireRefused(section.slice(0, length));
  requireRefused(Uint8Array.from([...section, 0]));
});

test("TableIndex refuses another end of the data and another count of blocks", () => {
  requireRefused(section, DATA_END - 1);
  requireRefused(section, DATA_END + 1);
  requireRefused(section, DATA_END, 2);
  requireRefused(section, DATA_END, 4);
});

test("TableIndex refuses impossible lengths, counts, offsets and sizes", () => {
  // Lengths of keys, the count, both halves of offsets, sizes.
  const fields = [8, 13, 19, 23, 28, 32, 36, 40, 47, 51, 55, 59, 64, 68, 72];
  for (const at of fields) {
    for (const value of [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
      const mutant = section.slice();
      const view = dataViewOf(mutant);
      if (view.getUint32(at, true) === value) continue;
      view.setUint32(at, value, true);
      assert.throws(() => decode(mutant), DecodeError, `${value} at ${at}`);
    }
  }
  const unsafe = section.slice();
  unsafe[7] = 0xff;
  requireRefused(unsafe);
});

test("TableIndex refuses a claim of 2^32 - 1 blocks without allocating for them", () => {
  const mutant = section.slice();
  dataViewOf(mutant).setUint32(19, 0xffffffff, true);
  requireRefused(mutant, DATA_END, 0xffffffff);
});

test("TableIndex refuses first keys that do not ascend", () => {
  const [a, b, c] = blocks;
  requireRefused(encode(9, [a!, c!, b!], bytesOf("zz")));
  requireRefused(encode(9, [a!, a!, c!], bytesOf("zz")), 207);
});

test("TableIndex refuses a smallest key that is not the first one", () => {
  const mutant = section.slice();
  mutant[12] = 0x62;
  requireRefused(mutant);
});

test("TableIndex refuses an index without blocks", () => {
  requireRefused(encode(0, [], bytesOf("")), 0, 0);
});
