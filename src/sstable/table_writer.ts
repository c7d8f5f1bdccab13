/**
 * Writes one SSTable from entries in strictly ascending key order: blocks as they fill, then
 * filter, index, metadata and footer (layout: table_format.ts). The flush job and the compaction
 * job use it.
 *
 * The file is complete after `finish`, and durable only after the caller has synced the handle and
 * the directory. Output goes to the file in pieces of about 256 KiB.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { compareRanges } from "../bytes/compare.ts";
import { crc32 } from "../bytes/crc32.ts";
import { CODEC_NONE, type Compressor } from "../compression/compressor.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import { copyOfKey, type KeySpan, NO_SPANS } from "../iterator/key_spans.ts";
import { boundsWith } from "./span_bounds.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { runTaskSync, type Task } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";
import { expiryAt, isExpiring } from "../value/expiry.ts";
import { TYPE_MSGPACK } from "../value/value.ts";
import { isTombstone } from "../value/value_codec.ts";
import { isReference } from "../value/value_reference.ts";
import { type BlockBuilder, MAX_BLOCK_ENTRIES } from "./block_builder.ts";
import type { FilterBuilder } from "./filter_builder.ts";
import { TableBuffers, WRITE_BYTES } from "./table_buffers.ts";
import { appendBlockFooter, encodeTableTail } from "./table_format.ts";
import { ExpiryCollector, type TableExpiry } from "./table_expiry.ts";
import { encodeIndexHead } from "./table_index.ts";
import { NO_USES, UseCollector, type ValueUse } from "./value_uses.ts";

/**
 * A shorter block of one entry is not marked, because reading a page takes as long as reading a
 * part of it.
 */
const MIN_LONE_BYTES = 4096;

/** How to write a table. */
export interface TableWriterOptions {
  /** Number of the table, which goes into its metadata. */
  readonly tableNumber: number;
  /** The level that it is written for. */
  readonly level: number;
  /** Codec of the data blocks. */
  readonly compressor: Compressor;
  /** Uncompressed size in bytes at which a block is closed. */
  readonly blockSizeBytes: number;
  /** Rate of false positives of the filter, between 0 and 1, or false for no filter. */
  readonly bloomFalsePositiveRate: number | false;
}

/** The result of a finished table. */
export interface TableSummary {
  /** Size of the file. */
  readonly sizeBytes: number;
  /** Number of entries, tombstones included. */
  readonly entryCount: number;
  /** Number of tombstones. */
  readonly tombstoneCount: number;
  /** Smallest key, of an entry or a deleted span. */
  readonly smallest: Uint8Array;
  /** Largest key, or the first key after a deleted span if that is larger. */
  readonly largest: Uint8Array;
  /** The deleted spans. */
  readonly deletedSpans: readonly KeySpan[];
  /** CRC-32 over metadata and footer. */
  readonly checksum: number;
  /** The times at which entries expire, if some do. */
  readonly expiry: TableExpiry | undefined;
  /** The files that hold large values of the table; their sizes are not known here. */
  readonly valueUses: readonly ValueUse[];
}

/** Writes a table front to back. */
export class TableWriter {
  readonly #handle: FileHandle;
  readonly #options: TableWriterOptions;
  readonly #block: BlockBuilder;
  readonly #filter: FilterBuilder | undefined;
  readonly #output: ByteWriter;
  readonly #index: ByteWriter;
  #blockCount = 0;
  #entryCount = 0;
  #tombstoneCount = 0;
  #writtenBytes = 0;
  /** CRC-32 of the footers of the blocks so far. */
  #contentCrc = 0;
  /** A bit for each block of one long entry that lives for ever. */
  readonly #loneBlocks: number[] = [];
  #isLastMortal = false;
  #expiry: ExpiryCollector | undefined;
  #uses: UseCollector | undefined;
  #smallest: Uint8Array | undefined;
  /** The last key, in the block builder or, after a closed block, a copy. */
  #lastView: DataView;
  #lastStart = 0;
  #lastEnd = 0;

  /**
   * Makes a writer on a new, empty file. `buffers` are empty and belong to the writer until the
   * table is finished or given up; without them it makes new ones.
   */
  constructor(
    handle: FileHandle,
    options: TableWriterOptions,
    buffers: TableBuffers = new TableBuffers(
      options.blockSizeBytes,
      options.bloomFalsePositiveRate,
    ),
  ) {
    this.#handle = handle;
    this.#options = options;
    this.#block = buffers.block;
    this.#filter = buffers.filter;
    this.#output = buffers.output;
    this.#index = buffers.index;
    this.#lastView = this.#block.writer.view;
  }

  /** Number of entries so far. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Bytes of finished blocks so far; the open block is not counted. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#output.length;
  }

  /** Number of finished blocks so far. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /**
   * Appends an entry; its bytes are copied.
   *
   * @throws {Error} its key does not come after the previous one (a bug of the caller)
   * @throws {IoError} the file can't be written; the table must be given up
   */
  add(entry: EntryView): void {
    const block = this.#block;
    const { keyBytes, keyView, keyStart, keyEnd } = entry;
    if (this.#entryCount === 0) {
      this.#smallest = keyBytes.slice(keyStart, keyEnd);
    } else if (
      compareRanges(this.#lastView, this.#lastStart, this.#lastEnd, keyView, keyStart, keyEnd) >= 0
    ) {
      throw new Error(`Cannot add to table ${this.#options.tableNumber}: keys do not ascend`);
    }
    const entryBytes = 8 + (keyEnd - keyStart) + (entry.valueEnd - entry.valueStart);
    if (
      block.entryCount > 0 &&
      (block.entryBytes + entryBytes > this.#options.blockSizeBytes ||
        block.entryCount === MAX_BLOCK_ENTRIES)
    ) {
      this.#finishBlock();
    }
    const at = block.writer.length;
    block.add(entry);
    this.#lastView = block.writer.view;
    this.#lastStart = at + 4;
    this.#lastEnd = at + 4 + (keyEnd - keyStart);
    this.#filter?.addKey(keyBytes, keyStart, keyEnd);
    this.#entryCount++;
    const { valueBytes, valueStart } = entry;
    this.#isLastMortal = true;
    if (valueBytes[valueStart]! > TYPE_MSGPACK && isReference(valueBytes, valueStart)) {
      (this.#uses ??= new UseCollector()).add(entry);
    }
    if (isTombstone(valueBytes, valueStart)) this.#tombstoneCount++;
    else if (isExpiring(valueBytes, valueStart)) {
      // A time that is larger is damage, which the reader of the value reports.
      const time = Math.min(expiryAt(entry.valueView, valueStart), Number.MAX_SAFE_INTEGER);
      (this.#expiry ??= new ExpiryCollector()).add(time);
    } else this.#isLastMortal = false;
  }

  /**
   * Writes the rest of the table, which must have an entry. `deletedSpans` hide entries of older
   * tables.
   *
   * @throws {IoError} the file can't be written; the table must be given up
   */
  finish(deletedSpans: readonly KeySpan[] = NO_SPANS): TableSummary {
    return runTaskSync(this.finishTask(deletedSpans));
  }

  /** A copy of the last key so far. */
  get lastKey(): DataView {
    return copyOfKey(this.#lastView, this.#lastStart, this.#lastEnd);
  }

  /** As `finish`, a task: it pauses while the filter is made. */
  *finishTask(deletedSpans: readonly KeySpan[] = NO_SPANS): Task<TableSummary> {
    const last = new Uint8Array(this.#lastView.buffer).slice(this.#lastStart, this.#lastEnd);
    this.#finishBlock();
    const output = this.#output;
    const filterOffset = this.sizeBytes;
    let filterCrc = 0;
    let filterSize = 0;
    if (this.#filter !== undefined) {
      const section = yield* this.#filter.finishTask();
      filterSize = section.length;
      filterCrc = crc32(section, new DataView(section.buffer, section.byteOffset), 0, filterSize);
      output.appendBytes(section, 0, filterSize);
    }
    const indexOffset = filterOffset + filterSize;
    const indexStart = output.length;
    encodeIndexHead(output, this.#entryCount, this.#smallest!, last, this.#blockCount);
    output.appendBytes(this.#index.bytes, 0, this.#index.length);
    const indexSize = output.length - indexStart;
    const indexCrc = crc32(output.bytes, output.view, indexStart, output.length);
    const expiry = this.#expiry?.finish();
    const valueUses = this.#uses?.finish() ?? NO_USES;
    const checksum = encodeTableTail(
      output,
      {
        filterOffset,
        filterSize,
        indexOffset,
        indexSize,
        blockCount: this.#blockCount,
        entryCount: this.#entryCount,
      },
      { level: this.#options.level, tombstoneCount: this.#tombstoneCount },
      {
        filterCrc,
        indexCrc,
        tableNumber: this.#options.tableNumber,
        contentCrc: this.#contentCrc,
        loneBlocks: Uint8Array.from(this.#loneBlocks),
        deletedSpans,
        expiry,
        valueUses,
      },
    );
    this.#writeOut();
    return {
      sizeBytes: this.#writtenBytes,
      entryCount: this.#entryCount,
      tombstoneCount: this.#tombstoneCount,
      ...boundsWith(this.#smallest!, last, deletedSpans),
      deletedSpans,
      checksum,
      expiry,
      valueUses,
    };
  }

  #finishBlock(): void {
    const block = this.#block;
    block.finish();
    const payload = block.writer;
    const length = payload.length;
    const output = this.#output;
    const offset = this.sizeBytes;
    const start = output.length;
    const { compressor } = this.#options;
    output.reserve(compressor.maxCompressedLength(length) + 16);
    let codec = compressor.codec;
    const stored = codec === CODEC_NONE
      ? length
      : compressor.compress(payload.bytes, 0, length, output.bytes, start);
    if (codec === CODEC_NONE || stored >= length) {
      // A block that does not shrink is kept as it is, so that reading it is only a copy.
      codec = CODEC_NONE;
      output.appendBytes(payload.bytes, 0, length);
    } else {
      output.length = start + stored;
    }
    const footerStart = output.length;
    appendBlockFooter(output, start, length, codec);
    const { bytes, view } = output;
    this.#contentCrc = crc32(bytes, view, footerStart, output.length, this.#contentCrc);

    const index = this.#index;
    const firstKeyEnd = block.firstKeyEnd;
    index.appendUint32(firstKeyEnd - block.firstKeyStart);
    index.appendBytes(payload.bytes, block.firstKeyStart, firstKeyEnd);
    index.appendUint64(offset);
    index.appendUint32(output.length - start);

    const last = payload.bytes.slice(this.#lastStart, this.#lastEnd);
    this.#lastView = new DataView(last.buffer);
    this.#lastStart = 0;
    this.#lastEnd = last.length;
    if (block.entryCount === 1 && block.entryBytes >= MIN_LONE_BYTES && !this.#isLastMortal) {
      this.#noteLoneBlock(this.#blockCount);
    }
    this.#blockCount++;
    block.reset();
    if (output.length >= WRITE_BYTES) this.#writeOut();
  }

  #noteLoneBlock(block: number): void {
    const bits = this.#loneBlocks;
    const at = block >>> 3;
    while (bits.length <= at) bits.push(0);
    bits[at]! |= 1 << (block & 7);
  }

  #writeOut(): void {
    const output = this.#output;
    writeFullySync(this.#handle, output.bytes, 0, output.length, this.#writtenBytes);
    this.#writtenBytes += output.length;
    output.length = 0;
  }
}
