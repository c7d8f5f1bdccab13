/**
 * What a store holds: the types of keys and values, their limits, and the type bytes on disk.
 *
 * The type bytes are those of the Go TinyKVS (docs/FORMAT.md). An encoded value is one type
 * byte and then:
 *
 *   1 int64       8 bytes, two's complement, little-endian
 *   2 float64     8 bytes, IEEE 754, little-endian
 *   3 bool        1 byte: 0 is false, anything else true; 0 or 1 is written
 *   4 string      u8 flag (0), u32 length, that many bytes of UTF-8
 *   5 bytes       u8 flag (0), u32 length, that many bytes
 *   6 tombstone   nothing: the key is deleted
 *   7 record      u32 length, that many bytes of MessagePack: one map (length 0 is an empty one)
 *   8 msgpack     u32 length, that many bytes of MessagePack: here an array; Go's maps and structs
 *                 (v0.7 and later, which reads at most 1 MB of a record from v0.10 on) and whatever
 *                 else its callers stored, but for a nil
 *
 * What follows an encoded value inside its range is ignored, as Go does.
 */

import type { Extension } from "./extension.ts";

/** A key. Strings are stored as UTF-8; the order of keys is the unsigned order of their bytes. */
export type Key = string | Uint8Array;

/** Something inside a record. */
export type RecordItem =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Uint8Array
  | Extension
  | RecordValue;

/**
 * A plain object or an array, nested at most {@linkcode MAX_RECORD_DEPTH} deep.
 *
 * An object is stored by its own enumerable string-keyed properties, in their order; one whose
 * value is `undefined` is left out, so that it reads as `undefined` again. `undefined` in an array,
 * and a hole, is a TypeError, as are instances of classes other than Array, Uint8Array and
 * {@linkcode Extension}. `toJSON` is a property like any other. A bigint lies in -2^63 to 2^64 - 1.
 */
export type RecordValue = { readonly [name: string]: RecordItem } | readonly RecordItem[];

/** A value; it comes out of the store with the type it went in with. */
export type Value = string | number | bigint | boolean | Uint8Array | RecordValue;

/** The name of a stored type, as errors and typed getters use it. */
export type ValueTypeName = "int64" | "float64" | "bool" | "string" | "bytes" | "record";

/** Type byte of a bigint. */
export const TYPE_INT64 = 1;
/** Type byte of a number. */
export const TYPE_FLOAT64 = 2;
/** Type byte of a boolean. */
export const TYPE_BOOL = 3;
/** Type byte of a string. */
export const TYPE_STRING = 4;
/** Type byte of a Uint8Array. */
export const TYPE_BYTES = 5;
/** Type byte of a deleted key. */
export const TYPE_TOMBSTONE = 6;
/** Type byte of a plain object. */
export const TYPE_RECORD = 7;
/** Type byte of an array, and of whatever else Go's callers stored as raw MessagePack. */
export const TYPE_MSGPACK = 8;

/** Longest key in bytes: 64 KiB. */
export const MAX_KEY_BYTES = 65536;

/** Longest encoded value in bytes: 1 GiB less room for what surrounds it in a log or a block. */
export const MAX_VALUE_BYTES: number = 2 ** 30 - 64;

/** How many arrays and objects may lie inside one another in a record, the outermost included. */
export const MAX_RECORD_DEPTH = 64;

/** What `value` is, for the text of an error: "a function", "an instance of Date", "null". */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const constructor: unknown = Object.getPrototypeOf(value)?.constructor;
  return typeof constructor === "function" && constructor !== Object && constructor.name !== ""
    ? `an instance of ${constructor.name}`
    : "an object";
}
