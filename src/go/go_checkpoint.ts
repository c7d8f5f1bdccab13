/**
 * A checkpoint that Go TinyKVS v0.4 opens: the live entries of a read view, merged into tables of
 * one level. It has no shadowed entries and no tombstones; the codec, block size and filter rate
 * are the store's.
 *
 * Go v0.4 knows the value types 1 to 6. Records (7 and 8) came with v0.7. A checkpoint of a store
 * with a record fails, because in no form would a Go program read it as what was put. Values that
 * expire are refused as well, unless the caller says what to make of them.
 */

import { DecodeError, StoreError } from "../errors.ts";
import { AT_END, type EntryView, NEEDS_LOAD } from "../iterator/entry_cursor.ts";
import { ENTRIES_PER_PAUSE } from "../platform/pacing.ts";
import type { Task } from "../platform/task.ts";
import { goLevelFor, GoStoreWriter } from "./go_store_writer.ts";
import { decodeText } from "../value/text_codec.ts";
import { contentStart, expiryAt, isExpiring } from "../value/expiry.ts";
import { valueTypeAt } from "../value/value_codec.ts";
import { EntryScan } from "../store/read/entry_scan.ts";
import { resolveRange } from "../store/state/range.ts";
import { corruptValue } from "../store/read/read_path.ts";
import type { Lease, ReadView } from "../store/state/read_view.ts";
import type { NewDirectory } from "../store/recovery/store_directory.ts";
import type { StoreState } from "../store/state/store_state.ts";

/**
 * Go v0.4 keeps a descriptor of every table, and silently leaves out tables for which it gets none.
 */
const TABLES = 256;
/**
 * Size in bytes at which a table is closed if that makes fewer, or 16 small memtables if that is
 * less.
 */
const TABLE_BYTES = 64 * 1024 * 1024;
const TABLE_MEMTABLES = 16;
/**
 * Number of keys at which a table with a filter is closed if that makes fewer: a filter is made in
 * one stretch of 25 ms.
 */
const TABLE_KEYS = 2 ** 19;
/** How much of a key the text of an error shows. */
const SHOWN_KEY_BYTES = 64;

/** What becomes of values that expire: an error, nothing, or values that stay for ever. */
export type GoExpiring = "refuse" | "drop" | "keep";

/**
 * A task that writes the tables of the lease's view.
 *
 * @throws {StoreError} code `TYPE_MISMATCH`: a value is of a type that Go v0.4 does not know, or
 *   expires
 * @throws {CorruptionError} stored data can't be read
 */
export function* writeGoStore(
  state: StoreState,
  lease: Lease,
  target: NewDirectory,
  expiring: GoExpiring,
): Task<void> {
  const { view } = lease;
  const { compressor, blockSizeBytes, bloomFalsePositiveRate } = state.tableOutput;
  const { bytes, entries } = sizeOf(view);
  const tableBytes = Math.min(TABLE_BYTES, TABLE_MEMTABLES * state.options.memtableSizeBytes);
  const tableKeys = bloomFalsePositiveRate === false ? Infinity : TABLE_KEYS;
  const writer = new GoStoreWriter({
    ...target,
    level: goLevelFor(bytes),
    compressor,
    blockSizeBytes,
    bloomFalsePositiveRate,
    maxTableBytes: Math.max(tableBytes, bytes / TABLES),
    maxTableKeys: Math.max(tableKeys, entries / TABLES),
  });
  const scan = new EntryScan(lease, resolveRange(undefined), true);
  try {
    let written = 0;
    for (let at = scan.next();;) {
      while (at === NEEDS_LOAD) {
        yield { runSync: () => scan.loadSync(), run: () => scan.load() };
        at = scan.resume();
      }
      if (at === AT_END) break;
      const { entry } = scan;
      requireGoType(state, entry);
      if (!isExpiring(entry.valueBytes, entry.valueStart)) writer.add(entry);
      else if (expiring === "keep") writer.add(withoutTime(entry));
      else if (expiring === "refuse") throw expires(entry);
      if (writer.isTableFull) yield* writer.finishTable();
      if (++written % ENTRIES_PER_PAUSE === 0) yield undefined;
      at = scan.next();
    }
    yield* writer.finish();
  } finally {
    scan.release();
    writer.close();
  }
}

/** About the size of a view: bytes of files, and entries including hidden ones. */
function sizeOf({ memtables, version }: ReadView): { bytes: number; entries: number } {
  const parts = [
    ...memtables.map(({ sizeBytes, valueBytes, entryCount }) => ({
      sizeBytes: sizeBytes + valueBytes,
      entryCount,
    })),
    ...version.tables.flat().map(({ sizeBytes, valueUses, entryCount }) => ({
      sizeBytes: valueUses.reduce((sum, { usedBytes }) => sum + usedBytes, sizeBytes),
      entryCount,
    })),
  ];
  return {
    bytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    entries: parts.reduce((sum, { entryCount }) => sum + entryCount, 0),
  };
}

function requireGoType(state: StoreState, entry: EntryView): void {
  const { valueBytes, valueStart, valueEnd } = entry;
  let type: string;
  try {
    type = valueTypeAt(valueBytes, valueStart, valueEnd);
  } catch (error) {
    if (error instanceof DecodeError) throw corruptValue(state.directory, error);
    throw error;
  }
  if (type !== "record") return;
  throw new StoreError(
    "TYPE_MISMATCH",
    `Cannot write a checkpoint for Go v0.4: the value of key ${
      keyText(entry)
    } is a record, which ` +
      "Go reads from v0.7 on; store it as JSON text (putJson) or as bytes",
  );
}

function withoutTime(entry: EntryView): EntryView {
  return { ...entry, valueStart: contentStart(entry.valueBytes, entry.valueStart) };
}

function expires(entry: EntryView): StoreError {
  return new StoreError(
    "TYPE_MISMATCH",
    `Cannot write a checkpoint for Go v0.4: the value of key ${keyText(entry)} expires ${
      expiryAt(entry.valueView, entry.valueStart)
    } ms after 1970, and Go's values do not expire; the option "expiring" can drop such values ` +
      '("drop") or keep them for ever ("keep")',
  );
}

function keyText({ keyBytes, keyStart, keyEnd }: EntryView): string {
  const end = Math.min(keyEnd, keyStart + SHOWN_KEY_BYTES);
  const more = end < keyEnd ? "..." : "";
  const text = decodeText(keyBytes, keyStart, keyEnd);
  if (text !== undefined) return JSON.stringify(text.slice(0, SHOWN_KEY_BYTES)) + more;
  const hex = Array.from(
    keyBytes.subarray(keyStart, end),
    (byte) => byte.toString(16).padStart(2, "0"),
  );
  return `0x${hex.join("")}${more}`;
}
