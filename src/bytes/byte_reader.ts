/**
 * A bounds-checked cursor over bytes from disk; all integers little-endian.
 *
 * It serves structures that are read once per open: footers, indexes, manifest records, filters.
 * Every read is first checked against the end of the range, and a failure is a
 * {@linkcode DecodeError} with the offset in `bytes`. Loops over the entries of a block do their
 * own checks on the raw view.
 */

import { DecodeError } from "../errors.ts";

/** Reads integers and byte ranges from `bytes[start, end)`, front to back. */
export class ByteReader {
  /** The bytes that are read; not copied. */
  readonly bytes: Uint8Array;
  /** End of the readable range in `bytes`. */
  readonly end: number;
  /** Offset in `bytes` of the next read. */
  offset: number;
  readonly #view: DataView;

  /**
   * Makes a reader of `bytes[start, end)`.
   *
   * @throws {RangeError} the range does not lie inside `bytes`
   */
  constructor(bytes: Uint8Array, start: number, end: number) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`Cannot read [${start}, ${end}): the bytes end at ${bytes.length}`);
    }
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Count of bytes not read yet. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /**
   * Steps over `length` bytes and returns the offset in `bytes` where they start.
   *
   * @throws {DecodeError} fewer bytes remain, or `length` is not a whole number from 0
   */
  take(length: number): number {
    const at = this.offset;
    if (!(length >= 0 && length <= this.end - at && Number.isInteger(length))) {
      throw new DecodeError(`found ${this.end - at} bytes, expected ${length}`, at);
    }
    this.offset = at + length;
    return at;
  }

  /**
   * Reads 8 bits.
   *
   * @throws {DecodeError} fewer bytes remain
   */
  uint8(): number {
    return this.bytes[this.take(1)]!;
  }

  /**
   * Reads 16 bits.
   *
   * @throws {DecodeError} fewer bytes remain
   */
  uint16(): number {
    return this.#view.getUint16(this.take(2), true);
  }

  /**
   * Reads 32 bits.
   *
   * @throws {DecodeError} fewer bytes remain
   */
  uint32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  /**
   * Reads 64 bits that must be a safe integer.
   *
   * @throws {DecodeError} fewer bytes remain, or the integer is 2^53 or more
   */
  uint64(): number {
    const at = this.take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high > 0x1f_ffff) {
      throw new DecodeError(
        `integer is ${this.#view.getBigUint64(at, true)}, expected below 2^53`,
        at,
      );
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }
}
