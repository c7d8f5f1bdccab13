/**
 * Checks of a table's sections around the decoders of table_format.ts. The table reader calls them.
 */

import { crc32 } from "../bytes/crc32.ts";
import { DecodeError } from "../errors.ts";

/** Runs a decoder; adds `base` to the offset of what it throws. */
export function shifted<T>(base: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw new DecodeError(error.message, base + error.offset);
    throw error;
  }
}

/**
 * The section `bytes[start, end)` is the one whose checksum the metadata has.
 *
 * @throws {DecodeError} it is not
 */
export function requireCrc(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: number,
  what: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = crc32(bytes, view, start, end);
  if (found !== expected) {
    throw new DecodeError(
      `the checksum of the ${what} is 0x${found.toString(16)}, expected 0x${expected.toString(16)}`,
      0,
    );
  }
}
