/**
 * Blocks of one long entry: which a table notes, what a walk over keys makes of them, and lies
 * about them.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CODEC_NONE } from "../../src/compression/compressor.ts";
import { CorruptionError } from "../../src/errors.ts";
import { AT_END, AT_ENTRY } from "../../src/iterator/entry_cursor.ts";
import type { TableReader } from "../../src/sstable/table_reader.ts";
import {
  bytesOf,
  dataViewOf,
  type PlainEntry,
  tombstone,
  valueOfLength,
} from "../support/entries.ts";
import {
  assembleTable,
  cursorOf,
  payloadOf,
  readerOf,
  readerOfBytes,
  storedBlock,
  writeTable,
} from "../support/tables.ts";

const entry = (key: string, length: number): PlainEntry => ({
  key: bytesOf(key),
  value: length === 0 ? tombstone : valueOfLength(length, 4),
});

function loneIn(reader: TableReader): number[] {
  const index = reader.sections.loadIndexSync();
  return Array.from({ length: index.blockCount }, (_, block) => block)
    .filter((block) => index.isLone(block));
}

test("TableWriter notes blocks of one long entry, and neither short ones nor tombstones", () => {
  const entries = [
    entry("a", 5000),
    entry("b", 10),
    entry("c", 20),
    // With "b" and "c" full, it is alone in its block, and short.
    entry("d", 4000),
    { key: bytesOf("e".repeat(5000)), value: tombstone },
    entry("f", 4096),
    ...Array.from({ length: 20 }, (_, i) => entry(`g${String(i).padStart(2, "0")}`, 9000)),
    entry("h", 10),
  ];
  const { fileSystem, summary } = writeTable(entries, { blockSizeBytes: 256 });
  const lone = [0, 4, ...Array.from({ length: 20 }, (_, i) => 5 + i)];
  assert.deepEqual(loneIn(readerOf(fileSystem, summary)), lone);
  const plain = writeTable([entry("a", 10), entry("b", 300)], { blockSizeBytes: 256 });
  const reader = readerOf(plain.fileSystem, plain.summary);
  assert.deepEqual(loneIn(reader), []);
  assert.equal(reader.sections.tail!.properties.extension!.loneBlocks, undefined);
});

test("A cursor for keys only shows the keys of lone blocks without reading them, in both directions", () => {
  const keys = ["b", "d", "f", "h"];
  const { fileSystem, summary } = writeTable(keys.map((key) => entry(key, 5000)));
  for (const reverse of [false, true]) {
    for (const keysOnly of [false, true]) {
      for (const sought of [undefined, "a", "b", "c", "d", "e", "h", "i"]) {
        const reader = readerOf(fileSystem, summary, { blockCacheBytes: 0 });
        const cursor = cursorOf(reader, { reverse, keysOnly });
        const key = sought === undefined ? undefined : dataViewOf(bytesOf(sought));
        const found: string[] = [];
        let loads = 0;
        let position = key === undefined
          ? cursor.seekToStart()
          : cursor.seek(key, 0, key.byteLength);
        while (position !== AT_END) {
          if (position === AT_ENTRY) {
            const { keyBytes, keyStart, keyEnd } = cursor.entry;
            found.push(new TextDecoder().decode(keyBytes.subarray(keyStart, keyEnd)));
            position = cursor.advance();
          } else {
            cursor.loadSync();
            loads++;
            position = cursor.resume();
          }
        }
        cursor.release();
        const expected = reverse
          ? keys.filter((own) => sought === undefined || own < sought).reverse()
          : keys.filter((own) => sought === undefined || own >= sought);
        assert.deepEqual(found, expected, `${sought}, ${reverse}`);
        // The index, which comes with the tail.
        if (keysOnly) assert.equal(loads, 1);
        else assert.ok(loads >= Math.min(2, expected.length + 1));
      }
    }
  }
});

test("A block that is said to be lone and holds two entries, or a tombstone, is damage when it is read", () => {
  for (const content of [[entry("b", 20), entry("c", 20)], [entry("b", 0)]]) {
    const blocks = [[entry("a", 20)], content].map((entries) => {
      const payload = payloadOf(entries);
      return storedBlock(entries[0]!.key, payload, payload.length, CODEC_NONE);
    });
    const table = {
      blocks,
      entryCount: 1 + content.length,
      smallest: bytesOf("a"),
      largest: content.at(-1)!.key,
    };
    for (const [bits, isRight] of [[1, true], [2, false], [3, false]] as const) {
      const made = assembleTable({ ...table, loneBlocks: Uint8Array.of(bits) });
      const reader = readerOfBytes(made.bytes, made);
      const index = reader.sections.loadIndexSync();
      assert.equal(reader.loadBlockSync(index, 0).count, 1);
      if (isRight) assert.equal(reader.loadBlockSync(index, 1).count, content.length);
      else {
        assert.throws(
          () => reader.loadBlockSync(index, 1),
          (error) =>
            error instanceof CorruptionError && /does not hold one entry alone/.test(error.message),
        );
      }
    }
  }
});

test("Bits past the number of a table's blocks say nothing", () => {
  const payload = payloadOf([entry("a", 20)]);
  const made = assembleTable({
    blocks: [storedBlock(bytesOf("a"), payload, payload.length, CODEC_NONE)],
    entryCount: 1,
    smallest: bytesOf("a"),
    largest: bytesOf("a"),
    loneBlocks: new Uint8Array(50).fill(255),
  });
  assert.deepEqual(loneIn(readerOfBytes(made.bytes, made)), [0]);
});

test("No flipped bit of index or metadata makes a walk over keys miss or invent one", () => {
  const keys = ["b", "d", "f", "h", "j", "l", "n", "p", "r"];
  const entries = keys.map((key, index) => entry(key, index % 3 === 0 ? 30 : 4200));
  const { bytes, summary } = writeTable(entries, { filter: false });
  const whole = readerOfBytes(bytes, summary);
  whole.sections.loadIndexSync();
  assert.equal(loneIn(whole).length, 6);
  let refused = 0;
  for (let at = whole.sections.tail!.footer.indexOffset; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const mutant = bytes.slice();
      mutant[at]! ^= 1 << bit;
      try {
        const reader = readerOfBytes(mutant, summary);
        assert.deepEqual(keysOf(reader), keys, `bit ${bit} of byte ${at}`);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        refused++;
      }
    }
  }
  assert.ok(refused > 1000, `${refused} were refused`);
});

function keysOf(reader: TableReader): string[] {
  const cursor = cursorOf(reader, { keysOnly: true });
  const found: string[] = [];
  let position = cursor.seekToStart();
  while (position !== AT_END) {
    if (position === AT_ENTRY) {
      const { keyBytes, keyStart, keyEnd } = cursor.entry;
      found.push(new TextDecoder().decode(keyBytes.subarray(keyStart, keyEnd)));
      position = cursor.advance();
    } else {
      cursor.loadSync();
      position = cursor.resume();
    }
  }
  cursor.release();
  return found;
}
