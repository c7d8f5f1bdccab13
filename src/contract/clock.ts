/**
 * The time of day for stores that are written against the contract: that of the program, which a
 * test may replace. Values expire by it.
 */

/** Milliseconds since 1970. */
export function nowMs(): number {
  return Date.now();
}

/** The latest time of a `Date`, in milliseconds since 1970; the earliest is its negative. */
export const MAX_DATE_MS = 8.64e15;

/**
 * The milliseconds of a `Date` of any realm, or undefined for any other value. NaN is the time of
 * an invalid one.
 */
export function msOfDate(value: unknown): number | undefined {
  if (Object.prototype.toString.call(value) !== "[object Date]") return undefined;
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    // It has only the name of one.
    return undefined;
  }
}

/** A `Date` at a time. */
export function dateAt(ms: number): Date {
  return new Date(ms);
}

/** Waits for a number of milliseconds of real time. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
