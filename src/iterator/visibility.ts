/**
 * What makes an entry live: whether its key has a value for a reader.
 *
 * Cursors and searches find the newest entry of a key. That entry may only hide older ones: today
 * it is then a tombstone. All code that shows entries asks here. So does a merge, which may leave
 * out an entry that is not live if no deeper table holds its key. Other reasons that end the life
 * of an entry (a deletion of a range, an expiry) belong here as well.
 *
 * `isTombstone` (value/value_codec.ts) answers another question: of what kind a stored value is.
 * Only code that counts or checks tombstones asks that.
 *
 * A scan asks for every entry. So this stays a comparison of bytes, without an object or a closure.
 * A reason that takes more than the entry's bytes gets a separate function, for views that have
 * such a reason.
 */

import { isTombstone } from "../value/value_codec.ts";

/** Whether the entry whose encoded value starts at `valueStart` is live. */
export function isLive(valueBytes: Uint8Array, valueStart: number): boolean {
  return !isTombstone(valueBytes, valueStart);
}
