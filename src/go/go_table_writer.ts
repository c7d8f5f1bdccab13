/**
 * Builds an SSTable as Go TinyKVS v0.4 writes it: the container of src/sstable/table_format.ts
 * without anything that Go does not know. So it has no extension: the metadata is 36 bytes, and
 * only blocks have checksums.
 *
 *     data blocks (footers of 13 bytes) | filter | index | metadata (36 bytes) | footer (64 bytes)
 *
 * Given the same entries in the same order and the same options it makes the same bytes as Go,
 * except for what the codec makes of a block (tests/go/go_table_writer_test.ts). It holds the bytes
 * that the caller has not taken from `output` yet; the caller owns the file. Entries come in
 * strictly ascending key order, one per key.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { compareRanges } from "../bytes/compare.ts";
import { CODEC_NONE, type Compressor } from "../compression/compressor.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import { BlockBuilder, MAX_BLOCK_ENTRIES } from "../sstable/block_builder.ts";
import { FilterBuilder } from "../sstable/filter_builder.ts";
import { appendBlockFooter, FOOTER_BYTES, GO_METADATA_BYTES } from "../sstable/table_format.ts";
import { encodeIndexHead } from "../sstable/table_index.ts";
import { isTombstone } from "../value/value_codec.ts";

const MAGIC_LOW = 0x00000001;
const MAGIC_HIGH = 0x544b5653;

/** How to build a table. */
export interface GoTableOptions {
  /** The level for Go v0.4, which finds levels nowhere else. */
  readonly level: number;
  /** Codec of the data blocks: zstd, snappy or none. */
  readonly compressor: Compressor;
  /** Sum of entry lengths at which a block is closed; Go's default is 16384. */
  readonly blockSizeBytes: number;
  /** Rate of false positives of the filter, or false for no filter. */
  readonly bloomFalsePositiveRate: number | false;
  /**
   * The number of keys that the filter is sized for; Go takes the inputs' sum. Default: the
   * entries.
   */
  readonly filterKeyCount?: number;
  /** The sequence numbers of a flushed table; 0 in one that was compacted. */
  readonly sequences?: { readonly first: number; readonly last: number };
}

/** Builds one table. */
export class GoTableBuilder {
  /**
   * Finished bytes that were not taken yet; the caller may write them to the file and empty it at
   * any time.
   */
  readonly output: ByteWriter = new ByteWriter(64 * 1024);
  readonly #options: GoTableOptions;
  readonly #block: BlockBuilder;
  readonly #filter: FilterBuilder | undefined;
  readonly #index: ByteWriter = new ByteWriter(4096);
  #takenBytes = 0;
  #blockCount = 0;
  #entryCount = 0;
  #tombstoneCount = 0;
  #smallest: Uint8Array = new Uint8Array();
  #largest: Uint8Array = new Uint8Array();

  /** Makes a builder of a table without entries yet. */
  constructor(options: GoTableOptions) {
    this.#options = options;
    this.#block = new BlockBuilder(options.blockSizeBytes);
    const { bloomFalsePositiveRate } = options;
    this.#filter = bloomFalsePositiveRate === false
      ? undefined
      : new FilterBuilder(bloomFalsePositiveRate);
  }

  /** Number of entries so far. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Bytes of the file so far, taken out or not; the open block is not counted. */
  get sizeBytes(): number {
    return this.#takenBytes + this.output.length;
  }

  /** Forgets the bytes of `output`, which the caller has written to the file. */
  clearOutput(): void {
    this.#takenBytes += this.output.length;
    this.output.length = 0;
  }

  /**
   * Appends an entry; its bytes are copied.
   *
   * @throws {Error} its key does not come after the previous one (a bug of the caller)
   */
  add(entry: EntryView): void {
    const { keyBytes, keyView, keyStart, keyEnd } = entry;
    const block = this.#block;
    const largest = this.#largest;
    if (this.#entryCount === 0) {
      this.#smallest = keyBytes.slice(keyStart, keyEnd);
    } else {
      const view = new DataView(largest.buffer);
      if (compareRanges(view, 0, largest.length, keyView, keyStart, keyEnd) >= 0) {
        throw new Error("Cannot add to the Go table: keys do not ascend");
      }
    }
    const entryBytes = 8 + (keyEnd - keyStart) + (entry.valueEnd - entry.valueStart);
    const isFull = block.entryBytes + entryBytes > this.#options.blockSizeBytes ||
      // Go keeps counting and wraps; its readers then miss the entries beyond.
      block.entryCount === MAX_BLOCK_ENTRIES;
    if (block.entryCount > 0 && isFull) this.#finishBlock();
    block.add(entry);
    this.#largest = keyBytes.slice(keyStart, keyEnd);
    this.#filter?.addKey(keyBytes, keyStart, keyEnd);
    this.#entryCount++;
    if (isTombstone(entry.valueBytes, entry.valueStart)) this.#tombstoneCount++;
  }

  /** Appends the rest to `output`. The table must have an entry. */
  finish(): void {
    this.#finishBlock();
    const { level, filterKeyCount, sequences } = this.#options;
    const { output } = this;
    const filterOffset = this.sizeBytes;
    if (this.#filter !== undefined) {
      const section = this.#filter.finish(filterKeyCount ?? this.#entryCount);
      output.appendBytes(section, 0, section.length);
    }
    const indexOffset = this.sizeBytes;
    encodeIndexHead(output, this.#entryCount, this.#smallest, this.#largest, this.#blockCount);
    output.appendBytes(this.#index.bytes, 0, this.#index.length);
    const metadataOffset = this.sizeBytes;
    output.appendUint32(level);
    output.appendUint64(sequences?.first ?? 0);
    output.appendUint64(sequences?.last ?? 0);
    output.appendUint64(this.#tombstoneCount);
    output.appendUint64(0);
    output.appendUint64(filterOffset);
    output.appendUint32(indexOffset - filterOffset);
    output.appendUint64(indexOffset);
    output.appendUint32(metadataOffset - indexOffset);
    output.appendUint64(metadataOffset);
    output.appendUint32(GO_METADATA_BYTES);
    output.appendUint32(this.#blockCount);
    output.appendUint64(this.#entryCount);
    output.appendUint64(metadataOffset + GO_METADATA_BYTES + FOOTER_BYTES);
    output.appendUint32(MAGIC_LOW);
    output.appendUint32(MAGIC_HIGH);
  }

  #finishBlock(): void {
    const block = this.#block;
    block.finish();
    const payload = block.writer;
    const { output } = this;
    const { compressor } = this.#options;
    const offset = this.sizeBytes;
    const start = output.length;
    if (compressor.codec === CODEC_NONE) {
      output.appendBytes(payload.bytes, 0, payload.length);
    } else {
      // Go keeps the compressed form even if it is the longer one.
      output.reserve(compressor.maxCompressedLength(payload.length) + 16);
      output.length = start +
        compressor.compress(payload.bytes, 0, payload.length, output.bytes, start);
    }
    appendBlockFooter(output, start, payload.length, compressor.codec);
    const index = this.#index;
    index.appendUint32(block.firstKeyEnd - block.firstKeyStart);
    index.appendBytes(payload.bytes, block.firstKeyStart, block.firstKeyEnd);
    index.appendUint64(offset);
    index.appendUint32(output.length - start);
    this.#blockCount++;
    block.reset();
  }
}
