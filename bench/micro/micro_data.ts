/**
 * Data of the micro benches: the entries of db_bench (16 + 100 bytes, see key_values.ts) in the
 * forms in which the hot modules see them. Everything is seeded and the same on each runtime.
 */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import type { CompressionLevel, CompressionName } from "../../src/compression/compressor.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { emptyEntryView, type EntryView } from "../../src/iterator/entry_cursor.ts";
import { BlockBuilder } from "../../src/sstable/block_builder.ts";
import { encodeKey } from "../../src/value/key_codec.ts";
import { encodeValue } from "../../src/value/value_codec.ts";
import { keyLength, keyOf, SeededRandom, valueLength, ValuePool } from "../key_values.ts";

/** The seed of all of it. */
export const SEED = 1;
/** Bytes of an encoded value: its type, flag and length, then the value. */
export const ENCODED_VALUE_BYTES: number = 6 + valueLength;
/** Bytes of an entry as logs, memtables and blocks hold it: both length fields as well. */
export const ENTRY_BYTES: number = 4 + keyLength + 4 + ENCODED_VALUE_BYTES;

/** The values. */
export const values: ValuePool = new ValuePool(SEED);

/** The numbers 0 to `count` - 1, in a random order. */
export function shuffledNumbers(count: number): Uint32Array {
  const random = new SeededRandom(SEED);
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [numbers[i], numbers[j]] = [numbers[j]!, numbers[i]!];
  }
  return numbers;
}

/** Keys back to back, 16 bytes each: key `n` starts at `n * 16`. */
export function packedKeys(texts: readonly string[]): { bytes: Uint8Array; view: DataView } {
  const writer = new ByteWriter(texts.length * keyLength);
  for (const text of texts) encodeKey(text, writer);
  return { bytes: writer.bytes, view: writer.view };
}

/**
 * Entries 0 to `count` - 1 in key order, `ENTRY_BYTES` each; of two numbers only one is used as
 * key.
 */
export function packedEntries(count: number): { bytes: Uint8Array; view: DataView } {
  const writer = new ByteWriter(count * ENTRY_BYTES);
  for (let i = 0; i < count; i++) {
    writer.appendUint32(keyLength);
    encodeKey(keyOf(2 * i), writer);
    writer.appendUint32(ENCODED_VALUE_BYTES);
    encodeValue(values.valueOf(i), writer);
  }
  return { bytes: writer.bytes, view: writer.view };
}

/** Shows entry `i` of `packedEntries`. */
export function showPacked(
  { bytes, view }: { bytes: Uint8Array; view: DataView },
  i: number,
  entry: EntryView,
): void {
  entry.keyBytes = entry.valueBytes = bytes;
  entry.keyView = entry.valueView = view;
  entry.keyStart = i * ENTRY_BYTES + 4;
  entry.keyEnd = entry.keyStart + keyLength;
  entry.valueStart = entry.keyEnd + 4;
  entry.valueEnd = (i + 1) * ENTRY_BYTES;
}

/** Entries of a data block of the default size, 16 KiB. */
export const BLOCK_ENTRIES: number = Math.floor(16 * 1024 / ENTRY_BYTES);

/** The payload of a data block with the first entries of `packedEntries`. */
export function blockPayload(): Uint8Array {
  const builder = new BlockBuilder(16 * 1024);
  const entries = packedEntries(BLOCK_ENTRIES);
  const entry = emptyEntryView();
  for (let i = 0; i < BLOCK_ENTRIES; i++) {
    showPacked(entries, i, entry);
    builder.add(entry);
  }
  builder.finish();
  return builder.writer.bytes.slice(0, builder.writer.length);
}

/** `payload` as a codec stores it, zstd at a level. */
export function stored(
  name: CompressionName,
  payload: Uint8Array,
  level: CompressionLevel = 1,
): Uint8Array {
  const codec = compressorFor(name, level);
  const into = new Uint8Array(codec.maxCompressedLength(payload.length));
  return into.slice(0, codec.compress(payload, 0, payload.length, into, 0));
}
