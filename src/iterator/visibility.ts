/**
 * What makes an entry live: whether its key has a value for a reader.
 *
 * Cursors and searches find the newest entry of a key. That entry may only hide older ones: a
 * tombstone does, and so does an entry whose time has come. All code that shows entries asks here.
 * So does a merge, which may leave out an entry that is not live if no deeper table holds its key.
 * Other reasons that end the life of an entry (a deletion of a range) belong here as well.
 *
 * `isTombstone` (value/value_codec.ts) answers another question: of what kind a stored value is.
 * Only code that counts or checks tombstones asks that.
 *
 * A scan asks for every entry. So this stays a comparison of bytes, without an object or a closure.
 * A reason that takes more than the entry's bytes gets a separate function, for views that have
 * such a reason.
 */

import { expiryAt } from "../value/expiry.ts";
import { TYPE_EXPIRING, TYPE_TOMBSTONE } from "../value/value.ts";

/**
 * Whether the entry whose encoded value starts at `valueStart` is live at a time, in milliseconds
 * since 1970.
 */
export function isLive(
  valueBytes: Uint8Array,
  valueView: DataView,
  valueStart: number,
  nowMs: number,
): boolean {
  const type = valueBytes[valueStart]!;
  if (type < TYPE_TOMBSTONE) return true;
  if (type === TYPE_EXPIRING) return expiryAt(valueView, valueStart) > nowMs;
  return type !== TYPE_TOMBSTONE;
}

/** Who knows the time by which a reader judges, if it is needed. */
export interface ReadTime {
  /** The time in milliseconds since 1970. */
  readonly wallMs: number;
}

/** As `isLive`, for a reader of one key, which looks at the clock only if the entry has a time. */
export function isLiveFor(
  valueBytes: Uint8Array,
  valueView: DataView,
  valueStart: number,
  time: ReadTime,
): boolean {
  const type = valueBytes[valueStart]!;
  if (type < TYPE_TOMBSTONE) return true;
  if (type === TYPE_EXPIRING) return expiryAt(valueView, valueStart) > time.wallMs;
  return type !== TYPE_TOMBSTONE;
}
