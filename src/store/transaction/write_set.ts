/**
 * Holds what a transaction has written so far: encoded operations, in the form of a log record's
 * payload, so that a commit can append them unchanged. The transaction reads from here before it
 * reads from the store.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import { compareRanges } from "../../bytes/compare.ts";
import { emptyEntryView, type EntryView } from "../../iterator/entry_cursor.ts";
import { compareKeys, joinTouching } from "../../iterator/key_spans.ts";
import { Memtable } from "../../memtable/memtable.ts";
import type { Key, Value } from "../../value/value.ts";
import { encodeTombstone } from "../../value/value_codec.ts";
import { OPERATION_DELETE_RANGE } from "../../wal/log_format.ts";
import { rangeOperationHolds } from "../../wal/range_operation.ts";
import { EmbeddedBatch } from "../write/batch.ts";
import type { NewestSource } from "../read/scan_sources.ts";
import type { Range } from "../state/range.ts";
import type { ReadView } from "../state/read_view.ts";
import { endOfKeys, insertOperation } from "../state/operations.ts";
import { encodeDelete, encodePut } from "../write/operation_encoding.ts";

/** Up to this number of operations, a search through all of them is faster than an index. */
const MAX_UNINDEXED = 16;
/** An index starts with at most this number of bytes. */
const INDEX_BYTES = 16 * 1024;
/** The key of an operation begins this number of bytes after the operation. */
const KEY_OFFSET = 5;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

const TOMBSTONE = new ByteWriter(1);
encodeTombstone(TOMBSTONE);

/** The operations of one transaction. */
export class WriteSet {
  /** The entry that the last `find` has found. Valid until the next write. */
  readonly entry: EntryView = emptyEntryView();
  readonly #takeMemory: () => ByteWriter;
  #payload: ByteWriter | undefined;
  /**
   * The length of the complete operations. Bytes after them belong to an operation that is not
   * finished or has failed.
   */
  #used = 0;
  #count = 0;
  #isEncoding = false;
  /** Bytes of the operations that delete ranges. */
  #rangeBytes = 0;
  /** What the transaction sees of the store. */
  #view: ReadView | undefined;
  #mayExpire = false;
  /** An index by key of the first operations. Their sequence numbers start at 1. */
  #index: Memtable | undefined;
  #indexedCount = 0;
  #indexedBytes = 0;

  /** Starts empty. `takeMemory` gives the memory for the first operation. */
  constructor(takeMemory: () => ByteWriter) {
    this.#takeMemory = takeMemory;
  }

  /** Number of operations. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the encoded operations. */
  get sizeBytes(): number {
    return this.#used;
  }

  /**
   * Adds a put of a value that may expire.
   *
   * @throws {TypeError | RangeError} the key or the value cannot be stored
   */
  put(key: Key, value: Value, expiresAt: number | undefined): void {
    if (typeof value === "object" && !isBytes(value)) {
      // Encoding a record may run getters of the caller, and these may write to the transaction.
      this.append(new EmbeddedBatch().add(key, value, expiresAt));
      return;
    }
    const payload = this.#begin();
    try {
      encodePut(payload, key, value, expiresAt);
      if (expiresAt !== undefined) this.#mayExpire = true;
      this.#end(1);
    } finally {
      this.#isEncoding = false;
    }
  }

  /** Adds a delete. @throws {TypeError | RangeError} the value cannot be a key */
  delete(key: Key): void {
    const payload = this.#begin();
    try {
      encodeDelete(payload, key);
      this.#end(1);
    } finally {
      this.#isEncoding = false;
    }
  }

  /** Adds the deletion of a range. @throws {TypeError | RangeError} it can't be such a range */
  deleteRange(range: Range): void {
    this.append(new EmbeddedBatch().deleteRange(range));
  }

  /** Adds the operations of a batch, which is used up. */
  append(batch: EmbeddedBatch): void {
    const { length: count, mayExpire, rangeBytes } = batch;
    const { bytes, length } = batch.finish();
    if (count === 0) return;
    if (mayExpire) this.#mayExpire = true;
    this.#begin().appendBytes(bytes, 0, length);
    this.#end(count);
    this.#rangeBytes += rangeBytes;
    this.#isEncoding = false;
  }

  /** Starts for a transaction that sees the view. */
  startOn(view: ReadView): void {
    this.#view = view;
  }

  /**
   * Looks for the newest operation on a key. Returns whether there is one, and shows it in `entry`.
   * It may be a tombstone. The deletion of a range that holds the key is shown as one.
   */
  find(key: DataView, start: number, end: number): boolean {
    if (this.#count === 0) return false;
    const { entry } = this;
    if (this.#count > MAX_UNINDEXED) {
      const index = this.#indexed();
      if (index.find(key, start, end, this.#count, entry)) return true;
      if (!index.hides(key, start, end, this.#count)) return false;
      showTombstone(entry);
      return true;
    }
    const found = this.#lastOf(key, start, end, 0);
    if (found < 0) return false;
    const { bytes, view } = this.#payload!;
    if (bytes[found] === OPERATION_DELETE_RANGE) {
      showTombstone(entry);
      return true;
    }
    const keyEnd = found + KEY_OFFSET + (end - start);
    entry.keyBytes = entry.valueBytes = bytes;
    entry.keyView = entry.valueView = view;
    entry.keyStart = found + KEY_OFFSET;
    entry.keyEnd = keyEnd;
    entry.valueStart = keyEnd + 4;
    entry.valueEnd = keyEnd + 4 + view.getUint32(keyEnd, true);
    return true;
  }

  /** Whether one of the operations after the first `sizeBytes` bytes is on the key. */
  hasSince(sizeBytes: number, key: DataView, start: number, end: number): boolean {
    return this.sizeBytes > sizeBytes && this.#lastOf(key, start, end, sizeBytes) >= 0;
  }

  /**
   * A cursor over the newest operation of each key at this moment, or undefined if there are no
   * operations.
   */
  cursor(reverse: boolean): NewestSource | undefined {
    if (this.#count === 0) return undefined;
    const index = this.#indexed();
    return {
      cursor: index.cursor(this.#count, reverse, true),
      spans: joinTouching(index.deletedRangesAt(this.#count)),
    };
  }

  /** The operations as a batch, which takes over their memory. Nothing may be added afterwards. */
  finish(): EmbeddedBatch {
    const payload = this.#begin();
    this.#isEncoding = false;
    return EmbeddedBatch.holding(payload, this.#count, this.#rangeBytes, this.#mayExpire);
  }

  /** Forgets everything, for the next transaction. */
  clear(): void {
    this.#payload = undefined;
    this.#used = 0;
    this.#count = 0;
    this.#isEncoding = false;
    this.#rangeBytes = 0;
    this.#mayExpire = false;
    // It holds memtables.
    this.#view = undefined;
    this.#index = undefined;
    this.#indexedCount = 0;
    this.#indexedBytes = 0;
    const { entry } = this;
    entry.keyBytes = entry.valueBytes = NO_BYTES;
    entry.keyView = entry.valueView = NO_VIEW;
  }

  /** The payload, ready for a new operation after the complete ones. */
  #begin(): ByteWriter {
    if (this.#isEncoding) {
      // An object that looks like bytes may run code of the caller.
      throw new TypeError("Cannot write to the transaction: a key or value is just being read");
    }
    this.#isEncoding = true;
    const payload = this.#payload ??= this.#takeMemory();
    payload.length = this.#used;
    return payload;
  }

  #end(count: number): void {
    this.#used = this.#payload!.length;
    this.#count += count;
  }

  /** The first key after every key of the store and of the index. */
  #endAfter(index: Memtable): DataView {
    const own = endOfKeys([index], []);
    if (this.#view === undefined) return own;
    const { memtables, version } = this.#view;
    const all = endOfKeys(memtables, version.tables.flat());
    return compareKeys(own, all) < 0 ? all : own;
  }

  /** The offset of the last operation on the key at or after `from`, or -1. */
  #lastOf(key: DataView, start: number, end: number, from: number): number {
    const { view } = this.#payload!;
    const length = this.#used;
    const keyLength = end - start;
    let found = -1;
    for (let at = from; at < length;) {
      const ownLength = view.getUint32(at + 1, true);
      const keyStart = at + KEY_OFFSET;
      const keyEnd = keyStart + ownLength;
      const ownEnd = keyEnd + 4 + view.getUint32(keyEnd, true);
      if (view.getUint8(at) === OPERATION_DELETE_RANGE) {
        if (rangeOperationHolds(view, at + 1, keyEnd, ownEnd, key, start, end)) found = at;
      } else if (
        ownLength === keyLength && compareRanges(view, keyStart, keyEnd, key, start, end) === 0
      ) found = at;
      at = ownEnd;
    }
    return found;
  }

  /** The index, brought up to date with every operation. */
  #indexed(): Memtable {
    const index = this.#index ??= new Memtable(0, INDEX_BYTES);
    const { bytes, view } = this.#payload!;
    let at = this.#indexedBytes;
    while (at < this.#used) {
      const keyEnd = at + KEY_OFFSET + view.getUint32(at + 1, true);
      const end = keyEnd + 4 + view.getUint32(keyEnd, true);
      insertOperation(
        index,
        ++this.#indexedCount,
        ...[bytes, view, at + 1, keyEnd, end] as const,
        () => this.#endAfter(index),
      );
      at = end;
    }
    this.#indexedBytes = at;
    return index;
  }
}

/** Shows the deletion of a key. */
function showTombstone(entry: EntryView): void {
  entry.keyBytes = NO_BYTES;
  entry.keyView = NO_VIEW;
  entry.keyStart = entry.keyEnd = entry.valueStart = 0;
  entry.valueBytes = TOMBSTONE.bytes;
  entry.valueView = TOMBSTONE.view;
  entry.valueEnd = TOMBSTONE.length;
}
