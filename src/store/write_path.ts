/**
 * The one write path: encode into the log's buffer, insert into the memtable, acknowledge.
 *
 * The first two happen synchronously in the call, so later reads of this process see the write, and
 * the order of calls is the order of writes. The acknowledgement waits for as much as `walSync` asks
 * for: writes issued in the same turn of the event loop share one file write, and writes issued while
 * an fsync runs share the next one (group commit). After the first failed write or sync of a log
 * nothing is retried and nothing more is written: every later write gets a BackgroundError.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { isBytes } from "../bytes/is_bytes.ts";
import { BackgroundError } from "../errors.ts";
import { isOver, type Timer } from "../platform/scheduler.ts";
import type { Memtable } from "../memtable/memtable.ts";
import type { Key, Value } from "../value/value.ts";
import { isOutOfDescriptors } from "../sstable/handle_pool.ts";
import { isTombstone } from "../value/value_codec.ts";
import type { LogWriter } from "../wal/log_writer.ts";
import type { Background } from "./background.ts";
import { EmbeddedBatch } from "./batch.ts";
import { encodeDelete, encodePut } from "./operation_encoding.ts";
import type { StoreState } from "./store_state.ts";
import { wantsSync } from "../contract/write_options.ts";
import type { WriteOptions } from "../contract/writer.ts";

/** A batch may be this long; it has to fit into one memtable (4 GiB with what that adds). */
const MAX_BATCH_BYTES = 2 ** 31;
/** A batch this long gets a memtable of its own. */
const LARGE_BATCH_BYTES = 2 ** 29;

/** The memory of a batch is kept for the next one up to this size. */
const KEEP_BATCH_BYTES = 1024 * 1024;

const settled = Promise.resolve();

/** Stands for "delete" where a value is expected. */
const DELETE: unique symbol = Symbol("delete");

/** Writes that are acknowledged together. */
class Group {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;
  needsSync: boolean;

  constructor(needsSync: boolean) {
    this.needsSync = needsSync;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Writes to a store. */
export class WritePath {
  readonly #state: StoreState;
  readonly #background: Background;
  /** Groups that wait for their turn; the last one is still open for more writes. */
  readonly #groups: Group[] = [];
  #isDraining = false;
  #drained: (() => void)[] = [];
  #timer: Timer | undefined;
  #lastSyncMs = 0;
  /** Whether the manifest says that there is a log. */
  #isFirstLogKnown = false;
  #batchMemory: ByteWriter | undefined;
  /** Made once: a single awaited put would otherwise make a closure each time. */
  readonly #startDraining = (): void => this.#drain();

  /** Makes the write path of a store. */
  constructor(state: StoreState, background: Background) {
    this.#state = state;
    this.#background = background;
  }

  /** Stores a value; resolves when it is as durable as asked for. */
  put(key: Key, value: Value, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#append(key, value);
      return this.#acknowledge(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`. */
  putSync(key: Key, value: Value, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgeSync(this.#append(key, value), sync);
  }

  /** Removes a key; resolves as `put` does. */
  delete(key: Key, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#append(key, DELETE);
      return this.#acknowledge(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `delete`. */
  deleteSync(key: Key, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgeSync(this.#append(key, DELETE), sync);
  }

  /** Applies a batch as one log record; resolves as `put` does. */
  write(batch: EmbeddedBatch, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#appendBatch(batch);
      return this.#acknowledge(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(batch: EmbeddedBatch, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgeSync(this.#appendBatch(batch), sync);
  }

  /** Makes everything durable that was written before the call. */
  sync(): Promise<void> {
    if (this.#state.logs.active === undefined) return Promise.resolve();
    return this.#acknowledge(true);
  }

  /** Freezes the memtable if it holds anything. */
  rotate(): void {
    if (this.#state.memtable.entryCount > 0) this.#rotate();
  }

  /** Gives back the memory of the last batch. */
  rest(): void {
    this.#batchMemory = undefined;
  }

  /** Lets go of everything: the store is closed. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.rest();
  }

  /** Resolves when every write that was accepted is acknowledged or has failed. */
  drained(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#isDraining) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #needsSync(options: WriteOptions | undefined): boolean {
    const { walSync } = this.#state.options;
    const isWanted = wantsSync(options);
    return isWanted || walSync === "batch" || walSync === "write";
  }

  /**
   * Memory for a batch, that of the last one where there is one: a batch of 1,000 entries would otherwise
   * allocate, zero and copy 500 KiB as it grows, outside the heap, where it makes V8 collect everything.
   */
  takeBatchMemory(): ByteWriter {
    const memory = this.#batchMemory;
    if (memory === undefined) return new ByteWriter(256);
    this.#batchMemory = undefined;
    memory.length = 0;
    return memory;
  }

  /** Its bytes stay as they are until the next batch is begun. What a huge batch has stretched is not kept. */
  #keepBatchMemory(memory: ByteWriter): void {
    // That of a batch of another copy of the library is of another class.
    if (memory.constructor !== ByteWriter) return;
    if (memory.bytes.length <= KEEP_BATCH_BYTES) this.#batchMemory = memory;
  }

  /** Appends one operation; returns the number of bytes that it takes in the log. */
  #append(key: Key, value: Value | typeof DELETE): number {
    if (typeof value === "object" && !isBytes(value)) {
      // Encoding a record may run getters of the caller, which may write: not into our buffer.
      return this.#appendBatch(
        new EmbeddedBatch(undefined, this.takeBatchMemory()).put(key, value),
      );
    }
    const log = this.#prepare();
    log.beginRecord();
    try {
      if (value === DELETE) encodeDelete(log.buffer, key);
      else encodePut(log.buffer, key, value);
    } catch (error) {
      log.cancelRecord();
      throw error;
    }
    return this.#commit(log, 1);
  }

  #appendBatch(batch: EmbeddedBatch): number {
    const { length, sizeBytes } = batch;
    if (sizeBytes > MAX_BATCH_BYTES) {
      throw new RangeError(
        `Cannot write a batch of ${sizeBytes} bytes: the limit is ${MAX_BATCH_BYTES}`,
      );
    }
    this.#state.requireWritable();
    if (length === 0) {
      this.#keepBatchMemory(batch.finish());
      return 0;
    }
    if (sizeBytes > LARGE_BATCH_BYTES) this.rotate();
    const log = this.#prepare();
    const payload = batch.finish();
    this.#keepBatchMemory(payload);
    log.beginRecord();
    log.buffer.appendBytes(payload.bytes, 0, payload.length);
    return this.#commit(log, length);
  }

  /** The log to write to, after making sure that there is one, with a memtable that has room. */
  #prepare(): LogWriter {
    const state = this.#state;
    state.requireWritable();
    const { logs } = state;
    if (!this.#isFirstLogKnown || logs.active === undefined) this.#openFirstLog();
    else if (state.memtable.sizeBytes >= state.options.memtableSizeBytes || logs.isEnded) {
      this.#rotate();
    }
    return state.logs.active!;
  }

  /** Completes the record in the making and makes its entries visible. */
  #commit(log: LogWriter, entryCount: number): number {
    const state = this.#state;
    const firstSequence = state.lastSequence + 1;
    log.endRecord(firstSequence, entryCount);
    const { bytes, view, length } = log.buffer;
    const payloadStart = log.recordPayloadStart;
    const { memtable, deadRanges } = state;
    const mayRevive = !deadRanges.isEmpty;
    let start = payloadStart + 1;
    try {
      for (let i = 0; i < entryCount; i++) {
        const keyEnd = start + 4 + view.getUint32(start, true);
        const end = keyEnd + 4 + view.getUint32(keyEnd, true);
        if (isTombstone(bytes, keyEnd + 4)) this.#noteTombstone(memtable);
        else if (mayRevive) deadRanges.notePut(view, start + 4, keyEnd);
        memtable.insert(firstSequence + i, bytes, view, start, keyEnd, end);
        start = end + 1;
      }
    } catch (error) {
      // The log has the whole record and the memtable a part of it: only reopening sorts that out.
      throw state.fail("an insert into the memtable", error);
    }
    state.lastSequence = firstSequence + entryCount - 1;
    return length - payloadStart;
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
    this.#background.kick();
  }

  /**
   * Creates the first log of this session and says so in the manifest, so that recovery misses it if
   * it should disappear. Once per open, and synchronous: no write may come before it. Where there is no descriptor
   * for a step, nothing was done by it, and the next write goes on from there.
   */
  #openFirstLog(): void {
    const state = this.#state;
    try {
      if (state.logs.active === undefined) {
        state.logs.rotate(state.versions.newFileNumber(), state.lastSequence + 1);
      }
      const { number } = state.logs.active!;
      state.logs.writeOutSync();
      // With the header durable, every record proves that it was: damage to it is then told apart.
      state.logs.syncSync();
      state.versions.applySync({ log: { number, live: true }, removed: [], added: [] });
      this.#isFirstLogKnown = true;
    } catch (error) {
      if (isOutOfDescriptors(error) && state.versions.poison === undefined) throw error;
      throw state.fail("the start of the write-ahead log", error);
    }
  }

  #acknowledge(needsSync: boolean): Promise<void> {
    const groups = this.#groups;
    let group = groups.at(-1);
    if (group === undefined || this.#state.options.walSync === "write") {
      group = new Group(needsSync);
      groups.push(group);
    } else if (needsSync) {
      group.needsSync = true;
    }
    if (!this.#isDraining) {
      this.#isDraining = true;
      // Not `queueMicrotask`: fake clocks replace it.
      void settled.then(this.#startDraining);
    }
    return group.promise;
  }

  /** Acknowledges the first group, and so on until there is none. */
  #drain(): void {
    for (;;) {
      const group = this.#groups.shift();
      if (group === undefined) {
        this.#isDraining = false;
        for (const resolve of this.#drained.splice(0)) resolve();
        return;
      }
      const error = this.#writeOut();
      if (error !== undefined) {
        group.reject(error);
      } else if (group.needsSync) {
        this.#state.logs.sync().then(
          () => this.#finishSynced(group),
          (error: unknown) => {
            this.#state.fail("a sync of the write-ahead log", error);
            group.reject(error);
          },
        ).then(() => this.#drain());
        return;
      } else {
        this.#finish(group);
        this.#startTimer();
      }
    }
  }

  /** Hands everything to the operating system; returns what went wrong, or undefined. */
  #writeOut(): unknown {
    const state = this.#state;
    if (state.failure !== undefined) return state.failure;
    try {
      state.logs.writeOutSync();
    } catch (error) {
      state.fail("a write to the write-ahead log", error);
      return error;
    }
  }

  /** As `#finish`, unless a failure was reported meanwhile to a synchronous writer and not to us. */
  #finishSynced(group: Group): void {
    const { failure } = this.#state;
    if (failure === undefined) this.#finish(group);
    else group.reject(failure);
  }

  /** Resolves a group, later where the background has fallen behind or a turn is due. */
  #finish(group: Group): void {
    const wait = this.#background.pressure() ?? this.#state.turns.due();
    if (wait === undefined) group.resolve();
    else wait.then(group.resolve, group.reject);
  }

  #acknowledgeSync(bytes: number, needsSync: boolean): void {
    const state = this.#state;
    try {
      state.logs.writeOutSync();
      if (needsSync) state.logs.syncSync();
      else if (state.options.walSync === "interval") this.#syncIfDue();
    } catch (error) {
      state.fail("a write to the write-ahead log", error);
      throw error;
    }
    this.#background.assist(bytes);
  }

  /** A synchronous writer may keep timers from firing, so it looks at the clock itself. */
  #syncIfDue(): void {
    const { scheduler, options, logs } = this.#state;
    if (isOver(scheduler, this.#lastSyncMs, options.walSyncIntervalMs)) {
      // Before the sync: what is written while it runs has waited since then.
      this.#lastSyncMs = scheduler.nowMs();
      logs.syncSync();
    } else {
      this.#startTimer();
    }
  }

  #startTimer(): void {
    const { scheduler, options } = this.#state;
    if (options.walSync !== "interval" || this.#timer !== undefined) return;
    this.#timer = scheduler.setTimer(() => {
      this.#timer = undefined;
      this.#lastSyncMs = scheduler.nowMs();
      // A failure is noted in the state by then, and every later write reports it.
      this.sync().catch((error: unknown) => {
        if (!(error instanceof BackgroundError)) this.#state.fail("a sync", error);
      });
    }, options.walSyncIntervalMs);
  }
}
