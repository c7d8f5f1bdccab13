/**
 * The sizes of groups of keys, estimated. The store estimates a range from the indexes of tables,
 * so each range that ends inside of a block counts for half of it, and large values, which lie
 * apart, count for all entries of their table alike. Both are put right here: groups share no more
 * than there is. If there are large values, a few keys of each group tell what its entries take.
 */

import type { OpenStore } from "../store_access.ts";

/** Keys of a group that are counted: what has fewer is counted whole. */
const COUNTED_KEYS = 64;
/** Keys that are looked up in all, to learn the sizes of their values. */
const MAX_LOOKUPS = 4096;

/** An estimated size. */
export interface GroupSize {
  readonly entries: number;
  readonly bytes: number;
}

/** What the store estimates for a prefix. */
export function sizeOfPrefix(store: OpenStore, prefix: Uint8Array): GroupSize {
  return prefix.length === 0 ? store.approximateSize() : store.approximateSize({ prefix });
}

/** The sizes of groups that are parts of `total` and do not overlap. */
export async function sizesOfGroups(
  store: OpenStore,
  prefixes: readonly Uint8Array[],
  total: GroupSize,
): Promise<GroupSize[]> {
  const estimates = prefixes.map((prefix) => sizeOfPrefix(store, prefix));
  if (store.stats().values.files === 0) return shares(estimates, total);
  const lookups = Math.max(1, Math.floor(MAX_LOOKUPS / Math.max(1, prefixes.length)));
  const weighed: GroupSize[] = [];
  for (const [at, prefix] of prefixes.entries()) {
    weighed.push(await weigh(store, prefix, estimates[at]!, lookups));
  }
  return shares(weighed, total);
}

/** Estimates the size of a group by some of its keys. */
async function weigh(
  store: OpenStore,
  prefix: Uint8Array,
  { entries }: GroupSize,
  lookups: number,
): Promise<GroupSize> {
  await using cursor = store.keys({ prefix, limit: COUNTED_KEYS });
  const keys = await cursor.toArray();
  let bytes = 0;
  const step = Math.max(1, keys.length / lookups);
  let seen = 0;
  for (let at = 0; at < keys.length; at += step) {
    const key = keys[Math.floor(at)]!;
    bytes += key.length;
    seen++;
    // Of every version: older ones take their space until they are compacted.
    for (const place of await store.locate(key)) bytes += place.valueBytes ?? 0;
  }
  const count = keys.length < COUNTED_KEYS ? keys.length : Math.max(entries, COUNTED_KEYS);
  return { entries: count, bytes: seen === 0 ? 0 : bytes / seen * count };
}

/** Sizes in proportion, which are not more than the total. */
function shares(sizes: readonly GroupSize[], total: GroupSize): GroupSize[] {
  const scale = (name: keyof GroupSize): number => {
    const sum = sizes.reduce((all, size) => all + size[name], 0);
    return sum > total[name] ? total[name] / sum : 1;
  };
  const [entriesScale, bytesScale] = [scale("entries"), scale("bytes")];
  return sizes.map(({ entries, bytes }) => ({
    entries: Math.round(entries * entriesScale),
    bytes: Math.round(bytes * bytesScale),
  }));
}
