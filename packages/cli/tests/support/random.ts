/** Random keys and values, the same for the same seed. */

import { Extension, type RecordItem, type Value } from "@tinykvs/core";

/** Numbers from 0 to below 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TEXTS = [
  "",
  "plain",
  'with "quotes" and \\',
  "tab\tline\nreturn\r",
  "\x1b]0;title\x07\x1b[2J",
  "\u202eright to left",
  "日本語",
  "👩‍👩‍👧 family",
  "x'00ff'",
  "-5",
  " space ",
  "$int",
  "a,b;c",
  "007",
  "true",
  "\0",
  "\u2028",
  "=1+1",
];

/** Random bytes. */
export function randomBytes(next: () => number, most: number): Uint8Array {
  return Uint8Array.from(
    { length: Math.floor(next() * most) },
    () => next() * 256,
  );
}

function pick<T>(next: () => number, items: readonly T[]): T {
  return items[Math.floor(next() * items.length)]!;
}

/** A random item of a record, nested at most `depth` deep. */
export function randomItem(next: () => number, depth: number): RecordItem {
  const kind = Math.floor(next() * (depth > 0 ? 9 : 7));
  switch (kind) {
    case 0:
      return pick(next, TEXTS);
    case 1:
      return pick(next, [
        0,
        -0,
        1,
        -1,
        1.5,
        NaN,
        Infinity,
        -Infinity,
        2 ** 60,
        1e-300,
        next(),
      ]);
    case 2:
      return pick(next, [
        2n ** 63n,
        -(2n ** 63n),
        2n ** 64n - 1n,
        9007199254740993n,
      ]);
    case 3:
      return next() < 0.5;
    case 4:
      return null;
    case 5:
      return randomBytes(next, 40);
    case 6:
      if (next() < 0.5) {
        return new Date(Math.round((next() - 0.5) * pick(next, [1e13, 1e14, 1.7e16])));
      }
      return new Extension(
        Math.floor(next() * 256) - 128,
        randomBytes(next, 20),
      );
    case 7:
      return Array.from(
        { length: Math.floor(next() * 4) },
        () => randomItem(next, depth - 1),
      );
    default:
      return Object.fromEntries(
        Array.from({ length: Math.floor(next() * 4) }, () => [
          pick(next, [...TEXTS, "$int", "$$x", "$ext", "__proto__", "a"]),
          randomItem(next, depth - 1),
        ]),
      );
  }
}

/** A random value of any type. */
export function randomValue(next: () => number): Value {
  while (true) {
    const item = next() < 0.2
      ? BigInt.asIntN(64, BigInt(Math.floor(next() * 2 ** 53)) << 11n)
      : randomItem(next, 3);
    const isUnfit = item === null || item === undefined ||
      item instanceof Extension || item instanceof Date ||
      (typeof item === "bigint" && BigInt.asIntN(64, item) !== item);
    if (!isUnfit) return item as Value;
  }
}

/** A random key: text of all kinds, or bytes. */
export function randomKey(next: () => number): Uint8Array {
  return next() < 0.5
    ? new TextEncoder().encode(
      `${pick(next, TEXTS)}${Math.floor(next() * 1e6)}`,
    )
    : randomBytes(next, 20);
}
