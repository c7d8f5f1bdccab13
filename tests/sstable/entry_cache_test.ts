/** The cache of single entries: what it answers, how much memory it takes, and what it keeps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { EntryCache } from "../../src/sstable/entry_cache.ts";
import { emptyEntryView, type EntryView } from "../../src/iterator/entry_cursor.ts";
import { withSeed } from "../support/seeded.ts";

/** An entry in buffers of its own, a few bytes away from their start. */
function entryOf(key: string, value: string): EntryView {
  const keyBytes = new TextEncoder().encode(`##${key}`);
  const valueBytes = new TextEncoder().encode(`#${value}`);
  return {
    keyBytes,
    keyView: new DataView(keyBytes.buffer),
    keyStart: 2,
    keyEnd: keyBytes.length,
    valueBytes,
    valueView: new DataView(valueBytes.buffer),
    valueStart: 1,
    valueEnd: valueBytes.length,
  };
}

const shown = emptyEntryView();

/** The value that the cache shows for a key. */
function valueIn(cache: EntryCache, owner: number, key: string): string | undefined {
  const bytes = new TextEncoder().encode(key);
  if (!cache.find(owner, new DataView(bytes.buffer), bytes.length, shown)) return undefined;
  const text = (from: Uint8Array, start: number, end: number): string =>
    new TextDecoder().decode(from.subarray(start, end));
  assert.equal(text(shown.keyBytes, shown.keyStart, shown.keyEnd), key);
  assert.equal(shown.valueView.buffer, shown.valueBytes.buffer);
  return text(shown.valueBytes, shown.valueStart, shown.valueEnd);
}

test("EntryCache answers with the value of that key and that owner, and stays in its memory", () => {
  for (let seed = 1; seed <= 6; seed++) {
    withSeed(seed, (random) => {
      const capacity = [0, 1000, 3000, 20_000, 300_000][random.below(5)]!;
      let grown = 0;
      const cache = new EntryCache(capacity, () => grown++);
      const added = new Map<string, string>();
      let found = 0;
      for (let step = 0; step < 4000; step++) {
        const owner = 1 + random.below(3);
        const key = "k".repeat(random.below(9)) + random.below(400);
        const value = valueIn(cache, owner, key);
        const expected = added.get(`${owner}/${key}`);
        if (value !== undefined) {
          assert.equal(value, expected);
          found++;
        } else {
          // A table's entry never changes.
          const made = expected ??
            `${step}`.repeat(1 + random.below(random.below(20) === 0 ? 300 : 20));
          added.set(`${owner}/${key}`, made);
          cache.add(owner, entryOf(key, made));
        }
        assert.ok(cache.memoryBytes <= capacity * 1.07 + 16, `${cache.memoryBytes} of ${capacity}`);
      }
      assert.equal(found > 0, capacity >= 1024);
      assert.equal(grown > 0, capacity >= 1024);
    });
  }
});

test("EntryCache finds nearly all of the entries that fit", () => {
  const cache = new EntryCache(1 << 20, () => {});
  const value = "v".repeat(100);
  const count = 7000;
  for (let i = 0; i < count; i++) cache.add(1, entryOf(`key${i}`, value));
  let found = 0;
  for (let i = 0; i < count; i++) if (valueIn(cache, 1, `key${i}`) === value) found++;
  assert.ok(found > count * 0.95, `${found} of ${count}`);
});

test("EntryCache keeps entries that are used often while ten times its size passes by", () => {
  const cache = new EntryCache(256 * 1024, () => {});
  const value = "v".repeat(100);
  const hot = 700;
  const use = (key: string): boolean => {
    const isThere = valueIn(cache, 1, key) !== undefined;
    if (!isThere) cache.add(1, entryOf(key, value));
    return isThere;
  };
  let found = 0;
  withSeed(1, (random) => {
    for (let step = 0; step < 60_000; step++) {
      if (step % 3 === 0) use(`cold${step}`);
      else if (use(`hot${random.below(hot)}`) && step >= 30_000) found++;
    }
  });
  assert.ok(found > 20_000 * 0.9, `${found} of 20000`);
});

test("EntryCache does not keep a large entry, and nothing after it was closed", () => {
  const cache = new EntryCache(1 << 20, () => {});
  cache.add(1, entryOf("large", "v".repeat(1010)));
  assert.equal(valueIn(cache, 1, "large"), undefined);
  cache.add(1, entryOf("small", "v".repeat(900)));
  assert.equal(valueIn(cache, 1, "small")?.length, 900);
  cache.close();
  cache.add(1, entryOf("small", "v"));
  assert.equal(valueIn(cache, 1, "small"), undefined);
  assert.ok(cache.memoryBytes < 100);
});
