/**
 * The memory of a block: a part of a slab, and the state of its users.
 *
 *              take                    insert
 *     spare ---------> being decoded ---------> cached
 *       ^                    |                    |
 *       |      giveBack      |        drop        |
 *       +---- (no pins) -----+---- (no pins) -----+
 *
 * - *spare*: nobody uses the block. It waits in `BlockPool` to be decoded into.
 * - *cached*: `BlockCache` holds the block for later searches. A synchronous search needs nothing
 *   more.
 * - *pinned*: somebody uses the block across an `await` or the user's code. A pinned block does not
 *   become spare; the last `unpin` gives it back, unless it is cached.
 * - *retired* is a slab, not a block: its blocks do not become spare any more. The slab is garbage
 *   when nobody holds one of them.
 */

import type { CacheEntry } from "../cache/weighted_cache.ts";

/** Larger buffers are made with the exact length: they are not reused. */
const MAX_ROUNDED_BYTES = 1024 * 1024;

/**
 * Size of the buffer for `neededBytes`: rounded up by a sixteenth at most, so that the buffer of
 * one block has room for another one of about as many entries.
 */
export function blockCapacity(neededBytes: number): number {
  if (neededBytes > MAX_ROUNDED_BYTES) return (neededBytes + 3) & ~3;
  const step = capacityStep(neededBytes);
  return Math.ceil(neededBytes / step) * step;
}

/** The next larger one of the sizes that `blockCapacity` gives. */
export function nextBlockCapacity(capacity: number): number {
  return capacity + capacityStep(capacity + 1);
}

function capacityStep(bytes: number): number {
  return 1 << Math.max(6, 27 - Math.clz32(bytes - 1));
}

/**
 * One buffer for the memory of several blocks. With its own buffer and three views, each block
 * would cost several times the objects, and every get more cache lines (decision 8).
 */
export class BlockSlab<B> {
  /** All of the memory. */
  readonly bytes: Uint8Array;
  /** A view of the same memory. */
  readonly view: DataView;
  /** The same memory as words. */
  readonly words: Uint32Array;
  /** Its blocks, filled in by their maker. */
  readonly blocks: B[] = [];
  /** How many of its blocks are spare. Changed by `BlockPool` only. */
  spareCount = 0;
  /** Whether its blocks do not become spare any more. */
  isRetired = false;

  /** Makes a slab of `length` bytes, a multiple of 4. */
  constructor(length: number) {
    const buffer = new ArrayBuffer(length);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** Returns its memory to the system; nobody may use its blocks any more. */
  release(): void {
    (this.bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/** The memory of one block of class `B`, which extends this one: there is one object per block. */
export class BlockFrame<B> {
  /** The slab that its memory is a part of. */
  readonly slab: BlockSlab<B>;
  /** All of the slab's memory: offsets of entries are those in it. */
  readonly bytes: Uint8Array;
  /** A view of the same memory. */
  readonly view: DataView;
  /** Where in the slab its memory begins. */
  readonly start: number;
  /** Bytes of its memory. */
  readonly capacity: number;
  /** How many hold it across an `await` or the user's code. Changed by `BlockCache` only. */
  pins = 0;
  /** Whether the block cache holds it. Changed by `BlockCache` only. */
  isCached = false;
  /** Its cache entry while it is cached. Changed by `BlockCache` only. */
  entry: CacheEntry<B> | undefined;

  /** Takes `capacity` bytes of a slab from `start` on, both multiples of 4. */
  constructor(slab: BlockSlab<B>, start: number, capacity: number) {
    this.slab = slab;
    this.bytes = slab.bytes;
    this.view = slab.view;
    this.start = start;
    this.capacity = capacity;
  }
}
