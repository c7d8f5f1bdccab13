/**
 * The time of day as the program sees it: values expire by it, and nothing else in the engine asks
 * it. It is the `Date` of the moment of the call. Under a fake clock the program works out times by
 * the fake one, so the store has to judge by it, too.
 */

const RealDate = Date;
const realNow = Date.now;

/** Milliseconds since 1970. */
export function wallClockMs(): number {
  const now: unknown = globalThis.Date?.now?.();
  // A replaced Date need not have a time.
  return typeof now === "number" && now >= 0 ? now : realNow.call(RealDate);
}
