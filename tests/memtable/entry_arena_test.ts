/** The memtable's memory: the form of entries, growth, values outside, and its golden bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ENTRY_HEADER_BYTES,
  EntryArena,
  LARGE_VALUE_BYTES,
} from "../../src/memtable/entry_arena.ts";
import { bytesOf, encodeEntry, hexOf, type PlainEntry, valueOfLength } from "../support/entries.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import { emptyEntryView } from "../../src/iterator/entry_cursor.ts";

const KEY = ENTRY_HEADER_BYTES + 4;

function append(arena: EntryArena, entry: PlainEntry, sequence = 0, previous = 0): number {
  const { bytes, view, start, keyEnd, end } = encodeEntry(entry, 5);
  return arena.append(previous, sequence, bytes, view, start, keyEnd, end);
}

test("EntryArena lays an entry out in the golden form", () => {
  const arena = new EntryArena(1024);
  const first = append(arena, { key: bytesOf("key"), value: Uint8Array.of(3, 1) }, 0x01020304);
  const second = append(arena, { key: bytesOf(""), value: Uint8Array.of(6) }, 7, first);
  assert.equal(first, 8);
  assert.equal(
    hexOf(arena.bytes.slice(first, arena.used)),
    "00000000" + "04030201" + "03000000" + "6b6579" + "02000000" + "0301" +
      "08000000" + "07000000" + "00000000" + "01000000" + "06",
  );
  assert.equal(arena.previousOf(second), first);
  assert.equal(arena.sequenceOf(second), 7);
  assert.equal(arena.sizeBytes, 8 + 4 + 3 + 4 + 2 + 8 + 4 + 0 + 4 + 1);
});

test("EntryArena keeps offsets and content when it grows", () => {
  const random = new Random(11);
  const arena = new EntryArena(0);
  const entries = Array.from({ length: 500 }, () => ({
    key: randomBytes(random.below(40), random),
    value: randomBytes(1 + random.below(200), random),
  }));
  const first = arena.bytes;
  const offsets = entries.map((entry, i) => append(arena, entry, i));
  assert.notEqual(arena.bytes, first);
  assert.equal(arena.view.buffer, arena.bytes.buffer);
  entries.forEach((entry, i) => {
    const at = offsets[i]!;
    const keyEnd = arena.keyEndOf(at);
    assert.equal(arena.sequenceOf(at), i);
    assert.equal(hexOf(arena.bytes.slice(at + KEY, keyEnd)), hexOf(entry.key));
    assert.equal(arena.largeValueIndex(keyEnd), -1);
    const valueEnd = keyEnd + 4 + arena.view.getUint32(keyEnd, true);
    assert.equal(hexOf(arena.bytes.slice(keyEnd + 4, valueEnd)), hexOf(entry.value));
  });
});

test("EntryArena keeps values from 64 KiB on outside, and smaller ones inside", () => {
  const arena = new EntryArena(1024);
  const lengths = [LARGE_VALUE_BYTES - 1, LARGE_VALUE_BYTES, LARGE_VALUE_BYTES + 1, 1_000_000];
  const offsets = lengths.map((length, i) =>
    append(arena, { key: bytesOf(`key ${i}`), value: valueOfLength(length, i) })
  );
  const indexes = offsets.map((at) => arena.largeValueIndex(arena.keyEndOf(at)));
  assert.deepEqual(indexes, [-1, 0, 1, 2]);
  const shown = emptyEntryView();
  for (const i of [1, 2, 3]) {
    const value = arena.largeValues[indexes[i]!]!;
    assert.deepEqual(value, valueOfLength(lengths[i]!, i));
    arena.show(offsets[i]!, shown);
    assert.equal(shown.valueBytes, value);
    assert.equal(shown.valueView.buffer, value.buffer);
    assert.deepEqual([shown.valueStart, shown.valueEnd], [0, value.length]);
  }
  assert.ok(arena.used < 2 * LARGE_VALUE_BYTES, `${arena.used} bytes for one value inside`);
  assert.ok(arena.sizeBytes > 1_000_000 + 3 * LARGE_VALUE_BYTES - 10);
});

test("EntryArena copies the bytes that it is given", () => {
  const arena = new EntryArena(1024);
  for (const length of [10, LARGE_VALUE_BYTES]) {
    const { bytes, view, start, keyEnd, end } = encodeEntry({
      key: bytesOf("key"),
      value: valueOfLength(length, 1),
    });
    const at = arena.append(0, 0, bytes, view, start, keyEnd, end);
    bytes.fill(0);
    const large = arena.largeValueIndex(arena.keyEndOf(at));
    const found = large < 0
      ? arena.bytes.slice(arena.keyEndOf(at) + 4, arena.used)
      : arena.largeValues[large]!;
    assert.deepEqual(found, valueOfLength(length, 1));
    assert.equal(hexOf(arena.bytes.slice(at + KEY, arena.keyEndOf(at))), "6b6579");
  }
});

test("EntryArena forgets everything when it is cleared, and keeps its memory", () => {
  const arena = new EntryArena(64);
  append(arena, { key: bytesOf("key"), value: valueOfLength(1000, 1) });
  append(arena, { key: bytesOf("large"), value: valueOfLength(LARGE_VALUE_BYTES, 1) });
  const memory = arena.bytes;
  arena.clear();
  assert.equal(arena.sizeBytes, 0);
  assert.equal(arena.largeValues.length, 0);
  assert.equal(arena.bytes, memory);
  assert.equal(append(arena, { key: bytesOf("a"), value: Uint8Array.of(6) }), 8);
});
