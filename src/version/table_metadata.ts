/**
 * What the manifest knows of a table: enough to choose tables for a read or a compaction without
 * reading the file. It is plain data; the picker and its tests use nothing else.
 */

import { compareRanges } from "../bytes/compare.ts";
import { type KeySpan, NO_SPANS } from "../iterator/key_spans.ts";
import type { TableExpiry } from "../sstable/table_expiry.ts";
import { NO_USES, type ValueUse } from "../sstable/value_uses.ts";

/** A table of a version, made by `tableMetadata`: a spread of another one would have no views. */
export interface TableMetadata {
  /** Number of the table, as in its file name. */
  readonly number: number;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Number of entries, tombstones included. */
  readonly entryCount: number;
  /** Number of tombstones. */
  readonly tombstoneCount: number;
  /**
   * CRC-32 over the table's metadata and footer; undefined for one that is not trusted
   * (sstable/trust.ts).
   */
  readonly checksum: number | undefined;
  /** The times at which entries expire, if some do. Scans and compaction rely on them. */
  readonly expiry?: TableExpiry | undefined;
  /** Smallest key, of an entry or a deleted range. */
  readonly smallest: Uint8Array;
  /** Largest key of an entry, or the first key after a deleted range if that is larger. */
  readonly largest: Uint8Array;
  /** The keys that the table hides of older tables. Its own entries are not hidden. */
  readonly deletedSpans: readonly KeySpan[];
  /** The files that hold large values of the table. */
  readonly valueUses: readonly ValueUse[];
  /** A view of `smallest`. */
  readonly smallestView: DataView;
  /** A view of `largest`. */
  readonly largestView: DataView;
}

/** What a table's metadata is made from. Views that are given as well are not taken over. */
export type TableFields =
  & Omit<TableMetadata, "smallestView" | "largestView" | "deletedSpans" | "valueUses">
  & Partial<Pick<TableMetadata, "deletedSpans" | "valueUses">>;

/** Makes metadata. A copy with other fields is made here, too, and gets its own views. */
export function tableMetadata(fields: TableFields): TableMetadata {
  return new MetadataWithViews(fields);
}

/**
 * Makes the views when they are first used. A view of a short array moves its bytes out of the
 * JavaScript heap, which takes ten times as long as all else, and of the tables in a manifest most
 * are gone by its end.
 */
class MetadataWithViews implements TableMetadata {
  readonly number: number;
  readonly sizeBytes: number;
  readonly entryCount: number;
  readonly tombstoneCount: number;
  readonly checksum: number | undefined;
  readonly expiry: TableExpiry | undefined;
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly deletedSpans: readonly KeySpan[];
  readonly valueUses: readonly ValueUse[];
  #smallestView: DataView | undefined;
  #largestView: DataView | undefined;

  constructor(fields: TableFields) {
    this.number = fields.number;
    this.sizeBytes = fields.sizeBytes;
    this.entryCount = fields.entryCount;
    this.tombstoneCount = fields.tombstoneCount;
    this.checksum = fields.checksum;
    this.expiry = fields.expiry;
    this.smallest = fields.smallest;
    this.largest = fields.largest;
    this.deletedSpans = fields.deletedSpans ?? NO_SPANS;
    this.valueUses = fields.valueUses ?? NO_USES;
  }

  get smallestView(): DataView {
    return this.#smallestView ??= viewOf(this.smallest);
  }

  get largestView(): DataView {
    return this.#largestView ??= viewOf(this.largest);
  }
}

/** Order of two tables by their smallest keys. */
export function compareSmallest(a: TableMetadata, b: TableMetadata): number {
  return compareRanges(
    a.smallestView,
    0,
    a.smallest.length,
    b.smallestView,
    0,
    b.smallest.length,
  );
}

/**
 * Whether a table's key range and the range between two keys, both included, have a key in common.
 */
export function rangesOverlap(
  table: TableMetadata,
  smallest: DataView,
  largest: DataView,
): boolean {
  return compareViews(table.smallestView, largest) <= 0 &&
    compareViews(smallest, table.largestView) <= 0;
}

/** Whether the key `view[start, end)` is in a table's key range. */
export function isInRange(
  table: TableMetadata,
  view: DataView,
  start: number,
  end: number,
): boolean {
  const { smallestView, largestView } = table;
  return compareRanges(view, start, end, smallestView, 0, smallestView.byteLength) >= 0 &&
    compareRanges(view, start, end, largestView, 0, largestView.byteLength) <= 0;
}

/** The order of two whole keys. */
export function compareViews(a: DataView, b: DataView): number {
  return compareRanges(a, 0, a.byteLength, b, 0, b.byteLength);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
