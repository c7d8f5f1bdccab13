/**
 * A decoded data block: its payload, the offset of each entry, and a word of each key, in one
 * allocation (V8 pays 1 to 2 microseconds for each buffer of this size). There is no object an entry.
 *
 * A word is the four key bytes behind the prefix that all keys of the block share. A search compares
 * the prefix once, then words, which lie side by side, and looks at keys only where words tie: against
 * comparing keys it touches two or three cache lines instead of eight or more.
 *
 * Decoding checks every length against the payload and that the keys ascend strictly, so that the
 * search never leaves the payload and never misses a key in a block with a valid checksum.
 */

import { commonPrefixLength, compareRanges, keyWord } from "../bytes/compare.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { EntryRun } from "../iterator/entry_run.ts";
import { BLOCK_HEADER_BYTES, BLOCK_TYPE_DATA } from "./block_builder.ts";

const MIN_ENTRY_BYTES = 9;
/** What a block costs besides its buffer: four objects and a cache entry. */
const OVERHEAD_BYTES = 320;

/** A sorted run of entries; immutable unless its owner decodes another one into it. */
export class Block {
  /** The payload, with the offset array behind it. */
  readonly bytes: Uint8Array;
  /** A view on the same memory. */
  readonly view: DataView;
  /** Number of entries. */
  count: number;
  /**
   * Offset of each entry's key length field, then the end of the payload; behind them the key words.
   */
  #slots: Uint32Array;
  /** Length of the prefix that all keys share. */
  #prefix: number;

  private constructor(bytes: Uint8Array, view: DataView, slots: Uint32Array, count: number) {
    this.bytes = bytes;
    this.view = view;
    this.#slots = slots;
    this.count = count;
    this.#prefix = fillWords(view, count, slots);
  }

  /**
   * Copies and checks the payload `from[0, length)`. The memory of `reuse`, a block that nobody looks at
   * any more, is taken where it suffices: a compaction would otherwise leave every block as garbage.
   *
   * @throws {DecodeError} offsets are those in the payload; `reuse` must not be used any more
   */
  static decode(from: Uint8Array, length: number, reuse?: Block): Block {
    if (length < BLOCK_HEADER_BYTES + MIN_ENTRY_BYTES) {
      throw new DecodeError(`a block of ${length} bytes can't hold an entry`, 0);
    }
    if (from[0] !== BLOCK_TYPE_DATA) {
      throw new DecodeError(`the block type is ${from[0]}, expected ${BLOCK_TYPE_DATA}`, 0);
    }
    const count = from[1]! | (from[2]! << 8);
    if (count === 0 || count * MIN_ENTRY_BYTES > length - BLOCK_HEADER_BYTES) {
      throw new DecodeError(`${count} entries can't fill a block of ${length} bytes`, 1);
    }
    const slotsAt = (length + 3) & ~3;
    const slotCount = 2 * count + 1;
    const neededBytes = slotsAt + slotCount * 4;
    if (reuse !== undefined && reuse.bytes.length >= neededBytes) {
      reuse.bytes.set(from.length === length ? from : from.subarray(0, length));
      reuse.#slots = new Uint32Array(reuse.bytes.buffer, slotsAt, slotCount);
      reuse.count = count;
      fillOffsets(reuse.view, length, count, reuse.#slots);
      reuse.#prefix = fillWords(reuse.view, count, reuse.#slots);
      return reuse;
    }
    const buffer = new ArrayBuffer(neededBytes);
    const bytes = new Uint8Array(buffer);
    bytes.set(from.length === length ? from : from.subarray(0, length));
    const view = new DataView(buffer);
    const slots = new Uint32Array(buffer, slotsAt, slotCount);
    fillOffsets(view, length, count, slots);
    return new Block(bytes, view, slots, count);
  }

  /** Bytes of memory to charge for the block. */
  get sizeBytes(): number {
    return this.bytes.length + OVERHEAD_BYTES;
  }

  /** Slot of the first entry with a key at or after the given one, or `count`. */
  lowerBound(key: DataView, start: number, end: number): number {
    const slot = this.#search(key, start, end);
    return slot >= 0 ? slot : ~slot;
  }

  /** Slot of the entry with exactly this key, or -1. */
  find(key: DataView, start: number, end: number): number {
    const slot = this.#search(key, start, end);
    return slot >= 0 ? slot : -1;
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
    const slots = this.#slots;
    const at = slots[slot]!;
    const keyEnd = at + 4 + this.view.getUint32(at, true);
    entry.keyStart = at + 4;
    entry.keyEnd = keyEnd;
    entry.valueStart = keyEnd + 4;
    entry.valueEnd = slots[slot + 1]!;
  }

  /** Points `run` at the entries of this block. */
  showRun(run: EntryRun): void {
    run.bytes = this.bytes;
    run.view = this.view;
    run.offsets = this.#slots;
    run.isDense = true;
  }

  /** Compares the key in `slot` with the given one: negative where it comes first. */
  compareKey(slot: number, key: DataView, start: number, end: number): number {
    const at = this.#slots[slot]! + 4;
    return compareRanges(
      this.view,
      at,
      at + this.view.getUint32(at - 4, true),
      key,
      start,
      end,
    );
  }

  /** Slot of the entry with this key; where there is none, the complement of where it would be. */
  #search(key: DataView, start: number, end: number): number {
    const view = this.view;
    const slots = this.#slots;
    const prefix = this.#prefix;
    const from = start + prefix;
    if (prefix > 0) {
      const first = slots[0]! + 4;
      const order = compareRanges(key, start, from < end ? from : end, view, first, first + prefix);
      if (order !== 0) return order < 0 ? ~0 : ~this.count;
    }
    const word = keyWord(key, from, end);
    const words = this.count + 1;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = slots[words + middle]!;
      if (other < word) {
        low = middle + 1;
      } else if (other > word) {
        high = middle;
      } else {
        const at = slots[middle]!;
        const keyEnd = at + 4 + view.getUint32(at, true);
        const order = compareRanges(view, at + 4 + prefix, keyEnd, key, from, end);
        if (order === 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
      }
    }
    return ~low;
  }
}

/** Fills in the key words of a block whose offsets are known; returns the length of the shared prefix. */
function fillWords(view: DataView, count: number, slots: Uint32Array): number {
  const first = slots[0]!;
  const last = slots[count - 1]!;
  const prefix = commonPrefixLength(
    view,
    first + 4,
    first + 4 + view.getUint32(first, true),
    view,
    last + 4,
    last + 4 + view.getUint32(last, true),
  );
  for (let slot = 0; slot < count; slot++) {
    const at = slots[slot]!;
    const keyEnd = at + 4 + view.getUint32(at, true);
    slots[count + 1 + slot] = keyWord(view, at + 4 + prefix, keyEnd);
  }
  return prefix;
}

function fillOffsets(view: DataView, length: number, count: number, offsets: Uint32Array): void {
  let at = BLOCK_HEADER_BYTES;
  let previousStart = 0;
  let previousEnd = 0;
  for (let slot = 0; slot < count; slot++) {
    if (length - at < MIN_ENTRY_BYTES) {
      throw new DecodeError(`the block ends within entry ${slot} of ${count}`, at);
    }
    const keyLength = view.getUint32(at, true);
    if (keyLength > length - at - 8) {
      throw new DecodeError(`a key of ${keyLength} bytes passes the end of the block`, at);
    }
    const keyStart = at + 4;
    const keyEnd = keyStart + keyLength;
    const valueLength = view.getUint32(keyEnd, true);
    if (valueLength === 0 || valueLength > length - keyEnd - 4) {
      throw new DecodeError(`a value of ${valueLength} bytes does not fit the block`, keyEnd);
    }
    if (slot > 0 && compareRanges(view, previousStart, previousEnd, view, keyStart, keyEnd) >= 0) {
      throw new DecodeError(`the key of entry ${slot} does not come after the one before`, at);
    }
    offsets[slot] = at;
    previousStart = keyStart;
    previousEnd = keyEnd;
    at = keyEnd + 4 + valueLength;
  }
  if (at !== length) {
    throw new DecodeError(`${length - at} bytes follow the last entry of the block`, at);
  }
  offsets[count] = length;
}
