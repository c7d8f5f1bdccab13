/**
 * Which files hold the large values of a table, and how many bytes of each it refers to. What a
 * file has beyond the sum over all tables is dead: no counter has to be kept right.
 *
 * Encoded, for each file: u8 kind, u32 number, u64 bytes referred to, u64 entries that refer to it.
 * The manifest adds u64 size of the file: a table does not know it yet when it is written.
 */

import type { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import {
  IN_LOG,
  IN_VALUE_FILE,
  readReference,
  type ValueFileKind,
  type ValueReference,
} from "../value/value_reference.ts";

const USE_BYTES = 21;

/** What a table needs of one file of large values. */
export interface ValueUse {
  /** Kind of the file. */
  readonly kind: ValueFileKind;
  /** Number of the file. */
  readonly number: number;
  /** Size of the file; 0 if it is not known. */
  readonly sizeBytes: number;
  /** Bytes of the values that the table refers to. */
  readonly usedBytes: number;
  /** Number of entries that refer to it. */
  readonly entryCount: number;
}

/** The uses of a table without large values. */
export const NO_USES: readonly ValueUse[] = [];

/** The value files that tables use, without those that `isOld`, and their sizes. */
export function newValueFiles(
  tables: readonly { readonly valueUses: readonly ValueUse[] }[],
  isOld: (number: number) => boolean,
): ReadonlyMap<number, number> {
  const sizes = new Map<number, number>();
  for (const { valueUses } of tables) {
    for (const { kind, number, sizeBytes } of valueUses) {
      if (kind === IN_VALUE_FILE && !isOld(number)) sizes.set(number, sizeBytes);
    }
  }
  return sizes;
}

/** Collects the uses of a table that is being written. */
export class UseCollector {
  readonly #uses = new Map<number, ValueUse>();

  /** Notes an entry whose value is a reference. The reader of the value reports a malformed one. */
  add({ valueBytes, valueView, valueStart, valueEnd }: EntryView): void {
    let reference: ValueReference;
    try {
      reference = readReference(valueBytes, valueView, valueStart, valueEnd);
    } catch (error) {
      if (error instanceof DecodeError) return;
      throw error;
    }
    const { kind, number, length } = reference;
    const { usedBytes = 0, entryCount = 0 } = this.#uses.get(number) ?? {};
    this.#uses.set(number, {
      ...{ kind, number, sizeBytes: 0 },
      usedBytes: usedBytes + length,
      entryCount: entryCount + 1,
    });
  }

  /** What was collected, by file number. */
  finish(): readonly ValueUse[] {
    return [...this.#uses.values()].sort((a, b) => a.number - b.number);
  }
}

/** Bytes that `encodeUses` appends. */
export function encodedUseBytes(uses: readonly ValueUse[]): number {
  return uses.length * USE_BYTES;
}

/** Appends the uses, with the sizes of the files if `withSizes`. */
export function encodeUses(
  writer: ByteWriter,
  uses: readonly ValueUse[],
  withSizes = false,
): void {
  for (const { kind, number, sizeBytes, usedBytes, entryCount } of uses) {
    writer.appendUint8(kind);
    writer.appendUint32(number);
    writer.appendUint64(usedBytes);
    writer.appendUint64(entryCount);
    if (withSizes) writer.appendUint64(sizeBytes);
  }
}

/**
 * Reads the uses that fill the reader.
 *
 * @throws {DecodeError} they are malformed
 */
export function decodeUses(reader: ByteReader, withSizes = false): readonly ValueUse[] {
  const uses: ValueUse[] = [];
  while (reader.remaining > 0) {
    const at = reader.offset;
    const kind = reader.uint8();
    if (kind !== IN_LOG && kind !== IN_VALUE_FILE) {
      throw new DecodeError(`the kind of a file of values is ${kind}, expected 0 or 1`, at);
    }
    const number = reader.uint32();
    const usedBytes = reader.uint64();
    const entryCount = reader.uint64();
    const sizeBytes = withSizes ? reader.uint64() : 0;
    if (number <= (uses.at(-1)?.number ?? -1)) {
      throw new DecodeError(`file of values ${number} is out of order`, at);
    }
    if (entryCount === 0 || usedBytes < entryCount) {
      throw new DecodeError(
        `file of values ${number} has ${usedBytes} bytes for ${entryCount} entries`,
        at,
      );
    }
    uses.push({ kind, number, sizeBytes, usedBytes, entryCount });
  }
  return uses;
}
