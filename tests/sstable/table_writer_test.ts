/** Writing tables: golden bytes, where blocks are closed, limits, and what the summary says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError } from "../../src/errors.ts";
import { noneCompressor } from "../../src/compression/none.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { TableWriter, type TableWriterOptions } from "../../src/sstable/table_writer.ts";
import { drainSync } from "../support/cursors.ts";
import {
  bytesOf,
  hexOf,
  splitViewOf,
  textOf,
  tombstone,
  valueOfLength,
  viewOf,
} from "../support/entries.ts";
import type { PlainEntry } from "../support/entries.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import { cursorOf, lookUp, readerOf, TABLE_PATH, writeTable } from "../support/tables.ts";

const options: TableWriterOptions = {
  tableNumber: 7,
  level: 1,
  compressor: noneCompressor(),
  blockSizeBytes: 256,
  bloomFalsePositiveRate: 0.01,
};

function numbered(count: number, value: (i: number) => Uint8Array): PlainEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: bytesOf(`key ${String(i).padStart(6, "0")}`),
    value: value(i),
  }));
}

test("TableWriter writes the golden table", () => {
  const { bytes, summary } = writeTable([
    { key: bytesOf("a"), value: Uint8Array.of(3, 1) },
    { key: bytesOf("bc"), value: tombstone },
  ], { blockSizeBytes: 11 });
  // All but the filter (filter_test.ts) was computed from the layout by a separate program.
  assert.equal(
    hexOf(bytes),
    "0101000100000061020000000301" +
      "fb1b8f6c0e0000000e00000002" +
      "0101000200000062630100000006" +
      "4854048f0e0000000e00000002" +
      "0000000000000014000000000000000700000000000000140000000000082c6e" +
      "0200000000000000010000006102000000626302000000" +
      "010000006100000000000000001b000000" +
      "0200000062631b000000000000001b000000" +
      "010000000000000000000000000000000000000001000000000000000000000000000000" +
      "54565831" +
      "010001000400000001000000" +
      "0200000008000000472136f6f46451ca" +
      "03000000080000000700000000000000" +
      "04000000040000006f9db486" +
      "d97ea33d" +
      "36000000000000002000000056000000000000003a00000090000000000000006400000002000000" +
      "020000000000000034010000000000000100000053564b54",
  );
  assert.deepEqual(summary, {
    sizeBytes: bytes.length,
    entryCount: 2,
    tombstoneCount: 1,
    smallest: bytesOf("a"),
    largest: bytesOf("bc"),
    deletedSpans: [],
    valueUses: [],
    checksum: new DataView(bytes.buffer).getUint32(bytes.length - 68, true),
    expiry: undefined,
  });
});

test("TableWriter writes the same table from values that lie apart from their keys", () => {
  const entries = numbered(100, (i) => valueOfLength(1 + i, i));
  const fileSystem = memoryFileSystem();
  const writer = new TableWriter(fileSystem.createSync(TABLE_PATH), options);
  for (const entry of entries) writer.add(splitViewOf(entry));
  assert.deepEqual(writer.finish(), writeTable(entries).summary);
});

test("TableWriter closes a block if the next entry would pass the block size", () => {
  // An entry takes 8 + 10 + 32 bytes.
  for (
    const [blockSizeBytes, perBlock] of [[49, 1], [50, 1], [99, 1], [100, 2], [149, 2], [150, 3]]
  ) {
    const entries = numbered(60, (i) => valueOfLength(32, i));
    const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: blockSizeBytes! });
    const index = readerOf(fileSystem, summary).sections.loadIndexSync();
    assert.equal(index.blockCount, 60 / perBlock!, `block size ${blockSizeBytes}`);
  }
});

test("TableWriter gives an entry that is larger than a block its own block", () => {
  const sizes = [10, 5000, 10, 10, 70_000, 300_000, 10];
  const entries = numbered(sizes.length, (i) => valueOfLength(sizes[i]!, i));
  for (const codec of ["none", "snappy", "zstd"] as const) {
    const { fileSystem, summary } = writeTable(entries, { codec });
    const reader = readerOf(fileSystem, summary);
    assert.equal(reader.sections.loadIndexSync().blockCount, 6);
    assert.deepEqual(drainSync(cursorOf(reader)), entries.map(textOf));
    for (const entry of entries) assert.equal(lookUp(reader, entry.key), textOf(entry));
  }
});

test("TableWriter puts no more than 65,535 entries into a block of any size", () => {
  const entries = numbered(70_000, () => tombstone);
  const { fileSystem, summary } = writeTable(entries, {
    blockSizeBytes: 64 << 20,
    codec: "snappy",
  });
  assert.equal(summary.entryCount, 70_000);
  assert.equal(summary.tombstoneCount, 70_000);
  const reader = readerOf(fileSystem, summary, { blockCacheBytes: 64 << 20 });
  const index = reader.sections.loadIndexSync();
  assert.equal(index.blockCount, 2);
  assert.equal(reader.loadBlockSync(index, 0).count, 65_535);
  for (const i of [0, 1, 65_534, 65_535, 65_536, 69_999]) {
    assert.equal(lookUp(reader, entries[i]!.key), textOf(entries[i]!));
  }
  const found = drainSync(cursorOf(reader));
  assert.equal(found.length, 70_000);
  assert.equal(found[69_999], textOf(entries[69_999]!));
});

test("TableWriter stores a block that does not shrink as it is", () => {
  const random = new Random(3);
  const entries = numbered(20, () => randomBytes(200, random));
  const plain = writeTable(entries, { blockSizeBytes: 1 });
  for (const codec of ["zstd", "snappy"] as const) {
    assert.deepEqual(writeTable(entries, { codec, blockSizeBytes: 1 }).bytes, plain.bytes);
  }
});

test("TableWriter counts as it goes", () => {
  const handle = memoryFileSystem().createSync(TABLE_PATH);
  const writer = new TableWriter(handle, options);
  const entries = numbered(5000, (i) => valueOfLength(200, i));
  let previous = 0;
  for (const [i, entry] of entries.entries()) {
    writer.add(viewOf(entry));
    assert.equal(writer.entryCount, i + 1);
    assert.ok(writer.sizeBytes >= previous);
    previous = writer.sizeBytes;
  }
  assert.equal(writer.blockCount, 4999);
  assert.ok(handle.sizeSync() > 500_000, "nothing was written on the way");
  const summary = writer.finish();
  assert.equal(summary.sizeBytes, handle.sizeSync());
});

test("TableWriter refuses keys that do not ascend, within a block and across blocks", () => {
  for (const blockSizeBytes of [1, 4096]) {
    for (const [first, second] of [["b", "a"], ["a", "a"], ["ab", "a"], ["a", ""]]) {
      const writer = new TableWriter(memoryFileSystem().createSync(TABLE_PATH), {
        ...options,
        blockSizeBytes,
      });
      writer.add(viewOf({ key: bytesOf("" + first), value: tombstone }));
      assert.throws(
        () => writer.add(viewOf({ key: bytesOf("" + second), value: tombstone })),
        /keys do not ascend/,
      );
    }
  }
});

test("TableWriter writes tables of one entry, of the empty key too", () => {
  for (const key of ["", "a"]) {
    const entry = { key: bytesOf(key), value: tombstone };
    const { fileSystem, summary } = writeTable([entry]);
    const reader = readerOf(fileSystem, summary);
    assert.deepEqual(drainSync(cursorOf(reader)), [textOf(entry)]);
    assert.equal(lookUp(reader, entry.key), textOf(entry));
    assert.deepEqual([summary.smallest, summary.largest], [entry.key, entry.key]);
  }
});

test("TableWriter passes on the errors of the file", () => {
  const inner = memoryFileSystem().createSync(TABLE_PATH);
  const full = {
    ...inner,
    path: TABLE_PATH,
    writeSync: (): number => {
      throw new IoError("write", TABLE_PATH, "no space left", "ENOSPC");
    },
  };
  const writer = new TableWriter(full, options);
  writer.add(viewOf({ key: bytesOf("a"), value: tombstone }));
  assert.throws(() => writer.finish(), IoError);
});
