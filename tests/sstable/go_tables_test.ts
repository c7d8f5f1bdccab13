/**
 * Tables that the Go TinyKVS wrote: read back to the content that Go states, and rebuilt byte for
 * byte from their entries (tests/fixtures/go/README.md).
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { CODEC_NONE, CODEC_ZSTD } from "../../src/compression/compressor.ts";
import { CorruptionError, UnsupportedFormatError } from "../../src/errors.ts";
import type { EntryCursor } from "../../src/iterator/entry_cursor.ts";
import { MergingCursor } from "../../src/iterator/merging_cursor.ts";
import { BlockBuilder } from "../../src/sstable/block_builder.ts";
import { decodeBlockFooter } from "../../src/sstable/table_format.ts";
import { encodeIndexHead, type TableIndex } from "../../src/sstable/table_index.ts";
import type { TableReader } from "../../src/sstable/table_reader.ts";
import { drainSync } from "../support/cursors.ts";
import { dataViewOf, hexOf, type PlainEntry, viewOf } from "../support/entries.ts";
import { cursorOf, lookUp, readerOfBytes } from "../support/tables.ts";

const fixtures = new URL("../fixtures/go/", import.meta.url);

const closedStores = ["v0.3.1-zstd", "v0.4.0-none", "v0.4.0-snappy", "v0.4.0-zstd", "v0.11.1-zstd"];
const crashedStores = ["v0.3.1-zstd-crash", "v0.4.0-zstd-crash"];

interface GoTable {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly reader: TableReader;
  readonly index: TableIndex;
  readonly level: number;
}

function tablesOf(store: string): GoTable[] {
  const folder = new URL(`${store}/store/`, fixtures);
  return readdirSync(folder).filter((name) => name.endsWith(".sst")).sort().map((name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
    const index = reader.sections.loadIndexSync();
    return {
      number: parseInt(name),
      bytes,
      reader,
      index,
      level: reader.sections.tail!.properties.level,
    };
  });
}

/** Newest first: level 0 by number, then the levels. */
function byAge(tables: readonly GoTable[]): GoTable[] {
  return tables.toSorted((a, b) => a.level - b.level || b.number - a.number);
}

function merged(tables: readonly GoTable[], reverse: boolean): MergingCursor {
  const cursors: EntryCursor[] = byAge(tables).map(({ reader }) => cursorOf(reader, { reverse }));
  return new MergingCursor(cursors, reverse);
}

/** The encoded form of a value of expected.jsonl, in hex. */
function encodedValue(type: string, value: string | boolean): string {
  const out = Buffer.alloc(9);
  switch (type) {
    case "int64":
      out[0] = 1;
      out.writeBigInt64LE(BigInt(value), 1);
      return out.toString("hex");
    case "float64":
      out[0] = 2;
      out.writeBigUInt64LE(BigInt(`0x${value}`), 1);
      return out.toString("hex");
    case "bool":
      return String(value) === "true" ? "0301" : "0300";
    case "string":
    case "bytes": {
      const content = Buffer.from(String(value), "hex");
      const head = Buffer.alloc(6);
      head[0] = type === "string" ? 4 : 5;
      head.writeUInt32LE(content.length, 2);
      return head.toString("hex") + content.toString("hex");
    }
    default:
      throw new Error(`unknown type ${type}`);
  }
}

function expectedOf(store: string): string[] {
  const lines = readFileSync(new URL(`${store}/expected.jsonl`, fixtures), "utf8").trimEnd();
  return lines.split("\n").map((line) => {
    const { k, t, v } = JSON.parse(line);
    return `${k}=${encodedValue(t, v)}`;
  });
}

function isLive(text: string): boolean {
  return !text.endsWith("=06");
}

test("TableReader reads every Go store that was closed, merged, to the content that Go stated", () => {
  for (const store of closedStores) {
    const tables = tablesOf(store);
    assert.equal(tables.length, 8, store);
    const expected = expectedOf(store);
    assert.ok(expected.length > 4000, `${expected.length} lines`);
    assert.deepEqual(drainSync(merged(tables, false)).filter(isLive), expected, store);
    assert.deepEqual(
      drainSync(merged(tables, true)).filter(isLive),
      expected.toReversed(),
      store,
    );
  }
});

test("TableReader finds every key of every Go table, through Go's filters", () => {
  for (const store of [...closedStores, ...crashedStores]) {
    for (const { reader, number } of tablesOf(store)) {
      const all = drainSync(cursorOf(reader));
      assert.equal(all.length, reader.sections.tail!.footer.entryCount, `${store} ${number}`);
      for (const text of all) {
        const key = new Uint8Array(Buffer.from(text.slice(0, text.indexOf("=")), "hex"));
        assert.equal(lookUp(reader, key), text);
      }
      const tombstones = all.filter((text) => !isLive(text)).length;
      assert.equal(
        reader.sections.tail!.properties.tombstoneCount,
        tombstones,
        `${store} ${number}`,
      );
    }
  }
});

test("TableReader reads the same tables from a crashed store as from a closed one", () => {
  for (const store of crashedStores) {
    const closed = new Map(
      tablesOf(store.replace("-crash", "")).map(({ number, bytes }) => [number, bytes]),
    );
    const tables = tablesOf(store);
    assert.equal(tables.length, 7);
    for (const { number, reader, bytes } of tables) {
      assert.ok(drainSync(cursorOf(reader)).length > 300);
      assert.equal(hexOf(bytes), hexOf(closed.get(number)!), `${store} ${number}`);
    }
  }
});

function entriesOf(table: GoTable): PlainEntry[] {
  return drainSync(cursorOf(table.reader)).map((text) => {
    const [key, value] = text.split("=").map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
    return { key: key!, value: value! };
  });
}

/** Cuts entries into blocks as Go does and returns their payloads. */
function rebuildBlocks(
  entries: readonly PlainEntry[],
  blockSizeBytes: number,
): { firstKey: Uint8Array; payload: Uint8Array }[] {
  const builder = new BlockBuilder(blockSizeBytes);
  const blocks: { firstKey: Uint8Array; payload: Uint8Array }[] = [];
  const close = (): void => {
    builder.finish();
    const { bytes, length } = builder.writer;
    const firstKey = bytes.slice(builder.firstKeyStart, builder.firstKeyEnd);
    blocks.push({ firstKey, payload: bytes.slice(0, length) });
    builder.reset();
  };
  for (const entry of entries) {
    const bytes = 8 + entry.key.length + entry.value.length;
    if (builder.entryCount > 0 && builder.entryBytes + bytes > blockSizeBytes) close();
    builder.add(viewOf(entry));
  }
  close();
  return blocks;
}

test("BlockBuilder rebuilds every block of Go's tables, byte for byte", () => {
  const stores = [["v0.3.1-zstd", 4096], ["v0.4.0-none", 16_384], ["v0.4.0-snappy", 16_384], [
    "v0.4.0-zstd",
    16_384,
  ], ["v0.11.1-zstd", 16_384]] as const;
  for (const [store, blockSizeBytes] of stores) {
    for (const table of tablesOf(store)) {
      const blocks = rebuildBlocks(entriesOf(table), blockSizeBytes);
      assert.equal(blocks.length, table.index.blockCount, `${store} ${table.number}`);
      blocks.forEach(({ payload }, i) => {
        const block = table.reader.loadBlockSync(table.index, i);
        assert.ok(
          Buffer.from(block.payload).equals(payload),
          `${store} ${table.number} block ${i}`,
        );
      });
    }
  }
});

test("encodeIndexHead rebuilds the index of Go's uncompressed tables, byte for byte", () => {
  for (const table of tablesOf("v0.4.0-none")) {
    const entries = entriesOf(table);
    const blocks = rebuildBlocks(entries, 16_384);
    const writer = new ByteWriter(64);
    const { key: smallest } = entries[0]!;
    encodeIndexHead(writer, entries.length, smallest, entries.at(-1)!.key, blocks.length);
    let offset = 0;
    for (const { firstKey, payload } of blocks) {
      writer.appendUint32(firstKey.length);
      writer.appendBytes(firstKey, 0, firstKey.length);
      writer.appendUint64(offset);
      writer.appendUint32(payload.length + 13);
      offset += payload.length + 13;
    }
    const { indexOffset, indexSize } = table.reader.sections.tail!.footer;
    assert.equal(
      hexOf(writer.bytes.slice(0, writer.length)),
      hexOf(table.bytes.slice(indexOffset, indexOffset + indexSize)),
    );
  }
});

test("TableReader distinguishes Go's two block footers", () => {
  const codecs = new Map([["v0.3.1-zstd", CODEC_ZSTD], ["v0.4.0-none", CODEC_NONE]]);
  for (const [store, codec] of codecs) {
    for (const { bytes, index } of tablesOf(store)) {
      for (let i = 0; i < index.blockCount; i++) {
        const found = { crc: 0, uncompressedLength: 0, storedLength: 0, codec: 9 };
        const start = index.blockOffset(i);
        decodeBlockFooter(dataViewOf(bytes), start, start + index.blockSize(i), found);
        assert.equal(found.codec, codec);
        const footerBytes = store === "v0.3.1-zstd" ? 12 : 13;
        assert.equal(found.storedLength, index.blockSize(i) - footerBytes);
      }
    }
  }
});

test("TableReader refuses a zstd block that is labelled MinLZ, and reads the other blocks of the table", () => {
  const [table] = tablesOf("v0.11.1-zstd");
  const bytes = table!.bytes.slice();
  const end = table!.index.blockOffset(1) + table!.index.blockSize(1);
  bytes[end - 1] = 3;
  const mislabelled = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
  assert.throws(
    () => mislabelled.loadBlockSync(mislabelled.sections.loadIndexSync(), 1),
    (error) =>
      error instanceof CorruptionError &&
      /a MinLZ block begins with 0, found 40/.test(error.message),
  );
  const index = mislabelled.sections.loadIndexSync();
  assert.ok(mislabelled.loadBlockSync(index, 0).count > 0);
  assert.ok(mislabelled.loadBlockSync(index, 2).count > 0);
});

test("TableReader refuses a Go table under an identity with a checksum", () => {
  const [table] = tablesOf("v0.4.0-none");
  const reader = readerOfBytes(table!.bytes, { sizeBytes: table!.bytes.length, checksum: 1 });
  assert.throws(() => reader.sections.loadIndexSync(), CorruptionError);
});

test("TableReader scans damaged Go tables to all of their entries or an error", () => {
  for (const store of ["v0.3.1-zstd", "v0.4.0-snappy"]) {
    const table = tablesOf(store).find(({ number }) => number === 11)!;
    const expected = drainSync(cursorOf(table.reader));
    const { filterOffset, indexOffset } = table.reader.sections.tail!.footer;
    let refused = 0;
    for (let at = 0; at < table.bytes.length; at += at < filterOffset ? 7 : 1) {
      // Go has no checksum on the filter, so its damage can't be found; a scan does not use it.
      if (at >= filterOffset && at < indexOffset) continue;
      const bytes = table.bytes.slice();
      bytes[at]! ^= 1 << (at & 7);
      const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
      try {
        assert.deepEqual(drainSync(cursorOf(reader)), expected, `${store} byte ${at}`);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        const isTyped = error instanceof CorruptionError || error instanceof UnsupportedFormatError;
        assert.ok(isTyped, `${store} byte ${at}: ${error}`);
        refused++;
      }
    }
    assert.ok(refused > 500, `${refused} mutants were refused`);
  }
});
