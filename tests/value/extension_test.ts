// Objects that look like an Extension and are not one, or not any more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { Extension } from "../../src/value/extension.ts";
import { encodeValue } from "../../src/value/value_codec.ts";
import type { Value } from "../../src/value/value.ts";

/** An object with the prototype of Extension that no constructor has seen. */
function forged(fields: Readonly<Record<string, unknown>>): unknown {
  return Object.assign(Object.create(Extension.prototype), fields);
}

/** A good one of which a field was then overwritten, as JavaScript lets anybody do. */
function changed(fields: Readonly<Record<string, unknown>>): unknown {
  return Object.assign(new Extension(5, Uint8Array.of(1, 2)), fields);
}

test("An Extension with a wrong type or wrong bytes is refused by name and not stored as another one", () => {
  const writer = new ByteWriter(64);
  writer.appendUint8(1);
  const bad: readonly unknown[] = [
    forged({}),
    forged({ type: 5 }),
    forged({ type: 5, data: [1, 2, 300] }),
    forged({ type: 5, data: { length: -3 } }),
    forged({ type: 5, data: new Uint16Array(20).fill(0x4142) }),
    changed({ type: 999 }),
    changed({ type: 0.5 }),
    changed({ type: "x" }),
    changed({ data: undefined }),
  ];
  for (const item of bad) {
    for (const value of [[item], { at: item }]) {
      assert.throws(
        () => encodeValue(value as unknown as Value, writer),
        (error) => error instanceof TypeError && /Extension/.test(error.message),
      );
      assert.equal(writer.length, 1);
    }
  }
});

test("An Extension is made from a Uint8Array and from no other view, whatever that claims to be", () => {
  const view = new DataView(new ArrayBuffer(4));
  Object.defineProperty(view, Symbol.toStringTag, { value: "Uint8Array" });
  for (const data of [view, new Uint16Array(2), [1], undefined, null, new ArrayBuffer(2)]) {
    assert.throws(
      () => new Extension(1, data as unknown as Uint8Array),
      (error) => error instanceof TypeError && /its data is not a Uint8Array/.test(error.message),
    );
  }
});
