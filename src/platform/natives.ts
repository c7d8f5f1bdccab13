/**
 * Native functions of the runtime that the engine uses if they exist: checksums, inflation, zstd
 * and text conversion. Node, Deno and Bun all provide these in modules of Node; elsewhere portable
 * code replaces them.
 *
 * The callers say which costs decide: bytes/crc32.ts, value/text_codec.ts,
 * docs/decisions/0002-which-zstd-where.md.
 */

import { inflate } from "./inflate.ts";
import { builtinModule } from "./runtime.ts";

export { process, type RuntimeName, runtimeName, runtimeVersion } from "./runtime.ts";

const zlib = builtinModule("node:zlib");
/** Node's buffers, if the runtime has them. */
const NodeBuffer = builtinModule("node:buffer")?.Buffer;

const util = builtinModule("node:util");
/** If there is Node's, not the globals: jsdom has none, and removes those of the runtime. */
export const TextDecoder: typeof globalThis.TextDecoder =
  util?.TextDecoder as typeof globalThis.TextDecoder | undefined ?? globalThis.TextDecoder;
/** As `TextDecoder`. */
export const TextEncoder: typeof globalThis.TextEncoder = util?.TextEncoder ??
  globalThis.TextEncoder;

/** Whether `nativeCrc32` exists. */
export const hasNativeCrc32: boolean = zlib !== undefined;

/** CRC-32 (IEEE) of `bytes`, continuing from `seed`. */
export const nativeCrc32: (bytes: Uint8Array, seed?: number) => number = zlib?.crc32 ??
  (() => {
    throw new TypeError("Cannot sum bytes: the runtime has no CRC-32");
  });

/** Inflates raw deflate data; `maxLength` bounds the output. */
export function inflateRaw(bytes: Uint8Array, maxLength: number): Uint8Array {
  if (zlib === undefined) return inflate(bytes, maxLength);
  return zlib.inflateRawSync(bytes, { maxOutputLength: maxLength });
}

/** Decodes base64 text. */
export function decodeBase64(text: string): Uint8Array {
  if (NodeBuffer !== undefined) return NodeBuffer.from(text, "base64");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** ASCII text as base64. */
export function encodeBase64(text: string): string {
  return NodeBuffer !== undefined ? NodeBuffer.from(text).toString("base64") : btoa(text);
}

/**
 * Shared memory if the runtime has any. Otherwise memory of this thread, which works the same for
 * one thread.
 */
export function sharedMemory(byteLength: number): ArrayBufferLike {
  return typeof SharedArrayBuffer === "function"
    ? new SharedArrayBuffer(byteLength)
    : new ArrayBuffer(byteLength);
}

/**
 * Memory of its own, of which the content is undefined: it must be overwritten as a whole before
 * anybody else sees it.
 */
export function uninitializedBytes(length: number): Uint8Array<ArrayBuffer> {
  if (NodeBuffer === undefined) return new Uint8Array(length);
  const { buffer, byteOffset } = NodeBuffer.allocUnsafeSlow(length);
  // Its users make views of the whole buffer.
  if (byteOffset !== 0 || buffer.byteLength !== length) return new Uint8Array(length);
  return new Uint8Array(buffer as ArrayBuffer);
}

/** Slices of Node's buffers, which work on every Uint8Array. */
interface Slices {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
}

const slices: Slices = NodeBuffer?.prototype as unknown as Slices | undefined ?? portableSlices();

function portableSlices(): Slices {
  const latin1 = new TextDecoder("latin1");
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    latin1Slice(start, end) {
      return latin1.decode(this.subarray(start, end));
    },
    utf8Slice(start, end) {
      return utf8.decode(this.subarray(start, end));
    },
  };
}

/** Text of `bytes[start, end)`, one character per byte; right for ASCII. */
export function latin1Slice(bytes: Uint8Array, start: number, end: number): string {
  return slices.latin1Slice.call(bytes, start, end);
}

/** Text of the UTF-8 in `bytes[start, end)`; ill-formed sequences become U+FFFD. */
export function utf8Slice(bytes: Uint8Array, start: number, end: number): string {
  return slices.utf8Slice.call(bytes, start, end);
}

/** The runtime's own zstd. The caller owns the results. */
export interface NativeZstd {
  /**
   * Compresses `bytes` at a zstd level, from -1 on, to one frame that states its content size;
   * `capacity` is the largest that the frame can be.
   */
  compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array;
  /**
   * Decompresses one frame that should hold `length` bytes; `stated` says that the frame claims
   * exactly that length. Throws if it holds more. If the input ends early, Deno and Bun return what
   * they have, without an error: the caller checks the length.
   */
  decompress(bytes: Uint8Array, length: number, stated: boolean): Uint8Array;
}

type Zlib = NonNullable<typeof zlib>;

/** Output chunks of `node:zlib` are one allocation up to this size. */
const MAX_ZSTD_CHUNK_BYTES = 4 << 20;

/**
 * zstd's parameters for a level. `node:zlib` can't pass on a negative level (Node makes it an
 * unsigned number, and compresses at the highest level). For zstd it is level 1 with that much
 * acceleration: its "target length", which with the strategy of level 1 also leaves literals as
 * they are (zstd.h, ZSTD_c_targetLength).
 */
function zstdParameters(zlib: Zlib, level: number): Record<number, number> {
  const { ZSTD_c_compressionLevel, ZSTD_c_targetLength } = zlib.constants;
  return level > 0
    ? { [ZSTD_c_compressionLevel]: level }
    : { [ZSTD_c_compressionLevel]: 1, [ZSTD_c_targetLength]: -level };
}

function nodeZstd(zlib: Zlib): NativeZstd {
  return {
    compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array {
      return zlib.zstdCompressSync(bytes, {
        params: zstdParameters(zlib, level),
        chunkSize: Math.min(Math.max(capacity, 64), MAX_ZSTD_CHUNK_BYTES),
        // Without it, Deno leaves out the content size.
        pledgedSrcSize: bytes.length,
      });
    },
    decompress(bytes: Uint8Array, length: number): Uint8Array {
      return zlib.zstdDecompressSync(bytes, {
        // One extra byte of room; otherwise a second chunk is allocated to find the end.
        chunkSize: Math.max(length + 1, 64),
        maxOutputLength: Math.max(length, 1),
      });
    },
  };
}

/** The part of Bun's global that is used here. */
interface BunZstd {
  zstdCompressSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array): Uint8Array;
}

/**
 * Bun's own calls: the fastest there, but only the size that the frame states bounds the output.
 */
function bunZstd(bun: BunZstd, node: NativeZstd): NativeZstd {
  return {
    compress(bytes: Uint8Array, level: number, capacity: number): Uint8Array {
      // Bun's own call refuses negative levels.
      return level > 0
        ? bun.zstdCompressSync(bytes, { level })
        : node.compress(bytes, level, capacity);
    },
    decompress(bytes: Uint8Array, length: number, stated: boolean): Uint8Array {
      return stated ? bun.zstdDecompressSync(bytes) : node.decompress(bytes, length, stated);
    },
  };
}

function findNativeZstd(): NativeZstd | undefined {
  if (typeof zlib?.zstdDecompressSync !== "function") return undefined;
  const node = nodeZstd(zlib);
  const bun = (globalThis as { Bun?: Partial<BunZstd> }).Bun;
  if (bun?.zstdCompressSync === undefined || bun.zstdDecompressSync === undefined) return node;
  return bunZstd(bun as BunZstd, node);
}

/** The runtime's own zstd, or undefined if it has none. */
export const nativeZstd: NativeZstd | undefined = findNativeZstd();
