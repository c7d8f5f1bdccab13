/**
 * The memtable's order: a B+ tree is compared with a sorted list, over keys that are hard for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRY_HEADER_BYTES, EntryArena } from "../../src/memtable/entry_arena.ts";
import { EntryTree } from "../../src/memtable/entry_tree.ts";
import { bytesOf, compareKeys, dataViewOf, encodeEntry, hexOf } from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, randomBytes, withSeed } from "../support/seeded.ts";

const KEY = ENTRY_HEADER_BYTES + 4;

class Tree {
  readonly arena = new EntryArena(1024);
  readonly tree = new EntryTree(this.arena);

  insert(key: Uint8Array): void {
    const { bytes, view, start, keyEnd, end } = encodeEntry({ key, value: Uint8Array.of(6) });
    const previous = this.tree.locateForInsert(view, start + 4, keyEnd);
    this.tree.insert(this.arena.append(previous, 0, bytes, view, start, keyEnd, end));
  }

  keyAt(entry: number): string {
    return hexOf(this.arena.bytes.slice(entry + KEY, this.arena.keyEndOf(entry)));
  }

  forward(): string[] {
    const keys: string[] = [];
    const { tree } = this;
    for (let leaf = tree.firstLeaf; leaf >= 0; leaf = tree.nextLeaf(leaf)) {
      for (let slot = 0; slot < tree.countAt(leaf); slot++) {
        keys.push(this.keyAt(tree.entryAt(leaf, slot)));
      }
    }
    return keys;
  }

  backward(): string[] {
    const keys: string[] = [];
    const { tree } = this;
    for (let leaf = tree.lastLeaf; leaf >= 0; leaf = tree.previousLeaf(leaf)) {
      for (let slot = tree.countAt(leaf) - 1; slot >= 0; slot--) {
        keys.push(this.keyAt(tree.entryAt(leaf, slot)));
      }
    }
    return keys;
  }

  /** The key at or after a place that was located, or undefined after the last. */
  locate(key: Uint8Array): { exact: boolean; next: string | undefined } {
    const { tree } = this;
    const found = tree.locate(dataViewOf(key), 0, key.length);
    let { leaf, slot } = tree;
    while (leaf >= 0 && slot >= tree.countAt(leaf)) {
      leaf = tree.nextLeaf(leaf);
      slot = 0;
    }
    const next = leaf < 0 ? undefined : this.keyAt(tree.entryAt(leaf, slot));
    if (found !== 0) assert.equal(this.keyAt(found), hexOf(key));
    return { exact: found !== 0, next };
  }
}

function check(keys: readonly Uint8Array[], probes: readonly Uint8Array[]): void {
  const tree = new Tree();
  for (const key of keys) tree.insert(key);
  const sorted = [...new Map(keys.map((key) => [hexOf(key), key])).values()].sort(compareKeys);
  const expected = sorted.map(hexOf);
  assert.equal(tree.tree.keyCount, sorted.length);
  assert.deepEqual(tree.forward(), expected);
  assert.deepEqual(tree.backward(), expected.toReversed());
  const present = new Set(expected);
  for (const probe of [...keys, ...probes]) {
    const { exact, next } = tree.locate(probe);
    assert.equal(exact, present.has(hexOf(probe)));
    let low = 0;
    for (let high = sorted.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (compareKeys(sorted[middle]!, probe) < 0) low = middle + 1;
      else high = middle;
    }
    assert.equal(next, expected[low], `behind ${hexOf(probe)}`);
  }
}

/** Inserts keys of one kind, with others of that kind as probes. */
function checkKind(count: number, kind: (random: Random, i: number) => Uint8Array): void {
  for (let seed = 1; seed <= 3; seed++) {
    withSeed(seed, (random) => {
      const keys = Array.from({ length: count }, (_, i) => kind(random, i));
      check(keys, Array.from({ length: 200 }, (_, i) => kind(random, i + count)));
    });
  }
}

function numbered(prefix: string, number: number): Uint8Array {
  return bytesOf(`${prefix}${String(number).padStart(8, "0")}`);
}

test("EntryTree orders random keys", () => {
  checkKind(3000, (random) => randomBytes(random.below(12), random));
});

test("EntryTree orders keys of few distinct bytes and shared prefixes", () => {
  checkKind(3000, awkwardKey);
});

test("EntryTree orders ascending keys", () => {
  checkKind(3000, (_, i) => numbered("k", i));
});

test("EntryTree orders descending keys", () => {
  checkKind(3000, (_, i) => numbered("k", 100_000 - i));
});

test("EntryTree orders keys that share a long prefix", () => {
  checkKind(3000, (random) => numbered("a long prefix that every key has/", random.below(100_000)));
});

test("EntryTree orders keys whose long prefixes come in groups", () => {
  checkKind(
    3000,
    (random) => numbered(`${"x".repeat(random.below(4) * 9)}/group`, random.below(100_000)),
  );
});

test("EntryTree orders keys whose prefix ends anywhere in the part that a node keeps, and after it", () => {
  for (let length = 0; length <= 18; length++) {
    const groups = [length, length, length + 1, Math.max(length - 1, 0)];
    checkKind(400, (random) => {
      const prefix = new Uint8Array(random.pick(groups)).fill(0xfe);
      // Here and there a key that leaves the prefix in its last byte.
      if (random.below(20) === 0 && prefix.length > 0) {
        prefix[prefix.length - 1] = random.below(256);
      }
      return Uint8Array.from([...prefix, ...randomBytes(random.below(6), random)]);
    });
  }
});

test("EntryTree orders keys that are prefixes of one another", () => {
  checkKind(600, (random) => new Uint8Array(random.below(900)));
  checkKind(600, (random) => new Uint8Array(random.below(900)).fill(0xff));
  checkKind(600, (random, i) => {
    const key = new Uint8Array(random.below(300)).fill(0x80);
    if (i % 3 === 0 && key.length > 0) key[key.length - 1] = random.below(256);
    return key;
  });
});

test("EntryTree orders keys whose words tie although the keys differ", () => {
  const endings = [[], [0], [0, 0], [0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1], [1]];
  checkKind(2000, (random) => {
    const key = [...randomBytes(1 + random.below(2), random), ...random.pick(endings)];
    return Uint8Array.from(key);
  });
});

test("EntryTree orders keys that arrive in both directions from the middle", () => {
  checkKind(3000, (_, i) => numbered("k", 50_000 + (i % 2 === 0 ? i : -i)));
});

test("EntryTree takes an ascending run before keys that are already there", () => {
  const keys = Array.from({ length: 1000 }, (_, i) => numbered("m", i));
  keys.push(...Array.from({ length: 1000 }, (_, i) => numbered("a", i)));
  keys.push(...Array.from({ length: 1000 }, (_, i) => numbered("m", i * 3)));
  check(keys, [bytesOf(""), bytesOf("b"), bytesOf("z")]);
});

test("EntryTree keeps one slot for a key and points it at the newest entry", () => {
  const tree = new Tree();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 500; i++) tree.insert(numbered("k", (i * 7) % 500));
  }
  assert.equal(tree.tree.keyCount, 500);
  const key = numbered("k", 7);
  const newest = tree.tree.locate(dataViewOf(key), 0, key.length);
  const middle = tree.arena.previousOf(newest);
  const oldest = tree.arena.previousOf(middle);
  assert.ok(newest > middle && middle > oldest && oldest > 0);
  assert.equal(tree.arena.previousOf(oldest), 0);
});

test("EntryTree counts a change of its structure for new keys only", () => {
  const tree = new Tree();
  tree.insert(bytesOf("a"));
  const version = tree.tree.structureVersion;
  tree.insert(bytesOf("a"));
  assert.equal(tree.tree.structureVersion, version);
  tree.insert(bytesOf("b"));
  assert.notEqual(tree.tree.structureVersion, version);
});

test("EntryTree is empty after clear and can be filled again", () => {
  const tree = new Tree();
  for (let i = 0; i < 1000; i++) tree.insert(numbered("k", i));
  tree.tree.clear();
  tree.arena.clear();
  assert.deepEqual(tree.forward(), []);
  assert.deepEqual(tree.locate(bytesOf("k")), { exact: false, next: undefined });
  for (let i = 0; i < 1000; i++) tree.insert(numbered("z", 1000 - i));
  assert.equal(tree.forward().length, 1000);
  assert.deepEqual(tree.forward(), tree.backward().reverse());
});

test("EntryTree packs an ascending load tightly", () => {
  const tree = new Tree();
  for (let i = 0; i < 20_000; i++) tree.insert(numbered("k", i));
  const bytesPerKey = tree.tree.sizeBytes / 20_000;
  assert.ok(bytesPerKey < 10, `${bytesPerKey} bytes a key`);
});
