/**
 * The memory of a memtable: entries one after another in one ArrayBuffer, without an object per
 * entry.
 *
 * An entry, at its offset:
 *
 *     0   u32  offset of the previous (older) version of the same key, 0 for none
 *     4   u32  sequence number, relative to the memtable's first
 *     8   u32  key length, key bytes
 *     ..  u32  value length, encoded value bytes
 *
 * From offset 8 on this is, byte for byte, the form of an entry in a log record and in a data
 * block, so that an entry is encoded once and then only copied. A value of `LARGE_VALUE_BYTES` or
 * more lives in its own buffer (`largeValues`). Its length field has the top bit set, the other 31
 * bits are the index, and nothing follows it. That keeps the arena near its budget.
 *
 * The buffer is small at first, because a store that is only read, or hardly written to, does not
 * need the memory. It grows fourfold up to the capacity, and doubles from there on. Offsets stay
 * valid; `bytes` and `view` are replaced. A resizable ArrayBuffer would make every access several
 * times slower.
 */

import { copyRange } from "../bytes/copy.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";

/** Values of this encoded size or more are kept outside the arena. */
export const LARGE_VALUE_BYTES: number = 64 * 1024;

/** Bytes before the key length field. */
export const ENTRY_HEADER_BYTES = 8;

const LARGE_VALUE_FLAG = 0x80000000;
const FIRST_OFFSET = 8;
const MAX_ARENA_BYTES = 0xffffffff;
const FIRST_BYTES = 16 * 1024;

/** Memory that another thread may share. */
export type SharedBytes = SharedArrayBuffer | ArrayBuffer;

/** Append-only storage of entries. */
export class EntryArena {
  /** The memory; replaced when it grows. */
  bytes: Uint8Array;
  /** A view of the same memory; replaced with it. */
  view: DataView;
  /** Offset just past the last entry. */
  used: number = FIRST_OFFSET;
  /** The values kept outside. */
  readonly largeValues: Uint8Array[] = [];
  #largeViews: DataView[] = [];
  #largeBytes = 0;
  readonly #capacityBytes: number;

  /** Makes an arena for about `capacityBytes`. */
  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.bytes = new Uint8Array(Math.min(Math.max(capacityBytes, 64), FIRST_BYTES));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Bytes taken by entries, the large values included. */
  get sizeBytes(): number {
    return this.used - FIRST_OFFSET + this.#largeBytes;
  }

  /**
   * Copies an entry into the arena. `from[start, end)` is key length, key, value length, value;
   * `keyEnd` is the offset just past the key. Returns the entry's offset.
   *
   * @throws {RangeError} the arena would pass 4 GiB
   */
  append(
    previous: number,
    relativeSequence: number,
    from: Uint8Array,
    fromView: DataView,
    start: number,
    keyEnd: number,
    end: number,
  ): number {
    const valueStart = keyEnd + 4;
    const isLarge = end - valueStart >= LARGE_VALUE_BYTES;
    const copyEnd = isLarge ? keyEnd : end;
    const offset = this.used;
    this.#reserve(ENTRY_HEADER_BYTES + (copyEnd - start) + 4);
    const view = this.view;
    view.setUint32(offset, previous, true);
    view.setUint32(offset + 4, relativeSequence, true);
    copyRange(from, fromView, start, copyEnd, this.bytes, view, offset + ENTRY_HEADER_BYTES);
    let used = offset + ENTRY_HEADER_BYTES + (copyEnd - start);
    if (isLarge) {
      const value = from.slice(valueStart, end);
      view.setUint32(used, (LARGE_VALUE_FLAG | this.largeValues.length) >>> 0, true);
      used += 4;
      this.largeValues.push(value);
      this.#largeViews.push(new DataView(value.buffer));
      this.#largeBytes += value.length;
    }
    this.used = used;
    return offset;
  }

  /** Offset of the older version of the entry's key, 0 for none. */
  previousOf(entry: number): number {
    return this.view.getUint32(entry, true);
  }

  /** The entry's sequence number, relative to the memtable's first. */
  sequenceOf(entry: number): number {
    return this.view.getUint32(entry + 4, true);
  }

  /** Offset just past the entry's key, which starts at `entry + ENTRY_HEADER_BYTES + 4`. */
  keyEndOf(entry: number): number {
    return entry + ENTRY_HEADER_BYTES + 4 + this.view.getUint32(entry + ENTRY_HEADER_BYTES, true);
  }

  /**
   * Index in `largeValues` of the value after a key that ends at `keyEnd`, or -1 for one in the
   * arena.
   */
  largeValueIndex(keyEnd: number): number {
    const length = this.view.getUint32(keyEnd, true);
    return length >= LARGE_VALUE_FLAG ? length - LARGE_VALUE_FLAG : -1;
  }

  /** Points `result` at an entry. */
  show(entry: number, result: EntryView): void {
    const { bytes, view } = this;
    const keyEnd = this.keyEndOf(entry);
    result.keyBytes = bytes;
    result.keyView = view;
    result.keyStart = entry + ENTRY_HEADER_BYTES + 4;
    result.keyEnd = keyEnd;
    const large = this.largeValueIndex(keyEnd);
    if (large < 0) {
      result.valueBytes = bytes;
      result.valueView = view;
      result.valueStart = keyEnd + 4;
      result.valueEnd = keyEnd + 4 + view.getUint32(keyEnd, true);
    } else {
      const value = this.largeValues[large]!;
      result.valueBytes = value;
      result.valueView = this.#largeViews[large]!;
      result.valueStart = 0;
      result.valueEnd = value.length;
    }
  }

  /** Shows the entries of another arena, from a copy of its memory, to be read only. */
  adopt(bytes: Uint8Array, largeValues: readonly SharedBytes[]): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.used = bytes.length;
    for (const value of largeValues) {
      this.largeValues.push(new Uint8Array(value));
      this.#largeViews.push(new DataView(value));
      this.#largeBytes += value.byteLength;
    }
  }

  /** Forgets every entry and keeps the memory. */
  clear(): void {
    this.used = FIRST_OFFSET;
    this.largeValues.length = 0;
    this.#largeViews.length = 0;
    this.#largeBytes = 0;
  }

  /** Releases the memory that is not used. Views of it that were shown stay valid. */
  shrink(): void {
    const size = Math.max(FIRST_BYTES, this.used);
    if (this.bytes.length > size + (size >>> 2)) this.#resize(size);
  }

  #reserve(extra: number): void {
    const needed = this.used + extra;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_ARENA_BYTES) {
      throw new RangeError(`Cannot grow the memtable to ${needed} bytes: the limit is 4 GiB`);
    }
    const steps = Math.min(
      this.bytes.length * 4,
      Math.max(this.#capacityBytes, this.bytes.length * 2),
    );
    this.#resize(Math.min(MAX_ARENA_BYTES, Math.max(needed, steps)));
  }

  #resize(size: number): void {
    const resized = new Uint8Array(size);
    resized.set(this.bytes.subarray(0, this.used));
    this.bytes = resized;
    this.view = new DataView(resized.buffer);
  }
}
