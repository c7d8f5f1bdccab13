/**
 * Checks the options of a put: when the value expires, and whether the write is durable. A call
 * without options costs one comparison.
 */

import { MAX_DATE_MS, msOfDate } from "./clock.ts";
import { describeValue } from "./value.ts";
import type { PutOptions, PutTime } from "./writer.ts";

/**
 * The time of a value that has expired when it is put: 1970, which no clock shows. It is as good as
 * deleted.
 */
export const OVER = 0;

/** The latest time that a `Date` can show: milliseconds since 1970. */
export const MAX_EXPIRES_AT: number = MAX_DATE_MS;

/** The options of a put, checked. */
export interface CheckedPutOptions {
  /** Whether the write is durable before it resolves, whatever the store's own setting. */
  readonly sync: boolean;
  /**
   * The time at which the value expires, an integer of milliseconds since 1970; {@linkcode OVER} if
   * it has come. Infinity: the caller asks for none. Undefined: the options say nothing.
   */
  readonly expiresAt: number | undefined;
}

const NO_OPTIONS: CheckedPutOptions = { sync: false, expiresAt: undefined };

/**
 * Checks the options of a put, which is made at the time `nowMs()`, milliseconds since 1970. Only
 * own fields count.
 *
 * @throws {TypeError} the options are not an object, have an unknown name or two times, or a field
 *   has a wrong type
 * @throws {RangeError} the time is not one
 */
export function putOptions(
  options: PutOptions | undefined,
  nowMs: () => number,
): CheckedPutOptions {
  if (options === undefined) return NO_OPTIONS;
  for (const name of namesOf(options, "{ sync: true }")) {
    if (name === "sync" || name === "ttlMs" || name === "expiresAt") continue;
    throw new TypeError(
      `Cannot use the write options: unknown name "${name}", ` +
        'expected "sync", "ttlMs" or "expiresAt"',
    );
  }
  const own: PutOptions = { ...options };
  const { sync = false } = own;
  if (typeof sync !== "boolean") {
    throw new TypeError(
      `Cannot use the write options: "sync" is ${describeValue(sync)}, expected true or false`,
    );
  }
  return { sync, expiresAt: expiresAtOf(own, nowMs) };
}

/**
 * As `putOptions`, for a put in a batch, whose other options belong to the whole batch. Returns the
 * time alone.
 */
export function putTime(options: PutTime | undefined, nowMs: () => number): number | undefined {
  if (options === undefined) return undefined;
  for (const name of namesOf(options, "{ ttlMs: 60_000 }")) {
    if (name === "ttlMs" || name === "expiresAt") continue;
    throw new TypeError(
      `Cannot use the options of a put in a batch: unknown name "${name}", ` +
        'expected "ttlMs" or "expiresAt"',
    );
  }
  return expiresAtOf({ ...options }, nowMs);
}

/** The time that a put asks for: undefined for none, also if it says so. */
export function finiteTime(expiresAt: number | undefined): number | undefined {
  return expiresAt === Infinity ? undefined : expiresAt;
}

/**
 * The options of a change that is to end as a put does: without a time of its own it removes an old
 * one.
 */
export function asPut(options: PutOptions | undefined): PutOptions {
  const hasTime = options?.ttlMs !== undefined || options?.expiresAt !== undefined;
  return hasTime ? options : { ...options, expiresAt: Infinity };
}

function expiresAtOf({ ttlMs, expiresAt }: PutTime, nowMs: () => number): number | undefined {
  if (ttlMs !== undefined && expiresAt !== undefined) {
    throw new TypeError('Cannot use the write options: "ttlMs" and "expiresAt" exclude each other');
  }
  if (ttlMs !== undefined) {
    requireNumber("ttlMs", ttlMs);
    if (!(ttlMs >= 0)) throw badTime("ttlMs", ttlMs, "a number of milliseconds from 0");
    return pointInTime("ttlMs", nowMs() + ttlMs, ttlMs, nowMs);
  }
  if (expiresAt === undefined) return undefined;
  const time = msOfDate(expiresAt) ?? expiresAt as number;
  requireNumber("expiresAt", time);
  return pointInTime("expiresAt", time, time, nowMs);
}

function pointInTime(name: string, time: number, given: number, nowMs: () => number): number {
  if (time === Infinity) return time;
  // A value never expires before its time.
  const whole = Math.ceil(time);
  if (!(whole <= MAX_EXPIRES_AT) || whole === -Infinity) {
    throw badTime(name, given, `a time up to ${MAX_EXPIRES_AT} ms after 1970, or Infinity`);
  }
  return whole <= nowMs() ? OVER : whole;
}

function namesOf(options: unknown, example: string): string[] {
  const isObject = typeof options === "object" && options !== null;
  const names = isObject ? Object.keys(options) : [];
  // An array, a Map, a signal: they have no own names, and do not mean "no options".
  if (names.length > 0 || Object.prototype.toString.call(options) === "[object Object]") {
    return names;
  }
  throw new TypeError(
    `Cannot use the write options: found ${describeValue(options)}, ` +
      `expected an object such as ${example}`,
  );
}

function requireNumber(name: string, value: unknown): void {
  if (typeof value === "number") return;
  const expected = name === "ttlMs" ? "a number" : "a number or a Date";
  throw new TypeError(
    `Cannot use the write options: "${name}" is ${describeValue(value)}, expected ${expected}`,
  );
}

function badTime(name: string, found: number, expected: string): RangeError {
  return new RangeError(
    `Cannot use the write options: "${name}" is ${found}, expected ${expected}`,
  );
}
