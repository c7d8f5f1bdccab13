/**
 * The index of a table: the first key, offset and size of every data block, searched in place.
 *
 *     0   u64  number of entries in the table
 *     8   u32  length of the smallest key, the key
 *     ..  u32  length of the largest key, the key
 *     ..  u32  number of data blocks
 *     ..  per block: u32 length of its first key, the key, u64 offset, u32 size (block footer included)
 *
 * Decoding checks that the blocks follow each other without gaps from offset 0, that the first keys
 * ascend, and that they start with the smallest key.
 *
 * A search compares words, as in a block (block.ts): the four bytes of each first key after the
 * prefix that all of them share. The words of all blocks lie side by side and stay in the
 * processor's cache; following an offset to each key would cost two cache lines per step (decision
 * 8).
 */

import { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { commonPrefixLength, compareRanges, keyWord } from "../bytes/compare.ts";
import { DecodeError } from "../errors.ts";
import { NO_BLOCKS } from "./table_format.ts";

const MIN_INDEX_ENTRY_BYTES = 16;
const OVERHEAD_BYTES = 400;
const TWO_32 = 0x1_0000_0000;

/** Where a table's blocks are. */
export class TableIndex {
  /** The section, with the offset array and the words after it. */
  readonly bytes: Uint8Array;
  /** A view of the same memory. */
  readonly view: DataView;
  /** Number of data blocks. */
  readonly blockCount: number;
  /** Number of entries in the table. */
  readonly entryCount: number;
  /** Offset in `bytes` of the smallest key. */
  readonly smallestStart: number;
  /** Offset just past the smallest key. */
  readonly smallestEnd: number;
  /** Offset in `bytes` of the largest key. */
  readonly largestStart: number;
  /** Offset just past the largest key. */
  readonly largestEnd: number;
  readonly #offsets: Uint32Array;
  /** Length of the prefix that all first keys share. */
  readonly #prefix: number;
  /** Four bytes of each first key, after the prefix. */
  readonly #words: Uint32Array;
  readonly #loneBlocks: Uint8Array;

  /**
   * Copies and checks the section `from[start, end)`. `loneBlocks` comes from the metadata.
   *
   * @throws {DecodeError} offsets are relative to the section
   */
  constructor(
    from: Uint8Array,
    start: number,
    end: number,
    dataEnd: number,
    blockCount: number,
    loneBlocks: Uint8Array = NO_BLOCKS,
  ) {
    this.#loneBlocks = loneBlocks;
    const length = end - start;
    const reader = new ByteReader(from.subarray(start, end), 0, length);
    this.entryCount = reader.uint64();
    const smallestLength = reader.uint32();
    this.smallestStart = reader.take(smallestLength);
    this.smallestEnd = this.smallestStart + smallestLength;
    const largestLength = reader.uint32();
    this.largestStart = reader.take(largestLength);
    this.largestEnd = this.largestStart + largestLength;
    const count = reader.uint32();
    if (count !== blockCount) {
      throw new DecodeError(
        `the index has ${count} blocks, the footer says ${blockCount}`,
        reader.offset - 4,
      );
    }
    if (count * MIN_INDEX_ENTRY_BYTES > reader.remaining) {
      throw new DecodeError(
        `${count} blocks can't fit in the remaining ${reader.remaining} bytes`,
        reader.offset,
      );
    }
    const offsetsAt = (length + 3) & ~3;
    const buffer = new ArrayBuffer(offsetsAt + count * 8);
    this.bytes = new Uint8Array(buffer);
    this.bytes.set(reader.bytes);
    this.view = new DataView(buffer);
    this.blockCount = count;
    this.#offsets = new Uint32Array(buffer, offsetsAt, count);
    this.#fillOffsets(reader, dataEnd);
    this.#words = new Uint32Array(buffer, offsetsAt + count * 4, count);
    this.#prefix = this.#fillWords();
  }

  /** Bytes of memory that the index counts for. */
  get sizeBytes(): number {
    return this.bytes.length + OVERHEAD_BYTES;
  }

  /**
   * The only block that can hold the key: the last one whose first key is at or before it, or -1.
   */
  blockFor(key: DataView, start: number, end: number): number {
    const view = this.view;
    const prefix = this.#prefix;
    const from = start + prefix;
    if (prefix > 0) {
      const first = this.#offsets[0]! + 4;
      const order = compareRanges(key, start, from < end ? from : end, view, first, first + prefix);
      if (order !== 0) return order < 0 ? -1 : this.blockCount - 1;
    }
    const words = this.#words;
    const word = keyWord(key, from, end);
    let low = 0;
    let high = this.blockCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = words[middle]!;
      if (other < word) low = middle + 1;
      else if (other > word || this.#compareFirstKey(middle, key, start, end) > 0) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }

  /** Offset in `bytes` of a block's first key. */
  firstKeyStart(block: number): number {
    return this.#offsets[block]! + 4;
  }

  /** Offset just past a block's first key. */
  firstKeyEnd(block: number): number {
    const at = this.#offsets[block]!;
    return at + 4 + this.view.getUint32(at, true);
  }

  /** Offset of a block in the file. */
  blockOffset(block: number): number {
    const at = this.firstKeyEnd(block);
    return this.view.getUint32(at + 4, true) * TWO_32 + this.view.getUint32(at, true);
  }

  /** Size of a block in the file, its footer included. */
  blockSize(block: number): number {
    return this.view.getUint32(this.firstKeyEnd(block) + 8, true);
  }

  /** Whether a block is known to hold one entry, that of its first key, and not a tombstone. */
  isLone(block: number): boolean {
    const bits = this.#loneBlocks;
    const at = block >>> 3;
    return at < bits.length && ((bits[at]! >>> (block & 7)) & 1) === 1;
  }

  #compareFirstKey(block: number, key: DataView, start: number, end: number): number {
    return compareRanges(
      this.view,
      this.firstKeyStart(block),
      this.firstKeyEnd(block),
      key,
      start,
      end,
    );
  }

  /** Fills in the words when the offsets are known; returns the length of the shared prefix. */
  #fillWords(): number {
    const { view, blockCount } = this;
    const prefix = commonPrefixLength(
      view,
      this.firstKeyStart(0),
      this.firstKeyEnd(0),
      view,
      this.firstKeyStart(blockCount - 1),
      this.firstKeyEnd(blockCount - 1),
    );
    for (let block = 0; block < blockCount; block++) {
      const start = this.firstKeyStart(block) + prefix;
      this.#words[block] = keyWord(view, start, this.firstKeyEnd(block));
    }
    return prefix;
  }

  #fillOffsets(reader: ByteReader, dataEnd: number): void {
    let expectedOffset = 0;
    let previous = 0;
    for (let block = 0; block < this.blockCount; block++) {
      const at = reader.offset;
      reader.take(reader.uint32());
      const offset = reader.uint64();
      const size = reader.uint32();
      if (offset !== expectedOffset || size > dataEnd - offset) {
        throw new DecodeError(
          `block ${block} has offset ${offset} and size ${size}, ` +
            `expected offset ${expectedOffset} and an end by ${dataEnd}`,
          at,
        );
      }
      this.#offsets[block] = at;
      if (block > 0 && this.#compareFirstKeys(previous, block) >= 0) {
        throw new DecodeError(`the first key of block ${block} does not ascend`, at);
      }
      previous = block;
      expectedOffset = offset + size;
    }
    if (this.blockCount === 0 || this.#compareSmallest() !== 0) {
      throw new DecodeError("the first block does not start with the smallest key", 8);
    }
    if (expectedOffset !== dataEnd || reader.remaining !== 0) {
      throw new DecodeError(
        `the blocks end at ${expectedOffset}, expected ${dataEnd}; ` +
          `${reader.remaining} bytes follow the last`,
        reader.offset,
      );
    }
  }

  #compareSmallest(): number {
    return compareRanges(
      this.view,
      this.smallestStart,
      this.smallestEnd,
      this.view,
      this.firstKeyStart(0),
      this.firstKeyEnd(0),
    );
  }

  #compareFirstKeys(a: number, b: number): number {
    return compareRanges(
      this.view,
      this.firstKeyStart(a),
      this.firstKeyEnd(a),
      this.view,
      this.firstKeyStart(b),
      this.firstKeyEnd(b),
    );
  }
}

/** Appends the head of an index; the blocks' entries follow it. */
export function encodeIndexHead(
  writer: ByteWriter,
  entryCount: number,
  smallest: Uint8Array,
  largest: Uint8Array,
  blockCount: number,
): void {
  writer.appendUint64(entryCount);
  writer.appendUint32(smallest.length);
  writer.appendBytes(smallest, 0, smallest.length);
  writer.appendUint32(largest.length);
  writer.appendBytes(largest, 0, largest.length);
  writer.appendUint32(blockCount);
}
