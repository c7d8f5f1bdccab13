/** When values expire: times as people write and read them. */

import { UsageError } from "../errors.ts";

/** The latest time of a `Date`, milliseconds since 1970. */
const MAX_TIME = 8.64e15;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** An ISO 8601 date, with or without a time of day and its zone. */
const ISO = /^[+-]?\d{4,6}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** A time for people, in UTC: "2027-01-15 08:00:00Z". */
export function expiryText(expiresAt: number): string {
  return new Date(expiresAt).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

/** Whether a number can be a time at which a value expires. */
export function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= MAX_TIME;
}

/** The `Date` of an ISO 8601 time with its zone, or of a day in UTC; undefined if it is not one. */
export function parseDate(text: string): Date | undefined {
  const isClear = ISO.test(text) && (!text.includes(":") || /(?:Z|[+-]\d\d:\d\d)$/.test(text));
  const date = new Date(isClear ? text.replace(" ", "T") : NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/**
 * The time that `--ttl` and `--expires-at` mean, in milliseconds since 1970; undefined without
 * both.
 *
 * @throws {UsageError} it is no time, or not after now; or both are given
 */
export function expiryOf(
  options: {
    readonly ttl?: string | undefined;
    readonly "expires-at"?: string | undefined;
  },
  now: number,
): number | undefined {
  const { ttl, "expires-at": at } = options;
  if (ttl !== undefined && at !== undefined) {
    throw new UsageError("--ttl and --expires-at are given: choose one");
  }
  if (ttl !== undefined) {
    const time = Math.ceil(now + durationOf(ttl));
    if (isTime(time)) return time;
    throw new UsageError(`--ttl is "${ttl}", expected a time before the year 275760`);
  }
  if (at === undefined) return undefined;
  const time = /^\d+$/.test(at) ? Number(at) : ISO.test(at) ? Date.parse(at) : NaN;
  if (!isTime(time)) {
    throw new UsageError(
      `--expires-at is "${at}", expected milliseconds since 1970 or a time such as ` +
        "2027-01-15T08:00:00Z",
    );
  }
  if (time > now) return time;
  throw new UsageError(
    `--expires-at is "${at}", which is over: ${expiryText(time)}`,
    "To remove a key, use delete.",
  );
}

function durationOf(text: string): number {
  const [, digits, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const duration = Number(digits ?? NaN) * UNIT_MS[unit]!;
  if (duration > 0) return duration;
  throw new UsageError(
    `--ttl is "${text}", expected milliseconds, or a number with a unit: 500ms, 30s, 10m, 12h, 7d`,
  );
}
