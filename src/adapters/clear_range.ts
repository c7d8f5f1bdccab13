/**
 * Deletes the keys that a range has at the start of the call, in batches.
 *
 * One batch deletes a small range as a whole. A larger range needs several batches, in the order of
 * its keys. After a crash each batch is applied completely or not at all.
 */

import type { Reader } from "../contract/reader.ts";
import type { Store } from "../contract/store.ts";
import type { WriteOptions } from "../contract/writer.ts";
import type { Range } from "../contract/range.ts";

/** The number of keys that one batch deletes: some 100 KiB of log. */
const KEYS_PER_BATCH = 4096;

/** Deletes the keys that `reader` shows in a range. */
export async function clearRange(
  store: Store,
  reader: Reader,
  range: Range,
  options: WriteOptions | undefined,
): Promise<void> {
  await using keys = reader.keys(range);
  for (;;) {
    const group = await keys.nextMany(KEYS_PER_BATCH);
    if (group.length === 0) return;
    const batch = store.batch();
    for (const key of group) batch.delete(key);
    await batch.write(options);
    if (group.length < KEYS_PER_BATCH) return;
  }
}
