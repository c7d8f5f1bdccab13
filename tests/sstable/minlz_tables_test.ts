/**
 * Tables with MinLZ blocks, as Go v0.11 writes them by default: Go's own v0.11.1 tables with every
 * block compressed once more, by the MinLZ compressor of the tests. (No table that Go itself wrote
 * with MinLZ was to be had.)
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { CODEC_MINLZ } from "../../src/compression/compressor.ts";
import { CorruptionError, UnsupportedFormatError } from "../../src/errors.ts";
import { appendBlockFooter } from "../../src/sstable/table_format.ts";
import { encodeIndexHead } from "../../src/sstable/table_index.ts";
import { minlzCompress } from "../compression/minlz_encoder.ts";
import { drainSync } from "../support/cursors.ts";
import { cursorOf, lookUp, readerOfBytes } from "../support/tables.ts";

const folder = new URL("../fixtures/go/v0.11.1-zstd/store/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".sst")).sort();

interface Table {
  readonly bytes: Uint8Array;
  /** Offsets after the blocks. */
  readonly blockEnds: number[];
  readonly entries: string[];
}

function keyOf(entry: string): Uint8Array {
  return new Uint8Array(Buffer.from(entry.slice(0, entry.indexOf("=")), "hex"));
}

/**
 * The table with its blocks compressed again: filter, metadata and footer but for offsets as they
 * were.
 */
function recompressed(name: string): Table {
  const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
  const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
  const index = reader.sections.loadIndexSync();
  const { footer } = reader.sections.tail!;
  const entries = drainSync(cursorOf(reader));
  const table = new ByteWriter(bytes.length);
  const newIndex = new ByteWriter(1024);
  const blockEnds: number[] = [];
  encodeIndexHead(
    newIndex,
    footer.entryCount,
    keyOf(entries[0]!),
    keyOf(entries.at(-1)!),
    footer.blockCount,
  );
  for (let i = 0; i < index.blockCount; i++) {
    const { payload } = reader.loadBlockSync(index, i);
    const stored = minlzCompress(payload);
    const offset = table.length;
    table.appendBytes(stored, 0, stored.length);
    appendBlockFooter(table, offset, payload.length, CODEC_MINLZ);
    const keyStart = index.firstKeyStart(i);
    const keyEnd = index.firstKeyEnd(i);
    newIndex.appendUint32(keyEnd - keyStart);
    const key = new Uint8Array(
      index.view.buffer,
      index.view.byteOffset + keyStart,
      keyEnd - keyStart,
    );
    newIndex.appendBytes(key, 0, key.length);
    newIndex.appendUint64(offset);
    newIndex.appendUint32(table.length - offset);
    blockEnds.push(table.length);
  }
  const filterOffset = table.length;
  table.appendBytes(bytes, footer.filterOffset, footer.indexOffset);
  const indexOffset = table.length;
  table.appendBytes(newIndex.bytes, 0, newIndex.length);
  const metadataOffset = table.length;
  table.appendBytes(bytes, footer.metadataOffset, bytes.length);
  const footerAt = table.length - 64;
  const view = new DataView(table.bytes.buffer);
  view.setBigUint64(footerAt, BigInt(filterOffset), true);
  view.setBigUint64(footerAt + 12, BigInt(indexOffset), true);
  view.setUint32(footerAt + 20, newIndex.length, true);
  view.setBigUint64(footerAt + 24, BigInt(metadataOffset), true);
  view.setBigUint64(footerAt + 48, BigInt(table.length), true);
  return { bytes: table.bytes.slice(0, table.length), blockEnds, entries };
}

test("TableReader reads tables of MinLZ blocks, whole, backwards and by key", () => {
  assert.equal(names.length, 8);
  for (const name of names) {
    const { bytes, entries } = recompressed(name);
    const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
    assert.deepEqual(drainSync(cursorOf(reader)), entries, name);
    assert.deepEqual(drainSync(cursorOf(reader, { reverse: true })), entries.toReversed(), name);
    for (const entry of entries) assert.equal(lookUp(reader, keyOf(entry)), entry);
  }
});

test("TableReader finds every damaged byte of a MinLZ block by its checksum", () => {
  const { bytes, blockEnds, entries } = recompressed(names.at(-1)!);
  const last = blockEnds.at(-1)!;
  for (let at = 0; at < last; at += 5) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (at & 7);
    const reader = readerOfBytes(damaged, { sizeBytes: bytes.length, checksum: undefined });
    assert.throws(
      () => assert.notDeepEqual(drainSync(cursorOf(reader)), entries),
      (error) => error instanceof CorruptionError || error instanceof UnsupportedFormatError,
      `byte ${at}`,
    );
  }
});

test("TableReader reads damaged MinLZ blocks to entries or an error if checksums are not checked", () => {
  const { bytes, blockEnds } = recompressed(names.at(-1)!);
  let refused = 0;
  let read = 0;
  for (let at = 0; at < blockEnds.at(-1)!; at += 3) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (at & 7);
    const reader = readerOfBytes(
      damaged,
      { sizeBytes: bytes.length, checksum: undefined },
      { verifyChecksums: false },
    );
    try {
      drainSync(cursorOf(reader, { verifyChecksums: false }));
      read++;
    } catch (error) {
      const isTyped = error instanceof CorruptionError || error instanceof UnsupportedFormatError;
      if (!isTyped) throw error;
      refused++;
    }
  }
  assert.ok(refused > 100 && read > 100, `${refused} refused, ${read} read`);
});
