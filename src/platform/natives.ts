/**
 * What the runtime offers natively and the engine uses where it is there: checksums, inflation,
 * its own zstd, and text conversion. Node, Deno and Bun all provide these through `node:` modules;
 * nothing outside this folder may name them.
 *
 * Costs that decide who calls what are told where it is called: bytes/crc32.ts, value/text_codec.ts,
 * docs/decisions/0002-which-zstd-where.md.
 */

import { Buffer } from "node:buffer";
import type nodeProcess from "node:process";
import * as zlib from "node:zlib";

/**
 * The runtime's `process`. To import "node:process" makes Node evaluate all that is in it, standard input
 * included: 2 to 3 ms, a sixth of what the first use of the library takes.
 */
export const process: typeof nodeProcess =
  (globalThis as unknown as { process: typeof nodeProcess }).process;

/** The runtime at hand. */
export type RuntimeName = "node" | "deno" | "bun";

/** The runtime at hand, told by what each one alone defines. */
export const runtimeName: RuntimeName = process.versions["deno"] !== undefined
  ? "deno"
  : process.versions["bun"] !== undefined
  ? "bun"
  : "node";

/** Version of the runtime, for bench output and the lock holder's description. */
export const runtimeVersion: string = process.versions[runtimeName] ?? "unknown";

/** CRC-32 (IEEE) of `bytes`, continuing from `seed`. */
export function nativeCrc32(bytes: Uint8Array, seed = 0): number {
  return zlib.crc32(bytes, seed);
}

/** Inflates raw deflate data; `maxLength` bounds the output. */
export function inflateRaw(bytes: Uint8Array, maxLength: number): Uint8Array {
  return zlib.inflateRawSync(bytes, { maxOutputLength: maxLength });
}

/** Decodes base64 text. */
export function decodeBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

/** Whether the Latin-1 / UTF-8 slices below exist natively on this runtime's buffers. */
const prototype = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** Text of `bytes[start, end)`, one character a byte; right for ASCII. */
export function latin1Slice(bytes: Uint8Array, start: number, end: number): string {
  return prototype.latin1Slice.call(bytes, start, end);
}

/** Text of the UTF-8 in `bytes[start, end)`; ill-formed sequences become U+FFFD. */
export function utf8Slice(bytes: Uint8Array, start: number, end: number): string {
  return prototype.utf8Slice.call(bytes, start, end);
}

/** The runtime's own zstd. Results are the caller's. */
export interface NativeZstd {
  /**
   * Compresses `bytes` at a zstd level, from -1 on, to one frame that states its content size;
   * `capacity` is the largest that the frame can be.
   */
  compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array;
  /**
   * Decompresses one frame that should hold `length` bytes; `stated` says that the frame claims
   * exactly that length. Throws when it holds more. Deno and Bun return what they have, without an
   * error, when the input ends early: the caller checks the length.
   */
  decompress(bytes: Uint8Array, length: number, stated: boolean): Uint8Array;
}

/** Output chunks of `node:zlib` are one allocation up to this size. */
const MAX_ZSTD_CHUNK_BYTES = 4 << 20;

/**
 * zstd's parameters for a level. `node:zlib` can't hand a negative level on (Node makes an unsigned number of it,
 * and compresses with the greatest); for zstd it is level 1 with that much acceleration: its "target length", which
 * with the strategy of level 1 also leaves literals as they are (zstd.h, ZSTD_c_targetLength).
 */
function zstdParameters(level: number): Record<number, number> {
  const { ZSTD_c_compressionLevel, ZSTD_c_targetLength } = zlib.constants;
  return level > 0
    ? { [ZSTD_c_compressionLevel]: level }
    : { [ZSTD_c_compressionLevel]: 1, [ZSTD_c_targetLength]: -level };
}

const nodeZstd: NativeZstd = {
  compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array {
    return zlib.zstdCompressSync(bytes, {
      params: zstdParameters(level),
      chunkSize: Math.min(Math.max(capacity, 64), MAX_ZSTD_CHUNK_BYTES),
      // Deno leaves the content size out without it.
      pledgedSrcSize: bytes.length,
    });
  },
  decompress(bytes: Uint8Array, length: number): Uint8Array {
    return zlib.zstdDecompressSync(bytes, {
      // One byte of room to spare, or a second chunk is allocated to find the end.
      chunkSize: Math.max(length + 1, 64),
      maxOutputLength: Math.max(length, 1),
    });
  },
};

/** The part of Bun's global that is used here. */
interface BunZstd {
  zstdCompressSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array): Uint8Array;
}

/** Bun's own calls: the fastest there, but the output is bounded only by what the frame states. */
function bunZstd(bun: BunZstd): NativeZstd {
  return {
    compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array {
      // Bun's own refuses negative levels.
      return level > 0
        ? bun.zstdCompressSync(bytes, { level })
        : nodeZstd.compress(bytes, level, capacity);
    },
    decompress(bytes: Uint8Array, length: number, stated: boolean): Uint8Array {
      return stated ? bun.zstdDecompressSync(bytes) : nodeZstd.decompress(bytes, length, stated);
    },
  };
}

function findNativeZstd(): NativeZstd | undefined {
  if (typeof zlib.zstdDecompressSync !== "function") return undefined;
  const bun = (globalThis as { Bun?: Partial<BunZstd> }).Bun;
  if (bun?.zstdCompressSync === undefined || bun.zstdDecompressSync === undefined) return nodeZstd;
  return bunZstd(bun as BunZstd);
}

/** The runtime's own zstd, or undefined where it has none. */
export const nativeZstd: NativeZstd | undefined = findNativeZstd();
