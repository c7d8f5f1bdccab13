/**
 * The zstd codec: one plain frame per block, by WebAssembly or by the runtime's own zstd.
 *
 * Both read and write the same format. Measurements decide which one runs
 * (docs/decisions/0002-which-zstd-where.md), and a caller can force one. Frames that are written
 * state their content size and carry no checksum; libzstd and Go's klauspost/compress read them
 * alike. Frames that are read may have either or neither: Go states no size below 256 bytes.
 */

import { DecodeError, isErrorNamed, messageOf } from "../errors.ts";
import { nativeZstd } from "../platform/natives.ts";
import type { NativeZstd } from "../platform/natives.ts";
import { runtimeName } from "../platform/runtime.ts";
import { hasWebAssembly } from "../platform/web_assembly.ts";
import { CODEC_ZSTD } from "./compressor.ts";
import type { CompressionLevel, Compressor } from "./compressor.ts";
import { checkZstdFrame, maxZstdContent, statedZstdContent } from "./zstd_frame.ts";
import { hasZstdWasm, zstdWasmCompress, zstdWasmDecompress } from "./zstd_wasm.ts";

/** Which zstd runs: the one that is faster here, the embedded module, or the runtime's own. */
export type ZstdImplementation = "auto" | "wasm" | "native";

/**
 * The uncompressed lengths in bytes from which the runtime's own zstd is faster, with the copy into
 * the caller's buffer. Below them, making a native stream for each call costs more than it saves.
 */
const NATIVE_FROM = {
  node: { compress: 24 << 10, decompress: 64 << 10 },
  deno: { compress: 12 << 10, decompress: 64 << 10 },
  bun: { compress: 0, decompress: 0 },
  other: { compress: Infinity, decompress: Infinity },
} as const;

/**
 * The runtime's own zstd decompresses this many blocks, however short, before the embedded module
 * is made: loading the module takes as long as they take longer (docs/decisions/0013-first-use.md).
 * A program that reads only a few values never needs the module. Compression always uses the module
 * for its lengths, so that the written bytes do not depend on what ran before.
 */
const NATIVE_FIRST_BLOCKS = 256;

/** Blocks decompressed natively so far. */
let sparedBlocks = 0;

/** Whether it does not pay yet to make the module for this block. */
function isSpared(): boolean {
  return sparedBlocks < NATIVE_FIRST_BLOCKS && !hasZstdWasm() && ++sparedBlocks > 0;
}

/** Whether there is any zstd here: the runtime's, or WebAssembly for ours. */
export const hasZstd: boolean = nativeZstd !== undefined || hasWebAssembly;

/** What is missing if there is none, for a message. */
export const NO_ZSTD: string =
  `${runtimeName} has neither WebAssembly nor its own zstd here, and needs one of them`;

/**
 * A zstd codec that compresses at `level` and decompresses frames of any level.
 *
 * Input and output of one call may take 2,000 MiB together in WebAssembly. "auto" gives larger
 * blocks, as all large ones, to the runtime's own zstd.
 *
 * @throws {RangeError} there is no such implementation here; from `compress` and `decompress`: the
 *   block is too large for WebAssembly, or there is no memory for it
 */
export function zstdCompressor(
  level: CompressionLevel,
  implementation: ZstdImplementation = "auto",
): Compressor {
  if (implementation === "native") {
    if (nativeZstd === undefined) {
      throw new RangeError(`Cannot use the native zstd: ${runtimeName} has none`);
    }
    return new ZstdCompressor(level, nativeZstd, 0, 0);
  }
  if (!hasWebAssembly) {
    if (implementation === "wasm" || nativeZstd === undefined) {
      throw new RangeError(`Cannot use the zstd of WebAssembly: ${runtimeName} has none here`);
    }
    return new ZstdCompressor(level, nativeZstd, 0, 0);
  }
  if (implementation === "wasm" || nativeZstd === undefined) {
    return new ZstdCompressor(level, undefined, Infinity, Infinity);
  }
  const from = NATIVE_FROM[runtimeName];
  return new ZstdCompressor(level, nativeZstd, from.compress, from.decompress);
}

class ZstdCompressor implements Compressor {
  readonly codec: number = CODEC_ZSTD;
  readonly #level: number;
  readonly #native: NativeZstd | undefined;
  readonly #nativeCompressFrom: number;
  readonly #nativeDecompressFrom: number;

  constructor(
    level: number,
    native: NativeZstd | undefined,
    nativeCompressFrom: number,
    nativeDecompressFrom: number,
  ) {
    this.#level = level;
    this.#native = native;
    this.#nativeCompressFrom = nativeCompressFrom;
    this.#nativeDecompressFrom = nativeDecompressFrom;
  }

  /** The bound that zstd.h states for ZSTD_compressBound. */
  maxCompressedLength(length: number): number {
    const small = 128 << 10;
    return length + Math.floor(length / 256) + (length < small ? (small - length) >>> 11 : 0);
  }

  compress(from: Uint8Array, start: number, end: number, into: Uint8Array, offset: number): number {
    const length = end - start;
    const capacity = this.maxCompressedLength(length);
    if (this.#native === undefined || length < this.#nativeCompressFrom) {
      return zstdWasmCompress(from, start, end, into, offset, capacity, this.#level);
    }
    const frame = this.#native.compress(part(from, start, end), this.#level, capacity);
    into.set(frame, offset);
    return frame.length;
  }

  statedLength(from: Uint8Array, start: number, end: number): number | undefined {
    return statedZstdContent(from, start, end);
  }

  maxDecompressedLength(from: Uint8Array, start: number, end: number): number {
    return maxZstdContent(from, start, end);
  }

  decompress(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const stated = checkZstdFrame(from, start, end, length);
    if (this.#native === undefined || length < this.#nativeDecompressFrom && !isSpared()) {
      zstdWasmDecompress(from, start, end, into, offset, length);
      return;
    }
    const content = decompressNatively(this.#native, part(from, start, end), length, stated);
    if (content.length !== length) {
      throw new DecodeError(
        `the zstd frame holds ${content.length} bytes, expected ${length}`,
        0,
      );
    }
    into.set(content, offset);
  }
}

function decompressNatively(
  native: NativeZstd,
  frame: Uint8Array,
  length: number,
  stated: boolean,
): Uint8Array {
  try {
    return native.decompress(frame, length, stated);
  } catch (error) {
    // A full heap or stack says nothing about the frame, but an exceeded `length` does.
    const { code } = error as { code?: string };
    if (isErrorNamed(error, "RangeError") && code !== "ERR_BUFFER_TOO_LARGE") throw error;
    throw new DecodeError(`zstd refuses the frame: ${messageOf(error)}`, 0);
  }
}

function part(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}
