/**
 * Runs: what every kind of cursor shows by runs is what it shows by single moves, up to every
 * bound.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConcatenatingCursor } from "../../src/iterator/concatenating_cursor.ts";
import type { EntryCursor } from "../../src/iterator/entry_cursor.ts";
import type { RunBound } from "../../src/iterator/entry_run.ts";
import { MergingCursor } from "../../src/iterator/merging_cursor.ts";
import { LARGE_VALUE_BYTES } from "../../src/memtable/entry_arena.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { drainRunsSync, drainSync, expectedWalk, ListCursor } from "../support/cursors.ts";
import {
  bytesOf,
  compareKeys,
  dataViewOf,
  encodeEntry,
  hexOf,
  type PlainEntry,
  plainOf,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, withSeed } from "../support/seeded.ts";
import { cursorOf, readerOf, writeTable } from "../support/tables.ts";

function randomEntries(random: Random, mark: number): PlainEntry[] {
  const entries = new Map<string, PlainEntry>();
  for (let i = 0; i <= random.below(random.pick([3, 40, 200])); i++) {
    const key = awkwardKey(random);
    const length = random.below(25) === 0 ? LARGE_VALUE_BYTES : 1 + random.below(40);
    const value = random.below(6) === 0 ? tombstone : valueOfLength(length, mark + i);
    entries.set(hexOf(key), { key, value });
  }
  return [...entries.values()].sort((a, b) => compareKeys(a.key, b.key));
}

function memtableOf(entries: readonly PlainEntry[], random: Random): Memtable {
  const table = new Memtable(1, 256);
  let sequence = 1;
  const insert = (entry: PlainEntry): void => {
    const { bytes, view, start, keyEnd, end } = encodeEntry(entry);
    table.insert(sequence++, bytes, view, start, keyEnd, end);
  };
  for (const entry of entries.toSorted(() => random.below(3) - 1)) {
    // An older version, which nobody may see.
    if (random.below(4) === 0) insert({ key: entry.key, value: tombstone });
    insert(entry);
  }
  return table;
}

function cursorOn(entries: readonly PlainEntry[], reverse: boolean, random: Random): EntryCursor {
  const kind = entries.length === 0 ? "list" : random.pick(["table", "memtable", "list", "level"]);
  if (kind === "memtable") return memtableOf(entries, random).cursor(Infinity, reverse);
  if (kind === "list") return new ListCursor(entries, reverse, () => random.below(3) === 0);
  if (kind === "level" && entries.length > 2) {
    const middle = 1 + random.below(entries.length - 1);
    const parts = [entries.slice(0, middle), entries.slice(middle)];
    return new ConcatenatingCursor({
      count: 2,
      cursorAt: (index) => tableCursorOn(parts[index]!, reverse, random),
      indexFor: (view, start, end) => {
        const key = new Uint8Array(view.buffer, view.byteOffset + start, end - start);
        const index = parts.findIndex((part) => compareKeys(part.at(-1)!.key, key) >= 0);
        return index < 0 ? 2 : index;
      },
    }, reverse);
  }
  return tableCursorOn(entries, reverse, random);
}

function tableCursorOn(
  entries: readonly PlainEntry[],
  reverse: boolean,
  random: Random,
): EntryCursor {
  const { fileSystem, summary } = writeTable(entries, {
    blockSizeBytes: random.pick([64, 256, 4096]),
  });
  const blockCacheBytes = random.pick([0, 700, 1 << 20]);
  return cursorOf(readerOf(fileSystem, summary, { blockCacheBytes }), { reverse });
}

function boundAt(key: Uint8Array, isIncluded: boolean): RunBound {
  return { view: dataViewOf(key), start: 0, end: key.length, isIncluded };
}

/** What comes before a bound in a walk from `from`. */
function expectedRuns(
  sorted: readonly PlainEntry[],
  reverse: boolean,
  from: Uint8Array | undefined,
  bound: Uint8Array,
  isIncluded: boolean,
): string[] {
  const inside = sorted.filter(({ key }) => {
    const order = compareKeys(key, bound);
    return (reverse ? order > 0 : order < 0) || (order === 0 && isIncluded);
  });
  return expectedWalk(inside, reverse, from);
}

test("Runs of every kind of cursor, and of merges of them, show what single moves show", () => {
  for (let seed = 1; seed <= 300; seed++) {
    withSeed(seed, (random) => {
      const reverse = random.below(2) === 1;
      const sources = Array.from(
        { length: random.pick([1, 1, 2, 4]) },
        (_, i) => randomEntries(random, i * 50),
      );
      const merged = new Map<string, PlainEntry>();
      for (const source of sources.toReversed()) {
        for (const entry of source) merged.set(hexOf(entry.key), entry);
      }
      const sorted = [...merged.values()].sort((a, b) => compareKeys(a.key, b.key));
      const cursors = sources.map((entries) => cursorOn(entries, reverse, random));
      const cursor = cursors.length === 1 ? cursors[0]! : new MergingCursor(cursors, reverse);
      const pick = (): Uint8Array =>
        random.below(2) === 0 ? awkwardKey(random) : random.pick(sorted).key;
      for (let round = 0; round < 8; round++) {
        const from = random.below(3) === 0 ? undefined : pick();
        assert.deepEqual(drainRunsSync(cursor, from), expectedWalk(sorted, reverse, from));
        const bound = pick();
        const isIncluded = random.below(2) === 1;
        assert.deepEqual(
          drainRunsSync(cursor, from, boundAt(bound, isIncluded)),
          expectedRuns(sorted, reverse, from, bound, isIncluded),
        );
      }
    });
  }
});

test("A run of a table is what is left of a block, and that of a merge ends before the next source", () => {
  const entries = Array.from({ length: 60 }, (_, i) => ({
    key: bytesOf(`k${String(i).padStart(3, "0")}`),
    value: valueOfLength(20, i),
  }));
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 1 << 20 });
  for (const reverse of [false, true]) {
    const table = cursorOf(readerOf(fileSystem, summary), { reverse });
    const lengths: number[] = [];
    drainRunsSync(table, undefined, undefined, lengths);
    assert.deepEqual(lengths, [60]);
    const one = new ListCursor([{ key: bytesOf("k020"), value: tombstone }], reverse);
    const merge = new MergingCursor([one, table], reverse);
    const merged: number[] = [];
    drainRunsSync(merge, undefined, undefined, merged);
    assert.deepEqual(merged, reverse ? [39, 1, 20] : [20, 1, 39]);
  }
});

test("A run of a memtable stays as it is while its memory grows and its leaves split", () => {
  withSeed(5, (random) => {
    for (const reverse of [false, true]) {
      const entries = Array.from({ length: 200 }, (_, i) => ({
        key: bytesOf(`k${String(i * 2).padStart(4, "0")}`),
        value: valueOfLength(9, i),
      }));
      const table = memtableOf(entries, random);
      const cursor = table.cursor(1_000, reverse);
      const found: string[] = [];
      const seen = cursor.takeRun.bind(cursor);
      cursor.takeRun = (run, bound) => {
        const count = seen(run, bound);
        const at = bytesOf(`${String.fromCharCode(...plainOf(cursor.entry).key)}x`);
        for (let i = 0; i < 20; i++) {
          const entry = encodeEntry({ key: Uint8Array.of(...at, i), value: valueOfLength(99, i) });
          table.insert(2_000, entry.bytes, entry.view, entry.start, entry.keyEnd, entry.end);
        }
        return count;
      };
      found.push(...drainRunsSync(cursor));
      assert.deepEqual(found, expectedWalk(entries, reverse));
      assert.deepEqual(drainSync(table.cursor(1_000, reverse)), expectedWalk(entries, reverse));
    }
  });
});
