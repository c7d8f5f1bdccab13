/**
 * Values that end at a time, for adapters, until the store has such values itself: then a put with
 * a time takes the place of `wrap`, and `unwrap` and `remove` go.
 *
 * Text, which is what libraries store nearly always, is stored as it is if it does not end.
 * Anything else is in an array: when it ends, in milliseconds since 1970, or null, and the value.
 * An array that is none of these was put by somebody else, and is a value.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import type { Store } from "../contract/store.ts";
import type { RecordItem, Value } from "../contract/value.ts";
import { ownBuffer } from "./own_buffer.ts";

/** What the first item of the array says, so that nobody's own arrays are taken for one. */
const MARK = "tinykvs expiring 1";

/** A value that is there. */
export interface Found {
  /** The value. */
  readonly value: unknown;
  /** When it ends, in milliseconds since 1970; undefined for never. */
  readonly expires: number | undefined;
}

/** What to store for a value. */
export function wrap(value: unknown, expires: number | undefined): Value {
  if (typeof value === "string" && expires === undefined) return value;
  return [MARK, expires ?? null, value as RecordItem];
}

/** The value, or undefined if there is none, or none any more. */
export function unwrap(
  stored: Value | undefined,
  now: number,
): Found | undefined {
  if (stored === undefined) return undefined;
  if (!Array.isArray(stored) || stored.length !== 3 || stored[0] !== MARK) {
    return { value: withOwnBuffer(stored), expires: undefined };
  }
  const [, expires, value] = stored as [string, number | null, RecordItem];
  if (expires !== null && expires <= now) return undefined;
  return { value: withOwnBuffer(value), expires: expires ?? undefined };
}

/** Whether something is stored that has ended. */
export function isOver(stored: Value | undefined, now: number): boolean {
  return stored !== undefined && unwrap(stored, now) === undefined;
}

/** Removes a key, if what it has is over still: somebody may have put something else since. */
export async function removeIfOver(
  store: Store,
  key: string,
  now: number,
): Promise<void> {
  await store.update(key, (old) => isOver(old, now) ? undefined : old);
}

/** Removes a key; whether it had a value that was not over. */
export async function removeLive(
  store: Store,
  key: string,
  now: number,
): Promise<boolean> {
  let wasThere = false;
  await store.update(key, (old) => {
    wasThere = unwrap(old, now) !== undefined;
    return undefined;
  });
  return wasThere;
}

function withOwnBuffer(value: unknown): unknown {
  return isBytes(value) ? ownBuffer(value) : value;
}
