// The common case of a put is encoded apart from all others: both must give the same bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { encodePut } from "../../src/store/write/operation_encoding.ts";
import type { Key } from "../../src/value/value.ts";
import { hexOf } from "../support/entries.ts";

/**
 * An operation, as docs/FORMAT.md says: kind, key length, key, value length, type 5, flag, length,
 * bytes.
 */
function expected(key: Uint8Array, value: Uint8Array): string {
  const head = new DataView(new ArrayBuffer(5));
  head.setUint8(0, 1);
  head.setUint32(1, key.length, true);
  const middle = new DataView(new ArrayBuffer(10));
  middle.setUint32(0, value.length + 6, true);
  middle.setUint8(4, 5);
  middle.setUint32(6, value.length, true);
  return [head, key, middle, value].map((part) =>
    hexOf(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
  ).join("");
}

test("A put has one form, however it is encoded", () => {
  const keys: string[] = [
    "",
    "k",
    "k".repeat(40),
    "k".repeat(41),
    "é",
    "k\u{1f511}",
    "\u0080",
    "\u007f",
  ];
  const lengths = [0, 1, 40, 41, 100, 65536, 65537];
  for (const text of keys) {
    const bytes = new TextEncoder().encode(text);
    for (const key of [text, bytes] as Key[]) {
      for (const length of lengths) {
        const value = Uint8Array.from({ length }, (_, i) => i * 31);
        const writer = new ByteWriter(3);
        writer.appendUint8(0xaa);
        encodePut(writer, key, value);
        assert.equal(
          hexOf(writer.bytes.slice(0, writer.length)),
          `aa${expected(bytes, value)}`,
          `key ${JSON.stringify(text)}, ${length} bytes`,
        );
      }
    }
  }
});

test("A put with a lone surrogate after ASCII is refused", () => {
  const writer = new ByteWriter(0);
  assert.throws(() => encodePut(writer, "key\ud800", new Uint8Array(3)), TypeError);
});
