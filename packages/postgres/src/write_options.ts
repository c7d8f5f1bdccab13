/** The options of writes: when the value expires, and whether the write must be durable. */

import { wantsSync, type WriteOptions } from "@tinykvs/core/contract";

/** The options of a put. A put without a time removes an old one. */
export interface PutOptions extends WriteOptions {
  /** The number of milliseconds from this call on, from 0; Infinity for a value that stays. */
  ttlMs?: number;
  /** The point in time, in milliseconds since 1970 or as a `Date`; Infinity as above. */
  expiresAt?: number | Date;
}

/** The options, checked. */
export interface CheckedWrite {
  readonly sync: boolean;
  /**
   * In ms since 1970: 0 if the value does not expire, {@linkcode OVER} if it has expired already.
   * Undefined: the options do not say.
   */
  readonly expiresAt: number | undefined;
}

/** A time that has come for every clock. */
export const OVER = 1;

const MAX_TIME = 8.64e15;
const PLAIN: CheckedWrite = { sync: false, expiresAt: undefined };

/** @throws {TypeError | RangeError} the options are not valid */
export function putOptionsOf(
  options: PutOptions | undefined,
  now: () => number,
): CheckedWrite {
  if (options === undefined) return PLAIN;
  if (Object.prototype.toString.call(options) !== "[object Object]") {
    return { sync: wantsSync(options), expiresAt: undefined };
  }
  const { ttlMs, expiresAt, ...rest } = options;
  return { sync: wantsSync(rest), expiresAt: timeOf(ttlMs, expiresAt, now) };
}

/**
 * The time of expiry that an operation or the options of a put have.
 *
 * @throws {TypeError | RangeError} it is not a time
 */
export function timeOf(
  ttlMs: unknown,
  expiresAt: unknown,
  now: () => number,
): number | undefined {
  if (ttlMs === undefined && expiresAt === undefined) return undefined;
  if (ttlMs !== undefined && expiresAt !== undefined) {
    throw new TypeError(
      'Cannot use the write options: "ttlMs" and "expiresAt" exclude each other',
    );
  }
  const [name, given] = ttlMs === undefined ? ["expiresAt", expiresAt] : ["ttlMs", ttlMs];
  const isDate = name === "expiresAt" && given instanceof Date;
  const number = isDate ? given.getTime() : given;
  if (typeof number !== "number") {
    throw new TypeError(
      `Cannot use the write options: "${name}" is ${typeof number}, expected a number` +
        (name === "ttlMs" ? "" : " or a Date"),
    );
  }
  const time = Math.ceil(name === "ttlMs" ? now() + number : number);
  if (number === Infinity) return 0;
  if (
    !(time <= MAX_TIME) || time === -Infinity ||
    (name === "ttlMs" && number < 0)
  ) {
    throw new RangeError(
      `Cannot use the write options: "${name}" is ${number}, expected ` +
        (name === "ttlMs" ? "a number of milliseconds from 0" : "a time") +
        ` that ends at most ${MAX_TIME} ms after 1970, or Infinity`,
    );
  }
  return time <= now() ? OVER : time;
}
