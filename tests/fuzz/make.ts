/** What the makers of valid inputs share. */

import type { KeySpan } from "../../src/iterator/key_spans.ts";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, randomBytes } from "../support/seeded.ts";

/** A copy of a writer's content. */
export function bytesIn(writer: ByteWriter): Uint8Array {
  return writer.bytes.slice(0, writer.length);
}

/** What `write` writes. */
export function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(256);
  write(writer);
  return bytesIn(writer);
}

/** A view on bytes. */
export function viewOn(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An encoded value of no particular meaning: a type byte and some more. */
export function someValue(random: Random): Uint8Array {
  const value = randomBytes(1 + random.below(12), random);
  value[0] = 1 + random.below(9);
  // One that expires has its time and a type.
  return value[0] === 9 && value.length < 10 ? Uint8Array.of(3, 1) : value;
}

/** Between `least` and `most` awkward keys, distinct and in order. */
export function sortedKeys(least: number, most: number, random: Random): Uint8Array[] {
  const count = least + random.below(most - least + 1);
  const keys = new Map<string, Uint8Array>();
  while (keys.size < count) {
    const key = awkwardKey(random);
    keys.set(String.fromCharCode(...key), key);
  }
  return [...keys].sort(([a], [b]) => a < b ? -1 : 1).map(([, key]) => key);
}

/** Deleted spans, in order. */
export function someSpans(random: Random): KeySpan[] {
  const keys = sortedKeys(2, 7, random);
  const spans: KeySpan[] = [];
  for (let at = 0; at + 1 < keys.length; at += 2) {
    spans.push({ lower: viewOn(keys[at]!), upper: viewOn(keys[at + 1]!) });
  }
  return spans;
}

/** A number for a 64-bit field: small, or near a power of two. */
export function someInteger(random: Random): number {
  return random.pick([random.below(1000), random.uint32(), 2 ** 32 + random.below(9), 2 ** 52 - 1]);
}
