/**
 * A decoded data block: its payload, the offset of each entry, and a word of each key, one after the other
 * in a part of a slab. There is no object an entry.
 *
 * A word is the four key bytes behind the prefix that all keys of the block share. A search compares
 * the prefix once, then words, which lie side by side, and looks at keys only where words tie: against
 * comparing keys it touches two or three cache lines instead of eight or more.
 *
 * Decoding checks every length against the payload and that the keys ascend strictly, so that the
 * search never leaves the payload and never misses a key in a block with a valid checksum.
 */

import { commonPrefixLength, compareRanges, keyWord } from "../bytes/compare.ts";
import type { CacheEntry } from "../cache/weighted_cache.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { EntryRun } from "../iterator/entry_run.ts";
import { isTombstone } from "../value/value_codec.ts";
import { BLOCK_HEADER_BYTES, BLOCK_TYPE_DATA } from "./block_builder.ts";

const MIN_ENTRY_BYTES = 9;
/** What a block costs besides its memory: an object, a cache entry, their places, a share of the slab's objects. */
const OVERHEAD_BYTES = 250;
/** Larger buffers are made to measure: they are not decoded into again. */
const MAX_ROUNDED_BYTES = 1024 * 1024;

/** Where a block's memory comes from. */
export interface BlockMemory {
  /** A block that nobody looks at any more, with room for `neededBytes`; or undefined. */
  take(neededBytes: number): Block | undefined;
  /** Takes a block back that `take` gave, and that did not become one. */
  giveBack(block: Block): void;
}

/**
 * Size of the buffer for `neededBytes`: rounded up by a sixteenth at most, so that the buffer of one block
 * has room for another one of about as many entries.
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
 * One buffer for the memory of several blocks. A buffer of its own with its three views costs a block 800
 * bytes of objects, V8 2 to 3 microseconds, and every get that looks at a block the cache lines of those objects.
 */
export class BlockSlab {
  /** All of the memory. */
  readonly bytes: Uint8Array;
  /** A view on the same memory. */
  readonly view: DataView;
  /** The same memory as words. */
  readonly words: Uint32Array;
  /** Its blocks. Filled by who makes them. */
  readonly blocks: Block[] = [];
  /** How many of its blocks wait to be taken. Changed by `BlockPool` only. */
  spareCount = 0;
  /** Whether its blocks go to the collector once nobody looks at them. */
  isRetired = false;

  /** Makes a slab of `length` bytes, a multiple of 4. */
  constructor(length: number) {
    const buffer = new ArrayBuffer(length);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** Gives its memory back to the system; nobody may look at its blocks any more. */
  release(): void {
    (this.bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/** A sorted run of entries; immutable until its memory is given to another one. */
export class Block implements BlockMemory {
  /** The slab that its memory is a part of. */
  readonly slab: BlockSlab;
  /** All of the slab's memory: offsets of entries are those in it. */
  readonly bytes: Uint8Array;
  /** A view on the same memory. */
  readonly view: DataView;
  /** Where in the slab its memory begins, with the payload; behind it lie offsets and words of the keys. */
  readonly start: number;
  /** Bytes of its memory. */
  readonly capacity: number;
  /** Number of entries. */
  count = 0;
  /** How many look at it across an `await` or the user's code. Changed by `BlockCache` only. */
  pins = 0;
  /** Whether the block cache holds it. Changed by `BlockCache` only. */
  isCached = false;
  /** What the cache knows of it while it is there. Changed by `BlockCache` only. */
  entry: CacheEntry<Block> | undefined;
  /** All of the slab as words. */
  readonly #words: Uint32Array;
  /**
   * Where in `#words` the slots begin: the offset of each entry's key length field, then the end of the
   * payload; behind them the key words.
   */
  #slots = 0;
  /** Length of the prefix that all keys share. */
  #prefix = 0;

  /** Makes a block of `capacity` bytes of a slab, both a multiple of 4; `decode` fills it. */
  constructor(slab: BlockSlab, start: number, capacity: number) {
    this.slab = slab;
    this.bytes = slab.bytes;
    this.view = slab.view;
    this.#words = slab.words;
    this.start = start;
    this.capacity = capacity;
  }

  /**
   * Copies and checks the payload `from[start, end)`, into memory of `memory` where it has some, otherwise
   * into a slab of its own.
   *
   * @throws {DecodeError} offsets are those in the payload
   */
  static decode(from: Uint8Array, start: number, end: number, memory?: BlockMemory): Block {
    const length = end - start;
    if (length < BLOCK_HEADER_BYTES + MIN_ENTRY_BYTES) {
      throw new DecodeError(`a block of ${length} bytes can't hold an entry`, 0);
    }
    if (from[start] !== BLOCK_TYPE_DATA) {
      throw new DecodeError(`the block type is ${from[start]}, expected ${BLOCK_TYPE_DATA}`, 0);
    }
    const count = from[start + 1]! | (from[start + 2]! << 8);
    if (count === 0 || count * MIN_ENTRY_BYTES > length - BLOCK_HEADER_BYTES) {
      throw new DecodeError(`${count} entries can't fill a block of ${length} bytes`, 1);
    }
    const slots = (length + 3) >>> 2;
    const neededBytes = (slots + 2 * count + 1) * 4;
    const block = memory?.take(neededBytes) ?? Block.#alone(blockCapacity(neededBytes));
    const payload = start === 0 && end === from.length ? from : from.subarray(start, end);
    block.bytes.set(payload, block.start);
    block.count = count;
    block.#slots = (block.start >>> 2) + slots;
    try {
      block.#fillOffsets(block.start + length);
      block.#fillWords();
    } catch (error) {
      memory?.giveBack(block);
      throw error;
    }
    return block;
  }

  static #alone(capacity: number): Block {
    const slab = new BlockSlab(capacity);
    const block = new Block(slab, 0, capacity);
    slab.blocks.push(block);
    slab.isRetired = true;
    return block;
  }

  /** Itself, for a user of one block after the other. */
  take(neededBytes: number): Block | undefined {
    return this.capacity >= neededBytes ? this : undefined;
  }

  /** It is its user's all the time. */
  giveBack(): void {}

  /** The bytes that it was decoded from, as long as it is this block. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.start, this.#words[this.#slots + this.count]);
  }

  /** Bytes of memory to charge for the block. */
  get sizeBytes(): number {
    return this.capacity + OVERHEAD_BYTES;
  }

  /** The key in `slot` compared with another one: negative, 0 or positive. */
  compareKey(slot: number, key: DataView, start: number, end: number): number {
    const at = this.#words[this.#slots + slot]!;
    const keyEnd = at + 4 + this.view.getUint32(at, true);
    return compareRanges(this.view, at + 4, keyEnd, key, start, end);
  }

  /** Slot of the first entry with a key at or after the given one, or `count`. */
  lowerBound(key: DataView, start: number, end: number): number {
    const slot = this.#search(key, start, end);
    return slot >= 0 ? slot : ~slot;
  }

  /**
   * Slot of the entry with exactly this key, or -1. The shared prefix is not compared beforehand: the
   * key of the slot that the words lead to is compared as a whole. That saves the cache lines of the
   * first entry, two of about ten that a get of a random key misses.
   */
  find(key: DataView, start: number, end: number): number {
    const view = this.view;
    const words = this.#words;
    const slots = this.#slots;
    const from = start + this.#prefix;
    const word = keyWord(key, from, end);
    const firstWord = slots + this.count + 1;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = words[firstWord + middle]!;
      if (other < word) {
        low = middle + 1;
      } else if (other > word) {
        high = middle;
      } else {
        const at = words[slots + middle]!;
        const keyEnd = at + 4 + view.getUint32(at, true);
        const order = compareRanges(view, at + 4, keyEnd, key, start, end);
        if (order === 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
      }
    }
    return -1;
  }

  /** Whether there is an entry in `slot`, and it has this key. */
  isAt(slot: number, key: DataView, start: number, end: number): boolean {
    if (slot >= this.count) return false;
    const words = this.#words;
    const place = this.#slots + slot;
    // Mostly decides, of keys that are asked for in no order.
    if (words[place + this.count + 1]! !== keyWord(key, start + this.#prefix, end)) return false;
    const at = words[place]! + 4;
    const { view } = this;
    return compareRanges(view, at, at + view.getUint32(at - 4, true), key, start, end) === 0;
  }

  /** Whether the entry in `slot` is a tombstone. */
  isTombstone(slot: number): boolean {
    const keyStart = this.#words[this.#slots + slot]! + 4;
    return isTombstone(this.bytes, keyStart + this.view.getUint32(keyStart - 4, true) + 4);
  }

  /** Points the buffers of `entry` at this block; `showAt` then sets the offsets. */
  showBuffers(entry: EntryView): void {
    entry.keyBytes = this.bytes;
    entry.keyView = this.view;
    entry.valueBytes = this.bytes;
    entry.valueView = this.view;
  }

  /** Points the offsets of `entry` at the entry in `slot`. */
  showAt(slot: number, entry: EntryView): void {
    const place = this.#slots + slot;
    const at = this.#words[place]!;
    const keyEnd = at + 4 + this.view.getUint32(at, true);
    entry.keyStart = at + 4;
    entry.keyEnd = keyEnd;
    entry.valueStart = keyEnd + 4;
    entry.valueEnd = this.#words[place + 1]!;
  }

  /** Makes `run` begin at the entry in `slot`: behind its offset lie those of the next ones. */
  showRun(slot: number, run: EntryRun): void {
    run.bytes = this.bytes;
    run.view = this.view;
    run.offsets = this.#words;
    run.first = this.#slots + slot;
  }

  /** Slot of the entry with this key; where there is none, the complement of where it would be. */
  #search(key: DataView, start: number, end: number): number {
    const view = this.view;
    const words = this.#words;
    const slots = this.#slots;
    const prefix = this.#prefix;
    const from = start + prefix;
    if (prefix > 0) {
      const first = words[slots]! + 4;
      const order = compareRanges(key, start, from < end ? from : end, view, first, first + prefix);
      if (order !== 0) return order < 0 ? ~0 : ~this.count;
    }
    const word = keyWord(key, from, end);
    const firstWord = slots + this.count + 1;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = words[firstWord + middle]!;
      if (other < word) {
        low = middle + 1;
      } else if (other > word) {
        high = middle;
      } else {
        const at = words[slots + middle]!;
        const keyEnd = at + 4 + view.getUint32(at, true);
        const order = compareRanges(view, at + 4 + prefix, keyEnd, key, from, end);
        if (order === 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
      }
    }
    return ~low;
  }

  /** Finds the entries: every length is checked against the payload. */
  #fillOffsets(payloadEnd: number): void {
    const { view, count, start } = this;
    const words = this.#words;
    const slots = this.#slots;
    let at = start + BLOCK_HEADER_BYTES;
    for (let slot = 0; slot < count; slot++) {
      if (payloadEnd - at < MIN_ENTRY_BYTES) {
        throw new DecodeError(`the block ends within entry ${slot} of ${count}`, at - start);
      }
      const keyLength = view.getUint32(at, true);
      if (keyLength > payloadEnd - at - 8) {
        throw new DecodeError(
          `a key of ${keyLength} bytes passes the end of the block`,
          at - start,
        );
      }
      const keyEnd = at + 4 + keyLength;
      const valueLength = view.getUint32(keyEnd, true);
      if (valueLength === 0 || valueLength > payloadEnd - keyEnd - 4) {
        throw new DecodeError(
          `a value of ${valueLength} bytes does not fit the block`,
          keyEnd - start,
        );
      }
      words[slots + slot] = at;
      at = keyEnd + 4 + valueLength;
    }
    if (at !== payloadEnd) {
      throw new DecodeError(
        `${payloadEnd - at} bytes follow the last entry of the block`,
        at - start,
      );
    }
    words[slots + count] = payloadEnd;
  }

  /**
   * Fills in the key words, and checks that the keys ascend strictly: each has the prefix that the first
   * and the last one share, and behind it more than its neighbour. Words decide that nearly always.
   */
  #fillWords(): void {
    const { view, count } = this;
    const words = this.#words;
    const slots = this.#slots;
    const firstWord = slots + count + 1;
    const first = words[slots]! + 4;
    const firstEnd = first + view.getUint32(first - 4, true);
    const last = words[slots + count - 1]! + 4;
    const lastEnd = last + view.getUint32(last - 4, true);
    const prefix = commonPrefixLength(view, first, firstEnd, view, last, lastEnd);
    this.#prefix = prefix;
    const wholeWords = prefix & ~3;
    // Most of the prefix in three variables, not read anew for each key: a tenth of decoding on V8 and JSC.
    const head0 = prefix >= 4 ? view.getInt32(first) : 0;
    const head1 = prefix >= 8 ? view.getInt32(first + 4) : 0;
    const head2 = prefix >= 12 ? view.getInt32(first + 8) : 0;
    let previous = keyWord(view, first + prefix, firstEnd);
    words[firstWord] = previous;
    for (let slot = 1; slot < count; slot++) {
      const start = words[slots + slot]! + 4;
      const end = start + view.getUint32(start - 4, true);
      let difference = end - start < prefix ? 1 : 0;
      if (difference === 0) {
        if (wholeWords >= 4) difference |= view.getInt32(start) ^ head0;
        if (wholeWords >= 8) difference |= view.getInt32(start + 4) ^ head1;
        if (wholeWords >= 12) difference |= view.getInt32(start + 8) ^ head2;
        for (let i = 12; i < wholeWords; i += 4) {
          difference |= view.getInt32(start + i) ^ view.getInt32(first + i);
        }
        for (let i = wholeWords; i < prefix; i++) {
          difference |= view.getUint8(start + i) ^ view.getUint8(first + i);
        }
      }
      if (difference !== 0) throw this.#disorder();
      const word = keyWord(view, start + prefix, end);
      if (word <= previous && (word < previous || this.#compareNeighbours(slot) >= 0)) {
        throw this.#disorder();
      }
      words[firstWord + slot] = word;
      previous = word;
    }
  }

  /** The key before `slot` compared with the one in it. */
  #compareNeighbours(slot: number): number {
    const at = this.#words[this.#slots + slot]!;
    return this.compareKey(slot - 1, this.view, at + 4, at + 4 + this.view.getUint32(at, true));
  }

  /** Which key does not come after the one before. */
  #disorder(): DecodeError {
    let slot = 1;
    while (slot < this.count - 1 && this.#compareNeighbours(slot) < 0) slot++;
    return new DecodeError(
      `the key of entry ${slot} does not come after the one before`,
      this.#words[this.#slots + slot]! - this.start,
    );
  }
}
