/**
 * Values that expire, for adapters, until the store itself supports them. Then a put with a time
 * can replace `wrap`, and `unwrap` and `remove` are not needed.
 *
 * Text that does not expire is stored unchanged, because libraries store mostly text. Any other
 * value is stored in an array of three items: a mark, the time at which the value expires
 * (milliseconds since 1970, or null), and the value. Any other array was stored by somebody else,
 * and is itself the value.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import type { Store } from "../contract/store.ts";
import type { RecordItem, Value } from "../contract/value.ts";
import { ownBuffer } from "./own_buffer.ts";

/** The first item of the array. It distinguishes such an array from the user's own arrays. */
const MARK = "tinykvs expiring 1";

/** A value that has not expired. */
export interface Found {
  /** The value. */
  readonly value: unknown;
  /** The time at which it expires, in milliseconds since 1970. Undefined means never. */
  readonly expires: number | undefined;
}

/** Makes the form of a value that the store holds. */
export function wrap(value: unknown, expires: number | undefined): Value {
  if (typeof value === "string" && expires === undefined) return value;
  return [MARK, expires ?? null, value as RecordItem];
}

/** The value, or undefined if there is none or it has expired. */
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

/** Whether the stored value has expired. */
export function isOver(stored: Value | undefined, now: number): boolean {
  return stored !== undefined && unwrap(stored, now) === undefined;
}

/** Removes a key if its value has still expired. Somebody may have stored another one since. */
export async function removeIfOver(
  store: Store,
  key: string,
  now: number,
): Promise<void> {
  await store.update(key, (old) => isOver(old, now) ? undefined : old);
}

/** Removes a key. Resolves to whether it had a value that had not expired. */
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
