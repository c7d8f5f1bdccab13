/**
 * The decisions of writes that depend on a key's value, as pure functions of the key's entry. The
 * store and transactions share them. The two differ in the source of the entry and in the target of
 * the write.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import { finiteTime } from "../../contract/put_options.ts";
import { int64Of } from "../../contract/typed_values.ts";
import { addInt64 } from "../../contract/writer_base.ts";
import type { EntryView } from "../../iterator/entry_cursor.ts";
import type { Key, Value } from "../../value/value.ts";
import { contentStart } from "../../value/expiry.ts";
import { encodeValue } from "../../value/value_codec.ts";
import { type EntryDecoder, expiryOf } from "../read/entry_decoder.ts";
import { EmbeddedBatch } from "./batch.ts";

/** What to do with a key. */
export interface Decision<T> {
  /** The result for the caller. */
  readonly result: T;
  /** What to write, or undefined to write nothing. */
  readonly batch: EmbeddedBatch | undefined;
}

/**
 * Reads a key's entry and decides. Call it only once, in the same synchronous step that shows the
 * entry.
 */
export type Decide<T> = (entry: EntryView | undefined) => Decision<T>;

/** The function that a user passes to `update`. */
export type Change<V = Value> = (old: V | undefined) => Value | undefined;

const UNCHANGED: Decision<boolean> = { result: false, batch: undefined };

/** Removes the key if it exists. */
export function deletion(key: Key): Decide<boolean> {
  const batch = new EmbeddedBatch().delete(key);
  return (entry) => entry === undefined ? UNCHANGED : { result: true, batch };
}

/** Stores a value if the key has none. `expiresAt` is an option of the call, here and below. */
export function creation(
  key: Key,
  value: Value,
  expiresAt: number | undefined,
): Decide<boolean> {
  const batch = new EmbeddedBatch().add(key, value, finiteTime(expiresAt));
  return (entry) => entry === undefined ? { result: true, batch } : UNCHANGED;
}

/** Stores a value if the key's value has the same encoding as `expected`. */
export function replacement(
  key: Key,
  value: Value,
  expected: Value,
  expiresAt: number | undefined,
): Decide<boolean> {
  const wanted = new ByteWriter(64);
  encodeValue(expected, wanted);
  const batch = new EmbeddedBatch().add(key, value, finiteTime(expiresAt));
  return (entry) => {
    if (entry === undefined || !isEncoding(wanted, entry)) return UNCHANGED;
    return { result: true, batch };
  };
}

/** Adds to the key's int64 value, which keeps its time if the call has none. */
export function addition(
  key: Key,
  by: bigint | number,
  decoder: Pick<EntryDecoder, "stored">,
  expiresAt: number | undefined,
): Decide<bigint> {
  const added = int64Of(by);
  const stored = decoder.stored("int64");
  return (entry) => {
    const result = addInt64(entry === undefined ? 0n : stored(entry) as bigint, added);
    return { result, batch: new EmbeddedBatch().add(key, result, timeAfter(entry, expiresAt)) };
  };
}

/**
 * Stores what `change` returns for the value, which keeps its time if the call has none. Calls
 * `requireUnchanged` after `change` has returned.
 */
export function alteration<V extends Value>(
  key: Key,
  change: Change<V>,
  decoder: Pick<EntryDecoder<never, V>, "value">,
  expiresAt: number | undefined,
  requireUnchanged: () => void,
): Decide<Value | undefined> {
  return (entry) => {
    const old = entry && decoder.value(entry);
    // The entry is valid only until the caller's function runs.
    const time = timeAfter(entry, expiresAt);
    const result = change(old);
    let batch: EmbeddedBatch | undefined;
    if (result !== undefined) batch = new EmbeddedBatch().add(key, result, time);
    else if (old !== undefined) batch = new EmbeddedBatch().delete(key);
    // The caller's function, and getters of what it returns, may have done anything.
    requireUnchanged();
    return { result, batch };
  };
}

/** @throws {TypeError} the argument of `update` is not a function */
export function requireChange(change: unknown): void {
  if (typeof change === "function") return;
  throw new TypeError(`Cannot update the key: found ${typeof change}, expected a function`);
}

/** The error for a function that `update` calls and that writes to the key itself. */
export function changedBeside(): TypeError {
  return new TypeError("Cannot update the key: the function that changes it has written to it");
}

/** The time of a changed value: that of the call, or the one that it has. */
function timeAfter(entry: EntryView | undefined, given: number | undefined): number | undefined {
  if (given !== undefined) return finiteTime(given);
  return entry && expiryOf(entry);
}

/** Whether the entry's value has the encoding `wanted`, whenever it expires. */
function isEncoding({ bytes, length }: ByteWriter, entry: EntryView): boolean {
  const { valueBytes, valueEnd } = entry;
  const valueStart = contentStart(valueBytes, entry.valueStart);
  if (valueEnd - valueStart !== length) return false;
  for (let i = 0; i < length; i++) if (valueBytes[valueStart + i] !== bytes[i]) return false;
  return true;
}

/**
 * A copy of the key that the caller cannot change. If the value cannot be a key, the encoder
 * reports it.
 */
export function ownKey(key: Key): Key {
  const isOwned = typeof key === "string" || !isBytes(key) || key.length === 0;
  return isOwned ? key : new Uint8Array(key);
}
