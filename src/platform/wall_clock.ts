/**
 * The time of day as the program sees it. Libraries that adapters are for work out by it when a
 * value ends, so the adapters judge by it too: under a fake clock, both go by the fake one. The
 * engine never asks it.
 */

/** Milliseconds since 1970. */
export function wallClockMs(): number {
  return Date.now();
}
