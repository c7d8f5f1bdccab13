/** The few assertions that the suite needs, on every runtime. */

import { msOfDate } from "../clock.ts";

/** Throws unless the two are equal, type for type: NaN equals NaN, 0 does not equal -0. */
export function equal(found: unknown, expected: unknown, what = "the result"): void {
  if (isAlike(found, expected)) return;
  throw new Error(`${what} is ${show(found)}, expected ${show(expected)}`);
}

/** What an error must be: a stable code, or one of the built-in classes by its name. */
export type ExpectedError =
  | "TypeError"
  | "RangeError"
  | "SyntaxError"
  | { readonly code: string };

/** Throws unless `act` throws, or rejects with, the expected error. */
export async function fails(
  act: () => unknown,
  expected: ExpectedError,
  what = "the call",
): Promise<void> {
  let found: unknown;
  try {
    found = await act();
  } catch (error) {
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (typeof expected === "string" ? name === expected : code === expected.code) return;
    throw new Error(
      `${what} fails by ${String(name)} ${String(code)}, expected ${show(expected)}`,
      {
        cause: error,
      },
    );
  }
  throw new Error(`${what} gives ${show(found)}, expected it to fail by ${show(expected)}`);
}

function isAlike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) !== ArrayBuffer.isView(b)) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [time, otherTime] = [msOfDate(a), msOfDate(b)];
  if (time !== undefined || otherTime !== undefined) return time === otherTime;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) =>
    Object.hasOwn(b, name) &&
    isAlike((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])
  );
}

function show(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`;
    case "string":
      return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value);
    case "object": {
      if (value === null) return "null";
      if (msOfDate(value) !== undefined) return `the Date ${msOfDate(value)}`;
      const items = Array.isArray(value) || ArrayBuffer.isView(value)
        ? Array.from(value as ArrayLike<unknown>).slice(0, 30).map(show)
        : Object.entries(value).slice(0, 30).map(([name, item]) => `${name}: ${show(item)}`);
      return Array.isArray(value) ? `[${items.join(", ")}]` : `{${items.join(", ")}}`;
    }
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}
