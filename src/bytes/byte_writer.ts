/**
 * A growing byte buffer, written front to back; all integers little-endian.
 *
 * The log, the block builder, the manifest and the value codec append to it. `bytes` and `view`
 * share the same memory, and are replaced together when it grows. So a caller on a hot path may
 * reserve room, copy both into locals, write, and then set `length`. After any call that may
 * reserve, it must copy them again. Bytes at and beyond `length` are undefined.
 *
 * The memory is a plain ArrayBuffer: a resizable one makes DataView ten times slower on V8.
 */

import { copyRange } from "./copy.ts";

/** Below this many bytes a loop beats `set(subarray)`, whose view costs 40 ns on every engine. */
const LOOP_COPY_MAX = 40;

/** Capacity of a writer that was made with none and then grows. */
const MIN_CAPACITY = 64;

/** Appends integers and bytes to memory that doubles when it is full. */
export class ByteWriter {
  /** The memory; what is written is `bytes[0, length)`. Replaced when the writer grows. */
  bytes: Uint8Array;
  /** A view of the whole of `bytes`. Replaced when the writer grows. */
  view: DataView;
  /**
   * Count of bytes written. A caller that wrote the bytes itself may set it, up to the capacity.
   */
  length = 0;

  /** Makes an empty writer with room for `capacityBytes`. */
  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Makes room for `extraBytes` after `length`. Keeps what is written.
   *
   * @throws {RangeError} the engine can't allocate that much; the writer is unchanged
   */
  reserve(extraBytes: number): void {
    const needed = this.length + extraBytes;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, this.bytes.length * 2, MIN_CAPACITY));
    bytes.set(this.bytes.subarray(0, this.length));
    this.view = new DataView(bytes.buffer);
    this.bytes = bytes;
  }

  /** Appends the low 8 bits of `value`. */
  appendUint8(value: number): void {
    const at = this.length;
    if (at + 1 > this.bytes.length) this.#grow(at + 1);
    this.bytes[at] = value;
    this.length = at + 1;
  }

  /** Appends the low 16 bits of `value`. */
  appendUint16(value: number): void {
    const at = this.length;
    if (at + 2 > this.bytes.length) this.#grow(at + 2);
    this.view.setUint16(at, value, true);
    this.length = at + 2;
  }

  /** Appends the low 32 bits of `value`. */
  appendUint32(value: number): void {
    const at = this.length;
    if (at + 4 > this.bytes.length) this.#grow(at + 4);
    this.view.setUint32(at, value, true);
    this.length = at + 4;
  }

  /**
   * Appends `value`, a safe integer from 0, as 64 bits.
   *
   * @throws {RangeError} `value` is not such an integer; nothing is appended
   */
  appendUint64(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot append "${value}" as uint64: expected a safe integer from 0`);
    }
    const at = this.length;
    if (at + 8 > this.bytes.length) this.#grow(at + 8);
    this.view.setUint32(at, value, true);
    // A fraction would do, but JavaScriptCore leaves its optimised code for one (log_format.ts).
    this.view.setUint32(at + 4, (value / 0x1_0000_0000) | 0, true);
    this.length = at + 8;
  }

  /** Appends a copy of `from[start, end)`; the range must lie inside `from`. */
  appendBytes(from: Uint8Array, start: number, end: number): void {
    const count = end - start;
    const at = this.length;
    if (at + count > this.bytes.length) this.#grow(at + count);
    const into = this.bytes;
    if (count <= LOOP_COPY_MAX) {
      for (let i = 0; i < count; i++) into[at + i] = from[start + i]!;
    } else {
      into.set(count === from.length ? from : from.subarray(start, end), at);
    }
    this.length = at + count;
  }

  /**
   * As `appendBytes`, faster for up to 200 bytes, for a caller that has a view of the same memory.
   */
  appendRange(from: Uint8Array, fromView: DataView, start: number, end: number): void {
    const at = this.length;
    const length = at + (end - start);
    if (length > this.bytes.length) this.#grow(length);
    copyRange(from, fromView, start, end, this.bytes, this.view, at);
    this.length = length;
  }

  /**
   * Forgets everything from `length` on; keeps the memory.
   *
   * @throws {RangeError} `length` is not an integer from 0 to the present length
   */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.length) {
      throw new RangeError(`Cannot truncate to "${length}": expected 0 to ${this.length}`);
    }
    this.length = length;
  }
}
