/** Reads a range in pieces: few promises, and bounded memory also if the values are large. */

import type { Cursor, Range, Value } from "@tinykvs/core";
import type { Lease } from "./store_access.ts";
import type { StoredEntry } from "./values/json_form.ts";

const MAX_ENTRIES = 1024;
/** A piece should take about this number of bytes. */
const PIECE_BYTES = 256 * 1024;

/** What a scan reads from: a store, a snapshot or a transaction. */
export type EntrySource = Pick<Lease["store"], "entries" | "keys">;

/** The entries of a range, in pieces. */
export function entryBatches(
  source: EntrySource,
  range: Range,
): AsyncGenerator<[Uint8Array, Value][]> {
  return batches(
    source.entries(range),
    ([key, value]) => key.length + sizeOf(value),
  );
}

/** The keys of a range, in pieces. */
export function keyBatches(
  source: EntrySource,
  range: Range,
): AsyncGenerator<Uint8Array[]> {
  return batches(source.keys(range), (key) => key.length);
}

/**
 * The entries of a range with their times of expiry, in pieces, as of one moment. Cursors do not
 * show times, so every key is looked up, which takes about 5 µs each. Most stores have no value
 * that expires: then a scan is enough.
 */
export async function* timedBatches(
  store: Lease["store"],
  range: Range,
): AsyncGenerator<StoredEntry[]> {
  using snapshot = store.snapshot();
  // Of the same moment as the snapshot.
  if (store.stats().expiring === 0) {
    for await (const piece of entryBatches(snapshot, range)) {
      yield piece.map(([key, value]) => ({ key, value }));
    }
    return;
  }
  for await (const keys of keyBatches(snapshot, range)) {
    let piece: StoredEntry[] = [];
    let bytes = 0;
    for (const key of keys) {
      const entry = snapshot.getEntrySync(key);
      if (entry === undefined) continue;
      piece.push(entry);
      bytes += key.length + sizeOf(entry.value);
      // Pieces of keys may be long, and values large.
      if (bytes < PIECE_BYTES) continue;
      yield piece;
      piece = [];
      bytes = 0;
    }
    if (piece.length > 0) yield piece;
  }
}

async function* batches<T>(
  cursor: Cursor<T, string | Uint8Array>,
  sizeOfItem: (item: T) => number,
): AsyncGenerator<T[]> {
  await using _closing = cursor;
  let count = 16;
  while (true) {
    const batch = await cursor.nextMany(count);
    if (batch.length === 0) return;
    yield batch;
    const bytes = batch.reduce((sum, item) => sum + sizeOfItem(item) + 1, 0);
    const fitting = Math.floor(PIECE_BYTES / (bytes / batch.length));
    count = Math.max(1, Math.min(MAX_ENTRIES, count * 2, fitting));
  }
}

/** About the number of bytes of a value. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.length;
  // A record is not worth a walk: it is rarely larger than this.
  return typeof value === "object" ? 256 : 8;
}
