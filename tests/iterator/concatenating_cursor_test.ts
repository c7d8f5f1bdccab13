/** Concatenation against the flat list: seeks into and between sources, misses, laziness. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConcatenatingCursor,
  type OrderedSources,
} from "../../src/iterator/concatenating_cursor.ts";
import { AT_END, AT_ENTRY, type EntryCursor } from "../../src/iterator/entry_cursor.ts";
import { MergingCursor } from "../../src/iterator/merging_cursor.ts";
import { drain, drainSync, expectedWalk, ListCursor, type Misses } from "../support/cursors.ts";
import { bytesOf, compareKeys, dataViewOf, hexOf, type PlainEntry } from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, withSeed, withSeedAsync } from "../support/seeded.ts";

/** Consecutive parts of sorted entries, as the tables of a level. */
class Parts implements OrderedSources {
  readonly opened: number[] = [];
  readonly #parts: readonly PlainEntry[][];
  readonly #reverse: boolean;
  readonly #misses: Misses | undefined;
  readonly #wrap: (cursor: EntryCursor) => EntryCursor;

  constructor(
    parts: readonly PlainEntry[][],
    reverse: boolean,
    misses?: Misses,
    wrap: (cursor: EntryCursor) => EntryCursor = (cursor) => cursor,
  ) {
    this.#parts = parts;
    this.#reverse = reverse;
    this.#misses = misses;
    this.#wrap = wrap;
  }

  get count(): number {
    return this.#parts.length;
  }

  cursorAt(index: number): EntryCursor {
    this.opened.push(index);
    return this.#wrap(new ListCursor(this.#parts[index]!, this.#reverse, this.#misses));
  }

  indexFor(key: DataView, start: number, end: number): number {
    const wanted = new Uint8Array(key.buffer, key.byteOffset + start, end - start);
    const at = this.#parts.findIndex((part) => compareKeys(part.at(-1)!.key, wanted) >= 0);
    return at < 0 ? this.#parts.length : at;
  }
}

function randomParts(random: Random): { all: PlainEntry[]; parts: PlainEntry[][] } {
  const keys = new Map<string, Uint8Array>();
  for (let i = random.below(60); i > 0; i--) {
    const key = awkwardKey(random);
    keys.set(hexOf(key), key);
  }
  const all = [...keys.values()].sort(compareKeys).map((key) => ({ key, value: bytesOf("v") }));
  const parts: PlainEntry[][] = [];
  for (let at = 0; at < all.length;) {
    const end = at + 1 + random.below(12);
    parts.push(all.slice(at, end));
    at = end;
  }
  return { all, parts };
}

function checkWalks(random: Random, misses?: Misses): void {
  const { all, parts } = randomParts(random);
  for (const reverse of [false, true]) {
    const cursor = new ConcatenatingCursor(new Parts(parts, reverse, misses), reverse);
    assert.deepEqual(drainSync(cursor), expectedWalk(all, reverse));
    const targets = [...all.map(({ key }) => key), awkwardKey(random), new Uint8Array(0)];
    for (const target of targets) {
      assert.deepEqual(drainSync(cursor, target), expectedWalk(all, reverse, target));
    }
  }
}

test("ConcatenatingCursor walks its sources as if they were one", () => {
  for (let seed = 1; seed <= 150; seed++) withSeed(seed, (random) => checkWalks(random));
});

test("ConcatenatingCursor continues after a miss at any move, loaded synchronously", () => {
  for (let seed = 1; seed <= 60; seed++) {
    withSeed(seed, (random) => checkWalks(random, () => random.below(3) === 0));
  }
});

test("ConcatenatingCursor continues after a miss at any move, loaded asynchronously", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    await withSeedAsync(seed, async (random) => {
      const { all, parts } = randomParts(random);
      for (const reverse of [false, true]) {
        const sources = new Parts(parts, reverse, () => random.below(3) === 0);
        const cursor = new ConcatenatingCursor(sources, reverse);
        const target = random.below(2) === 0 ? undefined : awkwardKey(random);
        assert.deepEqual(await drain(cursor, target), expectedWalk(all, reverse, target));
      }
    });
  }
});

test("ConcatenatingCursor opens only the sources that it reaches", () => {
  const parts = ["ab", "cd", "ef", "gh"].map((pair) =>
    [...pair].map((key) => ({ key: bytesOf(key), value: bytesOf("v") }))
  );
  const sources = new Parts(parts, false);
  const cursor = new ConcatenatingCursor(sources, false);
  drainSync(cursor, bytesOf("c"), 1);
  assert.deepEqual(sources.opened, [1]);
  drainSync(cursor, bytesOf("bb"), 3);
  assert.deepEqual(sources.opened, [1, 1, 2]);
  const backward = new Parts(parts, true);
  drainSync(new ConcatenatingCursor(backward, true), bytesOf("e"), 1);
  assert.deepEqual(backward.opened, [2, 1]);
});

test("ConcatenatingCursor of nothing is at its end in both directions", () => {
  for (const reverse of [false, true]) {
    const cursor = new ConcatenatingCursor(new Parts([], reverse), reverse);
    assert.equal(cursor.seekToStart(), AT_END);
    assert.equal(cursor.seek(dataViewOf(bytesOf("a")), 0, 1), AT_END);
  }
});

test("ConcatenatingCursor shows the entry of a source that replaces its view at every move", () => {
  const parts = ["ab", "cd"].map((pair) =>
    [...pair].map((key) => ({ key: bytesOf(key), value: bytesOf("v") }))
  );
  const sources = new Parts(
    parts,
    false,
    undefined,
    (cursor) => new MergingCursor([cursor], false),
  );
  assert.deepEqual(
    drainSync(new ConcatenatingCursor(sources, false)),
    expectedWalk(parts.flat(), false),
  );
});

test("ConcatenatingCursor is at its end past the last key and before the first one", () => {
  const parts = [[{ key: bytesOf("b"), value: bytesOf("v") }]];
  const forward = new ConcatenatingCursor(new Parts(parts, false), false);
  assert.equal(forward.seek(dataViewOf(bytesOf("c")), 0, 1), AT_END);
  const backward = new ConcatenatingCursor(new Parts(parts, true), true);
  assert.equal(backward.seek(dataViewOf(bytesOf("b")), 0, 1), AT_END);
  assert.equal(backward.seek(dataViewOf(bytesOf("ba")), 0, 2), AT_ENTRY);
});
