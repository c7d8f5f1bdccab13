/**
 * Writes that are applied together: all or none, also after a crash.
 *
 * Operations are encoded when they are added, in the form of a log record's payload, so that a mistake
 * is reported where it is made, the caller's buffers are free at once, and writing the batch is a copy.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import type { Batch, WriteOptions } from "../contract/writer.ts";
import { markClass } from "../class_marks.ts";
import { ClosedError } from "../errors.ts";
import type { Key, Value } from "../value/value.ts";
import { MAX_PAYLOAD_BYTES } from "../wal/log_format.ts";
import { encodeDelete, encodePut } from "./operation_encoding.ts";
import { surplusArgument } from "../contract/write_options.ts";

export type { Operation, WriteOptions } from "../contract/writer.ts";

/**
 * The mark of a batch: which form its operations are encoded in, and what `finish` returns. A batch of
 * another copy of the library is as good as one of ours if it has the same; else it is refused.
 */
export const BATCH_FORM: unique symbol = Symbol.for("@tinykvs/core batch form");
/** Goes up with each change of the payload of a log record, or of `finish`. */
export const BATCH_FORM_HERE = 1;

/** What a batch that was written holds on to. */
const NO_MEMORY = new ByteWriter(0);

/**
 * Collects puts and deletes; `write` applies them in the order in which they were added.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.batch().put("a", 1).put("b", 2).delete("c").write();
 * ```
 */
export class EmbeddedBatch implements Batch {
  #writer: ByteWriter;
  readonly #write: ((batch: EmbeddedBatch, options?: WriteOptions) => Promise<void>) | undefined;
  #count = 0;
  #isWritten = false;
  #writtenBytes = 0;
  /** Whether a put is half encoded: getters of its record may call back. */
  #isEncoding = false;

  /** Made by `store.batch()`. */
  constructor(
    write?: (batch: EmbeddedBatch, options?: WriteOptions) => Promise<void>,
    memory: ByteWriter = new ByteWriter(256),
  ) {
    this.#write = write;
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

  /**
   * Adds a put. Later operations on the same key win.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored; the batch is unchanged
   */
  put(key: Key, value: Value): this {
    // Options are those of the batch: `write` takes them.
    if (arguments.length > 2) throw surplusArgument("batch.put", arguments[2], 2);
    this.#requireOpen();
    const start = this.#writer.length;
    this.#isEncoding = true;
    try {
      encodePut(this.#writer, key, value);
    } catch (error) {
      this.#writer.length = start;
      throw error;
    } finally {
      this.#isEncoding = false;
    }
    return this.#added(start);
  }

  /**
   * Adds a delete. Deleting a key that is not there is no error.
   *
   * @throws {TypeError | RangeError} the key can't be one; the batch is unchanged
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

  /** Forgets every operation. */
  clear(): this {
    this.#requireOpen();
    this.#writer.length = 0;
    this.#count = 0;
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
    if (this.#write === undefined) return Promise.reject(new ClosedError("batch"));
    return this.#write(this, options);
  }

  /**
   * Marks the batch as written; returns its encoded operations, whose memory is the caller's from then
   * on. Internal to the write path.
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

  #added(start: number): this {
    if (this.#writer.length > MAX_PAYLOAD_BYTES) {
      this.#writer.length = start;
      throw new RangeError("Cannot add to the batch: it would be longer than 4 GiB");
    }
    this.#count++;
    return this;
  }

  #requireOpen(): void {
    if (this.#isWritten) throw new ClosedError("batch");
    if (this.#isEncoding) {
      throw new TypeError(
        "Cannot use the batch: a getter of a value is being run that it is to hold",
      );
    }
  }
}

markClass(EmbeddedBatch, BATCH_FORM, BATCH_FORM_HERE);
