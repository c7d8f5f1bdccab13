/** Merging against a sorted map: newest first on ties, both directions, misses at any move. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_END, AT_ENTRY, NEEDS_LOAD } from "../../src/iterator/entry_cursor.ts";
import type { EntryCursor, Position } from "../../src/iterator/entry_cursor.ts";
import { MergingCursor } from "../../src/iterator/merging_cursor.ts";
import { drain, drainSync, expectedWalk, type From, ListCursor } from "../support/cursors.ts";
import { bytesOf, compareKeys, hexOf, type PlainEntry, plainOf } from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, withSeed, withSeedAsync } from "../support/seeded.ts";

/** Sorted entries with distinct keys; the values name the source. */
function randomSource(random: Random, source: number, maxCount: number): PlainEntry[] {
  const keys = new Map<string, Uint8Array>();
  for (let i = random.below(maxCount + 1); i > 0; i--) {
    const key = awkwardKey(random);
    keys.set(hexOf(key), key);
  }
  return [...keys.values()].sort(compareKeys).map((key) => ({ key, value: Uint8Array.of(source) }));
}

/** The newest version of each key, by a map. */
function mergedBy(sources: readonly PlainEntry[][]): PlainEntry[] {
  const newest = new Map<string, PlainEntry>();
  for (const source of [...sources].reverse()) {
    for (const entry of source) newest.set(hexOf(entry.key), entry);
  }
  return [...newest.values()].sort((a, b) => compareKeys(a.key, b.key));
}

function fromOf(random: Random, merged: readonly PlainEntry[]): From {
  const choice = random.below(3);
  if (choice === 0) return undefined;
  return choice === 1 || merged.length === 0 ? awkwardKey(random) : random.pick(merged).key;
}

test("MergingCursor shows the newest version of every key once, in order", () => {
  for (let seed = 1; seed <= 400; seed++) {
    withSeed(seed, (random) => {
      const sources = Array.from(
        { length: random.below(7) },
        (_, i) => randomSource(random, i, random.pick([0, 1, 5, 40])),
      );
      const merged = mergedBy(sources);
      for (const reverse of [false, true]) {
        const cursor = new MergingCursor(
          sources.map((one) => new ListCursor(one, reverse)),
          reverse,
        );
        for (let walk = 0; walk < 4; walk++) {
          const from = fromOf(random, merged);
          assert.deepEqual(drainSync(cursor, from), expectedWalk(merged, reverse, from));
        }
      }
    });
  }
});

test("MergingCursor continues after a miss at any move, loaded synchronously", () => {
  for (let seed = 1; seed <= 200; seed++) {
    withSeed(seed, (random) => {
      const sources = Array.from(
        { length: 1 + random.below(5) },
        (_, i) => randomSource(random, i, 15),
      );
      const merged = mergedBy(sources);
      for (const reverse of [false, true]) {
        const cursor = new MergingCursor(
          sources.map((one) => new ListCursor(one, reverse, () => random.below(3) === 0)),
          reverse,
        );
        for (let walk = 0; walk < 3; walk++) {
          const from = fromOf(random, merged);
          assert.deepEqual(drainSync(cursor, from), expectedWalk(merged, reverse, from));
        }
      }
    });
  }
});

test("MergingCursor continues after a miss at any move, loaded asynchronously", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    await withSeedAsync(seed, async (random) => {
      const sources = Array.from(
        { length: 1 + random.below(5) },
        (_, i) => randomSource(random, i, 15),
      );
      const merged = mergedBy(sources);
      for (const reverse of [false, true]) {
        const cursor = new MergingCursor(
          sources.map((one) => new ListCursor(one, reverse, () => random.below(3) === 0)),
          reverse,
        );
        const from = fromOf(random, merged);
        assert.deepEqual(await drain(cursor, from), expectedWalk(merged, reverse, from));
      }
    });
  }
});

test("MergingCursor can seek again in the middle of a miss", () => {
  const a = [{ key: bytesOf("a"), value: Uint8Array.of(1) }];
  const b = [{ key: bytesOf("b"), value: Uint8Array.of(2) }];
  let isMissing = true;
  const cursor = new MergingCursor(
    [new ListCursor(a, false, () => isMissing), new ListCursor(b, false)],
    false,
  );
  assert.equal(cursor.seekToStart(), NEEDS_LOAD);
  isMissing = false;
  assert.deepEqual(drainSync(cursor), ["61=01", "62=02"]);
});

test("MergingCursor says which source its entry is from", () => {
  const sources = [["b", "d"], ["a", "b", "c"], ["b", "c", "e"]].map((keys, i) =>
    keys.map((key) => ({ key: bytesOf(key), value: Uint8Array.of(i) }))
  );
  const cursor = new MergingCursor(sources.map((one) => new ListCursor(one, false)), false);
  const fronts: string[] = [];
  let position: Position = cursor.seekToStart();
  while (position === AT_ENTRY) {
    fronts.push(`${String.fromCharCode(plainOf(cursor.entry).key[0]!)}${cursor.frontSource}`);
    position = cursor.advance();
  }
  assert.deepEqual(fronts, ["a1", "b0", "c1", "d0", "e2"]);
});

test("MergingCursor loads only the sources that miss something", async () => {
  const entries = [{ key: bytesOf("a"), value: Uint8Array.of(1) }];
  let misses = 1;
  const missing = new ListCursor(entries, false, () => misses-- > 0);
  const present = new ListCursor(entries, false);
  const cursor = new MergingCursor([present, missing], false);
  assert.equal(cursor.seekToStart(), NEEDS_LOAD);
  await cursor.load();
  assert.equal(cursor.resume(), AT_ENTRY);
  assert.deepEqual([present.loads, missing.loads], [0, 1]);
});

test("MergingCursor waits for every load before it reports the failure of one", async () => {
  const log: string[] = [];
  const source = (name: string, load: () => Promise<void>): EntryCursor =>
    Object.assign(new ListCursor([], false, () => true), {
      load: async () => {
        await load();
        log.push(name);
      },
    });
  const failing = source("failing", () => Promise.reject(new Error("EIO")));
  const slow = source("slow", async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  });
  const cursor = new MergingCursor([failing, slow], false);
  assert.equal(cursor.seekToStart(), NEEDS_LOAD);
  await assert.rejects(cursor.load(), /EIO/);
  assert.deepEqual(log, ["slow"]);
});

test("MergingCursor over nothing is at its end", () => {
  for (const sources of [[], [new ListCursor([], false)]]) {
    const cursor = new MergingCursor(sources, false);
    assert.equal(cursor.seekToStart(), AT_END);
    assert.equal(cursor.seek(new DataView(new ArrayBuffer(0)), 0, 0), AT_END);
  }
});

test("MergingCursor merges 200 sources", () => {
  withSeed(7, (random) => {
    const sources = Array.from({ length: 200 }, (_, i) => randomSource(random, i & 0xff, 10));
    const cursor = new MergingCursor(sources.map((one) => new ListCursor(one, false)), false);
    assert.deepEqual(drainSync(cursor), expectedWalk(mergedBy(sources), false));
  });
});
