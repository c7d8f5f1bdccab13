/**
 * Writes that are applied together: all or none, also after a crash.
 *
 * Operations are encoded when they are added, in the form of a log record's payload, so that a mistake
 * is reported where it is made, the caller's buffers are free at once, and writing the batch is a copy.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { ClosedError } from "../errors.ts";
import { encodeKey } from "../value/key_codec.ts";
import type { Key, Value } from "../value/value.ts";
import { encodeTombstone, encodeValue } from "../value/value_codec.ts";
import { MAX_PAYLOAD_BYTES, OPERATION_PUT } from "../wal/log_format.ts";

/** What one write may be told. */
export interface WriteOptions {
  /** Whether the write is made durable before it resolves, whatever `walSync` says. Default false. */
  sync?: boolean;
}

/** One operation of `store.write([...])`. */
export type Operation =
  | {
    /** Stores a value. */
    type: "put";
    /** The key. */
    key: Key;
    /** The value. */
    value: Value;
  }
  | {
    /** Removes a key. */
    type: "delete";
    /** The key. */
    key: Key;
  };

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
export class Batch {
  readonly #writer = new ByteWriter(256);
  readonly #write: ((batch: Batch, options?: WriteOptions) => Promise<void>) | undefined;
  #count = 0;
  #isWritten = false;
  /** Whether a put is half encoded: getters of its record may call back. */
  #isEncoding = false;

  /** Made by `store.batch()`. */
  constructor(write?: (batch: Batch, options?: WriteOptions) => Promise<void>) {
    this.#write = write;
  }

  /** Number of operations so far. */
  get length(): number {
    return this.#count;
  }

  /** Size in bytes of the operations so far, as they go into the log. */
  get sizeBytes(): number {
    return this.#writer.length;
  }

  /**
   * The encoded operations, a view. Internal to the write path.
   *
   * @internal
   */
  get payload(): ByteWriter {
    return this.#writer;
  }

  /**
   * Adds a put. Later operations on the same key win.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored; the batch is unchanged
   */
  put(key: Key, value: Value): this {
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
   */
  write(options?: WriteOptions): Promise<void> {
    if (this.#write === undefined) return Promise.reject(new ClosedError("batch"));
    return this.#write(this, options);
  }

  /**
   * Marks the batch as written. Internal to the write path.
   *
   * @internal
   * @throws {ClosedError} it was written already
   * @throws {TypeError} one of its values is half encoded
   */
  finish(): void {
    this.#requireOpen();
    this.#isWritten = true;
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

/** Appends a put in the form of a log record's payload; on any error the writer has to be truncated. */
export function encodePut(writer: ByteWriter, key: Key, value: Value): void {
  encodeKeyField(writer, key);
  const lengthAt = writer.length;
  writer.appendUint32(0);
  encodeValue(value, writer);
  writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
}

/** Appends a delete in the form of a log record's payload; on any error the writer has to be truncated. */
export function encodeDelete(writer: ByteWriter, key: Key): void {
  encodeKeyField(writer, key);
  writer.appendUint32(1);
  encodeTombstone(writer);
}

function encodeKeyField(writer: ByteWriter, key: Key): void {
  writer.appendUint8(OPERATION_PUT);
  const lengthAt = writer.length;
  writer.appendUint32(0);
  encodeKey(key, writer);
  writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
}
