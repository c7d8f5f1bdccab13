/** How the keys of a sub become bytes, and how they are typed. */

import type { Key } from "../value.ts";
import { decodeTuple, encodeTuple, type Tuple } from "./tuple.ts";

/**
 * Keys of a type of one's own, as bytes and back. Order and prefixes are those of the bytes. What
 * `decode` throws is a `StoreError` with code `KEY_ENCODING` to whoever reads.
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
  /**
   * The bytes of a key, which are the sub's from then on. Two keys must not have the same bytes.
   */
  encode(key: In): Uint8Array;
  /** The key of bytes, which must not be changed. */
  decode(bytes: Uint8Array): Out;
  /**
   * The bytes before which all keys are that have `key` as their prefix. Default: those that begin
   * with the bytes of `key`.
   */
  endOfPrefix?(key: In): Uint8Array;
}

/**
 * What keys a sub has: those of a store (`"store"`, text and bytes), only text, only bytes, tuples,
 * or those of a codec.
 */
// deno-lint-ignore no-explicit-any
export type KeyChoice = "store" | "utf8" | "bytes" | "tuple" | KeyCodec<any, any>;

/** The type of keys that are given to a sub. */
export type KeyGiven<C extends KeyChoice> = C extends "store" ? Key
  : C extends "utf8" ? string
  : C extends "bytes" ? Uint8Array
  : C extends "tuple" ? Tuple
  // deno-lint-ignore no-explicit-any
  : C extends KeyCodec<infer In, any> ? In
  : never;

/** The type of keys that a sub shows; `Stored` is what its store shows. */
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
  // No tag is FF: after it are no extensions, but tuples whose last part goes on (a 00 escaped by
  // it) are.
  endOfPrefix(tuple) {
    const bytes = encodeTuple(tuple);
    const end = new Uint8Array(bytes.length + 1).fill(0xff);
    end.set(bytes);
    return end;
  },
};

/**
 * Tuples as keys, of a type that the caller claims: `tuple<[user: string, at: number]>()`. The
 * types of parts are not checked, except that they can be parts.
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
