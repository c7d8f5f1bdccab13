/** Entries from all over a store, for statistics. */

import { Buffer } from "node:buffer";
import { entryBatches } from "../batches.ts";
import type { OpenStore } from "../store_access.ts";
import type { StoredEntry } from "../values/json_form.ts";

/** Places at which a sample begins to read, at most. */
const MAX_PLACES = 64;

/**
 * About `count` entries, in the order of their keys: some after the first key of each table, or of
 * some of them. All entries if there are no more.
 */
export async function* sample(
  store: OpenStore,
  count: number,
  signal: AbortSignal,
): AsyncGenerator<StoredEntry> {
  const places = store.approximateSize().entries <= count ? [undefined] : placesOf(store);
  const each = places.length === 1 ? count : Math.ceil(count / places.length);
  let left = count;
  for (const [at, place] of places.entries()) {
    const next = places[at + 1];
    const range = {
      ...(place === undefined ? {} : { gte: place }),
      ...(next === undefined ? {} : { lt: next }),
      limit: Math.min(left, each),
      signal,
    };
    for await (const batch of entryBatches(store, range)) {
      for (const [key, value] of batch) yield { key, value };
      left -= batch.length;
    }
  }
}

/** The beginning of the store, and the first keys of tables, evenly chosen. */
function placesOf(store: OpenStore): (Uint8Array | undefined)[] {
  const keys = store.tables().map(({ smallest }) => smallest).sort(
    Buffer.compare,
  );
  const apart = keys.filter((key, at) => at === 0 || Buffer.compare(key, keys[at - 1]!) !== 0);
  const step = Math.max(1, apart.length / MAX_PLACES);
  const chosen: Uint8Array[] = [];
  for (let at = step; at < apart.length; at += step) {
    chosen.push(apart[Math.floor(at)]!);
  }
  return [undefined, ...chosen];
}
