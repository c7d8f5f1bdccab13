/**
 * The outside of a zstd frame: where it ends and how long it says its content is, without
 * decompressing anything.
 *
 * It is called before every decompression. libzstd itself would decode several frames in a row,
 * skip "skippable" frames and believe the content size. A block of a table is one plain frame, so
 * this code refuses all of that, in time proportional to the number of zstd blocks (one per 128
 * KiB).
 *
 * Source: RFC 8878 section 3.1.1, https://www.rfc-editor.org/rfc/rfc8878.
 *
 * ```text
 * magic 28 b5 2f fd | descriptor 1 | window 0-1 | dictionary id 0-4 | content size 0-8
 *   then blocks:  u24 little-endian: bit 0 last, bits 1-2 type, bits 3-23 size | content
 *   then, if the descriptor says so, a checksum of 4 bytes
 * descriptor: bits 0-1 dictionary id size, 2 checksum, 3 reserved (0), 5 single segment,
 *             6-7 content size size
 * block type: 0 raw (size bytes follow), 1 one byte repeated size times, 2 compressed, 3 reserved
 * ```
 */

import { DecodeError } from "../errors.ts";

const BLOCK_RAW = 0;
const BLOCK_REPEATED = 1;
const BLOCK_COMPRESSED = 2;
const BLOCK_RESERVED = 3;
/** No block decompresses to more (RFC 8878 section 3.1.1.2.4). */
const MAX_BLOCK_CONTENT = 128 << 10;
const MAGIC = 0xfd2fb528;

/**
 * Checks that `bytes[start, end)` is one whole zstd frame without a dictionary, and that its
 * content size, if the frame states one, is `length`. It says nothing about the content of the
 * blocks.
 *
 * @returns whether the frame states its content size
 * @throws {DecodeError} it is not; the offset is relative to `start`
 */
export function checkZstdFrame(
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
): boolean {
  if (end - start < 6) throw truncated(end - start, "the frame header");
  if (!hasMagic(bytes, start)) {
    throw new DecodeError("it does not start with the magic number of a zstd frame", 0);
  }
  const descriptor = bytes[start + 4]!;
  if ((descriptor & 0x08) !== 0) {
    throw new DecodeError(`a reserved bit of the zstd frame descriptor ${descriptor} is set`, 4);
  }
  const dictionarySize = dictionaryIdBytes(descriptor);
  const contentSizeSize = contentSizeBytes(descriptor);

  let position = start + 5 + windowBytes(descriptor);
  const headerEnd = position + dictionarySize + contentSizeSize;
  if (headerEnd > end) throw truncated(end - start, "the frame header");
  for (let index = 0; index < dictionarySize; index++) {
    if (bytes[position + index] !== 0) {
      throw new DecodeError("the zstd frame needs a dictionary", position + index - start);
    }
  }
  position += dictionarySize;
  if (contentSizeSize !== 0) {
    const stated = readContentSize(bytes, position, contentSizeSize);
    if (stated !== length) {
      throw new DecodeError(
        `the zstd frame states ${stated} bytes of content, expected ${length}`,
        position - start,
      );
    }
  }

  position = headerEnd;
  let last = false;
  while (!last) {
    if (position + 3 > end) throw truncated(end - start, "a block header");
    const header = readBlockHeader(bytes, position);
    const type = (header >> 1) & 3;
    if (type === BLOCK_RESERVED) {
      throw new DecodeError("a zstd block has the reserved type 3", position - start);
    }
    last = (header & 1) !== 0;
    position += 3 + (type === BLOCK_REPEATED ? 1 : header >>> 3);
    if (position > end) {
      throw truncated(end - start, type === BLOCK_RAW ? "a raw block" : "a block");
    }
  }
  if ((descriptor & 0x04) !== 0) position += 4;
  if (position > end) throw truncated(end - start, "the frame checksum");
  if (position < end) {
    throw new DecodeError(`${end - position} bytes follow the zstd frame`, position - start);
  }
  return contentSizeSize !== 0;
}

/**
 * The content size that the frame header in `bytes[start, end)` states, or undefined if it states
 * none or the header is broken. It reads nothing after the header.
 */
export function statedZstdContent(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  if (end - start < 6 || !hasMagic(bytes, start)) return undefined;
  const descriptor = bytes[start + 4]!;
  const size = contentSizeBytes(descriptor);
  const position = start + 5 + windowBytes(descriptor) + dictionaryIdBytes(descriptor);
  return size === 0 || position + size > end ? undefined : readContentSize(bytes, position, size);
}

/**
 * The most that the blocks of the frame in `bytes[start, end)` can hold, by their headers alone.
 */
export function maxZstdContent(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 6) return 0;
  const descriptor = bytes[start + 4]!;
  let position = start + 5 + windowBytes(descriptor) + dictionaryIdBytes(descriptor) +
    contentSizeBytes(descriptor);
  let most = 0;
  for (let last = false; !last && position + 3 <= end;) {
    const header = readBlockHeader(bytes, position);
    const type = (header >> 1) & 3;
    const size = header >>> 3;
    last = (header & 1) !== 0;
    most += type === BLOCK_COMPRESSED ? MAX_BLOCK_CONTENT : Math.min(size, MAX_BLOCK_CONTENT);
    position += 3 + (type === BLOCK_REPEATED ? 1 : size);
  }
  return most;
}

function hasMagic(bytes: Uint8Array, start: number): boolean {
  return readContentSize(bytes, start, 4) === MAGIC;
}

function windowBytes(descriptor: number): number {
  return (descriptor & 0x20) === 0 ? 1 : 0;
}

function dictionaryIdBytes(descriptor: number): number {
  return (1 << (descriptor & 3)) >> 1;
}

function contentSizeBytes(descriptor: number): number {
  const flag = descriptor >> 6;
  return flag === 0 ? 1 - windowBytes(descriptor) : 1 << flag;
}

function readBlockHeader(bytes: Uint8Array, position: number): number {
  return bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16);
}

/** A content size above 2^53 loses its low bits here, but it is refused anyway. */
function readContentSize(bytes: Uint8Array, position: number, size: number): number {
  if (size === 1) return bytes[position]!;
  const low = bytes[position]! | (bytes[position + 1]! << 8);
  if (size === 2) return low + 256;
  const word = (low | (bytes[position + 2]! << 16) | (bytes[position + 3]! << 24)) >>> 0;
  if (size === 4) return word;
  return word + readContentSize(bytes, position + 4, 4) * 0x1_0000_0000;
}

function truncated(length: number, inside: string): DecodeError {
  return new DecodeError(`the zstd frame ends inside ${inside}`, length);
}
