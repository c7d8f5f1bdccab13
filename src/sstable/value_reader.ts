/**
 * Reads large values from the logs and value files that hold them. A search or a scan that finds a
 * reference asks its driver for the value, as it asks for a block.
 *
 * Values are not cached: they would wash the blocks out, and the page cache has them. The bytes of
 * a value are checked against the CRC of its reference before anything else looks at them.
 */

import { crc32 } from "../bytes/crc32.ts";
import { CorruptionError, DecodeError, IoError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { Task } from "../platform/task.ts";
import { readFullySync } from "../platform/transfer.ts";
import { contentStart } from "../value/expiry.ts";
import { offerBytes } from "../value/owned_bytes.ts";
import { isPacked, unpackValue } from "../value/packed_value.ts";
import { TYPE_BYTES } from "../value/value.ts";
import { BYTES_HEADER_BYTES } from "../value/value_codec.ts";
import {
  IN_LOG,
  readReference,
  type ValueFileKind,
  type ValueReference,
} from "../value/value_reference.ts";
import { uninitializedBytes } from "../platform/natives.ts";
import { type HandlePool, PooledFile } from "./handle_pool.ts";
import type { LoadWaiter } from "./load_queue.ts";
import type { ReadPace } from "./read_pace.ts";

/** A longer value is not read at once by an asynchronous call. */
const MAX_AT_ONCE_BYTES = 256 * 1024;
/** Before more is allocated, the size of the file is looked at. */
const MAX_UNCHECKED_BYTES = 1024 * 1024;

/** A value to be read. */
export interface ValueRequest extends ValueReference {
  /** The time in front of the reference, as it is stored; empty if there is none. */
  readonly time: Uint8Array;
}

/** An encoded value as it would be in the entry itself, with its time. */
export interface LargeValue {
  /** The whole value, to the end. */
  readonly bytes: Uint8Array;
  /** Where it starts. */
  readonly start: number;
  /** A view of the same memory. */
  readonly view: DataView;
}

/** Values are copied, checked and streamed in parts of this length. */
export const PART_BYTES: number = 256 * 1024;

const CUT = "the file ends before it does";
const NO_TIME = new Uint8Array(0);

/** Where a value with a time is put, so that the content of bytes is at a multiple of 8. */
function startFor(time: Uint8Array): number {
  return -(time.length + BYTES_HEADER_BYTES) & 7;
}

/** Shows a value that was read in place of the reference. */
export function showLargeValue(entry: EntryView, { bytes, view, start }: LargeValue): void {
  entry.valueBytes = bytes;
  entry.valueView = view;
  entry.valueStart = start;
  entry.valueEnd = bytes.length;
}

/** A value that starts, after its time, at `at` in memory that nobody else has. */
function forOne(bytes: Uint8Array, view: DataView, at: number, time: Uint8Array): LargeValue {
  if (bytes[at] === TYPE_BYTES) offerBytes(bytes);
  const start = at - time.length;
  bytes.fill(0, 0, start);
  bytes.set(time, start);
  return { bytes, view, start };
}

/** Reads values of one store. */
export class ValueReader {
  readonly #directory: string;
  readonly #handles: HandlePool;
  readonly #pathOf: (kind: ValueFileKind, number: number) => string;
  readonly #files = new Map<number, PooledFile>();
  readonly #verifyChecksums: boolean;
  /**
   * The failure of the store, if it has failed. What a log has lost in a failed sync is reported as
   * that failure, and not as damage: nobody was promised that it is there.
   */
  failure: () => Error | undefined = () => undefined;
  /** Number of values that gets, scans, streams and watches have read. */
  reads = 0;
  /** Bytes of them, as they are stored. */
  readBytes = 0;

  /** Reads files of a directory, which `pathOf` names, through a pool of handles. */
  constructor(
    directory: string,
    handles: HandlePool,
    pathOf: (kind: ValueFileKind, number: number) => string,
    verifyChecksums = true,
  ) {
    this.#directory = directory;
    this.#handles = handles;
    this.#pathOf = pathOf;
    this.#verifyChecksums = verifyChecksums;
  }

  /**
   * The value that an entry refers to. It does not use the entry's memory any more.
   *
   * @throws {CorruptionError} the reference is malformed
   */
  requestOf(entry: EntryView): ValueRequest {
    const { valueBytes, valueView, valueStart, valueEnd } = entry;
    try {
      const reference = readReference(valueBytes, valueView, valueStart, valueEnd);
      const content = contentStart(valueBytes, valueStart);
      const time = content === valueStart ? NO_TIME : valueBytes.slice(valueStart, content);
      return { ...reference, time };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const message = `Cannot read a value in "${this.#directory}": ${error.message}`;
      throw new CorruptionError(message, this.#directory, error.offset, { cause: error });
    }
  }

  /**
   * Reads a value.
   *
   * @throws {CorruptionError} it is damaged; {IoError} its file can't be read
   */
  readSync(request: ValueRequest): LargeValue {
    const bytes = this.#memoryFor(request);
    const file = this.#file(request);
    try {
      const { offset, length } = request;
      readFullySync(this.#handles.acquire(file), bytes, bytes.length - length, length, offset);
    } catch (error) {
      throw this.#cut(request, error);
    }
    return this.#accept(request, bytes);
  }

  /** As `readSync` if the value is likely to be in the page cache; undefined if not. */
  readAtOnce(request: ValueRequest, pace: ReadPace): LargeValue | undefined {
    if (request.length > MAX_AT_ONCE_BYTES || !pace.mayReadAtOnce()) return undefined;
    const startedMs = pace.start();
    const value = this.readSync(request);
    pace.finish(startedMs);
    return value;
  }

  /** As `readSync`. */
  async read(request: ValueRequest): Promise<LargeValue> {
    const { offset, length } = request;
    const bytes = this.#memoryFor(request);
    try {
      const at = bytes.length - length;
      await this.#handles.read(this.#file(request), bytes, at, length, offset);
    } catch (error) {
      throw this.#cut(request, error);
    }
    return this.#accept(request, bytes);
  }

  /** As `read`, for a waiter; the number of reads at a time is limited. */
  join(request: ValueRequest, waiter: LoadWaiter<LargeValue>): void {
    this.#handles.loads.start(() => this.read(request)).join(waiter);
  }

  /**
   * Reads `length` of the stored bytes of a value, from the byte `from` on, to `into[at...]`.
   *
   * @throws {CorruptionError} the file is cut off; {IoError} it can't be read
   */
  readPartSync(
    reference: ValueReference,
    from: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const { offset } = reference;
    try {
      readFullySync(this.#handles.acquire(this.#file(reference)), into, at, length, offset + from);
    } catch (error) {
      throw this.#cut(reference, error);
    }
  }

  /** As `readPartSync`, for a stream. */
  async readPart(
    reference: ValueReference,
    from: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): Promise<void> {
    try {
      await this.#handles.read(this.#file(reference), into, at, length, reference.offset + from);
    } catch (error) {
      throw this.#cut(reference, error);
    }
  }

  /** Counts a part that a stream shows to its reader; the first one counts the value. */
  countPart(from: number, length: number): void {
    if (from === 0) this.reads++;
    this.readBytes += length;
  }

  /** A task that checks the stored bytes of a value. @throws as `readSync` */
  *check(reference: ValueReference): Task<void> {
    const bytes = new Uint8Array(Math.min(PART_BYTES, reference.length));
    const view = new DataView(bytes.buffer);
    let crc = 0;
    for (let from = 0; from < reference.length; from += bytes.length) {
      const length = Math.min(bytes.length, reference.length - from);
      this.readPartSync(reference, from, length, bytes, 0);
      crc = crc32(bytes, view, 0, length, crc);
      yield undefined;
    }
    this.requireCrc(reference, crc);
  }

  /** @throws {CorruptionError} the stored bytes of a value have another CRC than they should */
  requireCrc(reference: ValueReference, crc: number): void {
    if (crc !== reference.crc) throw this.#wrongCrc(reference, crc);
  }

  /** Closes a file that will not be read any more. */
  forget(number: number): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    this.#files.delete(number);
    this.#handles.release(file);
  }

  #memoryFor(request: ValueRequest): Uint8Array {
    const { time, offset, length } = request;
    if (length > MAX_UNCHECKED_BYTES) {
      const handle = this.#handles.acquire(this.#file(request));
      if (handle.sizeSync() < offset + length) throw this.damaged(request, CUT);
    }
    return uninitializedBytes(startFor(time) + time.length + length);
  }

  #file({ kind, number }: ValueReference): PooledFile {
    let file = this.#files.get(number);
    if (file === undefined) {
      file = new PooledFile(this.#pathOf(kind, number));
      this.#files.set(number, file);
    }
    return file;
  }

  #accept(request: ValueRequest, bytes: Uint8Array): LargeValue {
    const view = new DataView(bytes.buffer);
    const { time, length, crc: expected } = request;
    const at = bytes.length - length;
    this.reads++;
    this.readBytes += length;
    if (this.#verifyChecksums) {
      const crc = crc32(bytes, view, at, bytes.length);
      if (crc !== expected) throw this.#wrongCrc(request, crc);
    }
    if (!isPacked(bytes, at)) return forOne(bytes, view, at, time);
    try {
      const unpacked = unpackValue(bytes, view, at, bytes.length, at);
      return forOne(unpacked, new DataView(unpacked.buffer), at, time);
    } catch (error) {
      if (error instanceof DecodeError) throw this.damaged(request, error.message, error);
      throw error;
    }
  }

  #wrongCrc(reference: ValueReference, crc: number): Error {
    return this.damaged(
      reference,
      `its checksum is 0x${crc.toString(16)}, expected 0x${reference.crc.toString(16)}`,
    );
  }

  /** The file may end before the value. */
  #cut(reference: ValueReference, cause: unknown): unknown {
    return cause instanceof IoError && cause.osCode === "EOF"
      ? this.damaged(reference, CUT, cause)
      : cause;
  }

  /** The file of a value. */
  pathOf(reference: ValueReference): string {
    return this.#file(reference).path;
  }

  /** The error for a value that can't be what it should be. */
  damaged(reference: ValueReference, problem: string, cause?: unknown): Error {
    const failure = reference.kind === IN_LOG ? this.failure() : undefined;
    if (failure !== undefined) return failure;
    const { path } = this.#file(reference);
    const { offset, length } = reference;
    return new CorruptionError(
      `Cannot read the value of ${length} bytes at offset ${offset} of "${path}": ${problem}`,
      path,
      offset,
      cause === undefined ? undefined : { cause },
    );
  }
}
