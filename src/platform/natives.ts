/**
 * What the runtime offers natively and the engine uses where it is there: checksums, inflation,
 * its own zstd, and text conversion. Node, Deno and Bun all provide these through `node:` modules;
 * nothing outside this folder may name them.
 *
 * Costs that decide who calls what are in shared/MEASUREMENTS.md C (CRC) and E (text).
 */

import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import process from "node:process";

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
