/**
 * `getStream`: the bytes of a value in parts, with bounded memory.
 *
 * The stream holds a lease on the view in which it was opened, as a cursor does. So the file of the
 * value stays until the stream has ended, whatever is written meanwhile. Nothing is read before its
 * reader asks for it.
 *
 * The checksum of a value is over all of it, so it is known after the last part. This part is
 * passed on only if the checksum is right: a reader of a damaged value gets an error and never the
 * end.
 */

import { crc32 } from "../../bytes/crc32.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import type { EntryView } from "../../iterator/entry_cursor.ts";
import { PART_BYTES, type ValueReader, type ValueRequest } from "../../sstable/value_reader.ts";
import { isPacked } from "../../value/packed_value.ts";
import { type Key, TYPE_BYTES, type Value } from "../../value/value.ts";
import { BYTES_HEADER_BYTES, expectType, valueTypeAt } from "../../value/value_codec.ts";
import { isReference } from "../../value/value_reference.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import type { EntryDecoder } from "./entry_decoder.ts";
import type { DecodeEntry, ReadPath } from "./read_path.ts";

/** Releases the leases of streams that were dropped without being read to the end. */
const abandoned = new FinalizationRegistry<Lease>((lease) => lease.release());

/** The bytes of a key's value. `EmbeddedStore.getStream` documents it. */
export function getStream(
  state: StoreState,
  reads: ReadPath,
  decoder: Pick<EntryDecoder, "stored">,
  key: Key,
): ReadableStream<Uint8Array> | undefined {
  const values = state.versions.values.reader;
  const wholeBytes = decoder.stored("bytes") as DecodeEntry<Value> as DecodeEntry<Uint8Array>;
  const found = reads.getReferenceSync(key, (entry: EntryView) => {
    const { valueBytes, valueStart, valueEnd } = entry;
    if (!isReference(valueBytes, valueStart)) return wholeBytes(entry);
    expectType(valueTypeAt(valueBytes, valueStart, valueEnd), "bytes");
    return values.requestOf(entry);
  });
  if (found === undefined) return undefined;
  if (isBytes(found)) return streamOf(found);
  const lease = state.lease();
  const parts = new ValueParts(values, found, lease, state.options.verifyChecksums);
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        controller.enqueue(await parts.next());
      } catch (error) {
        lease.release();
        throw error;
      }
      if (!parts.isAtEnd) return;
      lease.release();
      controller.close();
    },
    cancel: () => lease.release(),
  }, { highWaterMark: 0 });
  abandoned.register(stream, lease);
  return stream;
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller): void {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Reads one large value, part by part. */
class ValueParts {
  readonly #values: ValueReader;
  readonly #request: ValueRequest;
  readonly #lease: Lease;
  readonly #verifyChecksums: boolean;
  /** How many of the stored bytes were read. */
  #position = 0;
  #crc = 0;

  constructor(
    values: ValueReader,
    request: ValueRequest,
    lease: Lease,
    verifyChecksums: boolean,
  ) {
    this.#values = values;
    this.#request = request;
    this.#lease = lease;
    this.#verifyChecksums = verifyChecksums;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#request.length;
  }

  /** The next part. @throws {CorruptionError | IoError | ClosedError} */
  async next(): Promise<Uint8Array> {
    this.#lease.requireHeld("store");
    const request = this.#request;
    const from = this.#position;
    const length = Math.min(PART_BYTES, request.length - from);
    const bytes = new Uint8Array(length);
    await this.#values.readPart(request, from, length, bytes, 0);
    this.#lease.requireHeld("store");
    const view = new DataView(bytes.buffer);
    if (from === 0 && isPacked(bytes, 0)) {
      this.#position = request.length;
      const whole = await this.#values.read(request);
      const start = whole.start + request.time.length;
      return this.#content(whole.bytes, whole.view, start, whole.bytes.length - start);
    }
    this.#values.countPart(from, length);
    this.#position += length;
    this.#crc = crc32(bytes, view, 0, length, this.#crc);
    if (this.isAtEnd && this.#verifyChecksums) this.#values.requireCrc(request, this.#crc);
    return from === 0 ? this.#content(bytes, view, 0, request.length) : bytes;
  }

  /** What follows the header of the encoded value, of which `bytes[start...]` is the beginning. */
  #content(bytes: Uint8Array, view: DataView, start: number, length: number): Uint8Array {
    const content = start + BYTES_HEADER_BYTES;
    const isWhole = bytes.length >= content && bytes[start] === TYPE_BYTES &&
      view.getUint32(content - 4, true) === length - BYTES_HEADER_BYTES;
    if (isWhole) return bytes.subarray(content);
    throw this.#values.damaged(this.#request, "it does not start as bytes of this length do");
  }
}
