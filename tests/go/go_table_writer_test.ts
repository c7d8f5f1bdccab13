// Tables in Go's own form: rebuilt from what Go wrote, and equal to it byte for byte without a
// codec; with one, equal once the blocks are decompressed.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { CompressionName } from "../../src/compression/compressor.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { GoTableBuilder, type GoTableOptions } from "../../src/go/go_table_writer.ts";
import { filterParameters } from "../../src/sstable/filter_builder.ts";
import { GO_METADATA_BYTES } from "../../src/sstable/table_format.ts";
import type { TableReader } from "../../src/sstable/table_reader.ts";
import { drainSync } from "../support/cursors.ts";
import { bytesOf, hexOf, type PlainEntry, stringValue, viewOf } from "../support/entries.ts";
import { fixtureBytes } from "../support/go_store.ts";
import { cursorOf, readerOfBytes } from "../support/tables.ts";

const FALSE_POSITIVE_RATE = 0.01;

interface GoTable {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly reader: TableReader;
  readonly entries: readonly PlainEntry[];
}

function readerOf(bytes: Uint8Array): TableReader {
  const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
  reader.sections.loadIndexSync();
  return reader;
}

function tablesOf(store: string): GoTable[] {
  const folder = new URL(`../fixtures/go/${store}/store/`, import.meta.url);
  return readdirSync(folder).filter((name) => name.endsWith(".sst")).sort().map((name) => {
    const bytes = fixtureBytes(`${store}/store/${name}`);
    const reader = readerOf(bytes);
    const entries = drainSync(cursorOf(reader)).map((text) => {
      const [key, value] = text.split("=").map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
      return { key: key!, value: value! };
    });
    return { name: `${store} ${name}`, bytes, reader, entries };
  });
}

/** The number of keys that Go sized the filter for: its inputs' sum, which no field tells. */
function filterKeyCount({ bytes, reader, name }: GoTable): number {
  const { filterOffset, filterSize } = reader.sections.tail!.footer;
  if (filterSize === 0) return 0;
  const view = new DataView(bytes.buffer, filterOffset);
  const bits = Number(view.getBigUint64(0));
  const guess = Math.floor(bits * Math.LN2 ** 2 / -Math.log(FALSE_POSITIVE_RATE));
  for (let count = guess - 1; count <= guess + 1; count++) {
    const { bits: found, hashes } = filterParameters(count, FALSE_POSITIVE_RATE);
    if (found === bits && hashes === Number(view.getBigUint64(8))) return count;
  }
  throw new Error(`no number of keys makes the ${bits} bits of ${name}`);
}

function rebuilt(
  entries: readonly PlainEntry[],
  options: GoTableOptions,
  clears = false,
): Uint8Array {
  const builder = new GoTableBuilder(options);
  const parts: Uint8Array[] = [];
  const takeOut = (): void => {
    parts.push(builder.output.bytes.slice(0, builder.output.length));
    builder.clearOutput();
  };
  for (const entry of entries) {
    builder.add(viewOf(entry));
    if (clears) takeOut();
  }
  builder.finish();
  const size = builder.sizeBytes;
  takeOut();
  const bytes = new Uint8Array(Buffer.concat(parts));
  assert.equal(bytes.length, size);
  return bytes;
}

/** The options that Go wrote a table with. */
function optionsOf(table: GoTable, codec: CompressionName): GoTableOptions {
  const { footer, properties } = table.reader.sections.tail!;
  const metadata = new DataView(table.bytes.buffer, footer.metadataOffset);
  return {
    level: properties.level,
    compressor: compressorFor(codec, 1),
    blockSizeBytes: 16_384,
    bloomFalsePositiveRate: footer.filterSize === 0 ? false : FALSE_POSITIVE_RATE,
    filterKeyCount: filterKeyCount(table),
    sequences: {
      first: Number(metadata.getBigUint64(4, true)),
      last: Number(metadata.getBigUint64(12, true)),
    },
  };
}

test("GoTableBuilder reproduces the whole files of an uncompressed Go store, byte for byte", () => {
  for (const table of tablesOf("v0.4.0-none")) {
    for (const clears of [false, true]) {
      const bytes = rebuilt(table.entries, optionsOf(table, "none"), clears);
      assert.equal(hexOf(bytes), hexOf(table.bytes), table.name);
    }
  }
});

test("GoTableBuilder reproduces the blocks, filter and index of compressed Go stores", () => {
  let blocks = 0;
  for (const [store, codec] of [["v0.4.0-zstd", "zstd"], ["v0.4.0-snappy", "snappy"]] as const) {
    for (const table of tablesOf(store)) {
      const bytes = rebuilt(table.entries, optionsOf(table, codec));
      const reader = readerOf(bytes);
      const [mine, theirs] = [reader.sections.tail!.footer, table.reader.sections.tail!.footer];
      for (
        const [section, size] of [["filterOffset", "filterSize"], [
          "indexOffset",
          "indexSize",
        ]] as const
      ) {
        assert.equal(mine[size], theirs[size], `${table.name} ${size}`);
        if (section === "indexOffset") continue;
        assert.equal(
          hexOf(bytes.slice(mine[section], mine[section] + mine[size])),
          hexOf(table.bytes.slice(theirs[section], theirs[section] + theirs[size])),
          `${table.name} ${section}`,
        );
      }
      assert.equal(
        hexOf(bytes.slice(mine.metadataOffset, mine.metadataOffset + GO_METADATA_BYTES)),
        hexOf(table.bytes.slice(theirs.metadataOffset, theirs.metadataOffset + GO_METADATA_BYTES)),
      );
      const [index, goIndex] = [
        reader.sections.loadIndexSync(),
        table.reader.sections.loadIndexSync(),
      ];
      assert.equal(index.blockCount, goIndex.blockCount, table.name);
      for (let i = 0; i < index.blockCount; i++) {
        const key = index.bytes.slice(index.firstKeyStart(i), index.firstKeyEnd(i));
        const goKey = goIndex.bytes.slice(goIndex.firstKeyStart(i), goIndex.firstKeyEnd(i));
        assert.equal(hexOf(key), hexOf(goKey));
        const [block, goBlock] = [
          reader.loadBlockSync(index, i),
          table.reader.loadBlockSync(goIndex, i),
        ];
        assert.ok(Buffer.from(block.payload).equals(goBlock.payload), `${table.name} block ${i}`);
        blocks++;
      }
    }
  }
  assert.ok(blocks > 40, `${blocks}`);
});

test("GoTableBuilder closes a block before its 16-bit count can wrap", () => {
  const entries = Array.from({ length: 70_000 }, (_, i) => ({
    key: bytesOf(String(i).padStart(5, "0")),
    value: Uint8Array.of(3, 1),
  }));
  const bytes = rebuilt(entries, {
    level: 1,
    compressor: compressorFor("none", 1),
    blockSizeBytes: 2 ** 24,
    bloomFalsePositiveRate: false,
  });
  const reader = readerOf(bytes);
  assert.equal(reader.sections.loadIndexSync().blockCount, 2);
  assert.equal(drainSync(cursorOf(reader)).length, 70_000);
});

test("GoTableBuilder refuses keys that do not ascend", () => {
  const options: GoTableOptions = {
    level: 0,
    compressor: compressorFor("none", 1),
    blockSizeBytes: 16_384,
    bloomFalsePositiveRate: false,
  };
  for (const [first, second] of [["b", "a"], ["a", "a"], ["ab", "a"]]) {
    const builder = new GoTableBuilder(options);
    builder.add(viewOf({ key: bytesOf(first!), value: stringValue("1") }));
    assert.throws(
      () => builder.add(viewOf({ key: bytesOf(second!), value: stringValue("2") })),
      /do not ascend/,
    );
  }
});
