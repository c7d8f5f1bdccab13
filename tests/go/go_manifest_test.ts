// The MANIFEST of the Go TinyKVS: what is read from it, its torn tail, and hostile fields.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { decodeGoManifest, type GoManifest } from "../../src/go/go_manifest.ts";
import { bytesOf } from "../support/entries.ts";
import {
  encodeGoManifest,
  fixtureBytes,
  type GoManifestRecord,
  goManifestRecords,
} from "../support/go_store.ts";
import { reportFigure } from "../support/figures.ts";

function numbersOf({ tables }: GoManifest): number[] {
  return [...tables.keys()].sort((a, b) => a - b);
}

/** Offsets after the header and after each record. */
function endsOf(records: readonly GoManifestRecord[]): number[] {
  return [...records.keys(), records.length].map((count) =>
    encodeGoManifest(records.slice(0, count)).length
  );
}

function tableBody(number: number, level: number, smallest = "a", largest = "z"): Uint8Array {
  const writer = new ByteWriter(64);
  for (const value of [number, level]) writer.appendUint32(value);
  for (const key of [bytesOf(smallest), bytesOf(largest)]) {
    writer.appendUint32(key.length);
    writer.appendBytes(key, 0, key.length);
  }
  writer.appendUint64(10);
  writer.appendUint64(1000);
  writer.appendUint64(800);
  writer.appendUint32(100);
  writer.appendUint64(700);
  writer.appendUint32(100);
  return writer.bytes.slice(0, writer.length);
}

function add(sequence: number, number: number, level = 0): GoManifestRecord {
  return { type: 1, sequence, body: tableBody(number, level) };
}

function remove(sequence: number, number: number): GoManifestRecord {
  return { type: 2, sequence, body: Uint8Array.of(number, 0, 0, 0) };
}

const bytes = fixtureBytes("v0.11.1-zstd/store/MANIFEST");

test("decodeGoManifest reads what Go v0.11.1 wrote", () => {
  const manifest = decodeGoManifest(bytes);
  assert.deepEqual(numbersOf(manifest), [6, 8, 9, 11, 12, 13, 14, 15]);
  const levels = [...manifest.tables.values()].map(({ level }) => level).sort();
  assert.deepEqual(levels, [0, 0, 0, 0, 1, 1, 1, 2]);
  for (const { number, sizeBytes } of manifest.tables.values()) {
    const name = String(number).padStart(6, "0");
    assert.equal(sizeBytes, fixtureBytes(`v0.11.1-zstd/store/${name}.sst`).length);
  }
  assert.ok(manifest.mentioned.has(1) && !manifest.mentioned.has(16));
  assert.deepEqual(encodeGoManifest(goManifestRecords(bytes)), bytes);
});

test("decodeGoManifest adds, deletes and replaces tables, and starts over at a snapshot", () => {
  const records = [add(1, 1), add(2, 2, 3), remove(3, 1), add(4, 2, 4)];
  const manifest = decodeGoManifest(encodeGoManifest(records));
  assert.deepEqual(numbersOf(manifest), [2]);
  assert.equal(manifest.tables.get(2)!.level, 4);
  assert.deepEqual([...manifest.mentioned], [1, 2]);
  const snapshot = new ByteWriter(64);
  snapshot.appendUint32(2);
  for (const number of [7, 9]) {
    snapshot.appendBytes(tableBody(number, 1), 0, tableBody(7, 1).length);
  }
  const body = snapshot.bytes.slice(0, snapshot.length);
  const replaced = decodeGoManifest(
    encodeGoManifest([...records, { type: 3, sequence: 5, body }, add(6, 10)]),
  );
  assert.deepEqual(numbersOf(replaced), [7, 9, 10]);
});

test("decodeGoManifest ends at a tail that was cut at any length", () => {
  const records = goManifestRecords(bytes);
  const ends = endsOf(records);
  for (let length = 8; length <= bytes.length; length++) {
    const whole = ends.filter((end) => end <= length).length - 1;
    const expected = decodeGoManifest(encodeGoManifest(records.slice(0, whole)));
    assert.deepEqual(decodeGoManifest(bytes.slice(0, length)).tables, expected.tables, `${length}`);
  }
  assert.equal(decodeGoManifest(new Uint8Array()).tables.size, 0);
  for (let length = 1; length < 8; length++) {
    assert.throws(() => decodeGoManifest(bytes.slice(0, length)), DecodeError);
  }
});

test("decodeGoManifest refuses records after a torn one, which Go could never read again", () => {
  const before = encodeGoManifest([add(1, 1), add(2, 2)]);
  const after = encodeGoManifest([add(3, 2), add(4, 3)]).slice(8);
  for (const torn of [[1], [9, 0, 0], [60, 0, 0, 0, 1, 3, 0], new Array(40).fill(0)]) {
    const file = Uint8Array.of(...before, ...torn, ...after);
    assert.throws(
      () => decodeGoManifest(file),
      (error) => error instanceof DecodeError && error.offset === before.length,
    );
  }
});

test("decodeGoManifest never loses a record silently to a flipped bit, except the last", () => {
  const records = goManifestRecords(bytes);
  const lastAt = endsOf(records).at(-2)!;
  const shorter = decodeGoManifest(encodeGoManifest(records.slice(0, -1))).tables;
  const whole = decodeGoManifest(bytes).tables;
  let refused = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const mutant = bytes.slice();
    mutant[bit >>> 3]! ^= 1 << (bit & 7);
    try {
      const { tables, otherVersion } = decodeGoManifest(mutant);
      if (otherVersion !== undefined) continue;
      assert.deepEqual(tables, bit >>> 3 >= lastAt ? shorter : whole, `bit ${bit}`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 8000, `${refused}`);
  reportFigure("go manifest mutants", bytes.length * 8);
});

test("decodeGoManifest refuses fields at their extremes with an error, in bounded time", () => {
  const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 10 * 1024 * 1024 + 1];
  const table = tableBody(5, 1);
  let tried = 0;
  for (const type of [0, 1, 2, 3, 4, 255]) {
    for (const body of [table, Uint8Array.of(5, 0, 0, 0), new Uint8Array(), table.slice(1)]) {
      for (let at = 0; at + 4 <= Math.max(4, body.length); at++) {
        for (const extreme of extremes) {
          const changed = body.slice();
          if (at + 4 <= body.length) new DataView(changed.buffer).setUint32(at, extreme, true);
          const file = encodeGoManifest([{ type, sequence: 1, body: changed }]);
          tried++;
          try {
            assert.ok(decodeGoManifest(file).tables.size <= 1);
          } catch (error) {
            assert.ok(error instanceof DecodeError, `${error}`);
          }
        }
      }
    }
  }
  // The length before a record is under no checksum.
  for (const extreme of extremes) {
    const file = encodeGoManifest([add(1, 1)]);
    new DataView(file.buffer).setUint32(8, extreme, true);
    assert.equal(decodeGoManifest(file).tables.size, 0);
    tried++;
  }
  assert.ok(tried > 4000, `${tried}`);
  reportFigure("go manifest mutants", tried);
});

test("decodeGoManifest names another version, and refuses another magic", () => {
  const file = encodeGoManifest([add(1, 1)]);
  file[4] = 2;
  assert.equal(decodeGoManifest(file).otherVersion, 2);
  file[0]! ^= 1;
  assert.throws(() => decodeGoManifest(file), DecodeError);
});
