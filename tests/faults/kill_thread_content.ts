/** What kill_thread_child.ts writes, so that kill_thread_test.ts knows what has to be there. */

/** Entries of a batch. */
export const BATCH_SIZE = 400;
/** Keys that batches share, so that there is something to merge. */
const KEY_COUNT = 20_000;

/** The key of an entry of a batch. */
export function keyOf(batch: number, index: number): string {
  return `key ${((batch * BATCH_SIZE + index) * 7919) % KEY_COUNT}`;
}

/** Its value. */
export function valueOf(batch: number, index: number): string {
  return `${batch} ${String(index).padStart(100, "-")}`;
}
