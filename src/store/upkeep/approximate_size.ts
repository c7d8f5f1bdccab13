/**
 * `store.approximateSize`: estimates the size of a range from memtables and the indexes of tables.
 * It reads no block. It reads an index that is not in memory.
 */

import { compareRanges } from "../../bytes/compare.ts";
import { AT_ENTRY } from "../../iterator/entry_cursor.ts";
import { isHidden } from "../../compaction/covered.ts";
import { joinSpans, joinTouching, type KeySpan, NO_SPANS } from "../../iterator/key_spans.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import { isReference, referredLength } from "../../value/value_reference.ts";
import type { LiveTable } from "../../version/version.ts";
import { type Range, type ResolvedRange, resolveRange } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";

/** The approximate size of a range. */
export interface ApproximateSize {
  /** Bytes in memory and, compressed, in tables; large values are counted with their keys. */
  readonly bytes: number;
  /** The number of entries, with older versions and deletions that are not compacted yet. */
  readonly entries: number;
}

/**
 * Estimates the size of a range. Ignores its limit and its direction.
 * `EmbeddedStore.approximateSize` documents it.
 */
export function approximateSize(state: StoreState, given: Range | undefined): ApproximateSize {
  state.requireOpen();
  const range = resolveRange(given);
  const lease = state.lease();
  try {
    let bytes = 0;
    let entries = 0;
    let mask: readonly KeySpan[] = NO_SPANS;
    for (const memtable of lease.view.memtables) {
      const part = sizeInMemory(memtable, lease.sequence, range);
      bytes += part.bytes;
      entries += part.entries;
      mask = joinSpans(mask, joinTouching(memtable.deletedRangesAt(lease.sequence)));
    }
    for (const table of lease.view.version.levels.flat()) {
      // Newer deletions hide all of it, and compaction is about to drop it.
      if (isHidden(table.metadata, mask)) continue;
      const part = sizeInTable(table, range);
      bytes += part.bytes;
      entries += part.entries;
      mask = joinSpans(mask, table.metadata.deletedSpans);
    }
    return { bytes: Math.round(bytes), entries: Math.round(entries) };
  } finally {
    lease.release();
  }
}

function sizeInMemory(
  memtable: Memtable,
  sequence: number,
  { lower, upper }: ResolvedRange,
): ApproximateSize {
  let bytes = 0;
  let entries = 0;
  const cursor = memtable.cursor(sequence, false);
  const { entry } = cursor;
  let at = lower === undefined
    ? cursor.seekToStart()
    : cursor.seek(lower.view, 0, lower.bytes.length);
  for (; at === AT_ENTRY; at = cursor.advance()) {
    const { keyView, keyStart, keyEnd, valueBytes, valueView, valueStart, valueEnd } = entry;
    if (
      upper !== undefined &&
      compareRanges(keyView, keyStart, keyEnd, upper.view, 0, upper.bytes.length) >= 0
    ) break;
    bytes += keyEnd - keyStart + valueEnd - valueStart;
    if (isReference(valueBytes, valueStart)) {
      bytes += referredLength(valueBytes, valueView, valueStart);
    }
    entries++;
  }
  return { bytes, entries };
}

function sizeInTable({ metadata, reader }: LiveTable, range: ResolvedRange): ApproximateSize {
  const { lower, upper } = range;
  const { smallest, smallestView, largest, largestView, entryCount } = metadata;
  const sizeBytes = metadata.valueUses.reduce(
    (sum, { usedBytes }) => sum + usedBytes,
    metadata.sizeBytes,
  );
  const startsInside = lower === undefined ||
    compareRanges(lower.view, 0, lower.bytes.length, smallestView, 0, smallest.length) <= 0;
  const endsInside = upper === undefined ||
    compareRanges(upper.view, 0, upper.bytes.length, largestView, 0, largest.length) > 0;
  if (startsInside && endsInside) return { bytes: sizeBytes, entries: entryCount };
  const isAfter = lower !== undefined &&
    compareRanges(lower.view, 0, lower.bytes.length, largestView, 0, largest.length) > 0;
  const isBefore = upper !== undefined &&
    compareRanges(upper.view, 0, upper.bytes.length, smallestView, 0, smallest.length) <= 0;
  if (isAfter || isBefore) return { bytes: 0, entries: 0 };
  const index = reader.sections.index ?? reader.sections.loadIndexSync();
  const first = lower === undefined ? 0 : Math.max(0, blockOf(index, lower));
  const last = upper === undefined ? index.blockCount - 1 : Math.max(0, blockOf(index, upper));
  // A bound lies somewhere in its block: count half of the block.
  let part = 0;
  for (let block = first; block <= last; block++) {
    const isCut = (block === first && !startsInside) || (block === last && !endsInside);
    part += isCut ? index.blockSize(block) / 2 : index.blockSize(block);
  }
  const lastBlock = index.blockCount - 1;
  const share = part / (index.blockOffset(lastBlock) + index.blockSize(lastBlock));
  return { bytes: share * sizeBytes, entries: share * entryCount };
}

function blockOf(index: TableIndex, bound: { view: DataView; bytes: Uint8Array }): number {
  return index.blockFor(bound.view, 0, bound.bytes.length);
}
