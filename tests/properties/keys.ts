/**
 * The keys of the model's histories: a fixed pool, so that histories hit the same keys again. The
 * empty key, prefixes of each other, bytes 0x00 and 0xff, the longest key, and 160 short ones for
 * bulk.
 *
 * The model knows a key as a string of one character per byte ("binary"), whose order is that of
 * the bytes.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

/** The number of short keys at the end of the pool. */
export const BULK_KEYS = 160;
/** Where they start; what is before them are the odd ones. */
export const BULK_START = 40;
/** The number of keys in the pool. */
export const keyCount: number = BULK_START + BULK_KEYS;

/** A key of the pool. */
export interface PoolKey {
  /** Its bytes; never handed to a store, which might change them. */
  readonly bytes: Uint8Array;
  /** The same, one character per byte. */
  readonly binary: string;
  /** The key as text if it is UTF-8. */
  readonly text: string | undefined;
}

/** Bytes as a string of one character per byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function poolKey(key: string | readonly number[]): PoolKey {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : Uint8Array.from(key);
  let text: string | undefined;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    // Not UTF-8, which is what this asks.
    assert.ok(error instanceof TypeError);
  }
  return { bytes, binary: latin1(bytes), text };
}

/** The keys. */
export const pool: readonly PoolKey[] = [
  ...["", "a", "a\0", "a\0\0", "aa", "aaaaaaaa", "aaaaaaaab", "aaaaaaaaaaaaaaaa", "ab", "b", "ba"],
  ...["ä", "ß", "€", "日本", "😀", "\uffff", "\ufeffbom", "\0", "\0a", "zzzz", "k", "k0", "k00"],
  [0xff],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0x00],
  [0xfe, 0xff],
  [0xff, 0x00],
  [0x61, 0xff],
  [0x61, 0xff, 0xff],
  [0x6b, 0x30, 0xff],
  "p".repeat(300),
  "p".repeat(300) + "q",
  "p".repeat(299),
  "m".repeat(5000),
  "m".repeat(65536),
  "k0" + "x".repeat(100),
  "k1" + "x".repeat(100),
  "k1" + "x".repeat(99) + "y",
  ...Array.from({ length: BULK_KEYS }, (_, n) => `k${String(n * 7).padStart(4, "0")}`),
].map(poolKey);
assert.equal(pool.length, keyCount);
