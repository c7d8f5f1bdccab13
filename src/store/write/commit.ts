/**
 * The commit: the one stretch in which a write gets its sequence number and becomes visible.
 *
 * A write is encoded into the log's buffer as one record, the record is sealed, and its entries are
 * inserted into the memtable. All of this happens in one synchronous call: later reads of this
 * process see the write, and the order of the calls is the order of the writes. When the call
 * returns, the record is only in the log's buffer; acknowledgement.ts writes it to the file and
 * syncs it.
 *
 * A call that throws before the record is sealed has changed nothing. An insert that fails after
 * that is a failure of the store.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import { CODEC_NONE } from "../../compression/compressor.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";
import type { Key, Value } from "../../value/value.ts";
import { expiryAt, isExpiring } from "../../value/expiry.ts";
import { BYTES_HEADER_BYTES, isTombstone } from "../../value/value_codec.ts";
import { IN_LOG, type ValueReference } from "../../value/value_reference.ts";
import type { LogWriter } from "../../wal/log_writer.ts";
import type { Background } from "../background/background.ts";
import type { StoreState } from "../state/store_state.ts";
import { EmbeddedBatch } from "./batch.ts";
import type { Range } from "../state/range.ts";
import { deleteRange, endOfKeys } from "../state/operations.ts";
import {
  LOG_VERSION,
  LOG_VERSION_2,
  LOG_VERSION_3,
  OPERATION_DELETE_RANGE,
} from "../../wal/log_format.ts";
import { leastLargeBytes } from "../../options.ts";
import { LargeValues } from "../state/large_values.ts";
import { encodeDelete, encodePut, encodeReference } from "./operation_encoding.ts";
import { PayloadPacker } from "./payload_packer.ts";

/** The longest batch; it has to fit into one memtable (4 GiB with its overhead). */
const MAX_BATCH_BYTES = 2 ** 31;
/** A batch this long gets its own memtable. */
const LARGE_BATCH_BYTES = 2 ** 29;

/**
 * The most bytes that the keys of deleted ranges take in one memtable and in one batch. They are
 * read together with the metadata of a table.
 */
const MAX_RANGE_BYTES = 8 * 1024 * 1024;

/** The memory of a batch is kept for the next one up to this size. */
const KEEP_BATCH_BYTES = 1024 * 1024;

/** With large values, a log is ended at this size: so little is read at a recovery. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;

/** Means "delete" in place of a value. */
export const DELETE: unique symbol = Symbol("delete");

/** Commits the writes of a store. */
export class Commit {
  readonly #state: StoreState;
  readonly #background: Background;
  /** Whether the manifest says that there is a log. */
  #isFirstLogKnown = false;
  #batchMemory: ByteWriter | undefined;
  /** Encoded values of this size and more are large. */
  readonly #largeBytes: number;
  readonly #large: LargeValues;
  readonly #packer: PayloadPacker | undefined;
  /** The log that large values have filled. */
  #fullLog: LogWriter | undefined;

  /** Makes the commit of a store. */
  constructor(state: StoreState, background: Background) {
    this.#state = state;
    this.#background = background;
    this.#largeBytes = leastLargeBytes(state.options);
    this.#large = new LargeValues(this.#largeBytes);
    const { compressor } = state.tableOutput;
    if (compressor.codec !== CODEC_NONE) {
      this.#packer = new PayloadPacker(compressor, this.#largeBytes);
    }
  }

  /**
   * Commits one operation, with the time at which the value expires; returns the number of bytes
   * that it takes in the log.
   */
  one(key: Key, value: Value | typeof DELETE, expiresAt?: number): number {
    if (value !== DELETE && this.#needsBatch(value)) {
      // Encoding a record may run getters of the caller, which may write: so not into the log's
      // buffer. A large value may be packed on its way there.
      const batch = new EmbeddedBatch(undefined, this.takeBatchMemory());
      return this.batch(batch.add(key, value, expiresAt));
    }
    const log = this.#prepare(expiresAt === undefined ? LOG_VERSION : LOG_VERSION_2);
    log.beginRecord();
    try {
      if (value === DELETE) encodeDelete(log.buffer, key);
      else encodePut(log.buffer, key, value, expiresAt);
    } catch (error) {
      log.cancelRecord();
      throw error;
    }
    const mayBeLarge = this.#packer === undefined &&
      log.buffer.length - log.recordPayloadStart >= this.#largeBytes;
    return this.#commit(log, 1, false, mayBeLarge);
  }

  /**
   * Commits a put of a value in a value file that is durable, with its name, and that nothing else
   * refers to.
   */
  reference(key: Uint8Array, value: ValueReference, expiresAt?: number): void {
    const log = this.#prepare(LOG_VERSION_3);
    log.beginRecord();
    encodeReference(log.buffer, key, value, expiresAt);
    this.#commit(log, 1, false, true);
  }

  /**
   * Whether a value is encoded in a batch first: a record, whose getters may write, or one that may
   * be large and packed.
   */
  #needsBatch(value: Value): boolean {
    const least = this.#largeBytes - BYTES_HEADER_BYTES;
    if (typeof value === "object") {
      return !isBytes(value) || (value.length >= least && this.#packer !== undefined);
    }
    // A character takes up to three bytes.
    return typeof value === "string" && value.length * 3 >= least;
  }

  /** Commits the deletion of a range; returns the number of bytes that it takes in the log. */
  range(range: Range): number {
    return this.batch(new EmbeddedBatch(undefined, this.takeBatchMemory()).deleteRange(range));
  }

  /** Commits a batch as one record; returns the number of bytes that it takes in the log. */
  batch(batch: EmbeddedBatch): number {
    const { length, sizeBytes, rangeBytes, mayExpire } = batch;
    const hasRanges = rangeBytes > 0;
    if (sizeBytes > MAX_BATCH_BYTES) {
      throw new RangeError(
        `Cannot write a batch of ${sizeBytes} bytes: the limit is ${MAX_BATCH_BYTES}`,
      );
    }
    if (rangeBytes > MAX_RANGE_BYTES) {
      throw new RangeError(
        `Cannot write a batch whose deleted ranges take ${rangeBytes} bytes: the limit is ` +
          `${MAX_RANGE_BYTES}`,
      );
    }
    this.#state.requireWritable();
    if (length === 0) {
      this.#keepBatchMemory(batch.finish());
      return 0;
    }
    if (sizeBytes > LARGE_BATCH_BYTES) this.rotate();
    const hasLarge = batch.longestBytes >= this.#largeBytes;
    const packer = hasLarge ? this.#packer : undefined;
    const version = packer !== undefined
      ? LOG_VERSION_3
      : hasRanges || mayExpire
      ? LOG_VERSION_2
      : LOG_VERSION;
    const log = hasRanges ? this.#prepareForRanges(rangeBytes, version) : this.#prepare(version);
    const payload = batch.finish();
    this.#keepBatchMemory(payload);
    log.beginRecord();
    if (packer === undefined) log.buffer.appendBytes(payload.bytes, 0, payload.length);
    else this.#pack(log, packer, payload, length);
    return this.#commit(log, length, hasRanges, hasLarge);
  }

  /** Appends a payload to the record that was begun, with large values packed. */
  #pack(log: LogWriter, packer: PayloadPacker, payload: ByteWriter, count: number): void {
    try {
      packer.append(log.buffer, payload, count);
    } catch (error) {
      log.cancelRecord();
      throw error;
    }
  }

  /** Freezes the memtable unless it is empty. */
  rotate(): void {
    if (this.#state.memtable.entryCount > 0) this.#rotate();
  }

  /** Drops the memory of the last batch. */
  rest(): void {
    this.#batchMemory = undefined;
  }

  /**
   * Memory for a batch, that of the last one if there was one. Otherwise a batch of 1,000 entries
   * would allocate, zero and copy 500 KiB as it grows, outside of the heap, where such garbage
   * makes V8 collect everything.
   */
  takeBatchMemory(): ByteWriter {
    const memory = this.#batchMemory;
    if (memory === undefined) return new ByteWriter(256);
    this.#batchMemory = undefined;
    memory.length = 0;
    return memory;
  }

  /** The bytes stay valid until the next batch starts. Oversized memory is dropped. */
  #keepBatchMemory(memory: ByteWriter): void {
    // The memory of a batch of another copy of the library is of another class.
    if (memory.constructor !== ByteWriter) return;
    if (memory.bytes.length <= KEEP_BATCH_BYTES) this.#batchMemory = memory;
  }

  /**
   * The log to write to, after making sure that there is one, and a memtable with room. The log is
   * of this format version or a newer one, as are all later ones.
   */
  #prepare(version: number): LogWriter {
    const state = this.#state;
    state.requireWritable();
    const { logs } = state;
    const { active } = logs;
    const isReady = active !== undefined && active.version >= version && !logs.isEnded &&
      active !== this.#fullLog && this.#isFirstLogKnown &&
      state.memtable.sizeBytes < state.options.memtableSizeBytes;
    return isReady ? active : this.#prepareNext(version);
  }

  /** As `#prepare`, if the active log or the memtable does not do, or there is none. */
  #prepareNext(version: number): LogWriter {
    const { logs } = this.#state;
    if (logs.version < version) logs.version = version;
    if (!this.#isFirstLogKnown || logs.active === undefined) this.#openFirstLog();
    else this.#rotate();
    if (logs.active!.version < version) this.#rotate();
    return logs.active!;
  }

  /** As `#prepare`, for a record with deleted ranges, which a log of version 1 can't have. */
  #prepareForRanges(rangeBytes: number, version: number): LogWriter {
    const log = this.#prepare(version);
    const { memtable, logs } = this.#state;
    const isFull = memtable.rangeKeyBytes + rangeBytes > MAX_RANGE_BYTES &&
      memtable.hasDeletedRanges;
    if (!isFull) return log;
    this.#rotate();
    return logs.active!;
  }

  /**
   * Seals the record that was begun, gives its entries their sequence numbers and makes them
   * visible.
   */
  #commit(log: LogWriter, entryCount: number, hasRanges: boolean, hasLarge: boolean): number {
    const state = this.#state;
    const firstSequence = state.lastSequence + 1;
    log.endRecord(firstSequence, entryCount);
    const { bytes, view, length } = log.buffer;
    const payloadStart = log.recordPayloadStart;
    const position = log.writtenBytes;
    // A reader finds large values in the file, from the moment on that it finds their entries.
    if (hasLarge) this.#writeOut(log);
    const { memtable, deadRanges } = state;
    const mayRevive = !deadRanges.isEmpty;
    let start = payloadStart + 1;
    try {
      for (let i = 0; i < entryCount; i++) {
        const keyEnd = start + 4 + view.getUint32(start, true);
        const end = keyEnd + 4 + view.getUint32(keyEnd, true);
        if (hasRanges && bytes[start - 1] === OPERATION_DELETE_RANGE) {
          deleteRange(memtable, firstSequence + i, view, start, keyEnd, end, this.#endOfKeys);
          this.#background.idle.start();
          start = end + 1;
          continue;
        }
        if (isTombstone(bytes, keyEnd + 4)) this.#noteTombstone(memtable);
        else {
          if (mayRevive) deadRanges.notePut(view, start + 4, keyEnd);
          if (isExpiring(bytes, keyEnd + 4)) this.#noteExpiry(memtable, expiryAt(view, keyEnd + 4));
        }
        const sequence = firstSequence + i;
        if (hasLarge) {
          const entry = [bytes, view, start, keyEnd, end] as const;
          const large = this.#large.insert(memtable, sequence, ...entry, log.number, position);
          if (large !== undefined) this.#noteLargeValue(memtable, log, large);
        } else memtable.insert(sequence, bytes, view, start, keyEnd, end);
        start = end + 1;
      }
    } catch (error) {
      // The log has the whole record and the memtable only a part of it: reopening is the only way
      // to mend that.
      throw state.fail("an insert into the memtable", error);
    }
    state.lastSequence = firstSequence + entryCount - 1;
    if (state.observer !== undefined) {
      state.observer.committed(state.lastSequence, bytes, view, payloadStart, length);
    }
    return length - payloadStart;
  }

  /** The first key after every key of the store. */
  readonly #endOfKeys = (): DataView => {
    const { memtables, version } = this.#state.view;
    return endOfKeys(memtables, version.tables.flat());
  };
  #noteExpiry(memtable: Memtable, expiresAt: number): void {
    this.#state.mayExpire = true;
    memtable.noteExpiry(expiresAt);
    this.#background.expiry.start();
  }

  #noteLargeValue(memtable: Memtable, log: LogWriter, value: ValueReference): void {
    const { values } = this.#state.versions;
    if (value.kind !== IN_LOG) {
      values.retain(value.number);
      (memtable.valueFiles ??= new Map()).set(value.number, value.offset + value.length);
    } else if (memtable.valueLog === undefined) {
      memtable.valueLog = log.number;
      values.retain(log.number);
    }
    if (log.sizeBytes >= MAX_LOG_BYTES) this.#fullLog = log;
    this.#background.idle.start();
  }

  #writeOut(log: LogWriter): void {
    try {
      log.writeOutSync();
    } catch (error) {
      throw this.#state.fail("a write to the write-ahead log", error);
    }
  }

  #noteTombstone(memtable: Memtable): void {
    memtable.tombstoneCount++;
    this.#background.idle.start();
  }

  #rotate(): void {
    this.#background.makeRoom();
    try {
      this.#state.rotate();
    } catch (error) {
      // Nothing was created: the next write tries again.
      if (isOutOfDescriptors(error)) throw error;
      throw this.#state.fail("the start of a new write-ahead log", error);
    }
    // Small values may hide large ones.
    if (this.#state.versions.values.count > 0) this.#background.idle.start();
    this.#background.kick();
  }

  /**
   * Creates the first log of this session and names it in the manifest, so that recovery notices if
   * the log disappears. This happens once per open, and synchronously: no write may come before it.
   * If there is no descriptor for a step, that step has done nothing, and the next write continues
   * from there.
   */
  #openFirstLog(): void {
    const state = this.#state;
    try {
      if (state.logs.active === undefined) {
        state.logs.rotate(state.versions.newFileNumber(), state.lastSequence + 1);
      }
      const { number } = state.logs.active!;
      state.logs.writeOutSync();
      // The header is made durable now, so each record says that it was: damage to it is noticed.
      state.logs.syncSync();
      state.versions.applySync({ log: { number, live: true }, removed: [], added: [] });
      this.#isFirstLogKnown = true;
    } catch (error) {
      if (state.isShortage(error)) throw error;
      throw state.fail("the start of the write-ahead log", error);
    }
  }
}
