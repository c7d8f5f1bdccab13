/**
 * Builds the uncompressed payload of a data block:
 *
 *     0   u8   block type, 1
 *     1   u16  number of entries
 *     3   per entry: u32 key length, key, u32 value length, encoded value
 *
 * Entries come in strictly ascending key order (the table writer checks it). There is no prefix
 * compression: the format is Go's (docs/FORMAT.md), and the codec makes up for it.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";

/** Block type of a data block. */
export const BLOCK_TYPE_DATA = 1;
/** Bytes before the first entry. */
export const BLOCK_HEADER_BYTES = 3;
/** The count field has 16 bits. */
export const MAX_BLOCK_ENTRIES = 0xffff;

/** Collects the entries of one block. */
export class BlockBuilder {
  /** The payload so far. */
  readonly writer: ByteWriter;
  #entryCount = 0;
  /** Sum of the entries' lengths, which Go compares with the block size. */
  #entryBytes = 0;
  /** Offset in `writer` of the first key, which starts after its length field. */
  readonly firstKeyStart: number = BLOCK_HEADER_BYTES + 4;
  /** Offset just past the first key. */
  firstKeyEnd = 0;

  /** Makes a builder for blocks of about `blockSizeBytes`. */
  constructor(blockSizeBytes: number) {
    this.writer = new ByteWriter(blockSizeBytes + 1024);
    this.reset();
  }

  /** Number of entries so far. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Sum of the lengths of the entries so far, their length fields included. */
  get entryBytes(): number {
    return this.#entryBytes;
  }

  /** Starts the next block. */
  reset(): void {
    this.#entryCount = 0;
    this.#entryBytes = 0;
    this.writer.length = 0;
    this.writer.appendUint8(BLOCK_TYPE_DATA);
    this.writer.appendUint16(0);
  }

  /** Appends an entry. */
  add(entry: EntryView): void {
    const writer = this.writer;
    const before = writer.length;
    const { keyBytes, keyView, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = entry;
    if (keyBytes === valueBytes && valueStart === keyEnd + 4) {
      // If key and value lie in one buffer, they lie there in exactly this form.
      writer.appendRange(keyBytes, keyView, keyStart - 4, valueEnd);
    } else {
      writer.appendUint32(keyEnd - keyStart);
      writer.appendRange(keyBytes, keyView, keyStart, keyEnd);
      writer.appendUint32(valueEnd - valueStart);
      writer.appendRange(valueBytes, entry.valueView, valueStart, valueEnd);
    }
    if (this.#entryCount === 0) this.firstKeyEnd = before + 4 + (keyEnd - keyStart);
    this.#entryCount++;
    this.#entryBytes += writer.length - before;
  }

  /** Completes the payload, which is then all of `writer`. */
  finish(): void {
    this.writer.view.setUint16(1, this.#entryCount, true);
  }
}
