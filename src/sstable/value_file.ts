/**
 * A value file, `NNNNNN.val`: large values that a job has moved out of logs or other value files,
 * or the one value of a stream that was put.
 *
 *     0   8 bytes  magic "TKVSVAL" and the byte 0x01
 *     8   u32      number of this file, as in its name
 *     12  u32      CRC-32 of bytes 0 to 11
 *     16  encoded values, one after another, in no particular order
 *
 * The values have no headers: the references to them have their lengths and checksums. The file is
 * written once, and durable before an edit names a table that refers to it, or before the log
 * record of the stream.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { crc32 } from "../bytes/crc32.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { syncStep, type Task } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";

/** Length of the header. */
export const VALUE_FILE_HEADER_BYTES = 16;

const MAGIC_LOW = 0x53564b54; // "TKVS"
const MAGIC_HIGH = 0x014c4156; // "VAL\x01"
/** Values are written to the file in pieces of about this size. */
const WRITE_BYTES = 256 * 1024;

/** Writes one value file. */
export class ValueFileWriter {
  readonly #handle: FileHandle;
  #output = new ByteWriter(4096);
  #writtenBytes = 0;

  /** Starts a new, empty file. */
  constructor(handle: FileHandle, number: number) {
    this.#handle = handle;
    const output = this.#output;
    output.appendUint32(MAGIC_LOW);
    output.appendUint32(MAGIC_HIGH);
    output.appendUint32(number);
    output.appendUint32(crc32(output.bytes, output.view, 0, 12));
  }

  /** Bytes so far. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#output.length;
  }

  /**
   * Appends `length` bytes that `fill` writes to `into[at...]`.
   *
   * @throws {IoError} the file can't be written, or what `fill` throws; the file must be given up
   */
  append(length: number, fill: (into: Uint8Array, view: DataView, at: number) => void): void {
    const output = this.#output;
    output.reserve(length);
    const at = output.length;
    fill(output.bytes, output.view, at);
    output.length = at + length;
    if (output.length >= WRITE_BYTES) this.#writeOut();
  }

  /** Replaces bytes that were appended. @throws {IoError} the file can't be written */
  replaceSync(offset: number, bytes: Uint8Array): void {
    this.#writeOut();
    writeFullySync(this.#handle, bytes, 0, bytes.length, offset);
  }

  /** Makes what was appended durable, and goes on. */
  *sync(): Task<void> {
    this.#writeOut();
    yield syncStep(this.#handle, this.#writtenBytes);
  }

  /** Makes the content durable and closes the file. */
  *finish(): Task<void> {
    yield* this.sync();
    this.#handle.closeSync();
  }

  /** Closes the file, which will be removed. */
  abandon(): void {
    this.#handle.closeSync();
  }

  #writeOut(): void {
    const output = this.#output;
    writeFullySync(this.#handle, output.bytes, 0, output.length, this.#writtenBytes);
    this.#writtenBytes += output.length;
    if (output.bytes.length > 2 * WRITE_BYTES) this.#output = new ByteWriter(WRITE_BYTES);
    else output.length = 0;
  }
}
