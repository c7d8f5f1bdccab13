/**
 * A decoded data block: its payload and an array of entry offsets, in one allocation (V8 pays
 * 1 to 2 microseconds for each buffer of this size). Searched in place; there is no object an entry.
 *
 * Decoding checks every length against the payload and that the keys ascend strictly, so that the
 * search never leaves the payload and never misses a key in a block with a valid checksum.
 */

import { compareRanges } from "../bytes/compare.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
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
  /** Offset of each entry's key length field, and behind them the end of the payload. */
  #offsets: Uint32Array;

  private constructor(bytes: Uint8Array, view: DataView, offsets: Uint32Array, count: number) {
    this.bytes = bytes;
    this.view = view;
    this.#offsets = offsets;
    this.count = count;
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
    const offsetsAt = (length + 3) & ~3;
    const neededBytes = offsetsAt + (count + 1) * 4;
    if (reuse !== undefined && reuse.bytes.length >= neededBytes) {
      reuse.bytes.set(from.length === length ? from : from.subarray(0, length));
      reuse.#offsets = new Uint32Array(reuse.bytes.buffer, offsetsAt, count + 1);
      reuse.count = count;
      fillOffsets(reuse.view, length, count, reuse.#offsets);
      return reuse;
    }
    const buffer = new ArrayBuffer(neededBytes);
    const bytes = new Uint8Array(buffer);
    bytes.set(from.length === length ? from : from.subarray(0, length));
    const view = new DataView(buffer);
    const offsets = new Uint32Array(buffer, offsetsAt, count + 1);
    fillOffsets(view, length, count, offsets);
    return new Block(bytes, view, offsets, count);
  }

  /** Bytes of memory to charge for the block. */
  get sizeBytes(): number {
    return this.bytes.length + OVERHEAD_BYTES;
  }

  /** Slot of the first entry with a key at or after the given one, or `count`. */
  lowerBound(key: DataView, start: number, end: number): number {
    const view = this.view;
    const offsets = this.#offsets;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = offsets[middle]!;
      const keyStart = at + 4;
      const order = compareRanges(
        view,
        keyStart,
        keyStart + view.getUint32(at, true),
        key,
        start,
        end,
      );
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Slot of the entry with exactly this key, or -1. */
  find(key: DataView, start: number, end: number): number {
    const view = this.view;
    const offsets = this.#offsets;
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = offsets[middle]!;
      const keyStart = at + 4;
      const order = compareRanges(
        view,
        keyStart,
        keyStart + view.getUint32(at, true),
        key,
        start,
        end,
      );
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
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
    const offsets = this.#offsets;
    const at = offsets[slot]!;
    const keyEnd = at + 4 + this.view.getUint32(at, true);
    entry.keyStart = at + 4;
    entry.keyEnd = keyEnd;
    entry.valueStart = keyEnd + 4;
    entry.valueEnd = offsets[slot + 1]!;
  }
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
