/**
 * Brings the large values of log records into a memtable: as references into the log. So a large
 * value is written once, to the log, which stays as long as something refers to it (decision 37).
 * The record of a stream has a reference to a value file already (store/write/stream_put.ts).
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { crc32 } from "../../bytes/crc32.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import { contentStart } from "../../value/expiry.ts";
import { isPacked, packedType } from "../../value/packed_value.ts";
import {
  IN_LOG,
  isReference,
  mayBeLarge,
  readReference,
  REFERENCE_BYTES,
  type ValueReference,
  writeReference,
} from "../../value/value_reference.ts";

/** Memory that a longer key has made larger is dropped. */
const KEEP_BYTES = 4096;

/** Inserts entries with large values. */
export class LargeValues {
  readonly #leastBytes: number;
  #entry = new ByteWriter(64);

  /** Encoded values of `leastBytes` and more are large. */
  constructor(leastBytes: number) {
    this.#leastBytes = leastBytes;
  }

  /**
   * Inserts an entry as `Memtable.insert` does, with a reference if its value is large, which it
   * returns. `position` is the offset in the log of the first of the `bytes`, and `log` its number.
   *
   * @throws {DecodeError} the record has a malformed reference
   */
  insert(
    memtable: Memtable,
    sequence: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    keyEnd: number,
    end: number,
    log: number,
    position: number,
  ): ValueReference | undefined {
    const valueStart = keyEnd + 4;
    if (isReference(bytes, valueStart)) {
      const reference = readReference(bytes, view, valueStart, end);
      memtable.insert(sequence, bytes, view, start, keyEnd, end);
      return counted(memtable, reference);
    }
    const content = contentStart(bytes, valueStart);
    const isPlain = !isPacked(bytes, content);
    const type = isPlain ? bytes[content] : packedType(bytes, content);
    const isLarge = !isPlain || end - content >= this.#leastBytes;
    if (!isLarge || !mayBeLarge(type)) {
      memtable.insert(sequence, bytes, view, start, keyEnd, end);
      return undefined;
    }
    const reference: ValueReference = {
      kind: IN_LOG,
      type: type!,
      number: log,
      offset: position + content,
      length: end - content,
      crc: crc32(bytes, view, content, end),
    };
    const entry = this.#entry;
    entry.length = 0;
    entry.appendRange(bytes, view, start, keyEnd);
    entry.appendUint32(content - valueStart + REFERENCE_BYTES);
    entry.appendRange(bytes, view, valueStart, content);
    entry.reserve(REFERENCE_BYTES);
    writeReference(entry.bytes, entry.view, entry.length, reference);
    entry.length += REFERENCE_BYTES;
    memtable.insert(sequence, entry.bytes, entry.view, 0, keyEnd - start, entry.length);
    if (entry.bytes.length > KEEP_BYTES) this.#entry = new ByteWriter(64);
    return counted(memtable, reference);
  }
}

function counted(memtable: Memtable, reference: ValueReference): ValueReference {
  memtable.valueBytes += reference.length;
  memtable.valueCount++;
  return reference;
}
