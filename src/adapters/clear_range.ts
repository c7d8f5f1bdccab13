/**
 * Deletes the keys that a range has at the start of the call.
 *
 * Mostly this is one deletion of a range, which reads nothing. If there is a limit, or the keys are
 * those of a snapshot, they are read and deleted in batches, in their order. After a crash each
 * batch is applied completely or not at all.
 */

import { deletedRange } from "../contract/range.ts";
import type { Range } from "../contract/range.ts";
import type { Reader } from "../contract/reader.ts";
import type { Store } from "../contract/store.ts";
import type { WriteOptions } from "../contract/writer.ts";

/** The number of keys that one batch deletes: some 100 KiB of log. */
const KEYS_PER_BATCH = 4096;

/** Deletes the keys that `reader`, which is the store or a snapshot, shows in a range. */
export async function clearRange(
  store: Store,
  reader: Reader,
  range: Range,
  options: WriteOptions | undefined,
): Promise<void> {
  if (reader === store && (range.limit === undefined || range.limit === Infinity)) {
    return await store.deleteRange(deletedRange(range), options);
  }
  await clearKeys(store, reader, range, options);
}

/** As `clearRange`, always by reading the keys and deleting each. */
export async function clearKeys(
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
