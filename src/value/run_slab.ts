/**
 * Copies for the user of many neighbouring values at once: the values of a scan.
 *
 * Copying each by itself costs 85-95 ns on V8, most of it for two views and one `set`. One copy of a
 * stretch of entries, keys and lengths between the values included, and one view a value cost 45-50.
 * The stretches go into slabs of 32 KiB: with 16 KiB a value costs 10 ns more, with 8 KiB 20 (a new buffer
 * takes about 2 us), with 64 KiB no less. They are like those of owned_bytes.ts: no two copies overlap, the
 * library never reads one again, and one that the user has transferred is replaced.
 */

import { copyRange } from "../bytes/copy.ts";
import { runtimeName } from "../platform/runtime.ts";
import { copyBytes } from "./owned_bytes.ts";

const SLAB_BYTES = 32 * 1024;

/** The first stretch of a scan is as long as this, the next ones twice as long up to the most. */
const FIRST_BYTES = 2048;
const MOST_BYTES = 8192;

/** Copies up to this long are taken from a stretch. JSC makes a buffer of its own sooner than a view. */
const SHARED_MAX = runtimeName === "bun" ? 0 : 1024;

let slab = new Uint8Array(0);
let slabView = new DataView(slab.buffer);
let slabUsed = 0;

/** Makes the copies of one scan. */
export class RunSlab {
  readonly #reverse: boolean;
  /** What may be copied along: bytes of entries that the scan is about to show. */
  #runStart = 0;
  #runEnd = 0;
  /** Where the last stretch was copied from, and to. */
  #start = 0;
  #end = 0;
  #slab: Uint8Array<ArrayBuffer> = slab;
  #slabStart = 0;
  #nextBytes = FIRST_BYTES;

  /** Makes a slab for a scan in a direction. */
  constructor(reverse: boolean) {
    this.#reverse = reverse;
  }

  /** The next copies are of entries in `[start, end)`, which lie side by side and don't change. */
  begin(start: number, end: number): void {
    this.#runStart = start;
    this.#runEnd = end;
    this.#end = 0;
  }

  /** The next copies are of entries that lie anywhere. */
  end(): void {
    this.#runEnd = 0;
    this.#end = 0;
  }

  /** A copy of `bytes[start, end)`, a plain Uint8Array that the caller owns; `view` looks at the same memory. */
  copy(bytes: Uint8Array, view: DataView, start: number, end: number): Uint8Array {
    const length = end - start;
    if (start < this.#start || end > this.#end || length === 0 || this.#slab.length === 0) {
      if (length === 0 || length > SHARED_MAX) return copyBytes(bytes, view, start, end);
      this.#fill(bytes, view, start, end);
    }
    // `subarray` takes twice as long on V8: it asks for the species.
    return new Uint8Array(this.#slab.buffer, this.#slabStart + start - this.#start, length);
  }

  #fill(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    let from = start;
    let to = end;
    if (start >= this.#runStart && end <= this.#runEnd) {
      const size = this.#nextBytes;
      if (size < MOST_BYTES) this.#nextBytes = size * 2;
      if (this.#reverse) from = Math.max(this.#runStart, end - size);
      else to = Math.min(this.#runEnd, start + size);
    }
    if (slabUsed + (to - from) > slab.length) {
      slab = new Uint8Array(SLAB_BYTES);
      slabView = new DataView(slab.buffer);
      slabUsed = 0;
    }
    copyRange(bytes, view, from, to, slab, slabView, slabUsed);
    this.#slab = slab;
    this.#slabStart = slabUsed;
    this.#start = from;
    this.#end = to;
    slabUsed += to - from;
  }
}
