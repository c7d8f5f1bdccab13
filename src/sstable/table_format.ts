/**
 * The layout of an SSTable, `NNNNNN.sst`: the container of Go TinyKVS v0.4 with a metadata section
 * that grows past the 36 bytes Go reads. All integers are little-endian, those of the filter
 * big-endian.
 *
 *     data block 0 .. n-1 | filter (may be absent) | index | metadata | footer (64 bytes)
 *
 * Footer: u64 filter offset, u32 filter size, u64 index offset, u32 index size, u64 metadata
 * offset, u32 metadata size, u32 number of data blocks, u64 number of entries, u64 file size, u64
 * magic.
 *
 * Metadata: u32 level, u64 first sequence, u64 last sequence, u64 number of tombstones, u64
 * creation time (0). Go stops there; this library continues:
 *
 *     36  u32  magic of the extension, "TVX1"
 *     40  fields: u16 tag, u16 flags (bit 0: critical), u32 length, that many bytes
 *     ..  u32  CRC-32 of the metadata before it and of the footer
 *     tag 1, critical  table format: u32 version, 1
 *     tag 2            checksums: u32 CRC-32 of the filter section, u32 of the index section
 *     tag 3            table number: u64
 *     tag 4            content: u32 CRC-32 of the footers of all data blocks, in their order. Nobody
 *                      computes it again; with it, the checksum at the end distinguishes tables that
 *                      differ only in the bytes of their values
 *     tag 6            lone blocks: a bit for each data block, from the lowest of the first byte on; bytes
 *                      that would be 0 are left out at the end, and the field if there are no others. 1 says
 *                      that the block holds one entry that lives for ever: its key is in the index, so a
 *                      reader of keys need not read the block. Written for entries from 4 KiB on
 *     tag 7, critical  deleted spans: for each u32 length and first key, u32 length and first key after the
 *                      span. They ascend and do not touch. They hide entries of older tables, and none of
 *                      this one
 *     tag 8, critical  times at which entries expire (table_expiry.ts). Written if some do
 *     tag 9, critical  the files that hold large values of the table (value_uses.ts). Written if
 *              there are any
 *
 * A reader refuses a table with an unknown critical tag and skips other unknown ones.
 *
 * Data block: stored payload, u32 CRC-32 of it, u32 uncompressed length, u32 stored length, u8
 * codec (13 bytes; tables of Go v0.3 lack the codec byte and are zstd). decodeBlockFooter finds out
 * which of the two footers a block has; docs/FORMAT.md describes the same, and which part of it is
 * Go's.
 */

import { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { crc32 } from "../bytes/crc32.ts";
import { CODEC_MINLZ, CODEC_ZSTD } from "../compression/compressor.ts";
import { DecodeError } from "../errors.ts";
import { type KeySpan, NO_SPANS } from "../iterator/key_spans.ts";
import { decodeSpans, encodedSpanBytes, encodeSpans } from "../iterator/span_codec.ts";
import {
  decodeTableExpiry,
  encodeTableExpiry,
  type TableExpiry,
  tableExpiryBytes,
} from "./table_expiry.ts";
import { decodeUses, encodedUseBytes, encodeUses, NO_USES, type ValueUse } from "./value_uses.ts";

/** Length of the footer. */
export const FOOTER_BYTES = 64;
/** Length of the part of the metadata that Go reads. */
export const GO_METADATA_BYTES = 36;
/** Length of a block's footer. */
export const BLOCK_FOOTER_BYTES = 13;
/** The version of the table format that this library writes. */
export const TABLE_VERSION = 1;

const LEGACY_BLOCK_FOOTER_BYTES = 12;
const MAGIC_LOW = 0x00000001;
const MAGIC_HIGH = 0x544b5653;
const EXTENSION_MAGIC = 0x31585654;
const TAG_FORMAT = 1;
const TAG_CHECKSUMS = 2;
const TAG_NUMBER = 3;
const TAG_CONTENT = 4;
const TAG_LONE_BLOCKS = 6;
const TAG_DELETED_SPANS = 7;
const TAG_EXPIRY = 8;
const TAG_VALUE_USES = 9;
const FLAG_CRITICAL = 1;
/**
 * A metadata section has some hundred bytes, more with deleted spans; this bounds what a damaged
 * footer can make us read.
 */
const MAX_METADATA_BYTES = 256 * 1024 * 1024;

/** The lone blocks of a table that does not say which they are. */
export const NO_BLOCKS: Uint8Array = new Uint8Array(0);

/** Where the sections of a table are. */
export interface TableFooter {
  /** Offset of the filter, which is where the data blocks end. */
  readonly filterOffset: number;
  /** Size of the filter, 0 for none. */
  readonly filterSize: number;
  /** Offset of the index. */
  readonly indexOffset: number;
  /** Size of the index. */
  readonly indexSize: number;
  /** Offset of the metadata. */
  readonly metadataOffset: number;
  /** Size of the metadata, the extension included. */
  readonly metadataSize: number;
  /** Number of data blocks. */
  readonly blockCount: number;
  /** Number of entries, tombstones included. */
  readonly entryCount: number;
}

/** The content of the metadata section. */
export interface TableProperties {
  /** The level that the table was written for. */
  readonly level: number;
  /** Number of entries that are tombstones. */
  readonly tombstoneCount: number;
  /** The extension; undefined for a table that the Go program wrote. */
  readonly extension: TableExtension | undefined;
}

/** The extension of the metadata. */
export interface TableExtension {
  /** CRC-32 of the filter section. */
  readonly filterCrc: number;
  /** CRC-32 of the index section. */
  readonly indexCrc: number;
  /** Number of the table. */
  readonly tableNumber: number;
  /** CRC-32 of the footers of all data blocks. */
  readonly contentCrc: number;
  /** A bit for each block that is known to hold one entry, which lives for ever. */
  readonly loneBlocks?: Uint8Array;
  /** The spans that hide entries of older tables. */
  readonly deletedSpans?: readonly KeySpan[];
  /** The times at which entries expire, if some do. */
  readonly expiry?: TableExpiry | undefined;
  /** The files that hold large values of the table, if there are any. */
  readonly valueUses?: readonly ValueUse[];
  /** CRC-32 over metadata and footer, which identifies the table's content. */
  readonly checksum: number;
}

/**
 * Appends metadata and footer of a table whose other sections are written; returns the checksum.
 */
export function encodeTableTail(
  writer: ByteWriter,
  footer: Omit<TableFooter, "metadataOffset" | "metadataSize">,
  properties: { level: number; tombstoneCount: number },
  extension: Omit<TableExtension, "checksum">,
): number {
  const start = writer.length;
  writer.appendUint32(properties.level);
  writer.appendUint64(0);
  writer.appendUint64(0);
  writer.appendUint64(properties.tombstoneCount);
  writer.appendUint64(0);
  writer.appendUint32(EXTENSION_MAGIC);
  appendFieldHeader(writer, TAG_FORMAT, FLAG_CRITICAL, 4);
  writer.appendUint32(TABLE_VERSION);
  appendFieldHeader(writer, TAG_CHECKSUMS, 0, 8);
  writer.appendUint32(extension.filterCrc);
  writer.appendUint32(extension.indexCrc);
  appendFieldHeader(writer, TAG_NUMBER, 0, 8);
  writer.appendUint64(extension.tableNumber);
  appendFieldHeader(writer, TAG_CONTENT, 0, 4);
  writer.appendUint32(extension.contentCrc);
  const { loneBlocks = NO_BLOCKS } = extension;
  if (loneBlocks.length > 0) {
    appendFieldHeader(writer, TAG_LONE_BLOCKS, 0, loneBlocks.length);
    writer.appendBytes(loneBlocks, 0, loneBlocks.length);
  }
  const { deletedSpans = NO_SPANS } = extension;
  if (deletedSpans.length > 0) {
    appendFieldHeader(writer, TAG_DELETED_SPANS, FLAG_CRITICAL, encodedSpanBytes(deletedSpans));
    encodeSpans(writer, deletedSpans);
  }
  const { expiry } = extension;
  if (expiry !== undefined) {
    appendFieldHeader(writer, TAG_EXPIRY, FLAG_CRITICAL, tableExpiryBytes(expiry));
    encodeTableExpiry(writer, expiry);
  }
  const { valueUses = NO_USES } = extension;
  if (valueUses.length > 0) {
    appendFieldHeader(writer, TAG_VALUE_USES, FLAG_CRITICAL, encodedUseBytes(valueUses));
    encodeUses(writer, valueUses);
  }

  const checksumAt = writer.length;
  writer.appendUint32(0);
  const metadataSize = writer.length - start;
  const metadataOffset = footer.indexOffset + footer.indexSize;
  writer.appendUint64(footer.filterOffset);
  writer.appendUint32(footer.filterSize);
  writer.appendUint64(footer.indexOffset);
  writer.appendUint32(footer.indexSize);
  writer.appendUint64(metadataOffset);
  writer.appendUint32(metadataSize);
  writer.appendUint32(footer.blockCount);
  writer.appendUint64(footer.entryCount);
  writer.appendUint64(metadataOffset + metadataSize + FOOTER_BYTES);
  writer.appendUint32(MAGIC_LOW);
  writer.appendUint32(MAGIC_HIGH);

  const { bytes, view } = writer;
  const checksum = tailChecksum(bytes, view, start, checksumAt, writer.length - FOOTER_BYTES);
  view.setUint32(checksumAt, checksum, true);
  return checksum;
}

/**
 * Reads the footer at the end of a file of `fileSize` bytes; `start` is its offset in `bytes`.
 *
 * @throws {DecodeError} offsets are relative to the footer
 */
export function decodeFooter(view: DataView, start: number, fileSize: number): TableFooter {
  const fail = (message: string, at: number): never => {
    throw new DecodeError(message, at);
  };
  if (
    view.getUint32(start + 56, true) !== MAGIC_LOW ||
    view.getUint32(start + 60, true) !== MAGIC_HIGH
  ) {
    fail("the file does not end with the magic of an SSTable", 56);
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, FOOTER_BYTES);
  const reader = new ByteReader(bytes, 0, FOOTER_BYTES);
  const filterOffset = reader.uint64();
  const filterSize = reader.uint32();
  const indexOffset = reader.uint64();
  const indexSize = reader.uint32();
  const metadataOffset = reader.uint64();
  const metadataSize = reader.uint32();
  const blockCount = reader.uint32();
  const entryCount = reader.uint64();
  const statedSize = reader.uint64();
  if (statedSize !== fileSize) {
    fail(`the footer states a file of ${statedSize} bytes, found ${fileSize}`, 48);
  }
  if (filterOffset + filterSize !== indexOffset) {
    fail(`the index starts at ${indexOffset}, expected ${filterOffset + filterSize}`, 12);
  }
  if (indexOffset + indexSize !== metadataOffset) {
    fail(`the metadata starts at ${metadataOffset}, expected ${indexOffset + indexSize}`, 24);
  }
  if (metadataOffset + metadataSize + FOOTER_BYTES !== fileSize) {
    fail(`the metadata has ${metadataSize} bytes and does not end at the footer`, 32);
  }
  if (metadataSize < GO_METADATA_BYTES || metadataSize > MAX_METADATA_BYTES) {
    fail(`the metadata has ${metadataSize} bytes, expected 36 to ${MAX_METADATA_BYTES}`, 32);
  }
  return {
    filterOffset,
    filterSize,
    indexOffset,
    indexSize,
    metadataOffset,
    metadataSize,
    blockCount,
    entryCount,
  };
}

/**
 * Reads the metadata at `start`, with the footer right after it in the same buffer.
 *
 * @throws {DecodeError} offsets are those in `bytes`
 */
export function decodeProperties(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  size: number,
): TableProperties {
  const end = start + size;
  const level = view.getUint32(start, true);
  const reader = new ByteReader(bytes, start + 20, start + 28);
  const tombstoneCount = reader.uint64();
  if (size === GO_METADATA_BYTES) return { level, tombstoneCount, extension: undefined };
  const fields = start + GO_METADATA_BYTES;
  if (size < GO_METADATA_BYTES + 8 || view.getUint32(fields, true) !== EXTENSION_MAGIC) {
    throw new DecodeError("the metadata continues with unknown bytes", fields);
  }
  const found = tailChecksum(bytes, view, start, end - 4, end);
  const checksum = view.getUint32(end - 4, true);
  if (found !== checksum) {
    throw new DecodeError(
      `the checksum of metadata and footer is 0x${found.toString(16)}, ` +
        `expected 0x${checksum.toString(16)}`,
      end - 4,
    );
  }
  return { level, tombstoneCount, extension: decodeFields(bytes, fields + 4, end - 4, checksum) };
}

/** A table's extension has something that this version must not ignore. */
export class UnknownTableFeature extends Error {
  override readonly name: string = "UnknownTableFeature";
}

function decodeFields(
  bytes: Uint8Array,
  start: number,
  end: number,
  checksum: number,
): TableExtension {
  let filterCrc = 0;
  let indexCrc = 0;
  let tableNumber = 0;
  let contentCrc = 0;
  let loneBlocks: Uint8Array | undefined;
  let deletedSpans: readonly KeySpan[] | undefined;
  let expiry: TableExpiry | undefined;
  let valueUses: readonly ValueUse[] | undefined;
  const reader = new ByteReader(bytes, start, end);
  while (reader.remaining > 0) {
    const tag = reader.uint16();
    const flags = reader.uint16();
    const length = reader.uint32();
    const at = reader.take(length);
    const field = new ByteReader(bytes, at, at + length);
    if (tag === TAG_FORMAT) {
      const version = field.uint32();
      if (version !== TABLE_VERSION) {
        throw new UnknownTableFeature(`table format ${version}`);
      }
    } else if (tag === TAG_CHECKSUMS) {
      filterCrc = field.uint32();
      indexCrc = field.uint32();
    } else if (tag === TAG_NUMBER) {
      tableNumber = field.uint64();
    } else if (tag === TAG_CONTENT) {
      contentCrc = field.uint32();
    } else if (tag === TAG_LONE_BLOCKS) {
      // A copy: the buffer belongs to the read.
      if (length > 0) loneBlocks = bytes.slice(at, at + length);
    } else if (tag === TAG_DELETED_SPANS) {
      if (length > 0) deletedSpans = decodeSpans(field);
    } else if (tag === TAG_EXPIRY) {
      expiry = decodeTableExpiry(field);
    } else if (tag === TAG_VALUE_USES) {
      valueUses = decodeUses(field);
    } else if ((flags & FLAG_CRITICAL) !== 0) {
      throw new UnknownTableFeature(`a table with the critical field ${tag}`);
    }
  }
  return {
    ...{ filterCrc, indexCrc, tableNumber, contentCrc, checksum },
    ...(loneBlocks === undefined ? {} : { loneBlocks }),
    ...(deletedSpans === undefined ? {} : { deletedSpans }),
    ...(expiry === undefined ? {} : { expiry }),
    ...(valueUses === undefined ? {} : { valueUses }),
  };
}

/** Where a block's payload is and how it is stored. */
export interface BlockFooter {
  /** CRC-32 of the stored payload. */
  crc: number;
  /** Length of the payload after decompression. */
  uncompressedLength: number;
  /** Length of the payload as stored. */
  storedLength: number;
  /** The codec byte. */
  codec: number;
}

/**
 * Reads the footer of the block in `view[start, end)` into `footer`, and finds out which of the two
 * forms it has.
 *
 * @throws {DecodeError} neither form fits
 */
export function decodeBlockFooter(
  view: DataView,
  start: number,
  end: number,
  footer: BlockFooter,
): void {
  const length = end - start;
  const isLegacy = length >= LEGACY_BLOCK_FOOTER_BYTES &&
    view.getUint32(end - 4, true) === length - LEGACY_BLOCK_FOOTER_BYTES;
  if (length >= BLOCK_FOOTER_BYTES) {
    const codec = view.getUint8(end - 1);
    const storedLength = view.getUint32(end - 5, true);
    // A codec that nobody knows yet; the caller reports it.
    const isCodec = codec <= CODEC_MINLZ || !isLegacy;
    if (storedLength === length - BLOCK_FOOTER_BYTES && isCodec) {
      footer.crc = view.getUint32(end - 13, true);
      footer.uncompressedLength = view.getUint32(end - 9, true);
      footer.storedLength = storedLength;
      footer.codec = codec;
      return;
    }
  }
  if (isLegacy) {
    footer.crc = view.getUint32(end - 12, true);
    footer.uncompressedLength = view.getUint32(end - 8, true);
    footer.storedLength = length - LEGACY_BLOCK_FOOTER_BYTES;
    footer.codec = CODEC_ZSTD;
    return;
  }
  throw new DecodeError(`a block of ${length} bytes has no valid footer`, end);
}

/** Appends a block's footer after its stored payload, which starts at `start`. */
export function appendBlockFooter(
  writer: ByteWriter,
  start: number,
  uncompressedLength: number,
  codec: number,
): void {
  const end = writer.length;
  writer.appendUint32(crc32(writer.bytes, writer.view, start, end));
  writer.appendUint32(uncompressedLength);
  writer.appendUint32(end - start);
  writer.appendUint8(codec);
}

function appendFieldHeader(writer: ByteWriter, tag: number, flags: number, length: number): void {
  writer.appendUint16(tag);
  writer.appendUint16(flags);
  writer.appendUint32(length);
}

function tailChecksum(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  checksumAt: number,
  footerStart: number,
): number {
  const metadata = crc32(bytes, view, start, checksumAt);
  return crc32(bytes, view, footerStart, footerStart + FOOTER_BYTES, metadata);
}
