/**
 * The memtable: versions by sequence, cursors that live through inserts, large values, recycling.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_END, AT_ENTRY, emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import type { EntryCursor, Position } from "../../src/iterator/entry_cursor.ts";
import { LARGE_VALUE_BYTES } from "../../src/memtable/entry_arena.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { drainSync, expectedWalk } from "../support/cursors.ts";
import {
  bytesOf,
  compareKeys,
  dataViewOf,
  encodeEntry,
  hexOf,
  type PlainEntry,
  plainOf,
  textOf,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, randomBytes, withSeed } from "../support/seeded.ts";

const FIRST = 1000;

function insert(table: Memtable, sequence: number, key: Uint8Array, value: Uint8Array): void {
  const { bytes, view, start, keyEnd, end } = encodeEntry({ key, value }, 3);
  table.insert(sequence, bytes, view, start, keyEnd, end);
}

/** The value that a reader at `sequence` finds, in hex. */
function find(table: Memtable, key: Uint8Array, sequence: number): string | undefined {
  const result = emptyEntryView();
  if (!table.find(dataViewOf(key), 0, key.length, sequence, result)) return undefined;
  const found = plainOf(result);
  assert.equal(hexOf(found.key), hexOf(key));
  return hexOf(found.value);
}

/** Every version of every key, by plain means. */
class Model {
  readonly versions = new Map<string, { key: Uint8Array; list: [number, Uint8Array][] }>();

  put(sequence: number, key: Uint8Array, value: Uint8Array): void {
    const id = hexOf(key);
    const known = this.versions.get(id);
    if (known === undefined) this.versions.set(id, { key, list: [[sequence, value]] });
    else known.list.push([sequence, value]);
  }

  get(key: Uint8Array, sequence: number): string | undefined {
    const found = this.versions.get(hexOf(key))?.list.findLast(([at]) => at <= sequence);
    return found === undefined ? undefined : hexOf(found[1]);
  }

  visible(sequence: number): PlainEntry[] {
    const entries: PlainEntry[] = [];
    for (const { key, list } of this.versions.values()) {
      const found = list.findLast(([at]) => at <= sequence);
      if (found !== undefined) entries.push({ key, value: found[1] });
    }
    return entries.sort((a, b) => compareKeys(a.key, b.key));
  }
}

function randomValue(random: Random): Uint8Array {
  return random.below(5) === 0 ? tombstone : randomBytes(1 + random.below(20), random);
}

test("Memtable answers every reader as of its sequence number", () => {
  for (let seed = 1; seed <= 3; seed++) {
    withSeed(seed, (random) => {
      const table = new Memtable(FIRST, 256);
      const model = new Model();
      let sequence = FIRST;
      for (let i = 0; i < 1500; i++) {
        const key = random.below(3) === 0
          ? randomBytes(random.below(3), random)
          : awkwardKey(random);
        const value = randomValue(random);
        insert(table, sequence, key, value);
        model.put(sequence, key, value);
        sequence++;
      }
      assert.equal(table.entryCount, 1500);
      assert.equal(table.keyCount, model.versions.size);
      const whole = expectedWalk(model.visible(Infinity), false);
      assert.deepEqual(drainSync(table.wholeCursor()), whole);
      for (const at of [FIRST - 1, FIRST, FIRST + 200, FIRST + 1000, sequence, Infinity]) {
        for (const { key } of model.versions.values()) {
          assert.equal(find(table, key, at), model.get(key, at));
        }
        const visible = model.visible(at);
        for (const reverse of [false, true]) {
          const cursor = table.cursor(at, reverse);
          assert.deepEqual(drainSync(cursor), expectedWalk(visible, reverse));
          for (let i = 0; i < 10; i++) {
            const from = awkwardKey(random);
            assert.deepEqual(drainSync(cursor, from), expectedWalk(visible, reverse, from));
          }
        }
      }
    });
  }
});

test("Memtable keeps 100,000 random keys in order", () => {
  withSeed(42, (random) => {
    const table = new Memtable(FIRST, 64 * 1024);
    const model = new Map<string, PlainEntry>();
    for (let i = 0; i < 100_000; i++) {
      const key = randomBytes(4 + random.below(8), random);
      const value = Uint8Array.of(3, i & 1);
      insert(table, FIRST + i, key, value);
      model.set(hexOf(key), { key, value });
    }
    const sorted = [...model.values()].sort((a, b) => compareKeys(a.key, b.key));
    const cursors: [EntryCursor, PlainEntry[]][] = [
      [table.cursor(Infinity, false), sorted],
      [table.cursor(Infinity, true), sorted.toReversed()],
    ];
    for (const [cursor, expected] of cursors) {
      let position = cursor.seekToStart();
      for (const entry of expected) {
        assert.equal(position, AT_ENTRY);
        if (textOf(plainOf(cursor.entry)) !== textOf(entry)) assert.equal(1, textOf(entry));
        position = cursor.advance();
      }
      assert.equal(position, AT_END);
    }
  });
});

test("Memtable finds the empty key, keys of 0xff and keys that are prefixes of others", () => {
  const table = new Memtable(FIRST, 256);
  const keys = [
    new Uint8Array(0),
    Uint8Array.of(0),
    Uint8Array.of(0, 0),
    bytesOf("a"),
    bytesOf("ab"),
    bytesOf("abc"),
    bytesOf("abcd"),
    bytesOf("abcde"),
    Uint8Array.of(0xff),
    Uint8Array.of(0xff, 0xff),
    new Uint8Array(9).fill(0xff),
  ];
  keys.toReversed().forEach((key, i) => insert(table, FIRST + i, key, Uint8Array.of(3, i)));
  keys.forEach((key, i) =>
    assert.equal(find(table, key, Infinity), hexOf(Uint8Array.of(3, keys.length - 1 - i)))
  );
  assert.equal(find(table, bytesOf("abcdef"), Infinity), undefined);
  assert.equal(find(table, Uint8Array.of(0xff, 0xff, 0xff), Infinity), undefined);
  const walk = drainSync(table.cursor(Infinity, false)).map((text) => text.split("=")[0]);
  assert.deepEqual(walk, keys.map(hexOf));
});

test("Memtable shows tombstones", () => {
  const table = new Memtable(FIRST, 256);
  insert(table, FIRST, bytesOf("k"), Uint8Array.of(3, 1));
  insert(table, FIRST + 1, bytesOf("k"), tombstone);
  assert.equal(find(table, bytesOf("k"), FIRST), "0301");
  assert.equal(find(table, bytesOf("k"), FIRST + 1), "06");
  assert.deepEqual(drainSync(table.cursor(FIRST + 1, false)), ["6b=06"]);
});

test("Memtable shows values of any size by find and by cursors", () => {
  const table = new Memtable(FIRST, 256);
  const lengths = [1, LARGE_VALUE_BYTES - 1, LARGE_VALUE_BYTES, 300_000, 2, 70_000];
  lengths.forEach((length, i) => {
    insert(table, FIRST + i, bytesOf(`key ${i}`), valueOfLength(length, i));
  });
  const expected = lengths.map((length, i) =>
    textOf({ key: bytesOf(`key ${i}`), value: valueOfLength(length, i) })
  );
  assert.deepEqual(drainSync(table.cursor(Infinity, false)), expected);
  assert.deepEqual(drainSync(table.cursor(Infinity, true)), expected.toReversed());
  lengths.forEach((length, i) =>
    assert.equal(find(table, bytesOf(`key ${i}`), Infinity), hexOf(valueOfLength(length, i)))
  );
});

test("Memtable keeps older versions apart from a large newer one", () => {
  const table = new Memtable(FIRST, 256);
  const key = bytesOf("k");
  const values = [valueOfLength(5, 1), valueOfLength(LARGE_VALUE_BYTES, 2), valueOfLength(7, 3)];
  values.forEach((value, i) => insert(table, FIRST + i, key, value));
  values.forEach((value, i) => assert.equal(find(table, key, FIRST + i), hexOf(value)));
});

test("Inserts into a Memtable do not disturb a cursor that walks over it", () => {
  for (let seed = 1; seed <= 40; seed++) {
    withSeed(seed, (random) => {
      const table = new Memtable(FIRST, 64);
      const model = new Model();
      let sequence = FIRST;
      const put = (): void => {
        const key = random.below(2) === 0 ? awkwardKey(random) : randomBytes(3, random);
        const value = randomValue(random);
        insert(table, sequence, key, value);
        model.put(sequence, key, value);
        sequence++;
      };
      for (let i = random.below(300); i > 0; i--) put();
      const walks = [false, true, false, true].map((reverse, i) => {
        const from = i < 2 ? undefined : awkwardKey(random);
        const at = sequence - 1;
        const cursor = table.cursor(at, reverse);
        const position: Position = from === undefined
          ? cursor.seekToStart()
          : cursor.seek(dataViewOf(from), 0, from.length);
        return { cursor, position, left: expectedWalk(model.visible(at), reverse, from) };
      });
      // Each cursor takes a step now and then, between inserts that split leaves and grow the
      // arena.
      for (let i = 0; i < 2500; i++) {
        if (random.below(2) === 0) put();
        const walk = random.pick(walks);
        const expected = walk.left.shift();
        if (expected === undefined) {
          assert.equal(walk.position, AT_END);
          continue;
        }
        assert.equal(walk.position, AT_ENTRY);
        assert.equal(textOf(plainOf(walk.cursor.entry)), expected);
        walk.position = walk.cursor.advance();
      }
    });
  }
});

test("Memtable cursors never ask for a load", async () => {
  const table = new Memtable(FIRST, 64);
  insert(table, FIRST, bytesOf("k"), tombstone);
  const cursor = table.cursor(FIRST, false);
  assert.equal(cursor.seekToStart(), AT_ENTRY);
  cursor.loadSync();
  await cursor.load();
  assert.equal(cursor.resume(), AT_ENTRY);
});

test("Memtable without entries finds nothing in either direction", () => {
  const table = new Memtable(FIRST, 64);
  assert.equal(find(table, bytesOf(""), Infinity), undefined);
  for (const reverse of [false, true]) {
    const cursor = table.cursor(Infinity, reverse);
    assert.equal(cursor.seekToStart(), AT_END);
    assert.equal(cursor.seek(dataViewOf(bytesOf("k")), 0, 1), AT_END);
  }
});

test("Memtable is empty after it was recycled", () => {
  const table = new Memtable(FIRST, 64);
  for (let i = 0; i < 1000; i++) insert(table, FIRST + i, bytesOf(`old ${i}`), tombstone);
  insert(table, FIRST + 1000, bytesOf("large"), valueOfLength(LARGE_VALUE_BYTES, 1));
  table.recycle(5000);
  assert.deepEqual([table.entryCount, table.keyCount, table.firstSequence], [0, 0, 5000]);
  assert.ok(table.sizeBytes < 1024, `${table.sizeBytes} bytes`);
  insert(table, 5000, bytesOf("new"), Uint8Array.of(3, 1));
  assert.equal(find(table, bytesOf("new"), 4999), undefined);
  assert.equal(find(table, bytesOf("new"), 5000), "0301");
  assert.equal(find(table, bytesOf("old 1"), Infinity), undefined);
  assert.deepEqual(drainSync(table.cursor(Infinity, false)), ["6e6577=0301"]);
});

test("Memtable takes sequence numbers up to 2^32 - 1 after its first and refuses the next", () => {
  const first = 2 ** 53 - 2 ** 32 - 10;
  const table = new Memtable(first, 64);
  insert(table, first, bytesOf("k"), Uint8Array.of(3, 0));
  insert(table, first + 0xffffffff, bytesOf("k"), Uint8Array.of(3, 1));
  assert.throws(() => insert(table, first + 0x1_0000_0000, bytesOf("x"), tombstone), RangeError);
  assert.equal(find(table, bytesOf("k"), first + 0xfffffffe), "0300");
  assert.equal(find(table, bytesOf("k"), first + 0xffffffff), "0301");
  assert.equal(find(table, bytesOf("x"), Infinity), undefined);
  assert.equal(table.entryCount, 2);
});

test("Memtable grows its stated size with what it holds", () => {
  const table = new Memtable(FIRST, 64);
  const before = table.sizeBytes;
  insert(table, FIRST, bytesOf("k"), valueOfLength(10_000, 1));
  assert.ok(table.sizeBytes >= before + 10_000);
  insert(table, FIRST + 1, bytesOf("l"), valueOfLength(100_000, 1));
  assert.ok(table.sizeBytes >= before + 110_000);
});
