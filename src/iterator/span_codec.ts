/**
 * Deleted spans as bytes, in a table and in the manifest: for each u32 length and first key, u32
 * length and first key after the span.
 */

import type { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { DecodeError } from "../errors.ts";
import { bytesOfKey, compareKeys, type KeySpan, viewOfKey } from "./key_spans.ts";

/** Length of the encoded spans. */
export function encodedSpanBytes(spans: readonly KeySpan[]): number {
  let length = 0;
  for (const { lower, upper } of spans) length += 8 + lower.byteLength + upper.byteLength;
  return length;
}

/** Appends the spans. */
export function encodeSpans(writer: ByteWriter, spans: readonly KeySpan[]): void {
  for (const { lower, upper } of spans) {
    appendKey(writer, lower);
    appendKey(writer, upper);
  }
}

/**
 * Reads spans up to the reader's end.
 *
 * @throws {DecodeError} they are cut off, empty, or not in order
 */
export function decodeSpans(reader: ByteReader): readonly KeySpan[] {
  const spans: KeySpan[] = [];
  while (reader.remaining > 0) {
    const at = reader.offset;
    const lower = readKey(reader);
    const upper = readKey(reader);
    const last = spans.at(-1);
    if (compareKeys(lower, upper) >= 0) throw new DecodeError("a deleted span is empty", at);
    if (last !== undefined && compareKeys(last.upper, lower) > 0) {
      throw new DecodeError("deleted spans are not in order", at);
    }
    spans.push({ lower, upper });
  }
  return spans;
}

function appendKey(writer: ByteWriter, key: DataView): void {
  const bytes = bytesOfKey(key);
  writer.appendUint32(bytes.length);
  writer.appendBytes(bytes, 0, bytes.length);
}

/** A copy: the buffer belongs to the read. */
function readKey(reader: ByteReader): DataView {
  const length = reader.uint32();
  const at = reader.take(length);
  return viewOfKey(reader.bytes.slice(at, at + length));
}
