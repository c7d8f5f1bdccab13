/**
 * `putStream`: a value that comes in chunks, with bounded memory.
 *
 * A short stream is put as other values are. A long one goes to a value file of its own, without
 * compression. At its end the file is made durable, with its name, and then one log record with a
 * reference to it is committed. So a crash leaves the whole value, or none and a file that the next
 * open removes; and until the commit, readers see the old value.
 *
 * Whatever ends a put early (its stream fails, the disk is full, the store is closed), it removes
 * its file. Only if the store fails during the commit the file stays, because nobody knows whether
 * the record is in the log.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { crc32 } from "../../bytes/crc32.ts";
import { crc32Combine } from "../../bytes/crc32_combine.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import { finiteTime, putOptions } from "../../contract/put_options.ts";
import type { PutOptions } from "../../contract/writer.ts";
import { ClosedError, isRefusal } from "../../errors.ts";
import { leastLargeBytes } from "../../options.ts";
import { SLICE_MS } from "../../platform/pacing.ts";
import { runTask, syncDirectoryStep, type Task } from "../../platform/task.ts";
import { VALUE_FILE_HEADER_BYTES, ValueFileWriter } from "../../sstable/value_file.ts";
import { PART_BYTES } from "../../sstable/value_reader.ts";
import { encodeKey } from "../../value/key_codec.ts";
import { describeValue, type Key, MAX_VALUE_BYTES, TYPE_BYTES } from "../../value/value.ts";
import { BYTES_HEADER_BYTES } from "../../value/value_codec.ts";
import { IN_VALUE_FILE, type ValueReference } from "../../value/value_reference.ts";
import { valueFileName } from "../../version/file_names.ts";
import type { StoreState } from "../state/store_state.ts";
import { OPERATIONS_PER_PAUSE } from "../state/turns.ts";
import type { WritePath } from "./write_path.ts";

/** A stream that is longer than this number of the shortest large values gets a file. */
const LARGE_VALUES_IN_MEMORY = 128;
/** A longer stream gets a file in any case. */
const MAX_IN_MEMORY = 1024 * 1024;
/** So much is written between two syncs: one sync of a gigabyte would block other writers of it. */
const BYTES_PER_SYNC = 64 * 1024 * 1024;
const MAX_STREAM_BYTES = MAX_VALUE_BYTES - BYTES_HEADER_BYTES;

/** Puts the bytes of a stream. `EmbeddedStore.putStream` documents it. */
export async function putStream(
  state: StoreState,
  writes: WritePath,
  key: Key,
  stream: ReadableStream<Uint8Array>,
  options: PutOptions | undefined,
): Promise<void> {
  const { sync, expiresAt } = putOptions(options, () => state.wallMs);
  const encodedKey = new ByteWriter(64);
  encodeKey(key, encodedKey);
  const ownKey = encodedKey.bytes.subarray(0, encodedKey.length);
  state.requireWritable();
  const reader = readerOf(stream);
  const value = new StreamedValue(state);
  const end = (): void => {
    value.abandon();
    cancel(reader, new ClosedError("store"));
  };
  state.streamEnds.add(end);
  let stored: Promise<void>;
  try {
    for (;;) {
      const { done, value: chunk } = await reader.read();
      state.requireWritable();
      if (done) break;
      requireChunk(chunk);
      // The chunk is ours now: its maker has passed it on.
      for (let at = 0; at < chunk.length; at += PART_BYTES) {
        await value.add(chunk.subarray(at, at + PART_BYTES));
        await state.turns.due(OPERATIONS_PER_PAUSE);
        state.requireWritable();
      }
    }
    const time = expiresAt === undefined ? {} : { expiresAt };
    const isOver = expiresAt !== undefined && expiresAt <= state.wallMs;
    if (isOver || !value.hasFile) {
      stored = writes.put(ownKey, isOver ? new Uint8Array(0) : value.bytes, { sync, ...time });
    } else {
      const reference = await value.finish();
      state.requireWritable();
      stored = commit(state, writes, value, ownKey, reference, time.expiresAt, sync);
    }
  } catch (error) {
    cancel(reader, error);
    throw error;
  } finally {
    value.abandon();
    state.streamEnds.delete(end);
  }
  await stored;
}

/** In one synchronous stretch: the file belongs to the memtable when this returns. */
function commit(
  state: StoreState,
  writes: WritePath,
  value: StreamedValue,
  key: Uint8Array,
  reference: ValueReference,
  expiresAt: number | undefined,
  sync: boolean,
): Promise<void> {
  try {
    const stored = writes.putReference(key, reference, finiteTime(expiresAt), sync);
    value.keep();
    return stored;
  } catch (error) {
    if (state.failure !== undefined) value.keep();
    throw error;
  }
}

/** The content of a stream so far: in memory, and then in a file. */
class StreamedValue {
  readonly #state: StoreState;
  readonly #maxInMemory: number;
  #memory: ByteWriter | undefined = new ByteWriter(4096);
  #length = 0;
  #crc = 0;
  #file: ValueFileWriter | undefined;
  #fileNumber = 0;
  #syncedLength = 0;

  constructor(state: StoreState) {
    this.#state = state;
    const leastBytes = leastLargeBytes(state.options);
    this.#maxInMemory = Math.min(leastBytes * LARGE_VALUES_IN_MEMORY, MAX_IN_MEMORY);
  }

  /** Whether it is in a file. */
  get hasFile(): boolean {
    return this.#file !== undefined;
  }

  /** The content, if it is in memory. */
  get bytes(): Uint8Array {
    const { bytes, length } = this.#memory!;
    return bytes.subarray(0, length);
  }

  /** Appends at most `PART_BYTES`. @throws {RangeError} the value is too long; {IoError} */
  async add(part: Uint8Array): Promise<void> {
    this.#length += part.length;
    if (this.#length > MAX_STREAM_BYTES) {
      throw new RangeError(
        `Cannot store a stream of more than ${MAX_STREAM_BYTES} bytes: the limit of a value is ` +
          `${MAX_STREAM_BYTES} bytes`,
      );
    }
    const memory = this.#memory;
    if (memory !== undefined && this.#length <= this.#maxInMemory) {
      memory.appendBytes(part, 0, part.length);
      return;
    }
    const file = this.#file ?? this.#start(memory!);
    this.#append(file, part);
    if (this.#length - this.#syncedLength < BYTES_PER_SYNC) return;
    this.#syncedLength = this.#length;
    await runTask(file.sync(), this.#state.scheduler, SLICE_MS);
  }

  /** Makes the file durable, with its name; returns a reference to the value. */
  async finish(): Promise<ValueReference> {
    const file = this.#file!;
    const header = new Uint8Array(BYTES_HEADER_BYTES);
    const view = new DataView(header.buffer);
    header[0] = TYPE_BYTES;
    view.setUint32(BYTES_HEADER_BYTES - 4, this.#length, true);
    file.replaceSync(VALUE_FILE_HEADER_BYTES, header);
    await runTask(this.#durable(file), this.#state.scheduler, SLICE_MS);
    const headerCrc = crc32(header, view, 0, header.length);
    return {
      kind: IN_VALUE_FILE,
      type: TYPE_BYTES,
      number: this.#fileNumber,
      offset: VALUE_FILE_HEADER_BYTES,
      length: header.length + this.#length,
      crc: crc32Combine(headerCrc, this.#crc, this.#length),
    };
  }

  /** Leaves the file to the store. */
  keep(): void {
    this.#file = undefined;
  }

  /** Closes and removes the file, unless it was left to the store. */
  abandon(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    file.abandon();
    const { fileSystem } = this.#state.tableOutput;
    try {
      fileSystem.removeSync(this.#path);
    } catch (error) {
      // It does no harm; the next open removes it.
      if (!isRefusal(error)) throw error;
    }
  }

  *#durable(file: ValueFileWriter): Task<void> {
    yield* file.finish();
    const { fileSystem, directory } = this.#state.tableOutput;
    yield syncDirectoryStep(fileSystem, directory);
  }

  #start(memory: ByteWriter): ValueFileWriter {
    const { tableOutput, versions } = this.#state;
    this.#fileNumber = versions.newFileNumber();
    const file = new ValueFileWriter(
      tableOutput.fileSystem.createSync(this.#path),
      this.#fileNumber,
    );
    this.#file = file;
    this.#memory = undefined;
    // The length is known at the end.
    file.append(BYTES_HEADER_BYTES, (into, _, at) => into.fill(0, at, at + BYTES_HEADER_BYTES));
    for (let at = 0; at < memory.length; at += PART_BYTES) {
      this.#append(file, memory.bytes.subarray(at, Math.min(at + PART_BYTES, memory.length)));
    }
    return file;
  }

  #append(file: ValueFileWriter, part: Uint8Array): void {
    file.append(part.length, (into, view, at) => {
      into.set(part, at);
      this.#crc = crc32(into, view, at, at + part.length, this.#crc);
    });
  }

  get #path(): string {
    const { fileSystem, directory } = this.#state.tableOutput;
    return fileSystem.joinPath(directory, valueFileName(this.#fileNumber));
  }
}

function readerOf(stream: unknown): ReadableStreamDefaultReader<unknown> {
  const { getReader } = Object(stream) as ReadableStream<unknown>;
  if (typeof getReader !== "function") {
    throw new TypeError(
      `Cannot put the stream: found ${describeValue(stream)}, expected a ReadableStream`,
    );
  }
  return getReader.call(stream) as ReadableStreamDefaultReader<unknown>;
}

function requireChunk(chunk: unknown): asserts chunk is Uint8Array {
  if (isBytes(chunk)) return;
  throw new TypeError(
    `Cannot put the stream: found ${describeValue(chunk)} in it, expected a Uint8Array`,
  );
}

/** The caller hears of the reason, and not of how the source takes it. */
function cancel(reader: ReadableStreamDefaultReader<unknown>, reason: unknown): void {
  reader.cancel(reason).catch(() => {});
}
