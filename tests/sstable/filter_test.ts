/** Bloom filters: bit for bit those of Go, no false negatives, the promised rate, safe decoding. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { hashKey } from "../../src/bytes/murmur3.ts";
import { DecodeError } from "../../src/errors.ts";
import { Filter, filterSectionBytes } from "../../src/sstable/filter.ts";
import { FilterBuilder, filterParameters } from "../../src/sstable/filter_builder.ts";

/** A table that Go wrote without compression: its keys in order and its filter section. */
function readGoTable(name: string): { keys: Uint8Array[]; filter: Uint8Array } {
  const file = readFileSync(new URL(`../fixtures/sstable/${name}`, import.meta.url));
  const footer = file.length - 64;
  const filterAt = Number(file.readBigUInt64LE(footer));
  const filter = file.subarray(filterAt, filterAt + file.readUInt32LE(footer + 8));
  const keys: Uint8Array[] = [];
  let at = Number(file.readBigUInt64LE(footer + 12)) + 8;
  for (let i = 0; i < 2; i++) at += 4 + file.readUInt32LE(at);
  const blockCount = file.readUInt32LE(at);
  at += 4;
  for (let i = 0; i < blockCount; i++) {
    at += 4 + file.readUInt32LE(at);
    let entryAt = Number(file.readBigUInt64LE(at));
    const entryCount = file.readUInt16LE(entryAt + 1);
    at += 12;
    entryAt += 3;
    for (let j = 0; j < entryCount; j++) {
      const keyEnd = entryAt + 4 + file.readUInt32LE(entryAt);
      keys.push(file.subarray(entryAt + 4, keyEnd));
      entryAt = keyEnd + 4 + file.readUInt32LE(keyEnd);
    }
  }
  assert.equal(BigInt(keys.length), file.readBigUInt64LE(footer + 40));
  return { keys, filter };
}

function build(keys: readonly Uint8Array[], rate: number, expectedKeys?: number): Uint8Array {
  const builder = new FilterBuilder(rate);
  for (const key of keys) builder.addKey(key, 0, key.length);
  return builder.finish(expectedKeys);
}

function numbered(prefix: string, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`${prefix}${i}`));
}

function mayContain(filter: Filter, key: Uint8Array): boolean {
  return filter.mayContain(key, 0, key.length);
}

// The last word was computed by a separate program from the formulas of the Go format.
test("FilterBuilder makes the golden section", () => {
  const section = build([Buffer.from("a"), Buffer.from("bc"), new Uint8Array(0)], 0.01);
  const header = "000000000000001d" + "0000000000000007" + "000000000000001d";
  assert.equal(Buffer.from(section).toString("hex"), header + "0000000013b9a91d");
});

test("FilterBuilder rebuilds the filter of a table that Go flushed, bit for bit", () => {
  const { keys, filter } = readGoTable("go-v0.4.0-none-000012.sst");
  assert.equal(keys.length, 318);
  assert.deepEqual(Buffer.from(build(keys, 0.01)), filter);
});

test("FilterBuilder rebuilds the filter of a table that Go compacted, bit for bit", () => {
  const { keys, filter } = readGoTable("go-v0.4.0-none-000011.sst");
  assert.equal(keys.length, 429);
  assert.deepEqual(Buffer.from(build(keys, 0.01)), filter);
});

test("Filter finds every key of Go's tables in the filters that Go wrote", () => {
  for (const name of ["go-v0.4.0-none-000011.sst", "go-v0.4.0-none-000012.sst"]) {
    const { keys, filter } = readGoTable(name);
    const decoded = Filter.decode(filter);
    assert.deepEqual(keys.filter((key) => !mayContain(decoded, key)), []);
    const absent = numbered("absent", 2000).filter((key) => mayContain(decoded, key)).length;
    assert.ok(absent < 60, `${absent} of 2000 absent keys pass the filter of ${name}`);
  }
});

test("filterParameters() sizes filters as Go does", () => {
  // Counts and sizes of filters in Go's tables; the last one was sized by the sum of its inputs.
  const cases = [[306, 2934], [324, 3106], [1564, 14992], [1573, 15078], [2379, 22803]] as const;
  for (const [keyCount, bits] of cases) {
    assert.deepEqual(filterParameters(keyCount, 0.01), { bits, hashes: 7 });
  }
  assert.deepEqual(filterParameters(0, 0.01), { bits: 1, hashes: 1 });
  assert.deepEqual(filterParameters(1, 0.5), { bits: 2, hashes: 2 });
  assert.equal(filterParameters(10, 1e-300).hashes, 255);
  assert.throws(() => filterParameters(2 ** 33, 0.01), RangeError);
});

test("FilterBuilder sizes by the given count and not by its own", () => {
  const keys = numbered("key", 100);
  const section = build(keys, 0.01, 1000);
  assert.equal(section.length, filterSectionBytes(9586));
  const filter = Filter.decode(section);
  assert.equal(filter.sizeBytes, section.length);
  assert.ok(keys.every((key) => mayContain(filter, key)));
});

test("FilterBuilder counts keys, forgets them on reset and gives the same section again", () => {
  const builder = new FilterBuilder(0.01);
  const add = (keys: Uint8Array[]): void =>
    keys.forEach((key) => builder.addKey(key, 0, key.length));
  add(numbered("other", 5000));
  assert.equal(builder.keyCount, 5000);
  builder.reset();
  assert.equal(builder.keyCount, 0);
  add(numbered("key", 3000));
  assert.equal(builder.keyCount, 3000);
  const section = builder.finish();
  assert.deepEqual(section, build(numbered("key", 3000), 0.01));
  assert.deepEqual(builder.finish(), section);
});

test("FilterBuilder refuses rates that are not probabilities", () => {
  for (const rate of [0, 1, -0.1, 1.5, NaN]) {
    assert.throws(() => new FilterBuilder(rate), RangeError, String(rate));
  }
});

test("Filter never denies a key that was added, and keeps to the rate", () => {
  const keys = numbered("present:", 10_000);
  const absent = numbered("absent:", 20_000);
  for (const rate of [0.1, 0.01, 0.001]) {
    const filter = Filter.decode(build(keys, rate));
    assert.ok(keys.every((key) => mayContain(filter, key)), `rate ${rate}`);
    const passed = absent.filter((key) => mayContain(filter, key)).length;
    const expected = absent.length * rate;
    assert.ok(
      passed < expected * 1.5 + 10 && passed > expected / 3 - 10,
      `rate ${rate}: ${passed} of ${absent.length} absent keys pass`,
    );
  }
});

test("A filter of no keys contains nothing", () => {
  const filter = Filter.decode(build([], 0.01));
  assert.ok(numbered("key", 100).every((key) => !mayContain(filter, key)));
});

test("mayContainHashed() asks several filters about one hashed key", () => {
  const even = Filter.decode(build(numbered("even", 200), 0.0001));
  const odd = Filter.decode(build(numbered("odd", 900), 0.0001));
  const key = Buffer.from("even17");
  hashKey(key, 0, key.length);
  assert.deepEqual(
    [even, odd, even].map((filter) => filter.mayContainHashed()),
    [true, false, true],
  );
});

test("Filter.decode() checks each field and the length", () => {
  const good = build(numbered("key", 100), 0.01);
  const view = new DataView(good.buffer);
  const bits = view.getUint32(4);
  const wrong: [number, number, number][] = [
    [0, 0, 0],
    [0, 0, bits + 1],
    [0, 0, bits + 64],
    [0, 4, 1],
    [0, 0x8000_0000, bits],
    [8, 0, 0],
    [8, 0, 256],
    [8, 1, 7],
    [16, 0, 0],
    [16, 0, bits - 1],
    [16, 0xffff_ffff, bits],
  ];
  for (const [at, high, low] of wrong) {
    const bad = good.slice();
    new DataView(bad.buffer).setUint32(at, high);
    new DataView(bad.buffer).setUint32(at + 4, low);
    assert.throws(() => Filter.decode(bad), DecodeError, `${at}: ${high}, ${low}`);
  }
  const longer = new Uint8Array(good.length + 8);
  longer.set(good);
  assert.throws(() => Filter.decode(longer), DecodeError);
});

test("Filter.decode() of a damaged section fails with a DecodeError or gives a usable filter", () => {
  const { keys, filter: section } = readGoTable("go-v0.4.0-none-000012.sst");
  const probes = [...keys.slice(0, 3), new Uint8Array(0)];
  const tryOut = (bad: Uint8Array): boolean => {
    let filter: Filter;
    try {
      filter = Filter.decode(bad);
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error));
      assert.ok(error.offset >= 0 && error.offset <= bad.length);
      return false;
    }
    for (const key of probes) mayContain(filter, key);
    return true;
  };
  for (let length = 0; length < section.length; length++) {
    assert.equal(tryOut(section.slice(0, length)), false, `cut to ${length} bytes`);
  }
  let usable = 0;
  for (let at = 0; at < section.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const bad = Uint8Array.from(section);
      bad[at]! ^= mask;
      if (tryOut(bad)) usable++;
    }
  }
  assert.ok(usable >= (section.length - 24) * 3, `${usable} damaged sections were usable`);
});
