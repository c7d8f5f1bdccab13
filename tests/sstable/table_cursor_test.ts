/** Walking a table: every seek in both directions, small caches, reading ahead, async as sync. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError } from "../../src/errors.ts";
import { AT_ENTRY, NEEDS_LOAD } from "../../src/iterator/entry_cursor.ts";
import type { TableCursor } from "../../src/sstable/table_cursor.ts";
import { countingFileSystem } from "../support/counting_file_system.ts";
import { drain, drainSync, expectedWalk, settleSync } from "../support/cursors.ts";
import {
  bytesOf,
  compareKeys,
  dataViewOf,
  hexOf,
  type PlainEntry,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import { awkwardKey, randomBytes, withSeed, withSeedAsync } from "../support/seeded.ts";
import type { Random } from "../support/random.ts";
import { cursorOf, readerOf, readerOfBytes, writeTable } from "../support/tables.ts";

function numbered(count: number, valueBytes: number): PlainEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: bytesOf(`key ${String(i * 2).padStart(6, "0")}`),
    value: valueOfLength(valueBytes, i),
  }));
}

function randomEntries(random: Random): PlainEntry[] {
  const keys = new Map<string, PlainEntry>();
  for (let i = 0; i <= random.below(150); i++) {
    const key = awkwardKey(random);
    const value = random.below(6) === 0
      ? tombstone
      : randomBytes(1 + random.below(random.pick([5, 60, 900])), random);
    keys.set(hexOf(key), { key, value });
  }
  return [...keys.values()].sort((a, b) => compareKeys(a.key, b.key));
}

/** Keys in the table, right beside them, and before and after all of them. */
function probesOf(entries: readonly PlainEntry[]): Uint8Array[] {
  const probes: Uint8Array[] = [new Uint8Array(0), new Uint8Array(60).fill(0xff)];
  for (const { key } of entries) {
    probes.push(key, Uint8Array.from([...key, 0]));
    if (key.length > 0) probes.push(key.slice(0, -1));
  }
  return probes;
}

test("TableCursor walks from every key and from between keys, in both directions", () => {
  for (let seed = 1; seed <= 25; seed++) {
    withSeed(seed, (random) => {
      const entries = randomEntries(random);
      const codec = random.pick(["none", "snappy", "zstd"] as const);
      const blockSizeBytes = random.pick([1, 64, 256, 4096]);
      const { fileSystem, summary } = writeTable(entries, { codec, blockSizeBytes });
      const blockCacheBytes = random.pick([0, 700, 1 << 20]);
      const reader = readerOf(fileSystem, summary, {
        blockCacheBytes,
        metadataCacheBytes: random.pick([0, 1 << 20]),
      });
      for (const reverse of [false, true]) {
        const cursor = cursorOf(reader, {
          reverse,
          useCache: random.below(2) === 0,
          readaheadBytes: random.pick([0, 500, 100_000]),
        });
        assert.deepEqual(drainSync(cursor), expectedWalk(entries, reverse));
        for (const probe of probesOf(entries)) {
          const expected = expectedWalk(entries, reverse, probe).slice(0, 5);
          assert.deepEqual(drainSync(cursor, probe, 5), expected);
        }
      }
    });
  }
});

test("TableCursor walks a whole table from any key on", () => {
  withSeed(77, (random) => {
    const entries = randomEntries(random);
    const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 100 });
    const reader = readerOf(fileSystem, summary);
    for (const reverse of [false, true]) {
      const cursor = cursorOf(reader, { reverse });
      for (const probe of probesOf(entries)) {
        assert.deepEqual(drainSync(cursor, probe), expectedWalk(entries, reverse, probe));
      }
    }
  });
});

test("TableCursor shows the same with asynchronous loads as with synchronous ones", async () => {
  for (let seed = 1; seed <= 15; seed++) {
    await withSeedAsync(seed, async (random) => {
      const entries = randomEntries(random);
      const { fileSystem, summary } = writeTable(entries, { codec: "zstd", blockSizeBytes: 200 });
      const slow = countingFileSystem(fileSystem, { isAsync: random.below(4) > 0 });
      const reader = readerOf(slow, summary, {
        blockCacheBytes: random.pick([0, 1500, 1 << 20]),
        metadataCacheBytes: random.pick([0, 1 << 20]),
      });
      for (const reverse of [false, true]) {
        const cursor = cursorOf(reader, {
          reverse,
          readaheadBytes: random.pick([0, 1000, 100_000]),
        });
        assert.deepEqual(await drain(cursor), expectedWalk(entries, reverse));
        for (let i = 0; i < 10; i++) {
          const from = awkwardKey(random);
          assert.deepEqual(await drain(cursor, from), expectedWalk(entries, reverse, from));
        }
      }
    });
  }
});

test("Two TableCursors that alternate over one tiny cache show the same", () => {
  const entries = numbered(200, 50);
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 200 });
  const reader = readerOf(fileSystem, summary, { blockCacheBytes: 1200 });
  const forward = cursorOf(reader);
  const backward = cursorOf(reader, { reverse: true });
  const one: string[] = [];
  const two: string[] = [];
  let a = settleSync(forward, forward.seekToStart());
  let b = settleSync(backward, backward.seekToStart());
  const show = ({ entry }: TableCursor): string =>
    hexOf(entry.keyBytes.slice(entry.keyStart, entry.keyEnd));
  while (a === AT_ENTRY && b === AT_ENTRY) {
    one.push(show(forward));
    two.push(show(backward));
    a = settleSync(forward, forward.advance());
    b = settleSync(backward, backward.advance());
  }
  assert.equal(one.length, 200);
  assert.deepEqual(one, two.reverse());
});

test("TableCursor reads one block first and then ever larger runs up to its bound", () => {
  const entries = numbered(400, 100);
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 1000 });
  for (const reverse of [false, true]) {
    const counting = countingFileSystem(fileSystem);
    const reader = readerOf(counting, summary);
    const blockCount = reader.sections.loadIndexSync().blockCount;
    const { counts } = counting;
    const before = { ...counts };
    const cursor = cursorOf(reader, { reverse, readaheadBytes: 16 * 1024 });
    settleSync(cursor, cursor.seekToStart());
    assert.equal(counts.reads - before.reads, 1);
    assert.ok(counts.readBytes - before.readBytes < 1200);
    assert.equal(drainSync(cursor).length, 400);
    const reads = counts.reads - before.reads;
    assert.ok(reads >= 4 && reads <= 9, `${reads} reads for ${blockCount} blocks`);
    assert.ok(counts.readBytes - before.readBytes <= summary.sizeBytes, "bytes were read twice");
  }
});

test("TableCursor reads block by block if it may not read ahead", () => {
  const { fileSystem, summary } = writeTable(numbered(100, 100), { blockSizeBytes: 1000 });
  const counting = countingFileSystem(fileSystem);
  const reader = readerOf(counting, summary);
  const blockCount = reader.sections.loadIndexSync().blockCount;
  const before = counting.counts.reads;
  drainSync(cursorOf(reader, { readaheadBytes: 0 }));
  assert.equal(counting.counts.reads - before, blockCount);
});

test("TableCursor reads little again for every new seek", () => {
  const entries = numbered(2000, 100);
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 1000 });
  const counting = countingFileSystem(fileSystem);
  const reader = readerOf(counting, summary);
  const cursor = cursorOf(reader, { readaheadBytes: 100_000, useCache: false });
  assert.equal(drainSync(cursor).length, 2000);
  const before = counting.counts.readBytes;
  const probes = [3, 500, 1000, 1500, 700, 100].map((i) => entries[i]!.key);
  for (const probe of probes) settleSync(cursor, cursor.seek(dataViewOf(probe), 0, probe.length));
  const bytes = counting.counts.readBytes - before;
  assert.ok(bytes <= probes.length * 1200, `${bytes} bytes for ${probes.length} seeks`);
});

test("TableCursor reads nothing that the cache has", () => {
  const { fileSystem, summary } = writeTable(numbered(100, 100), { blockSizeBytes: 1000 });
  const counting = countingFileSystem(fileSystem);
  const reader = readerOf(counting, summary);
  drainSync(cursorOf(reader));
  const before = counting.counts.reads;
  drainSync(cursorOf(reader));
  drainSync(cursorOf(reader, { reverse: true }));
  assert.equal(counting.counts.reads, before);
});

test("TableCursor leaves the cache alone if it is told to", () => {
  const { fileSystem, summary } = writeTable(numbered(100, 100), { blockSizeBytes: 1000 });
  const reader = readerOf(fileSystem, summary);
  assert.equal(drainSync(cursorOf(reader, { useCache: false })).length, 100);
  const index = reader.sections.loadIndexSync();
  for (let block = 0; block < index.blockCount; block++) {
    assert.equal(reader.cachedBlock(block), undefined);
  }
});

test("TableCursor asks for a load before its first move on a table that was not opened", () => {
  const { fileSystem, summary } = writeTable(numbered(3, 10));
  const cursor = cursorOf(readerOf(fileSystem, summary));
  assert.equal(cursor.seekToStart(), NEEDS_LOAD);
  cursor.loadSync();
  assert.equal(cursor.resume(), NEEDS_LOAD);
  cursor.loadSync();
  assert.equal(cursor.resume(), AT_ENTRY);
});

test("TableCursor can seek again after a load failed", async () => {
  const entries = numbered(100, 100);
  const { bytes, summary } = writeTable(entries, { blockSizeBytes: 1000 });
  const mutant = bytes.slice();
  mutant[3000]! ^= 1;
  for (const isAsync of [false, true]) {
    const reader = readerOfBytes(mutant, summary);
    const cursor = cursorOf(reader, { readaheadBytes: 0 });
    if (isAsync) await assert.rejects(drain(cursor), CorruptionError);
    else assert.throws(() => drainSync(cursor), CorruptionError);
    const from = entries[50]!.key;
    assert.deepEqual(drainSync(cursor, from), expectedWalk(entries, false, from));
  }
});
