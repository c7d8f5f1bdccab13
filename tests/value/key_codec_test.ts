/** Keys to bytes and back: exact bytes, limits, and no silent repair of ill-formed text. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { StoreError } from "../../src/errors.ts";
import { decodeKeyText, encodeKey } from "../../src/value/key_codec.ts";
import { type Key, MAX_KEY_BYTES } from "../../src/value/value.ts";

const SEED = 20252;

function encoded(key: Key): Buffer {
  const writer = new ByteWriter(0);
  writer.appendUint8(0xaa);
  encodeKey(key, writer);
  assert.equal(writer.bytes[0], 0xaa);
  return Buffer.from(writer.bytes.slice(1, writer.length));
}

/** Asserts that `key` is refused with an error of `kind` and that nothing is appended. */
function assertRefused(key: unknown, kind: ErrorConstructor, text: RegExp): void {
  const writer = new ByteWriter(8);
  writer.appendUint16(7);
  assert.throws(
    () => encodeKey(key as Key, writer),
    (error) => error instanceof kind && text.test(error.message),
  );
  assert.equal(writer.length, 2);
}

test("encodeKey() gives the golden bytes of texts and byte keys", () => {
  const cases: [Key, string][] = [
    ["", ""],
    ["user:1", "757365723a31"],
    ["\0\x7f", "007f"],
    ["é", "c3a9"],
    ["€", "e282ac"],
    ["😀", "f09f9880"],
    ["\ufeffa", "efbbbf61"],
    [Uint8Array.of(0, 255, 128), "00ff80"],
    [new Uint8Array(0), ""],
    [Buffer.from("abc"), "616263"],
    [Uint8Array.of(1, 2, 3, 4).subarray(1, 3), "0203"],
  ];
  for (const [key, hex] of cases) assert.equal(encoded(key).toString("hex"), hex);
});

test("Keys of every length come back, with a wide character at every place", () => {
  for (let length = 0; length <= 70; length++) {
    const ascii = Array.from({ length }, (_, i) => String.fromCharCode(33 + (i * 7) % 90)).join("");
    const bytes = encoded(ascii);
    assert.equal(bytes.length, length);
    assert.equal(decodeKeyText(bytes, 0, bytes.length), ascii);
    for (const wide of ["é", "€", "😀", "\ufffd"]) {
      for (let at = 0; at <= length; at++) {
        const text = ascii.slice(0, at) + wide + ascii.slice(at);
        const wideBytes = encoded(text);
        assert.deepEqual(wideBytes, Buffer.from(text, "utf8"));
        assert.equal(decodeKeyText(wideBytes, 0, wideBytes.length), text);
      }
    }
  }
});

test("Keys of any well-formed text come back from the middle of a buffer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(5), (text, before) => {
      const bytes = encoded(text);
      const around = Buffer.concat([Buffer.alloc(before, 0xff), bytes, Buffer.of(0xff, 0xff)]);
      assert.equal(decodeKeyText(around, before, before + bytes.length), text);
    }),
    { seed: SEED, numRuns: 1000 },
  );
});

test("encodeKey() accepts keys up to 64 KiB, counted in bytes, and no longer ones", () => {
  assert.equal(encoded("x".repeat(MAX_KEY_BYTES)).length, MAX_KEY_BYTES);
  assert.equal(encoded("é".repeat(MAX_KEY_BYTES / 2)).length, MAX_KEY_BYTES);
  assert.equal(encoded(new Uint8Array(MAX_KEY_BYTES)).length, MAX_KEY_BYTES);
  assertRefused("x".repeat(MAX_KEY_BYTES + 1), RangeError, /65537 characters/);
  assertRefused("é".repeat(MAX_KEY_BYTES / 2) + "x", RangeError, /65537 bytes/);
  assertRefused(new Uint8Array(MAX_KEY_BYTES + 1), RangeError, /65537 bytes/);
});

test("encodeKey() refuses lone surrogates wherever they are", () => {
  for (const lone of ["\ud800", "\udfff", "\udc00\ud800"]) {
    for (const text of [lone, `abc${lone}`, `${lone}abc`, "é".repeat(50) + lone]) {
      assertRefused(text, TypeError, /lone surrogate/);
    }
  }
});

test("encodeKey() refuses everything that is neither text nor bytes", () => {
  const wrong = [undefined, null, 1, 1n, true, {}, [1], Symbol("key"), () => 1, new ArrayBuffer(4)];
  for (const key of [...wrong, new Uint16Array(2), new DataView(new ArrayBuffer(2))]) {
    assertRefused(key, TypeError, /expected a string or a Uint8Array/);
  }
  const impostor = { length: 1, 0: 65, [Symbol.toStringTag]: "Uint8Array" };
  assertRefused(impostor, TypeError, /expected a string or a Uint8Array/);
});

test("encodeKey() copies, so that the caller may reuse the buffer", () => {
  const key = Uint8Array.of(1, 2, 3);
  const writer = new ByteWriter(8);
  encodeKey(key, writer);
  key.fill(9);
  assert.deepEqual([...writer.bytes.subarray(0, 3)], [1, 2, 3]);
});

test("decodeKeyText() refuses bytes that are not UTF-8 and shows them", () => {
  const illFormed = ["80", "ff", "c0af", "c3", "e282", "eda080", "f08080af", "f4908080", "61ff62"];
  for (const hex of illFormed) {
    for (const padding of ["", "x".repeat(20), "x".repeat(100)]) {
      const bytes = Buffer.concat([Buffer.from(padding), Buffer.from(hex, "hex")]);
      assert.throws(
        () => decodeKeyText(bytes, 0, bytes.length),
        (error) => error instanceof StoreError && error.code === "KEY_ENCODING",
        hex,
      );
    }
  }
  assert.throws(() => decodeKeyText(Uint8Array.of(0x61, 0x80), 0, 2), /0x6180 /);
});

test("decodeKeyText() keeps a stored U+FFFD and a stored byte order mark", () => {
  for (const text of ["\ufffd", "\ufeff", "\ufeff\ufffd", "x".repeat(60) + "\ufffd"]) {
    const bytes = Buffer.from(text, "utf8");
    assert.equal(decodeKeyText(bytes, 0, bytes.length), text);
  }
});
