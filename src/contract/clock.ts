/**
 * The time of day for stores that are written against the contract: that of the program, which a
 * test may replace. Values expire by it.
 */

/** Milliseconds since 1970. */
export function nowMs(): number {
  return Date.now();
}

/** The milliseconds of a `Date` of any realm, or undefined for any other value. */
export function msOfDate(value: unknown): number | undefined {
  const isDate = Object.prototype.toString.call(value) === "[object Date]";
  return isDate ? Date.prototype.getTime.call(value) : undefined;
}

/** A `Date` at a time. */
export function dateAt(ms: number): Date {
  return new Date(ms);
}

/** Waits for a number of milliseconds of real time. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
