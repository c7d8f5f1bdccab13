/** Converts the keys of a sub to bytes and back, and gives them types. */

import type { Key } from "../value.ts";
import { decodeTuple, encodeTuple, type Tuple } from "./tuple.ts";

/**
 * Converts keys of your own type to bytes and back. The bytes decide the order of keys and what a
 * prefix is. If `decode` throws, the reader gets a `StoreError` with code `KEY_ENCODING`.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { KeyCodec } from "@tinykvs/core/contract";
 *
 * const days: KeyCodec<Date> = {
 *   encode: (day) => new TextEncoder().encode(day.toISOString().slice(0, 10)),
 *   decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
 * };
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const visits = store.sub("visits", { key: days });
 * await visits.increment(new Date("2026-11-30"));
 * console.log((await visits.keys().toArray())[0]?.getUTCFullYear()); // 2026
 * ```
 */
export interface KeyCodec<In, Out = In> {
  /** Encodes a key. The sub owns the bytes afterwards. Two keys must not have the same bytes. */
  encode(key: In): Uint8Array;
  /** Decodes a key. Do not change the bytes. */
  decode(bytes: Uint8Array): Out;
  /**
   * Returns the first bytes after all keys that have `key` as their prefix. Default: a key has that
   * prefix if its bytes begin with the bytes of `key`.
   */
  endOfPrefix?(key: In): Uint8Array;
}

/**
 * The keys of a sub: text and bytes as in a store (`"store"`), only text, only bytes, tuples, or
 * the keys of a codec.
 */
// deno-lint-ignore no-explicit-any
export type KeyChoice = "store" | "utf8" | "bytes" | "tuple" | KeyCodec<any, any>;

/** The type of keys that a sub takes. */
export type KeyGiven<C extends KeyChoice> = C extends "store" ? Key
  : C extends "utf8" ? string
  : C extends "bytes" ? Uint8Array
  : C extends "tuple" ? Tuple
  // deno-lint-ignore no-explicit-any
  : C extends KeyCodec<infer In, any> ? In
  : never;

/** The type of keys that a sub shows. `Stored` is the type that its store shows. */
export type KeyShown<C extends KeyChoice, Stored = Key> = C extends "store" ? Stored
  : C extends "utf8" ? string
  : C extends "bytes" ? Uint8Array
  : C extends "tuple" ? Tuple
  // deno-lint-ignore no-explicit-any
  : C extends KeyCodec<any, infer Out> ? Out
  : never;

const TUPLES: KeyCodec<Tuple> = {
  encode: encodeTuple,
  decode: decodeTuple,
  // The extensions of a tuple continue with a tag, and no tag is FF. Keys that continue with FF are
  // other tuples, whose last part has an escaped 00 there.
  endOfPrefix(tuple) {
    const bytes = encodeTuple(tuple);
    const end = new Uint8Array(bytes.length + 1).fill(0xff);
    end.set(bytes);
    return end;
  },
};

/**
 * Tuples as keys, with a type that the caller states: `tuple<[user: string, at: number]>()`. Each
 * part must be valid in a tuple, but its type is not checked.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import { tuple } from "@tinykvs/core/contract";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const events = store.sub("events", { key: tuple<[user: string, at: number]>() });
 * await events.put(["alice", 10], "in");
 * await events.put(["alice", 9], "out");
 * for await (const [[user, at], what] of events.entries()) console.log(user, at, what);
 * // alice 9 out | alice 10 in
 * ```
 */
export function tuple<T extends Tuple = Tuple>(): KeyCodec<T> {
  return TUPLES as unknown as KeyCodec<T>;
}
