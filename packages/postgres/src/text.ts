/** Text of bytes that a client has decoded. */

import { Buffer } from "node:buffer";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The longest text for which a loop finds out in little time that it is ASCII. */
const SHORT_BYTES = 256;

/** A method of buffers on all runtimes, which their types lack. */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
}

/** The text of a part of `bytes`. @throws {TypeError} it is not UTF-8 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  // ASCII of a buffer needs neither a view nor a decoder.
  if (end - start <= SHORT_BYTES && bytes instanceof Buffer && isAscii(bytes, start, end)) {
    return (bytes as unknown as Latin1).latin1Slice(start, end);
  }
  return decoder.decode(bytes.subarray(start, end));
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  for (let at = start; at < end; at++) all |= bytes[at]!;
  return all < 0x80;
}
