/**
 * A table's Bloom filter: says whether a key may be in the table. filter_builder.ts builds filters.
 * The table reader loads them, keeps the section and probes it in place.
 *
 * The section is bit for bit that of the Go TinyKVS, big-endian:
 *
 *   0    u64  m: number of bits
 *   8    u64  k: number of bits a key sets, 1 to 255
 *   16   u64  length of the bit set, equal to m
 *   24   ceil(m / 64) * u64: bit i is bit i % 64 of word i / 64
 *
 * So bit i is bit i % 8 of byte 24 + (i / 8 ^ 7) of the section. Position i of a key follows from
 * two MurmurHash3 x64-128 hashes; wasm/assembly/murmur3.ts has the formula.
 */

import { bloomPosition, hashKey } from "../bytes/murmur3.ts";
import { DecodeError } from "../errors.ts";

/** Bytes of a filter section before its words. */
export const FILTER_HEADER_BYTES = 24;

/** Largest number of bits, 2 GiB of them: bytes are then numbered by 31 bits. */
export const MAX_FILTER_BITS: number = 2 ** 34;

/** Largest number of bits that a key sets. */
export const MAX_FILTER_HASHES = 255;

/** A filter that is probed in the bytes it was read from. */
export class Filter {
  /** Size of the section, which the filter refers to. */
  readonly sizeBytes: number;
  readonly #section: Uint8Array;
  readonly #bits: number;
  readonly #hashes: number;

  private constructor(section: Uint8Array, bits: number, hashes: number) {
    this.sizeBytes = section.length;
    this.#section = section;
    this.#bits = bits;
    this.#hashes = hashes;
  }

  /**
   * Makes a filter from a whole section. The filter refers to the section, which must not change
   * any more.
   *
   * @throws {DecodeError} a field is out of range or disagrees with another or with the length
   */
  static decode(section: Uint8Array): Filter {
    if (section.length < FILTER_HEADER_BYTES) {
      throw new DecodeError(
        `filter has ${section.length} bytes, expected at least ${FILTER_HEADER_BYTES}`,
        0,
      );
    }
    const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
    const bits = bigEndianUint64(view, 0);
    if (bits < 1 || bits > MAX_FILTER_BITS) {
      throw new DecodeError(`filter has ${bits} bits, expected 1 to ${MAX_FILTER_BITS}`, 0);
    }
    const hashes = bigEndianUint64(view, 8);
    if (hashes < 1 || hashes > MAX_FILTER_HASHES) {
      throw new DecodeError(`filter has ${hashes} hashes, expected 1 to ${MAX_FILTER_HASHES}`, 8);
    }
    const length = bigEndianUint64(view, 16);
    if (length !== bits) {
      throw new DecodeError(`filter has a set of ${length} bits, expected ${bits}`, 16);
    }
    const expected = filterSectionBytes(bits);
    if (section.length !== expected) {
      throw new DecodeError(
        `filter of ${bits} bits has ${section.length} bytes, expected ${expected}`,
        FILTER_HEADER_BYTES,
      );
    }
    return new Filter(section, bits, hashes);
  }

  /** Whether the key that was last given to `hashKey` may be in the table; false is certain. */
  mayContainHashed(): boolean {
    const section = this.#section;
    const bits = this.#bits;
    for (let i = 0; i < this.#hashes; i++) {
      const position = bloomPosition(i, bits);
      const byte = section[FILTER_HEADER_BYTES + (position / 8 ^ 7)]!;
      if ((byte & 1 << (position & 7)) === 0) return false;
    }
    return true;
  }

  /** Whether the key `bytes[start, end)` may be in the table; false is certain. */
  mayContain(bytes: Uint8Array, start: number, end: number): boolean {
    hashKey(bytes, start, end);
    return this.mayContainHashed();
  }
}

/** Size in bytes of the section of a filter of `bits` bits. */
export function filterSectionBytes(bits: number): number {
  return FILTER_HEADER_BYTES + Math.ceil(bits / 64) * 8;
}

/** The big-endian u64 at `at`; inexact from 2^53 on, which is far above every limit. */
function bigEndianUint64(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
