/**
 * Memory that many small copies share. On V8 a Uint8Array with its own buffer costs several times a
 * view of an existing one. JSC makes buffers as fast as views, so there each copy has its own.
 *
 * Copies begin at multiples of 8, so every kind of typed array can view one:
 * `new Float64Array( copy.buffer, copy.byteOffset, 2)`. They share their slab's `buffer`, as Node's
 * small Buffers do. So a caller that keeps a copy keeps at most one slab alive, and a caller that
 * transfers its `buffer` transfers its neighbours, too. No two copies overlap, the library never
 * reads one again, and a slab that was transferred is replaced.
 */

import { runtimeName } from "../platform/runtime.ts";

/** Copies up to this long share a slab. */
const SHARED_MAX = runtimeName === "bun" ? 0 : 1024;
/** Copies up to this long are made in words; from there on the view that `set` takes costs less. */
const WORDS_MAX = 256;

/** The order of bytes in the elements of a BigInt64Array. */
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Hands out pieces of one buffer after another. */
export class Slab {
  readonly #sizeBytes: number;
  /** The current buffer. The last piece that `take` gave out lies in it. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #words: BigInt64Array<ArrayBuffer> = new BigInt64Array(this.bytes.buffer);
  #used = 0;

  /**
   * Makes a slab whose buffers have `sizeBytes`, a multiple of 8. They are made when they are
   * needed.
   */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** Room for up to `sizeBytes` bytes, all zero. Returns its start in `bytes`, a multiple of 8. */
  take(length: number): number {
    let at = (this.#used + 7) & ~7;
    if (at + length > this.bytes.length) {
      this.bytes = new Uint8Array(this.#sizeBytes);
      this.#words = new BigInt64Array(this.bytes.buffer);
      at = 0;
    }
    this.#used = at + length;
    return at;
  }

  /**
   * A copy of `bytes[start, end)`, a plain Uint8Array that its caller owns. `view` shares the
   * memory of `bytes`, offset for offset.
   */
  copy(bytes: Uint8Array, view: DataView, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length > SHARED_MAX || length === 0) {
      // `slice` of a subclass makes a subclass, or, for Node's Buffer, no copy at all.
      if (bytes.constructor === Uint8Array) return bytes.slice(start, end);
      const copy = new Uint8Array(length);
      copy.set(bytes.subarray(start, end));
      return copy;
    }
    const at = this.take(length);
    const into = this.bytes;
    if (length > WORDS_MAX) {
      into.set(bytes.subarray(start, end), at);
    } else {
      const words = this.#words;
      let word = at >>> 3;
      let from = start;
      for (; from + 16 <= end; from += 16, word += 2) {
        words[word] = view.getBigInt64(from, isLittleEndian);
        words[word + 1] = view.getBigInt64(from + 8, isLittleEndian);
      }
      if (from + 8 <= end) {
        words[word++] = view.getBigInt64(from, isLittleEndian);
        from += 8;
      }
      for (let to = word << 3; from < end; from++, to++) into[to] = bytes[from]!;
    }
    // `subarray` would ask for the species first, which takes V8 as long again.
    return new Uint8Array(into.buffer, at, length);
  }
}
