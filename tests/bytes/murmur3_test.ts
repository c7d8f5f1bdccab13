/** The key hashes and positions against an implementation in BigInt, written from the formula. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  bloomPosition,
  bloomPositions,
  HASH_BATCH,
  HASH_WORDS,
  hashKey,
  loadHashes,
  saveHashes,
} from "../../src/bytes/murmur3.ts";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, by: bigint): bigint => u64(value << by | value >> 64n - by);
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

function finalMix(value: bigint): bigint {
  value = u64((value ^ value >> 33n) * 0xff51afd7ed558ccdn);
  value = u64((value ^ value >> 33n) * 0xc4ceb9fe1a85ec53n);
  return value ^ value >> 33n;
}

/** MurmurHash3 x64-128 with seed 0, one block of 16 bytes after the other, the last one padded. */
function referenceMurmur3(key: Uint8Array): [bigint, bigint] {
  const padded = Buffer.alloc(Math.floor(key.length / 16) * 16 + 16);
  padded.set(key);
  let a = 0n;
  let b = 0n;
  for (let at = 0; at < padded.length; at += 16) {
    a ^= u64(rotate(u64(padded.readBigUInt64LE(at) * C1), 31n) * C2);
    const second = u64(rotate(u64(padded.readBigUInt64LE(at + 8) * C2), 33n) * C1);
    if (at + 16 > key.length) {
      b ^= second;
      break;
    }
    a = u64((rotate(a, 27n) + b) * 5n + 0x52dce729n);
    b = u64((rotate(b ^ second, 31n) + a) * 5n + 0x38495ab5n);
  }
  a ^= BigInt(key.length);
  b ^= BigInt(key.length);
  a = u64(a + b);
  b = u64(b + a);
  a = finalMix(a);
  b = finalMix(b);
  a = u64(a + b);
  return [a, u64(b + a)];
}

function referenceHashes(key: Uint8Array): bigint[] {
  return [...referenceMurmur3(key), ...referenceMurmur3(Uint8Array.of(...key, 1))];
}

function referencePosition(h: bigint[], i: number, m: number): number {
  const second = 2 + Math.floor((i + i % 2) % 4 / 2);
  return Number(u64(h[i % 2]! + BigInt(i) * h[second]!) % BigInt(m));
}

function savedHashes(key: Uint8Array): bigint[] {
  const words = new Uint32Array(HASH_WORDS + 3);
  hashKey(key, 0, key.length);
  saveHashes(words, 3);
  return [3, 5, 7, 9].map((at) => BigInt(words[at]!) | BigInt(words[at + 1]!) << 32n);
}

function hex(values: bigint[]): string[] {
  return values.map((value) => value.toString(16).padStart(16, "0"));
}

const pattern = Uint8Array.from({ length: 200_000 }, (_, i) => (i * i * 13 + i * 5) >>> 2);

test("hashKey() gives the published hash of a sentence, and of the empty key", () => {
  const sentence = Buffer.from("The quick brown fox jumps over the lazy dog");
  assert.deepEqual(hex(savedHashes(sentence)).slice(0, 2), [
    "e34bbc7bbc071b6c",
    "7a433ca9c49a9347",
  ]);
  assert.deepEqual(savedHashes(new Uint8Array(0)).slice(0, 2), [0n, 0n]);
});

test("hashKey() equals the reference for every length to 200", () => {
  for (let length = 0; length <= 200; length++) {
    const key = pattern.subarray(length, length * 2);
    assert.deepEqual(hex(savedHashes(key)), hex(referenceHashes(key)), `${length} bytes`);
  }
});

test("hashKey() takes keys of 64 KiB and beyond, around each multiple of its buffer", () => {
  for (const length of [65535, 65536, 65537, 65551, 65552, 131072, 131087, 199_999]) {
    const key = pattern.subarray(0, length);
    const expected = [
      ...referenceMurmur3(key),
      ...referenceMurmur3(Buffer.concat([key, Buffer.of(1)])),
    ];
    assert.deepEqual(hex(savedHashes(key)), hex(expected), `${length} bytes`);
  }
});

test("hashKey() reads its range only and forgets the key before", () => {
  const alone = hex(savedHashes(pattern.slice(100, 107)));
  hashKey(pattern, 0, 300);
  const words = new Uint32Array(HASH_WORDS);
  hashKey(pattern, 100, 107);
  saveHashes(words, 0);
  assert.equal(
    (BigInt(words[0]!) | BigInt(words[1]!) << 32n).toString(16).padStart(16, "0"),
    alone[0],
  );
});

test("bloomPosition() is the formula for every hash number and size of filter", () => {
  for (let length = 0; length < 40; length++) {
    const key = pattern.subarray(0, length);
    const h = referenceHashes(key);
    hashKey(key, 0, length);
    for (const m of [1, 2, 63, 64, 65, 9586, 2 ** 32 - 1, 2 ** 32 + 1, 2 ** 52 + 3, 2 ** 53]) {
      for (const i of [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 253, 254]) {
        assert.equal(bloomPosition(i, m), referencePosition(h, i, m), `${length}, ${i}, ${m}`);
      }
    }
  }
});

test("bloomPositions() gives the positions of a full batch of saved hashes", () => {
  const saved = new Uint32Array(HASH_BATCH * HASH_WORDS);
  const expected: number[][] = [[], [], []];
  for (let n = 0; n < HASH_BATCH; n++) {
    hashKey(pattern, n, n + 16);
    saveHashes(saved, n * HASH_WORDS);
    for (let i = 0; i < 3; i++) expected[i]!.push(bloomPosition(i, 1_000_003));
  }
  loadHashes(saved);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual([...bloomPositions(HASH_BATCH, i, 1_000_003)], expected[i]);
  }
});
