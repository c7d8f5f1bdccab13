/**
 * Writes one write-ahead log. A commit (store/write/commit.ts) encodes records straight into
 * `buffer`, hands them to the operating system with `writeOut`, and makes them durable with a sync
 * of its own choosing; it then says so with `markDurable`, for the durable offset of later records.
 *
 * A log is created exclusively and only ever grows; there is no truncate and no reopening for
 * appending: what a crash left is read, and never written again.
 *
 * Where syncs are many and small, the file is extended ahead of the records with zeros, which
 * records then overwrite: a sync that has to write the file's new size and blocks into the file
 * system's journal takes up to 1.8 times as long as one of data alone
 * (docs/decisions/0012-log-extension.md). SQLite's log gains the same by being reused. Nothing but
 * zeros and its own records is ever in a log.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { fileTag } from "../bytes/store_id.ts";
import { IoError } from "../errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { writeFullySync } from "../platform/transfer.ts";
import {
  encodeLogHeader,
  LOG_VERSION,
  MAX_PAYLOAD_BYTES,
  RECORD_END,
  RECORD_ENTRIES,
  RECORD_HEADER_BYTES,
  sealRecord,
} from "./log_format.ts";

/** It grows as the writes of a turn need it. */
const BUFFER_BYTES = 4 * 1024;
const MAX_EXTENSION_BYTES = 256 * 1024;
/**
 * Small syncs of a log before it is extended: a program that writes only a few values leaves a
 * small file.
 */
const SYNCS_BEFORE_EXTENDING = 2;
/**
 * A sync of more than this part of an extension takes the same time with one, because the data take
 * the time.
 */
const SMALL_SYNC_PART = 4;
const NO_ROOM: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);
/** Made with the first extension; nobody writes to it. */
let zeros: Uint8Array | undefined;
/** A buffer that a large batch has made larger than this is dropped after it is written. */
const KEEP_BUFFER_BYTES = 1024 * 1024;

/** An open log that records are appended to. */
export class LogWriter {
  /** The open file. */
  readonly handle: FileHandle;
  /** Number of the log. */
  readonly number: number;
  /** Format version, which says what its records may have. */
  readonly version: number;
  /** Records that are encoded and not yet written, including the one that is being encoded. */
  buffer: ByteWriter;
  #writtenBytes = 0;
  #durableBytes = 0;
  /** Length of the file with the zeros after the records, if it was extended. */
  #extendedBytes = 0;
  /** By how much it is extended; 0 to stop extending. */
  #extensionBytes: number;
  #smallSyncs = 0;
  #recordStart = 0;
  readonly #tag: number;

  /**
   * Creates the file (its name is not durable yet) and encodes its header. The log will hold about
   * `expectedBytes`; 0 if it must never be extended.
   */
  constructor(
    fileSystem: FileSystem,
    path: string,
    storeId: number,
    number: number,
    firstSequence: number,
    expectedBytes = 0,
    version: number = LOG_VERSION,
  ) {
    this.#extensionBytes = Math.min(MAX_EXTENSION_BYTES, expectedBytes >>> 2);
    this.handle = fileSystem.createSync(path);
    this.number = number;
    this.version = version;
    this.buffer = new ByteWriter(BUFFER_BYTES);
    this.#tag = fileTag(storeId, number);
    encodeLogHeader(this.buffer, { storeId, logNumber: number, firstSequence, version });
  }

  /** Length of the log in bytes, including the part that still waits in the buffer. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.buffer.length;
  }

  /** Length of the file once the buffer is written out, with the zeros that it was extended by. */
  get fileBytes(): number {
    return Math.max(this.sizeBytes, this.#extendedBytes);
  }

  /** Bytes that the operating system has. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Whether everything appended so far is known to be durable. */
  get isDurable(): boolean {
    return this.buffer.length === 0 && this.#durableBytes === this.#writtenBytes;
  }

  /** Starts a record; its entries are then appended to `buffer`. */
  beginRecord(): void {
    const buffer = this.buffer;
    this.#recordStart = buffer.length;
    buffer.reserve(RECORD_HEADER_BYTES);
    buffer.length += RECORD_HEADER_BYTES;
  }

  /** Offset in `buffer` of the first entry of the record that is being encoded. */
  get recordPayloadStart(): number {
    return this.#recordStart + RECORD_HEADER_BYTES;
  }

  /** Forgets the record that is being encoded. */
  cancelRecord(): void {
    this.buffer.truncate(this.#recordStart);
  }

  /**
   * Completes the record that is being encoded.
   *
   * @throws {RangeError} its payload is longer than 4 GiB; the record is forgotten
   */
  endRecord(firstSequence: number, entryCount: number): void {
    const buffer = this.buffer;
    if (buffer.length - this.#recordStart - RECORD_HEADER_BYTES > MAX_PAYLOAD_BYTES) {
      const length = buffer.length - this.#recordStart;
      this.cancelRecord();
      throw new RangeError(`Cannot write a batch of ${length} bytes: the limit is 4 GiB`);
    }
    this.#seal(RECORD_ENTRIES, firstSequence, entryCount);
  }

  /** Appends the record that ends the log cleanly. */
  appendEnd(nextSequence: number): void {
    this.beginRecord();
    this.#seal(RECORD_END, nextSequence, 0);
    this.#extensionBytes = 0;
  }

  /**
   * Passes the buffer to the operating system. After a failure the log must not be written again.
   */
  writeOutSync(): void {
    const buffer = this.buffer;
    if (buffer.length === 0) return;
    writeFullySync(this.handle, buffer.bytes, 0, buffer.length, this.#writtenBytes);
    this.#writtenBytes += buffer.length;
    if (buffer.bytes.length > KEEP_BUFFER_BYTES) this.buffer = new ByteWriter(BUFFER_BYTES);
    else buffer.length = 0;
  }

  /** Releases memory that the last writes needed, and extra descriptors of the file. */
  rest(): void {
    if (this.buffer.length === 0 && this.buffer.bytes.length > BUFFER_BYTES) {
      this.buffer = new ByteWriter(BUFFER_BYTES);
    }
    this.handle.rest?.();
  }

  /**
   * Extends the file before a sync of what was written, if that makes the next syncs cheaper. A
   * disk without room for it may still have room for the records.
   */
  extendSync(): void {
    const unsyncedBytes = this.#writtenBytes - this.#durableBytes;
    if (unsyncedBytes * SMALL_SYNC_PART > this.#extensionBytes) return;
    if (this.#writtenBytes + unsyncedBytes <= this.#extendedBytes) return;
    if (++this.#smallSyncs <= SYNCS_BEFORE_EXTENDING) return;
    zeros ??= new Uint8Array(MAX_EXTENSION_BYTES);
    const start = Math.max(this.#writtenBytes, this.#extendedBytes);
    try {
      writeFullySync(this.handle, zeros, 0, this.#extensionBytes, start);
      this.#extendedBytes = start + this.#extensionBytes;
    } catch (error) {
      if (!(error instanceof IoError) || !NO_ROOM.has(error.osCode)) throw error;
      this.#extensionBytes = 0;
    }
  }

  /** Notes that a sync has made the first `sizeBytes` of the file durable. */
  markDurable(sizeBytes: number): void {
    if (sizeBytes > this.#durableBytes) this.#durableBytes = sizeBytes;
  }

  #seal(type: number, firstSequence: number, entryCount: number): void {
    const buffer = this.buffer;
    sealRecord(
      buffer.bytes,
      buffer.view,
      this.#recordStart,
      buffer.length,
      this.#tag,
      type,
      firstSequence,
      entryCount,
      this.#durableBytes,
    );
  }
}
