/** Writes that depend on the stored value, for the store and its transactions. */

import { copyValue, TypeMismatchError, type Value } from "@tinykvs/core/contract";
import type { Stored } from "./lane.ts";
import { checkedValue, compare, type KeyChange, requireLength } from "./operations.ts";
import { decodeValue, encodeValue } from "./value_codec.ts";

/** One such write. Its function may be called several times; the result is that of the last one. */
export interface Conditional<T> {
  /** What to write for what is stored; undefined means nothing. */
  modify(old: Stored | undefined): KeyChange | undefined;
  /** What the call resolves to. */
  result(): T;
}

/** The key of the write, and the time of expiry that its options ask for. */
export interface Place {
  readonly key: Uint8Array;
  readonly id: string;
  /** In ms since 1970; Infinity for never. Undefined: the options do not say. */
  readonly expiresAt: number | undefined;
}

/** A value that was checked, as bytes. @throws {TypeError | RangeError} it can't be stored */
export function storableValue(value: Value): Uint8Array {
  // Before it is copied: a character has at least one byte.
  requireLength(value);
  return checkedValue(encodeValue(copyValue(value)));
}

/** Puts if there is nothing. */
export function putIfNotExists(
  place: Place,
  value: Uint8Array,
): Conditional<boolean> {
  return decision((old) =>
    old === undefined ? [true, put(place, value, Infinity)] : [false, undefined]
  );
}

/** Puts if the stored type and bytes are those. */
export function putIfEquals(
  place: Place,
  value: Uint8Array,
  expected: Uint8Array,
): Conditional<boolean> {
  return decision((old) =>
    old !== undefined && compare(old.value, expected) === 0
      ? [true, put(place, value, Infinity)]
      : [false, undefined]
  );
}

/** Deletes what is there. */
export function deleteIfExists(place: Place): Conditional<boolean> {
  return decision((old) => {
    if (old === undefined) return [false, undefined];
    return [true, remove(place)];
  });
}

/** Adds to an int64. @throws {TypeError} `by` is neither a bigint nor a safe integer */
export function increment(
  place: Place,
  by: bigint | number,
): Conditional<bigint> {
  if (typeof by !== "bigint" && !Number.isSafeInteger(by)) {
    throw new TypeError(
      `Cannot store the value: found ${String(by)}, expected a bigint or a safe integer`,
    );
  }
  const added = BigInt(by);
  return decision((old) => {
    const value = old === undefined ? 0n : decodeValue(old.value);
    if (typeof value !== "bigint") {
      throw new TypeMismatchError(typeName(value), "int64");
    }
    const sum = value + added;
    if (BigInt.asIntN(64, sum) !== sum) {
      throw new RangeError(
        `Cannot increment the key: ${sum} is outside -2^63 to 2^63 - 1`,
      );
    }
    return [sum, put(place, encodeValue(sum), old?.expiresAt ?? Infinity)];
  });
}

/** Stores what a function makes. */
export function update(
  place: Place,
  change: (old: Value | undefined) => Value | undefined,
): Conditional<Value | undefined> {
  if (typeof change !== "function") {
    throw new TypeError(
      `Cannot update the key: found ${typeof change}, expected a function`,
    );
  }
  return decision((old) => {
    const made = change(old && decodeValue(old.value));
    if (made === undefined) {
      return [undefined, old && remove(place)];
    }
    const value = storableValue(made);
    return [decodeValue(value), put(place, value, old?.expiresAt ?? Infinity)];
  });
}

function put(
  { key, id, expiresAt }: Place,
  value: Uint8Array,
  otherwise: number,
): KeyChange {
  return { key, id, value, expiresAt: expiresAt ?? otherwise };
}

function remove({ key, id }: Place): KeyChange {
  return { key, id, value: undefined, expiresAt: Infinity };
}

function decision<T>(
  decide: (
    old: Stored | undefined,
  ) => [result: T, change: KeyChange | undefined],
): Conditional<T> {
  let result: T;
  return {
    modify(old) {
      const [decided, change] = decide(old);
      result = decided;
      return change;
    },
    result: () => result,
  };
}

function typeName(value: Value): string {
  switch (typeof value) {
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    case "string":
      return "string";
    default:
      return ArrayBuffer.isView(value) ? "bytes" : "record";
  }
}
