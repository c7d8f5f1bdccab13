/**
 * From the stored form of a data block to a decoded one: footer, checksum, decompression, and
 * whether it is the block that the index names. The table reader and its cursors call it; layout:
 * table_format.ts.
 *
 * All stores of the realm share scratch memory, each only in one synchronous stretch.
 */

import { crc32 } from "../bytes/crc32.ts";
import { CODEC_NONE, CODEC_ZSTD } from "../compression/compressor.ts";
import { decompressorFor } from "../compression/compressors.ts";
import { NO_ZSTD } from "../compression/zstd.ts";
import { DecodeError } from "../errors.ts";
import { isExpiring } from "../value/expiry.ts";
import { isTombstone } from "../value/value_codec.ts";
import { Block, type BlockMemory } from "./block.ts";
import { newReadBuffer, type ReadBuffer } from "./read_buffers.ts";
import { type BlockFooter, decodeBlockFooter, UnknownTableFeature } from "./table_format.ts";
import type { TableIndex } from "./table_index.ts";

/** A block's stated length may not exceed this: a value of 1 GiB and its key (docs/API.md). */
const MAX_BLOCK_BYTES = 2 ** 30 + 2 ** 20;

/**
 * Checks that a block has the keys that the index names.
 *
 * @throws {DecodeError} it has others
 */
export function requireItsKeys(index: TableIndex, block: number, decoded: Block): void {
  const { view } = index;
  // The keys of a decoded block ascend, so its first and its last one are enough.
  if (decoded.compareKey(0, view, index.firstKeyStart(block), index.firstKeyEnd(block)) !== 0) {
    throw new DecodeError("its first key is not the one that the index names", 0);
  }
  const last = decoded.count - 1;
  if (block + 1 < index.blockCount) {
    const start = index.firstKeyStart(block + 1);
    if (decoded.compareKey(last, view, start, index.firstKeyEnd(block + 1)) >= 0) {
      throw new DecodeError("it holds keys that belong to the next block", 0);
    }
  } else if (decoded.compareKey(last, view, index.largestStart, index.largestEnd) !== 0) {
    throw new DecodeError("its last key is not the largest one that the index names", 0);
  }
  if (index.isLone(block)) {
    const { bytes } = decoded;
    const start = decoded.valueStart(0);
    // Readers of keys take the entry for live without reading it.
    if (last > 0 || isTombstone(bytes, start) || isExpiring(bytes, start)) {
      throw new DecodeError("it does not hold one entry alone, as the metadata says", 0);
    }
  }
}

const KEEP_SCRATCH_BYTES = 1024 * 1024;
let stored: ReadBuffer = newReadBuffer(64 * 1024);
let inflated: ReadBuffer = newReadBuffer(64 * 1024);
const blockFooter: BlockFooter = { crc: 0, uncompressedLength: 0, storedLength: 0, codec: 0 };

/**
 * Reusable memory for stored bytes, for use in one synchronous stretch: a new 16 KB buffer costs as
 * much as the read. Memory that was grown for a huge block is not kept.
 */
export function storedScratch(length: number): ReadBuffer {
  if (length <= stored.bytes.length) return stored;
  const scratch = newReadBuffer(length);
  if (length <= KEEP_SCRATCH_BYTES) stored = scratch;
  return scratch;
}

function inflatedScratch(length: number): ReadBuffer {
  if (length <= inflated.bytes.length) return inflated;
  const scratch = newReadBuffer(length);
  if (length <= KEEP_SCRATCH_BYTES) inflated = scratch;
  return scratch;
}

/**
 * Checks and decodes the stored block in `bytes[start, end)`, into memory of `memory` if it has
 * some.
 *
 * @throws {DecodeError} it is damaged
 * @throws {UnknownTableFeature} its codec is unknown
 */
export function decodeStoredBlock(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  verify: boolean,
  memory: BlockMemory | undefined,
): Block {
  const footer = blockFooter;
  decodeBlockFooter(view, start, end, footer);
  const payloadEnd = start + footer.storedLength;
  if (verify) {
    const crc = crc32(bytes, view, start, payloadEnd);
    if (crc !== footer.crc) {
      throw new DecodeError(
        `its checksum is 0x${crc.toString(16)}, expected 0x${footer.crc.toString(16)}`,
        0,
      );
    }
  }
  const compressor = decompressorFor(footer.codec);
  if (compressor === undefined) {
    const why = footer.codec === CODEC_ZSTD ? ` (zstd: ${NO_ZSTD})` : "";
    throw new UnknownTableFeature(`codec ${footer.codec}${why}`);
  }
  const length = footer.uncompressedLength;
  // The claim is outside of the block's checksum, so nothing is allocated because of it alone.
  const stated = compressor.statedLength(bytes, start, payloadEnd);
  const limit = Math.min(
    MAX_BLOCK_BYTES,
    compressor.maxDecompressedLength(bytes, start, payloadEnd),
  );
  if (length > limit || (stated !== undefined && stated !== length)) {
    throw new DecodeError(
      `it claims ${length} bytes, its content states ${stated ?? "nothing"} and holds ` +
        `at most ${limit}`,
      0,
    );
  }
  // Its stated length is that of the stored bytes, which are the payload.
  if (footer.codec === CODEC_NONE) return Block.decode(bytes, start, payloadEnd, memory);
  const scratch = inflatedScratch(length);
  compressor.decompress(bytes, start, payloadEnd, scratch.bytes, 0, length);
  return Block.decode(scratch.bytes, 0, length, memory);
}
