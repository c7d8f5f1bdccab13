/**
 * A reader of the directories of Go TinyKVS v0.4. It is written from a description of the formats
 * and uses nothing of src/. It replaces the Go program, which tests do not run
 * (tests/fixtures/go/README.md describes a check with it). It follows Go's own way to a key
 * (filter, index, block), and requires everything that this way relies on.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";

/** The files of a directory, by name. */
export type GoFiles = ReadonlyMap<string, Uint8Array>;

/** What was written how. */
export interface GoExpectation {
  readonly codec: "zstd" | "snappy" | "none";
  readonly blockSizeBytes: number;
  readonly hasFilters: boolean;
}

/** What a directory holds. */
export interface GoContent {
  /** Encoded values by the key's hex, in key order. */
  readonly values: ReadonlyMap<string, Buffer>;
  readonly tables: number;
  readonly blocks: number;
  readonly level: number;
  /** Keys of a thousand absent ones that a filter lets pass, over all tables; 0 without filters. */
  readonly falsePositives: number;
}

const codecs = { zstd: 0, snappy: 1, none: 2 };

/** The tables that Go v0.4 recognises as its own: a number of 32 bits and `.sst`. */
export function goTableNames(names: Iterable<string>): string[] {
  return [...names].filter((name) => /^\d+\.sst$/.test(name) && Number(name.slice(0, -4)) < 2 ** 32)
    .sort();
}

/** Reads a whole directory; requires that there is nothing else in it. */
export function readGoDirectory(files: GoFiles, expected: GoExpectation): GoContent {
  const names = goTableNames(files.keys());
  assert.deepEqual([...files.keys()].sort(), [...names, "wal.log"]);
  assert.equal(files.get("wal.log")!.length, 0, "wal.log is empty");
  const values = new Map<string, Buffer>();
  const absent = Array.from({ length: 1000 }, (_, i) => Buffer.from(`absent key ${i}`));
  let blocks = 0;
  let falsePositives = 0;
  let last: Buffer | undefined;
  const levels = new Set<number>();
  for (const [i, name] of names.entries()) {
    assert.equal(name, `${String(i + 1).padStart(6, "0")}.sst`, "tables are numbered from 1");
    const table = new GoTable(Buffer.from(files.get(name)!), expected);
    levels.add(table.level);
    assert.ok(last === undefined || last.compare(table.minKey) < 0, "levels are disjoint");
    last = table.maxKey;
    for (const [key, value] of table.entries) {
      values.set(key.toString("hex"), value);
      assert.ok(table.get(key)?.equals(value), `a lookup of ${key.toString("hex")}`);
    }
    blocks += table.blockCount;
    if (expected.hasFilters) falsePositives += absent.filter((key) => table.mayHold(key)).length;
  }
  assert.ok(levels.size <= 1, "all tables are in one level");
  const [level = 0] = levels;
  assert.ok(names.length === 0 || (level >= 1 && level <= 6), `level ${level}`);
  return { values, tables: names.length, blocks, level, falsePositives };
}

/** One table; the constructor reads and checks all of it. */
class GoTable {
  readonly level: number;
  readonly minKey: Buffer;
  readonly maxKey: Buffer;
  readonly entries: [key: Buffer, value: Buffer][] = [];
  readonly #bloom: Buffer;
  readonly #index: { first: Buffer; entries: [Buffer, Buffer][] }[] = [];

  constructor(file: Buffer, expected: GoExpectation) {
    const footer = file.subarray(file.length - 64);
    assert.equal(footer.subarray(56).toString("hex"), "0100000053564b54", "magic");
    const [bloomAt, indexAt, metaAt] = [0, 12, 24].map((at) => Number(footer.readBigUInt64LE(at)));
    const [bloomSize, indexSize, metaSize] = [8, 20, 32].map((at) => footer.readUInt32LE(at));
    const keyCount = Number(footer.readBigUInt64LE(40));
    assert.equal(metaSize, 36);
    assert.equal(bloomAt! + bloomSize!, indexAt);
    assert.equal(indexAt! + indexSize!, metaAt);
    assert.equal(metaAt! + 36 + 64, file.length);
    assert.equal(Number(footer.readBigUInt64LE(48)), file.length);

    const meta = file.subarray(metaAt, metaAt! + 36);
    this.level = meta.readUInt32LE(0);
    const numbers = [4, 12, 20, 28].map((at) => Number(meta.readBigUInt64LE(at)));
    assert.deepEqual(numbers, [0, 0, 0, 0], "sequences, tombstones, creation time");

    const index = new Walk(file.subarray(indexAt, metaAt));
    assert.equal(index.uint64(), keyCount);
    this.minKey = index.bytes();
    this.maxKey = index.bytes();
    const blockCount = index.uint32();
    assert.equal(blockCount, footer.readUInt32LE(36));
    let at = 0;
    for (let i = 0; i < blockCount; i++) {
      const first = index.bytes();
      assert.equal(index.uint64(), at, "blocks lie back to back");
      const size = index.uint32();
      const entries = readBlock(file.subarray(at, at + size), expected);
      assert.ok(entries[0]![0].equals(first), "the index names the first key");
      this.#index.push({ first, entries });
      for (const entry of entries) {
        const before = this.entries.at(-1)?.[0];
        assert.ok(before === undefined || before.compare(entry[0]) < 0, "keys ascend");
        this.entries.push(entry);
      }
      at += size;
    }
    assert.equal(index.remaining, 0);
    assert.equal(at, bloomAt);
    assert.equal(this.entries.length, keyCount);
    assert.ok(this.entries[0]![0].equals(this.minKey));
    assert.ok(this.entries.at(-1)![0].equals(this.maxKey));

    this.#bloom = file.subarray(bloomAt, indexAt);
    assert.equal(bloomSize! > 0, expected.hasFilters);
    if (expected.hasFilters) this.#checkFilter(keyCount);
  }

  get blockCount(): number {
    return this.#index.length;
  }

  /** As Go finds a key. */
  get(key: Buffer): Buffer | undefined {
    if (this.#bloom.length > 0 && !this.mayHold(key)) return undefined;
    if (key.compare(this.minKey) < 0 || key.compare(this.maxKey) > 0) return undefined;
    let [low, high] = [0, this.#index.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#index[middle]!.first.compare(key) <= 0) low = middle + 1;
      else high = middle;
    }
    const { entries } = this.#index[low - 1]!;
    [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]![0].compare(key) < 0) low = middle + 1;
      else high = middle;
    }
    return entries[low]?.[0].equals(key) ? entries[low]![1] : undefined;
  }

  mayHold(key: Buffer): boolean {
    const bloom = this.#bloom;
    const [m, k] = [bloom.readBigUInt64BE(0), Number(bloom.readBigUInt64BE(8))];
    const h = [...murmur(key), ...murmur(Buffer.concat([key, Buffer.of(1)]))];
    for (let i = 0; i < k; i++) {
      const step = h[2 + (((i + i % 2) % 4) >> 1)]!;
      const bit = Number(((h[i % 2]! + BigInt(i) * step) & MASK) % m);
      if ((bloom[24 + 8 * Math.floor(bit / 64) + 7 - (bit >> 3 & 7)]! >> (bit & 7) & 1) === 0) {
        return false;
      }
    }
    return true;
  }

  #checkFilter(keyCount: number): void {
    const bloom = this.#bloom;
    const m = Math.max(1, Math.ceil(-keyCount * Math.log(0.01) / (Math.LN2 * Math.LN2)));
    assert.equal(Number(bloom.readBigUInt64BE(0)), m);
    assert.equal(Number(bloom.readBigUInt64BE(8)), Math.max(1, Math.ceil(Math.LN2 * m / keyCount)));
    assert.equal(Number(bloom.readBigUInt64BE(16)), m);
    assert.equal(bloom.length, 24 + 8 * Math.ceil(m / 64));
  }
}

function readBlock(stored: Buffer, expected: GoExpectation): [Buffer, Buffer][] {
  const payload = stored.subarray(0, stored.length - 13);
  const footer = stored.subarray(stored.length - 13);
  assert.equal(footer.readUInt32LE(0), crcOf(payload), "the checksum of a block");
  assert.equal(footer.readUInt32LE(8), payload.length);
  assert.equal(footer[12], codecs[expected.codec]);
  const block = expected.codec === "zstd"
    ? unzstd(payload)
    : expected.codec === "snappy"
    ? unsnappy(payload)
    : payload;
  assert.equal(footer.readUInt32LE(4), block.length);
  assert.equal(block[0], 1, "the type of a block");
  const count = block.readUInt16LE(1);
  assert.ok(count > 0);
  const walk = new Walk(block.subarray(3));
  const entries: [Buffer, Buffer][] = [];
  for (let i = 0; i < count; i++) entries.push([walk.bytes(), walk.bytes()]);
  assert.equal(walk.remaining, 0, "a block holds as many entries as it counts");
  if (count > 1) assert.ok(block.length - 3 <= expected.blockSizeBytes, "Go closes blocks earlier");
  for (const [, value] of entries) checkValue(value);
  return entries;
}

/** A live value of a type that v0.4 knows, and nothing after it. */
function checkValue(value: Buffer): void {
  const lengths: Record<number, () => number> = {
    1: () => 9,
    2: () => 9,
    3: () => 2,
    4: () => 6 + value.readUInt32LE(2),
    5: () => 6 + value.readUInt32LE(2),
  };
  const length = lengths[value[0]!];
  assert.ok(length !== undefined, `value type ${value[0]}`);
  assert.equal(length(), value.length);
  if (value[0]! >= 4) assert.equal(value[1], 0, "values are inline");
}

/** Reads numbers and counted bytes front to back. */
class Walk {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  get remaining(): number {
    return this.#from.length - this.#at;
  }

  uint32(): number {
    this.#at += 4;
    return this.#from.readUInt32LE(this.#at - 4);
  }

  uint64(): number {
    this.#at += 8;
    return Number(this.#from.readBigUInt64LE(this.#at - 8));
  }

  bytes(): Buffer {
    const length = this.uint32();
    this.#at += length;
    assert.ok(this.#at <= this.#from.length, "a length leads out of its section");
    return this.#from.subarray(this.#at - length, this.#at);
  }
}

/** One frame without a dictionary, as Go's klauspost/compress reads it. */
function unzstd(frame: Buffer): Buffer {
  assert.equal(frame.readUInt32LE(0), 0xfd2fb528, "the magic of a zstd frame");
  assert.equal(frame[4]! & 0b1011, 0, "no dictionary, no reserved bit");
  return zstdDecompressSync(frame);
}

/** The raw block format (https://github.com/google/snappy, format_description.txt). */
function unsnappy(from: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0;; shift += 7) {
    const byte = from[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const into = Buffer.alloc(length);
  let done = 0;
  while (at < from.length) {
    const tag = from[at++]!;
    if ((tag & 3) === 0) {
      let count = tag >> 2;
      if (count >= 60) {
        const extra = count - 59;
        count = from.readUIntLE(at, extra);
        at += extra;
      }
      done += from.copy(into, done, at, at + count + 1);
      at += count + 1;
      continue;
    }
    const count = (tag & 3) === 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1;
    const size = [0, 1, 2, 4][tag & 3]!;
    const offset = (tag & 3) === 1 ? (tag >> 5) * 256 + from[at]! : from.readUIntLE(at, size);
    at += size;
    assert.ok(offset > 0 && offset <= done, "a copy from before the block");
    for (let i = 0; i < count; i++, done++) into[done] = into[done - offset]!;
  }
  assert.equal(done, length);
  return into;
}

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crc >>> 8 ^ crcTable[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

const MASK = (1n << 64n) - 1n;
const [C1, C2] = [0x87c37b91114253d5n, 0x4cf5ad432745937fn];

function rotated(value: bigint, bits: bigint): bigint {
  return (value << bits | value >> (64n - bits)) & MASK;
}

function finished(value: bigint): bigint {
  value = (value ^ value >> 33n) * 0xff51afd7ed558ccdn & MASK;
  value = (value ^ value >> 33n) * 0xc4ceb9fe1a85ec53n & MASK;
  return value ^ value >> 33n;
}

/** MurmurHash3 x64-128, seed 0 (Austin Appleby, public domain), by its definition. */
function murmur(key: Buffer): [bigint, bigint] {
  let [h1, h2] = [0n, 0n];
  const whole = key.length - key.length % 16;
  for (let at = 0; at < whole; at += 16) {
    const [k1, k2] = [key.readBigUInt64LE(at), key.readBigUInt64LE(at + 8)];
    h1 ^= rotated(k1 * C1 & MASK, 31n) * C2 & MASK;
    h1 = (rotated(h1, 27n) + h2) * 5n + 0x52dce729n & MASK;
    h2 ^= rotated(k2 * C2 & MASK, 33n) * C1 & MASK;
    h2 = (rotated(h2, 31n) + h1) * 5n + 0x38495ab5n & MASK;
  }
  const tail = Buffer.alloc(16);
  key.copy(tail, 0, whole);
  h2 ^= rotated(tail.readBigUInt64LE(8) * C2 & MASK, 33n) * C1 & MASK;
  h1 ^= rotated(tail.readBigUInt64LE(0) * C1 & MASK, 31n) * C2 & MASK;
  const length = BigInt(key.length);
  h1 = (h1 ^ length) + (h2 ^= length) & MASK;
  h2 = h2 + h1 & MASK;
  h1 = finished(h1);
  h2 = finished(h2);
  h1 = h1 + h2 & MASK;
  return [h1, h2 + h1 & MASK];
}
