/** JSON of other programs, with all digits of its integers. */

import type { RecordItem } from "@tinykvs/core";

/** No shorter integer is beyond 2^53. */
const HAS_LONG_NUMBER = /\d{16}/;

/**
 * Parses JSON. An integer beyond 2^53 becomes an int64, or an unsigned one of 64 bits, because a
 * float64 may lose its last digits. One that 64 bits do not hold becomes a float64.
 *
 * @throws {SyntaxError} it is not JSON
 */
export function parseJson(text: string): RecordItem {
  return JSON.parse(
    text,
    HAS_LONG_NUMBER.test(text) ? exact as Reviver : undefined,
  );
}

type Reviver = (name: string, value: unknown) => unknown;

function exact(
  _name: string,
  value: unknown,
  { source = "" }: { source?: string } = {},
): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  if (!/^-?\d+$/.test(source)) return value;
  const whole = BigInt(source);
  const fits = BigInt.asIntN(64, whole) === whole ||
    BigInt.asUintN(64, whole) === whole;
  return fits ? whole : value;
}

/** Whether an integer has digits that a float64 would not keep. */
export function losesDigits(integer: string): boolean {
  const digits = integer.replace(/^\+/, "");
  const number = Number(digits);
  if (!/^-?\d+$/.test(digits) || Number.isSafeInteger(number)) return false;
  return String(number) !== digits && BigInt(number) !== BigInt(digits);
}
