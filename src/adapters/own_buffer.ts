/**
 * Bytes that libraries outside of this one get to see.
 *
 * The store hands out views into buffers that several results share. `v8.deserialize` of Deno 2.9
 * reads byte arrays inside of such a view from a wrong place, so on Deno each result gets a buffer
 * of its own.
 */

import { runtimeName } from "../platform/runtime.ts";

/** The bytes; on Deno they begin at the start of their buffer. */
export const ownBuffer: (bytes: Uint8Array) => Uint8Array = runtimeName === "deno"
  ? (bytes) => bytes.byteOffset === 0 ? bytes : bytes.slice()
  : (bytes) => bytes;
