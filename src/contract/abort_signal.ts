/**
 * Signals that end a call. They are checked when they are given, so that a mistake is the caller's
 * `TypeError` and not a failure half-way, and asked between steps. A signal may be of any realm, or
 * of a library that imitates one.
 */

import { describeValue } from "./value.ts";

/**
 * Checks a signal, or that there is none; `action` begins the text of the error: "Cannot use the
 * range".
 *
 * @throws {TypeError} it has no boolean `aborted` or no `addEventListener`
 */
export function checkSignal(signal: unknown, action: string): void {
  if (signal === undefined) return;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted !== "boolean" || typeof addEventListener !== "function") {
    throw new TypeError(
      `${action}: "signal" is ${describeValue(signal)}, expected an AbortSignal`,
    );
  }
}

/**
 * Throws the signal's reason if it was aborted. An imitation may have neither reason nor
 * `throwIfAborted`.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined || !signal.aborted) return;
  throw signal.reason ?? new DOMException("This operation was aborted", "AbortError");
}
