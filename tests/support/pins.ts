/** Counts the pins on blocks of a store's cache. */

import { BlockCache } from "../../src/sstable/block_cache.ts";

/**
 * Counts the pins on the blocks of one cache from here on: that of the first block which is pinned.
 * A merge has its own cache; none may be under way when this is called.
 */
export function countPins(): { value: number } {
  const count = { value: 0 };
  let counted: BlockCache | undefined;
  const { pin, unpin } = BlockCache.prototype;
  BlockCache.prototype.pin = function (block) {
    counted ??= this;
    if (this === counted) count.value++;
    pin.call(this, block);
  };
  BlockCache.prototype.unpin = function (block) {
    if (this === counted) count.value--;
    unpin.call(this, block);
  };
  return count;
}
