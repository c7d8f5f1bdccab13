/** Masked cursors against a filtered list: both directions, seeks, misses, runs and pauses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_END, AT_ENTRY, NEEDS_LOAD } from "../../src/iterator/entry_cursor.ts";
import { EntryRun } from "../../src/iterator/entry_run.ts";
import {
  joinSpans,
  joinTouching,
  type KeySpan,
  spanHolding,
  spansMeeting,
  viewOfKey,
} from "../../src/iterator/key_spans.ts";
import { MaskedCursor } from "../../src/iterator/masked_cursor.ts";
import { drainSync, expectedWalk, ListCursor, skipEntries } from "../support/cursors.ts";
import { compareKeys, hexOf, type PlainEntry } from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, withSeed } from "../support/seeded.ts";

function someKeys(random: Random, maxCount: number): Uint8Array[] {
  const keys = new Map<string, Uint8Array>();
  for (let i = random.below(maxCount + 1); i > 0; i--) {
    const key = awkwardKey(random);
    keys.set(hexOf(key), key);
  }
  return [...keys.values()].sort(compareKeys);
}

function someSpans(random: Random, maxCount: number): KeySpan[] {
  const keys = someKeys(random, 2 * maxCount);
  const spans: KeySpan[] = [];
  for (let at = 0; at + 1 < keys.length; at += 1 + random.below(2)) {
    if (spans.length > 0 && compareKeys(bytesOf(spans.at(-1)!.upper), keys[at]!) > 0) continue;
    spans.push({ lower: viewOfKey(keys[at]!), upper: viewOfKey(keys[at + 1]!) });
  }
  return spans;
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Whether a span holds a key, by a look at each. */
function isIn(spans: readonly KeySpan[], key: Uint8Array): boolean {
  return spans.some(({ lower, upper }) =>
    compareKeys(bytesOf(lower), key) <= 0 && compareKeys(key, bytesOf(upper)) < 0
  );
}

test("MaskedCursor shows what its spans leave, from any key on, in both directions", () => {
  for (let seed = 1; seed <= 600; seed++) {
    withSeed(seed, (random) => {
      const entries: PlainEntry[] = someKeys(random, 60)
        .map((key) => ({ key, value: Uint8Array.of(5) }));
      const spans = someSpans(random, random.pick([1, 4, 60]));
      const left = entries.filter(({ key }) => !isIn(spans, key));
      for (const reverse of [false, true]) {
        const misses = (): boolean => random.below(4) === 0;
        const list = new ListCursor(entries, reverse, misses);
        const cursor = new MaskedCursor(list, spans, reverse, random.below(2) === 0);
        for (let walk = 0; walk < 4; walk++) {
          const from = random.below(3) === 0
            ? undefined
            : random.below(2) === 0 && spans.length > 0
            ? bytesOf(random.pick(spans)[random.pick(["lower", "upper"] as const)])
            : awkwardKey(random);
          assert.deepEqual(drainSync(cursor, from), expectedWalk(left, reverse, from));
        }
      }
    });
  }
});

test("A run of a MaskedCursor ends before the next span", () => {
  for (let seed = 1; seed <= 300; seed++) {
    withSeed(seed, (random) => {
      const entries: PlainEntry[] = someKeys(random, 60)
        .map((key) => ({ key, value: Uint8Array.of(5) }));
      const spans = someSpans(random, 4);
      const left = entries.filter(({ key }) => !isIn(spans, key));
      const reverse = random.below(2) === 0;
      const cursor = new MaskedCursor(new ListCursor(entries, reverse), spans, reverse);
      const run = new EntryRun();
      let shown = 0;
      let at = cursor.seekToStart();
      while (at === AT_ENTRY) {
        const count = cursor.takeRun(run, undefined);
        assert.ok(count >= 1);
        for (let i = 0; i < count; i++) {
          const start = run.offsets[run.first + i * run.step]!;
          const key = count === 1
            ? cursor.entry.keyBytes.slice(cursor.entry.keyStart, cursor.entry.keyEnd)
            : run.bytes.slice(start + 4, start + 4 + run.view.getUint32(start, true));
          assert.ok(!isIn(spans, key), `${hexOf(key)} is deleted`);
        }
        shown += count;
        skipEntries(cursor, count - 1);
        at = cursor.advance();
      }
      assert.equal(at, AT_END);
      assert.equal(shown, left.length);
    });
  }
});

test("A cursor that may pause stops after many spans, and goes on from there", () => {
  const entries = Array.from({ length: 400 }, (_, i) => ({
    key: Uint8Array.of(i >> 8, i & 255),
    value: Uint8Array.of(5),
  }));
  // Every entry is in a span of its own, which touches no other one.
  const spans = entries.map(({ key }) => ({
    lower: viewOfKey(key),
    upper: viewOfKey(Uint8Array.of(...key, 0)),
  }));
  for (const mayPause of [false, true]) {
    const cursor = new MaskedCursor(new ListCursor(entries, false), spans, false, mayPause);
    let pauses = 0;
    let at = cursor.seekToStart();
    for (; at === NEEDS_LOAD; pauses++) {
      cursor.loadSync();
      at = cursor.resume();
    }
    assert.equal(at, AT_END);
    assert.equal(pauses > 5, mayPause);
  }
});

test("Spans are joined, found and met as by a look at each of them", () => {
  for (let seed = 1; seed <= 400; seed++) {
    withSeed(seed, (random) => {
      const [a, b] = [someSpans(random, 6), someSpans(random, 6)];
      const joined = joinSpans(joinTouching(a), joinTouching(b));
      for (let i = 1; i < joined.length; i++) {
        assert.ok(compareKeys(bytesOf(joined[i - 1]!.upper), bytesOf(joined[i]!.lower)) < 0);
      }
      for (let i = 0; i < 30; i++) {
        const key = awkwardKey(random);
        const isDeleted = isIn(a, key) || isIn(b, key);
        assert.equal(spanHolding(joined, viewOfKey(key), 0, key.length) !== undefined, isDeleted);
        const other = awkwardKey(random);
        const [low, high] = compareKeys(key, other) <= 0 ? [key, other] : [other, key];
        const { from, to } = spansMeeting(joined, viewOfKey(low), viewOfKey(high));
        const met = joined.filter(({ lower, upper }) =>
          compareKeys(bytesOf(lower), high) <= 0 && compareKeys(low, bytesOf(upper)) < 0
        );
        assert.deepEqual(joined.slice(from, to), met);
      }
    });
  }
});
