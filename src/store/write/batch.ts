/**
 * Writes that are applied together: all or none, also after a crash.
 *
 * Operations are encoded when they are added, in the form of a log record's payload. So a mistake
 * is reported where it is made, the caller may reuse its buffers at once, and writing the batch is
 * a copy.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { finiteTime, putTime } from "../../contract/put_options.ts";
import type { Operation, PutTime, WriteOptions } from "../../contract/writer.ts";
import type { SyncBatch } from "./sync_batch.ts";
import { markClass, markOf } from "../../class_marks.ts";
import { ClosedError } from "../../errors.ts";
import { describeValue, type Key, type Value } from "../../value/value.ts";
import { systemScheduler } from "../../platform/system_scheduler.ts";
import { MAX_PAYLOAD_BYTES } from "../../wal/log_format.ts";
import type { Range } from "../state/range.ts";
import { encodeDelete, encodeDeleteRange, encodePut } from "./operation_encoding.ts";
import { requireKnownNames, surplusArgument, timeOf } from "../../contract/write_options.ts";

export type { Operation, WriteOptions } from "../../contract/writer.ts";

/**
 * The mark of a batch: the form in which its operations are encoded, and which `finish` returns. A
 * batch of another copy of the library is as good as ours if it has the same form; otherwise it is
 * refused.
 */
export const BATCH_FORM: unique symbol = Symbol.for("@tinykvs/core batch form");
/** Increases with each change of the payload of a log record, or of `finish`. */
export const BATCH_FORM_HERE = 3;

/** The memory of a batch that was written. */
const NO_MEMORY = new ByteWriter(0);

/** What applies the operations of a batch: a store, or a transaction. */
export interface BatchTarget {
  /** Writes a batch. */
  write(batch: EmbeddedBatch, options?: WriteOptions): Promise<void>;
  /** As `write`. */
  writeSync(batch: EmbeddedBatch, options?: WriteOptions): void;
}

/**
 * Collects puts, deletes and deletions of ranges; `write` or `writeSync` applies them in the order
 * in which they were added.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.batch().put("a", 1).put("b", 2).delete("c").write();
 * store.batch().put("d", 3).delete("a").writeSync();
 * ```
 */
export class EmbeddedBatch implements SyncBatch {
  #writer: ByteWriter;
  readonly #target: BatchTarget | undefined;
  #count = 0;
  /** Bytes of the operations that delete ranges. */
  #rangeBytes = 0;
  #isWritten = false;
  #writtenBytes = 0;
  #mayExpire = false;
  /** Bytes of the longest operation. */
  #longestBytes = 0;
  /** Whether a put is half encoded: getters of its record may call the batch. */
  #isEncoding = false;

  /** Made by `store.batch()`. */
  constructor(target?: BatchTarget, memory: ByteWriter = new ByteWriter(256)) {
    this.#target = target;
    this.#writer = memory;
  }

  /** Number of operations so far. */
  get length(): number {
    return this.#count;
  }

  /** Size in bytes of the operations so far, as they go into the log. */
  get sizeBytes(): number {
    return this.#isWritten ? this.#writtenBytes : this.#writer.length;
  }

  /** Bytes of the longest operation, or more. @internal */
  get longestBytes(): number {
    return this.#longestBytes;
  }

  /** Whether one of the values expires. @internal */
  get mayExpire(): boolean {
    return this.#mayExpire;
  }

  /**
   * Adds a put. Later operations on the same key win. A `ttlMs` counts from this call. All other
   * options belong to the batch: `write` takes them.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored, or the time is not
   *   valid; the batch is unchanged
   */
  put(key: Key, value: Value, time?: PutTime): this {
    if (arguments.length > 3) throw surplusArgument("batch.put", arguments[3], 3);
    return this.add(key, value, finiteTime(putTime(time, systemScheduler.wallMs)));
  }

  /**
   * As `put`, with a time that was checked.
   *
   * @internal
   */
  add(key: Key, value: Value, expiresAt: number | undefined): this {
    this.#requireOpen();
    const start = this.#writer.length;
    this.#isEncoding = true;
    try {
      encodePut(this.#writer, key, value, expiresAt);
      if (expiresAt !== undefined) this.#mayExpire = true;
    } catch (error) {
      this.#writer.length = start;
      throw error;
    } finally {
      this.#isEncoding = false;
    }
    return this.#added(start);
  }

  /**
   * Adds a delete. Deleting a missing key is not an error.
   *
   * @throws {TypeError | RangeError} the key can't be a key; the batch is unchanged
   */
  delete(key: Key): this {
    if (arguments.length > 1) throw surplusArgument("batch.delete", arguments[1], 1);
    this.#requireOpen();
    const start = this.#writer.length;
    try {
      encodeDelete(this.#writer, key);
    } catch (error) {
      this.#writer.length = start;
      throw error;
    }
    return this.#added(start);
  }

  /**
   * Adds the deletion of all keys of a range. Puts that are added later stay.
   *
   * @throws {TypeError | RangeError} it can't be such a range; the batch is unchanged
   */
  deleteRange(range: Range): this {
    if (arguments.length > 1) throw surplusArgument("batch.deleteRange", arguments[1], 1);
    this.#requireOpen();
    const start = this.#writer.length;
    try {
      if (!encodeDeleteRange(this.#writer, range)) return this;
    } catch (error) {
      this.#writer.length = start;
      throw error;
    }
    this.#rangeBytes += this.#writer.length - start;
    return this.#added(start);
  }

  /**
   * Bytes of the operations that delete ranges. Internal to the write path.
   *
   * @internal
   */
  get rangeBytes(): number {
    return this.#rangeBytes;
  }

  /** Forgets every operation. */
  clear(): this {
    this.#requireOpen();
    this.#writer.length = 0;
    this.#count = 0;
    this.#rangeBytes = 0;
    this.#mayExpire = false;
    this.#longestBytes = 0;
    return this;
  }

  /**
   * Applies the operations as one. The batch can't be used afterwards.
   *
   * @throws {ClosedError} it was written already, or the store is closed
   * @throws {TypeError} the options are not valid; the batch can still be written
   */
  write(options?: WriteOptions): Promise<void> {
    if (arguments.length > 1) {
      return Promise.reject(surplusArgument("batch.write", arguments[1], 1));
    }
    if (this.#target === undefined) return Promise.reject(new ClosedError("batch"));
    return this.#target.write(this, options);
  }

  /** As `write`. Returns when the operations are durable, as `writeSync` of the store does. */
  writeSync(options?: WriteOptions): void {
    if (arguments.length > 1) throw surplusArgument("batch.writeSync", arguments[1], 1);
    if (this.#target === undefined) throw new ClosedError("batch");
    this.#target.writeSync(this, options);
  }

  /**
   * Marks the batch as written; returns its encoded operations, whose memory then belongs to the
   * caller. Internal to the write path.
   *
   * @internal
   * @throws {ClosedError} it was written already
   * @throws {TypeError} one of its values is half encoded
   */
  finish(): ByteWriter {
    this.#requireOpen();
    const payload = this.#writer;
    this.#isWritten = true;
    this.#writtenBytes = payload.length;
    this.#writer = NO_MEMORY;
    return payload;
  }

  /**
   * A batch of operations that are encoded already, those of a transaction.
   *
   * @internal
   */
  static holding(
    payload: ByteWriter,
    count: number,
    rangeBytes: number,
    mayExpire: boolean,
  ): EmbeddedBatch {
    const batch = new EmbeddedBatch(undefined, payload);
    batch.#count = count;
    batch.#rangeBytes = rangeBytes;
    batch.#mayExpire = mayExpire;
    batch.#longestBytes = payload.length;
    return batch;
  }

  #added(start: number): this {
    const { length } = this.#writer;
    if (length > MAX_PAYLOAD_BYTES) {
      this.#writer.length = start;
      throw new RangeError("Cannot add to the batch: it would be longer than 4 GiB");
    }
    if (length - start > this.#longestBytes) this.#longestBytes = length - start;
    this.#count++;
    return this;
  }

  #requireOpen(): void {
    if (this.#isWritten) throw new ClosedError("batch");
    if (this.#isEncoding) {
      throw new TypeError(
        "Cannot use the batch: a getter of a value that is being added to it is running",
      );
    }
  }
}

/**
 * What is handed to `write` as a batch: itself, or one of the operations, made in memory of
 * `takeMemory`.
 *
 * @throws {TypeError | RangeError} it is no batch of ours, or an operation can't be written
 */
export function batchOf(
  operations: readonly Operation[] | EmbeddedBatch,
  takeMemory: () => ByteWriter,
): EmbeddedBatch {
  if (operations instanceof EmbeddedBatch) return operations;
  const form = markOf(operations, BATCH_FORM);
  if (form !== undefined) {
    throw new TypeError(
      `Cannot write: the batch was made by another version of @tinykvs/core, in form ${
        String(form)
      }, expected form ${BATCH_FORM_HERE}; make it by the batch() of this store`,
    );
  }
  if (!Array.isArray(operations)) {
    throw new TypeError(
      `Cannot write: found ${
        describeValue(operations)
      }, expected an array of operations or a batch`,
    );
  }
  const batch = new EmbeddedBatch(undefined, takeMemory());
  for (const [at, operation] of (operations as readonly Operation[]).entries()) {
    if (operation?.type === "put") {
      requireKnownNames(operation, at);
      const time = putTime(timeOf(operation), systemScheduler.wallMs);
      batch.add(operation.key, operation.value, finiteTime(time));
    } else if (operation?.type === "delete") {
      requireKnownNames(operation, at);
      batch.delete(operation.key);
    } else if (operation?.type === "deleteRange") {
      requireKnownNames(operation, at);
      batch.deleteRange(operation.range);
    } else {
      const found = describeValue((operation as { type?: unknown } | undefined)?.type);
      throw new TypeError(
        `Cannot write operation ${at}: its type is ${found}, expected "put", "delete" or "deleteRange"`,
      );
    }
  }
  return batch;
}

markClass(EmbeddedBatch, BATCH_FORM, BATCH_FORM_HERE);
