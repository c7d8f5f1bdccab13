/** What every store holds: the types of keys and values, and their limits. */

/** A key. Strings are stored as UTF-8; the order of keys is the unsigned order of their bytes. */
export type Key = string | Uint8Array;

/**
 * An item of MessagePack that JavaScript has no type for: a type from -128 to 127 and its bytes.
 * The class `Extension` of the embedded engine makes them.
 */
export interface ExtensionItem {
  /** The type; negative ones are MessagePack's own, -1 is a timestamp. */
  readonly type: number;
  /** The bytes. */
  readonly data: Uint8Array;
  /** The time in milliseconds since 1970 if this is a well-formed timestamp; else undefined. */
  readonly timestampMs: number | undefined;
}

/** An item inside a record. */
export type RecordItem =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Uint8Array
  | Date
  | ExtensionItem
  | RecordValue;

/**
 * A plain object or an array, nested at most {@linkcode MAX_RECORD_DEPTH} deep.
 *
 * An object is stored by its own enumerable string-keyed properties, in their order. A property
 * whose value is `undefined` is left out, so that it reads as `undefined` again. `undefined` in an
 * array, and a hole, is a TypeError, and so are an invalid `Date` and instances of classes other
 * than Array, Uint8Array, `Date` and `Extension`. `toJSON` is a property like any other. A bigint
 * lies in -2^63 to 2^64 - 1.
 */
export type RecordValue = { readonly [name: string]: RecordItem } | readonly RecordItem[];

/** A value; the store returns it with the type that it was stored with. */
export type Value = string | number | bigint | boolean | Uint8Array | RecordValue;

/** The name of a stored type, as errors and typed getters use it. */
export type ValueTypeName = "int64" | "float64" | "bool" | "string" | "bytes" | "record";

/** Longest key in bytes: 64 KiB. */
export const MAX_KEY_BYTES = 65536;

/** Longest encoded value in bytes: 1 GiB less room for what surrounds it in a log or a block. */
export const MAX_VALUE_BYTES: number = 2 ** 30 - 64;

/** How many arrays and objects may be nested in a record, including the outermost. */
export const MAX_RECORD_DEPTH = 64;

/** What `value` is, for the text of an error: "a function", "an instance of Date", "null". */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const constructor: unknown = Object.getPrototypeOf(value)?.constructor;
  return typeof constructor === "function" && !["", "Object"].includes(constructor.name)
    ? `an instance of ${constructor.name}`
    : "an object";
}

/** Whether `value` is a Uint8Array, or of a class derived from it, of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) &&
    Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/** The name of the type that `value` is stored as. */
export function valueTypeName(value: Value): ValueTypeName {
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int64";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    default:
      return ArrayBuffer.isView(value) ? "bytes" : "record";
  }
}
