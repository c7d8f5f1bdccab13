/**
 * What makes an entry live: whether its key has a value for a reader.
 *
 * Cursors and searches find the newest entry of a key. That entry may be there only to hide older ones:
 * today it is a tombstone then. Whoever shows entries asks here, and so does a merge, which may leave
 * out an entry that is not live if no deeper table holds its key. What else may end the life of an
 * entry (a deletion of a range, an expiry) belongs here as well.
 *
 * `isTombstone` (value/value_codec.ts) answers another question: of what kind a stored value is. Only
 * those who count or check tombstones ask that.
 *
 * A scan asks for every entry. So this stays a comparison of bytes, without an object or a closure. A
 * reason that takes more than the entry's bytes gets a function of its own, for views that have such
 * a reason.
 */

import { isTombstone } from "../value/value_codec.ts";

/** Whether the entry whose encoded value starts at `valueStart` is live. */
export function isLive(valueBytes: Uint8Array, valueStart: number): boolean {
  return !isTombstone(valueBytes, valueStart);
}
