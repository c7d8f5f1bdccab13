/**
 * The bytes that an adapter returns to other libraries.
 *
 * The store returns views into buffers that several results share. On Deno 2.9, `v8.deserialize`
 * reads byte arrays inside such a view from a wrong offset. So on Deno each result gets its own
 * buffer.
 */

import { runtimeName } from "../platform/runtime.ts";

/** Returns the bytes. On Deno, they begin at the start of their buffer. */
export const ownBuffer: (bytes: Uint8Array) => Uint8Array = runtimeName === "deno"
  ? (bytes) => bytes.byteOffset === 0 ? bytes : bytes.slice()
  : (bytes) => bytes;
