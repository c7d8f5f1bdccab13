/**
 * The values of the model's histories: makers for every type, from empty to larger than a memtable,
 * and the text by which the model knows a value. The text says the type, so -0 differs from 0, a
 * bigint from a number, and NaN equals itself.
 */

import type { Value } from "../../mod.ts";
import { latin1 } from "./keys.ts";

/** A value, by a kind and a number that chooses among its values. */
export interface ValueChoice {
  /** Index of a maker in `valueMakers`. */
  readonly kind: number;
  /** What it is made of. */
  readonly seed: number;
}

/** `length` bytes that follow from a seed. */
export function bytesOf(seed: number, length: number): Uint8Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Half of it is easy to compress.
    bytes[i] = (i & 64) === 0 ? state >>> 24 : 0x41;
  }
  return bytes;
}

/** Makers of values of every type; the last ones are larger than blocks and than the memtable. */
export const valueMakers: readonly ((seed: number) => Value)[] = [
  (seed) => BigInt(seed) - 500n,
  (seed) => [2n ** 53n - 1n, -(2n ** 53n) + 1n, 0n, -1n][seed % 4]!,
  (seed) => seed * 1.25 - 300,
  (seed) => [NaN, Infinity, -Infinity, -0, 0, 5e-324, Number.MAX_VALUE][seed % 7]!,
  (seed) => seed % 2 === 0,
  (seed) => `value ${seed}`,
  (seed) => ["", "ä€😀", "\0", "x".repeat(seed % 300), "日".repeat(seed % 90)][seed % 5]!,
  (seed) => new Uint8Array(seed % 3 === 0 ? 0 : 1).fill(seed),
  (seed) => bytesOf(seed, seed % 400),
  (seed) => ({ id: seed, name: `n${seed}`, nested: [1, 2.5, null, { deep: true }], ["é"]: "ü" }),
  (seed) => seed % 2 === 0 ? {} : { bytes: bytesOf(seed, 10), list: [], at: new Date(seed * 777) },
  (seed) => seed % 2 === 0 ? [] : ["a", seed, [false]],
  (seed) => bytesOf(seed, 900 + seed),
  (seed) => "long ".repeat(250 + seed % 100),
  (seed) => bytesOf(seed, 5000 + seed),
  (seed) => bytesOf(seed, seed % 10 === 0 ? 70_000 : 9000),
];

/** Makes the value. */
export function makeValue({ kind, seed }: ValueChoice): Value {
  return valueMakers[kind]!(seed);
}

/** The text of a value in the model. */
export function textOf(value: Value | undefined): string {
  switch (typeof value) {
    case "undefined":
      return "absent";
    case "string":
      return `string ${value}`;
    case "number":
      return `number ${Object.is(value, -0) ? "-0" : value}`;
    case "object":
      return value instanceof Uint8Array
        ? `bytes ${latin1(value)}`
        : `record ${JSON.stringify(value, itemText)}`;
    default:
      return `${typeof value} ${value}`;
  }
}

/** The form of an item for JSON. Dates come with their text already, so the original is asked. */
function itemText(this: Record<string, unknown>, name: string, item: unknown): unknown {
  if (this[name] instanceof Date) return `Date ${item}`;
  return item instanceof Uint8Array ? latin1(item) : item;
}

/**
 * The text of a value that the store handed out; its bytes are then the caller's, and are spoiled.
 */
export function takeText(value: Value | undefined): string {
  const text = textOf(value);
  if (value instanceof Uint8Array) value.fill(0x55);
  return text;
}
