/**
 * The checks of the typed writes (`putString` and so on). Each returns what is to be stored.
 *
 * @throws {TypeError} the value has another type
 */

import { jsonText } from "./json_text.ts";
import { describeValue, type RecordValue } from "./value.ts";

/** A string. */
export function stringOf(value: string): string {
  requireType(typeof value === "string", value, "a string");
  return value;
}

/** An integer, as a bigint. */
export function int64Of(value: bigint | number): bigint {
  const isInteger = typeof value === "bigint" || Number.isSafeInteger(value);
  requireType(isInteger, value, "a bigint or a safe integer");
  return BigInt(value);
}

/** A number. */
export function float64Of(value: number): number {
  requireType(typeof value === "number", value, "a number");
  return value;
}

/** A boolean. */
export function boolOf(value: boolean): boolean {
  requireType(typeof value === "boolean", value, "a boolean");
  return value;
}

/** Bytes. The put itself refuses views of other kinds. */
export function bytesOf(value: Uint8Array): Uint8Array {
  requireType(ArrayBuffer.isView(value), value, "a Uint8Array");
  return value;
}

/** The JSON text of a value. */
export function jsonOf(value: unknown): string {
  return jsonText(value, "any");
}

/** A plain object or an array. The put itself refuses other objects. */
export function recordOf(value: RecordValue): RecordValue {
  const isObject = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
  requireType(isObject, value, "an object");
  return value;
}

function requireType(isRight: boolean, value: unknown, expected: string): void {
  if (isRight) return;
  throw new TypeError(
    `Cannot store the value: found ${describeValue(value)}, expected ${expected}`,
  );
}
