/**
 * Deletes a range, in batches, of the keys that were there when it began.
 *
 * A range that fits into one batch goes as one. A larger one goes in several, each of them whole
 * also after a crash, in the order of the range.
 */

import type { Reader } from "../contract/reader.ts";
import type { Store } from "../contract/store.ts";
import type { WriteOptions } from "../contract/writer.ts";
import type { Range } from "../contract/range.ts";

/** Keys that one batch deletes: some 100 KiB of log. */
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
