/** Converts the values of a sub to values of a store and back, and gives them types. */

import { isErrorLike, messageOf, TypeMismatchError, ValidationError } from "../../errors.ts";
import { jsonText } from "../json_text.ts";
import { isSameValue } from "../rules.ts";
import { describeValue, type Value, valueTypeName } from "../value.ts";
import { isSchema, issuesText, type SchemaResult, type StandardSchema } from "./standard_schema.ts";

/**
 * Converts values of your own type to values of a store and back. An error from `encode` reaches
 * the caller unchanged. An error from `decode` becomes the cause of a `TypeMismatchError`.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { ValueCodec } from "@tinykvs/core/contract";
 *
 * const dates: ValueCodec<Date> = {
 *   encode: (date) => date.getTime(),
 *   decode: (stored) => new Date(stored as number),
 * };
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const logins = store.sub("logins", { value: dates });
 * await logins.put("alice", new Date(0));
 * console.log((await logins.get("alice"))?.getUTCFullYear()); // 1970
 * ```
 */
export interface ValueCodec<In, Out = In> {
  /** Encodes a value. */
  encode(value: In): Value;
  /** Decodes a stored value, which the codec owns from now on. */
  decode(stored: Value): Out;
}

/** A value that JSON can express. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/**
 * The values of a sub: those of a store, JSON texts, those that a schema accepts, or those of a
 * codec.
 */
export type ValueChoice =
  | "store"
  | "json"
  // deno-lint-ignore no-explicit-any
  | StandardSchema<any, any>
  // deno-lint-ignore no-explicit-any
  | ValueCodec<any, any>;

/** The type of values that a sub takes. */
export type ValueGiven<C extends ValueChoice> = C extends "store" ? Value
  : C extends "json" ? JsonValue
  : C extends { readonly "~standard": { readonly types?: infer T } }
    ? NonNullable<T> extends { readonly input: infer In } ? In : unknown
  // deno-lint-ignore no-explicit-any
  : C extends ValueCodec<infer In, any> ? In
  : never;

/** The type of values that a sub shows. `Stored` is the type that its store shows. */
export type ValueShown<C extends ValueChoice, Stored = Value> = C extends "store" ? Stored
  : C extends "json" ? JsonValue
  : C extends { readonly "~standard": { readonly types?: infer T } }
    ? NonNullable<T> extends { readonly output: infer Out } ? Out : unknown
  // deno-lint-ignore no-explicit-any
  : C extends ValueCodec<any, infer Out> ? Out
  : never;

/** A codec that knows its sub. */
export interface BoundValueCodec {
  /** @throws {TypeError | RangeError | ValidationError} the value cannot be stored */
  encode(value: unknown): Value;
  /**
   * `key` returns the key as text.
   *
   * @throws {TypeMismatchError} the stored value is not a value of the sub
   */
  decode(stored: Value, key: () => string): unknown;
}

/**
 * JSON texts as values, with a type that the caller states: `json<User>()`. A value that would not
 * come back, such as NaN or a Date, is a `TypeError` that names the place.
 */
export function json<T = JsonValue>(): ValueCodec<T> {
  return JSON_TEXTS as ValueCodec<T>;
}

const JSON_TEXTS: ValueCodec<unknown> = {
  encode(value) {
    return jsonText(value, "plain");
  },
  decode(stored) {
    if (typeof stored !== "string") throw new TypeError("expected a string that holds JSON");
    return JSON.parse(stored);
  },
};

/**
 * Makes the codec of a choice. `sub` is the name of the sub. Returns undefined for the store's own
 * values.
 *
 * @throws {TypeError} it is not a valid choice
 */
export function bindValueCodec(choice: unknown, sub: string): BoundValueCodec | undefined {
  if (choice === undefined || choice === "store") return undefined;
  if (isSchema(choice)) return new SchemaCodec(choice, sub);
  const codec = choice === "json" ? JSON_TEXTS : choice as Partial<ValueCodec<unknown>> | null;
  if (typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
    const found = typeof choice === "string" ? JSON.stringify(choice) : describeValue(choice);
    throw new TypeError(
      `Cannot make sub ${sub}: "value" is ${found}, expected "store", "json", a Standard Schema, ` +
        "or a codec with encode and decode",
    );
  }
  const { encode, decode } = codec as ValueCodec<unknown>;
  return {
    encode: (value) => encode.call(codec, value),
    decode(stored, key) {
      try {
        return decode.call(codec, stored);
      } catch (error) {
        throw mismatch(stored, sub, key(), messageOf(error), error);
      }
    },
  };
}

/**
 * Values with a schema. The codec stores the schema's output. A stored value must be valid, and a
 * second validation must not change it. So a read returns what was written, and equal values have
 * equal stored forms.
 */
class SchemaCodec implements BoundValueCodec {
  readonly #schema: StandardSchema["~standard"];
  readonly #sub: string;

  constructor(schema: StandardSchema, sub: string) {
    this.#schema = schema["~standard"];
    this.#sub = sub;
  }

  encode(given: unknown): Value {
    const value = this.#valid(given);
    // Most schemas return their input or a copy of it. The check of the output is then already
    // done.
    if (!isSame(value, given) && !isSame(this.#valid(value), value)) {
      throw new TypeError(
        `Cannot store the value in sub ${this.#sub}: its schema changes what it has made itself, ` +
          "so another value would be read; expected a schema without such a transformation, or a codec",
      );
    }
    return value as Value;
  }

  decode(stored: Value, key: () => string): unknown {
    const result = this.#validate(stored);
    if (result.issues === undefined) return result.value;
    throw mismatch(
      stored,
      this.#sub,
      key(),
      issuesText(result.issues),
      new ValidationError("The stored value is not valid", result.issues),
    );
  }

  #valid(value: unknown): unknown {
    const result = this.#validate(value);
    if (result.issues === undefined) return result.value;
    throw new ValidationError(
      `Cannot store the value in sub ${this.#sub}: ${issuesText(result.issues)}`,
      result.issues,
    );
  }

  #validate(value: unknown): SchemaResult<unknown> {
    const result = this.#schema.validate(value);
    if (!isPromiseLike(result)) return result as SchemaResult<unknown>;
    // Nobody waits for this promise, so ignore its failure.
    result.then(undefined, () => {});
    throw new TypeError(
      `Cannot validate a value of sub ${this.#sub}: its schema validates asynchronously, ` +
        "expected a synchronous schema",
    );
  }
}

function mismatch(
  stored: Value,
  sub: string,
  key: string,
  reason: string,
  cause: unknown,
): TypeMismatchError {
  const expected = `a value of sub ${sub} under key ${key} (${reason})`;
  return new TypeMismatchError(valueTypeName(stored), expected, { cause });
}

/**
 * Whether two values have the same stored form. False if one cannot be stored, because `put`
 * reports that better.
 */
function isSame(a: unknown, b: unknown): boolean {
  try {
    return isSameValue(a as Value, b as Value);
  } catch (error) {
    if (isErrorLike(error)) return false;
    throw error;
  }
}

/** Whether the value is a promise, of any realm and library. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
