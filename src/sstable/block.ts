/**
 * A decoded data block: its payload, then the offset of each entry, then a word of each key, in a
 * part of a slab (block_frame.ts has the life of that memory). There is no object an entry.
 *
 * A word is the four key bytes after the prefix that all keys of the block share. A search compares
 * the prefix once, then words, which lie side by side, and looks at keys only where words tie:
 * against comparing keys it touches two or three cache lines instead of eight or more.
 *
 * Decoding checks every length against the payload and that the keys ascend strictly, so that the
 * search never leaves the payload and never misses a key in a block with a valid checksum.
 */

import { commonPrefixLength, compareRanges, keyWord } from "../bytes/compare.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { EntryRun } from "../iterator/entry_run.ts";
import { BLOCK_HEADER_BYTES, BLOCK_TYPE_DATA } from "./block_builder.ts";
import { blockCapacity, BlockFrame, BlockSlab } from "./block_frame.ts";

const MIN_ENTRY_BYTES = 9;
/**
 * The cost of a block besides its memory: an object, a cache entry, their places, a share of the
 * slab's objects.
 */
const OVERHEAD_BYTES = 250;
/** The source of a block's memory. */
export interface BlockMemory {
  /** A block that nobody uses any more, with room for `neededBytes`; or undefined. */
  take(neededBytes: number): Block | undefined;
  /** Takes back a block that `take` gave, and that was not filled. */
  giveBack(block: Block): void;
}

/** A sorted run of entries; immutable until its memory is given to another one. */
export class Block extends BlockFrame<Block> implements BlockMemory {
  /** Number of entries. */
  count = 0;
  /** All of the slab as words. */
  readonly #words: Uint32Array;
  /**
   * Where in `#words` the slots begin: the offset of each entry's key length field, then the end of
   * the payload; after them the key words.
   */
  #slots = 0;
  /** Length of the prefix that all keys share. */
  #prefix = 0;

  /** Makes a block of `capacity` bytes of a slab, both a multiple of 4; `decode` fills it. */
  constructor(slab: BlockSlab<Block>, start: number, capacity: number) {
    super(slab, start, capacity);
    this.#words = slab.words;
  }

  /**
   * Copies and checks the payload `from[start, end)`, into memory of `memory` if it has some,
   * otherwise into a new slab.
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
    const slab = new BlockSlab<Block>(capacity);
    const block = new Block(slab, 0, capacity);
    slab.blocks.push(block);
    slab.isRetired = true;
    return block;
  }

  /** Lets one block serve as its own memory, for callers that decode one block at a time. */
  take(neededBytes: number): Block | undefined {
    return this.capacity >= neededBytes ? this : undefined;
  }

  /** Nothing to give back. */
  giveBack(): void {}

  /** The bytes that it was decoded from, as long as it is this block. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.start, this.#words[this.#slots + this.count]);
  }

  /** Bytes of memory that the block counts for. */
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
   * Slot of the entry with exactly this key, or -1. It does not compare the shared prefix first,
   * but the whole key of the slot that the words lead to. That saves the cache lines of the first
   * entry (decision 8).
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
    // For random keys this nearly always decides.
    if (words[place + this.count + 1]! !== keyWord(key, start + this.#prefix, end)) return false;
    const at = words[place]! + 4;
    const { view } = this;
    return compareRanges(view, at, at + view.getUint32(at - 4, true), key, start, end) === 0;
  }

  /** Where the value of the entry in `slot` starts. */
  valueStart(slot: number): number {
    const keyStart = this.#words[this.#slots + slot]! + 4;
    return keyStart + this.view.getUint32(keyStart - 4, true) + 4;
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

  /** Makes `run` begin at the entry in `slot`: the offsets of the next ones follow its own. */
  showRun(slot: number, run: EntryRun): void {
    run.bytes = this.bytes;
    run.view = this.view;
    run.offsets = this.#words;
    run.first = this.#slots + slot;
  }

  /** Slot of the entry with this key; if there is none, the complement of its place. */
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
   * Fills in the key words, and checks that the keys ascend strictly: each has the prefix that the
   * first and the last one share, and after it more than its neighbour. Words decide that nearly
   * always.
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
    // Most of the prefix in three variables, so that it is not read again for each key: a tenth of
    // decoding on V8 and JSC.
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

  /** Which key does not come after the previous one. */
  #disorder(): DecodeError {
    let slot = 1;
    while (slot < this.count - 1 && this.#compareNeighbours(slot) < 0) slot++;
    return new DecodeError(
      `the key of entry ${slot} does not come after the one before`,
      this.#words[this.#slots + slot]! - this.start,
    );
  }
}
