/** Splits bytes into lines, with their numbers. */

import { Buffer } from "node:buffer";
import { InputError } from "../errors.ts";

/** A line longer than this cannot be a string. */
const MAX_LINE_BYTES = 400 * 1024 * 1024;
const LINE_FEED = 10;

/** A line without its line feed. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Whether it ends with a line feed. Only the last one may have none. */
  readonly isWhole: boolean;
}

/**
 * The lines of a stream, in groups: all lines that a piece of the stream ends.
 *
 * @throws {InputError} a line is longer than a string can be
 */
export async function* lineGroups(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Line[]> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let number = 0;
  for await (const piece of pieces) {
    const lines: Line[] = [];
    let from = 0;
    while (true) {
      const end = piece.indexOf(LINE_FEED, from);
      if (end === -1) break;
      const last = piece.subarray(from, end);
      const bytes = rest.length === 0 ? last : Buffer.concat([...rest, last]);
      rest = [];
      restBytes = 0;
      from = end + 1;
      lines.push({ number: ++number, bytes, isWhole: true });
    }
    if (from < piece.length) {
      const part = piece.subarray(from);
      rest.push(part);
      restBytes += part.length;
      if (restBytes > MAX_LINE_BYTES) {
        throw new InputError(
          `Line ${number + 1} is longer than ${MAX_LINE_BYTES} bytes`,
        );
      }
    }
    if (lines.length > 0) yield lines;
  }
  if (restBytes > 0) {
    yield [{ number: number + 1, bytes: Buffer.concat(rest), isWhole: false }];
  }
}
