/**
 * Decoded blocks: the search is compared with a plain list, and every kind of invalid payload is
 * refused.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "../../src/errors.ts";
import { emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import { Block } from "../../src/sstable/block.ts";
import {
  bytesOf,
  compareKeys,
  dataViewOf,
  hexOf,
  type PlainEntry,
  plainOf,
  textOf,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import { awkwardKey, randomBytes, withSeed } from "../support/seeded.ts";
import { payloadOf } from "../support/tables.ts";

function decode(payload: Uint8Array): Block {
  return Block.decode(payload, 0, payload.length);
}

function textAt(block: Block, slot: number): string {
  const entry = emptyEntryView();
  block.showBuffers(entry);
  block.showAt(slot, entry);
  return textOf(plainOf(entry));
}

function requireRefused(payload: Uint8Array): void {
  assert.throws(() => decode(payload), DecodeError);
}

test("Block finds every key, and the place of every missing one", () => {
  for (let seed = 1; seed <= 100; seed++) {
    withSeed(seed, (random) => {
      const keys = new Map<string, PlainEntry>();
      // In every other seed all keys of the block share a prefix, and most of the searched ones
      // don't.
      const shared = seed % 2 === 0 ? awkwardKey(random) : bytesOf("");
      for (let i = 0; i <= random.below(60); i++) {
        const key = Uint8Array.from([...shared, ...awkwardKey(random)]);
        keys.set(hexOf(key), { key, value: randomBytes(1 + random.below(9), random) });
      }
      const entries = [...keys.values()].sort((a, b) => compareKeys(a.key, b.key));
      const block = decode(payloadOf(entries));
      assert.equal(block.count, entries.length);
      const probes = [...entries.map(({ key }) => key)];
      for (let i = 0; i < 50; i++) probes.push(awkwardKey(random));
      for (const probe of probes) {
        const at = entries.findIndex(({ key }) => compareKeys(key, probe) >= 0);
        const bound = at < 0 ? entries.length : at;
        const view = dataViewOf(probe);
        assert.equal(block.lowerBound(view, 0, probe.length), bound);
        const isThere = bound < entries.length && compareKeys(entries[bound]!.key, probe) === 0;
        assert.equal(block.find(view, 0, probe.length), isThere ? bound : -1);
        for (let slot = 0; slot <= entries.length; slot++) {
          assert.equal(block.isAt(slot, view, 0, probe.length), isThere && slot === bound);
        }
      }
      entries.forEach((entry, slot) => assert.equal(textAt(block, slot), textOf(entry)));
    });
  }
});

test("Block copies its payload", () => {
  const payload = payloadOf([{ key: bytesOf("k"), value: tombstone }]);
  const scratch = Uint8Array.from([...payload, 1, 2, 3]);
  const block = Block.decode(scratch, 0, payload.length);
  scratch.fill(0xff);
  assert.equal(textAt(block, 0), "6b=06");
});

test("Block states the memory that it takes", () => {
  const payload = payloadOf([{ key: bytesOf("k"), value: valueOfLength(10_000, 1) }]);
  const { sizeBytes } = decode(payload);
  assert.ok(sizeBytes >= payload.length && sizeBytes < payload.length * 17 / 16 + 1100);
});

test("Block refuses a payload that is cut off or followed by more bytes", () => {
  const payload = payloadOf([
    { key: bytesOf("a"), value: tombstone },
    { key: bytesOf("b"), value: valueOfLength(5, 1) },
  ]);
  for (let length = 0; length < payload.length; length++) {
    requireRefused(payload.slice(0, length));
  }
  requireRefused(Uint8Array.from([...payload, 0]));
});

test("Block refuses another block type", () => {
  const payload = payloadOf([{ key: bytesOf("a"), value: tombstone }]);
  for (const type of [0, 2, 255]) requireRefused(Uint8Array.from([type, ...payload.slice(1)]));
});

test("Block refuses impossible counts and lengths", () => {
  const payload = payloadOf([
    { key: bytesOf("ab"), value: tombstone },
    { key: bytesOf("cd"), value: valueOfLength(5, 1) },
  ]);
  for (const count of [0, 1, 3, 0x7fff, 0xfffe, 0xffff]) {
    const mutant = payload.slice();
    dataViewOf(mutant).setUint16(1, count, true);
    requireRefused(mutant);
  }
  for (const at of [3, 3 + 6, 3 + 11, 3 + 17]) {
    for (const value of [0, 1, 4, 5, 17, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
      const mutant = payload.slice();
      const view = dataViewOf(mutant);
      if (view.getUint32(at, true) === value) continue;
      view.setUint32(at, value, true);
      requireRefused(mutant);
    }
  }
});

test("Block refuses keys that do not ascend", () => {
  const [a, b] = ["a", "b"].map((key) => ({ key: bytesOf(key), value: tombstone }));
  requireRefused(payloadOf([b!, a!]));
  requireRefused(payloadOf([a!, a!]));
  requireRefused(payloadOf([{ key: bytesOf("ab"), value: tombstone }, a!]));
});

test("Block refuses a value without a type byte", () => {
  requireRefused(payloadOf([{ key: bytesOf("a long key"), value: new Uint8Array(0) }]));
});

test("Block decodes random bytes to a valid block or a DecodeError", () => {
  withSeed(9, (random) => {
    const good = payloadOf(
      Array.from({ length: 20 }, (_, i) => ({
        key: bytesOf(`key ${String(i).padStart(3, "0")}`),
        value: randomBytes(1 + random.below(12), random),
      })),
    );
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const mutant = good.slice();
      for (let flips = 1 + random.below(3); flips > 0; flips--) {
        mutant[random.below(mutant.length)] = random.below(256);
      }
      try {
        const block = decode(mutant);
        for (let slot = 0; slot < block.count; slot++) textAt(block, slot);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        refused++;
      }
    }
    assert.ok(refused > 1000, `${refused} of 20,000 were refused`);
  });
});
