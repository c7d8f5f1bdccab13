// The log of the Go TinyKVS: what is recovered from it, what counts as a torn tail, and what as
// damage.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { type GoLogSummary, readGoLog } from "../../src/go/go_log.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { bytesOf, hexOf, stringValue, tombstone } from "../support/entries.ts";
import {
  appendGoRecord,
  encodeGoLog,
  encodeGoLogEntry,
  fixtureBytes,
  type GoLogEntry,
  goRecordOffsets,
} from "../support/go_store.ts";
import { reportFigure } from "../support/figures.ts";
import { fileOf } from "../support/logs.ts";
import { withSeed } from "../support/seeded.ts";

const SCALE = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);

interface Reading {
  readonly entries: string[];
  readonly summary: GoLogSummary;
}

/** Reads a log; entries as "key=value" in hex. */
function read(bytes: Uint8Array): Reading {
  const fileSystem = fileOf(bytes, "/wal.log");
  const handle = fileSystem.openReadSync("/wal.log");
  const entries: string[] = [];
  try {
    const summary = runTaskSync(readGoLog(handle, (from, view, start, keyEnd, end) => {
      assert.equal(view.getUint32(start, true), keyEnd - start - 4);
      assert.equal(view.getUint32(keyEnd, true), end - keyEnd - 4);
      entries.push(`${hexOf(from.slice(start + 4, keyEnd))}=${hexOf(from.slice(keyEnd + 4, end))}`);
    }));
    return { entries, summary };
  } finally {
    handle.closeSync();
  }
}

/** As `read`, or undefined if the log is damaged; any other failure passes through. */
function readOrRefuse(bytes: Uint8Array): Reading | undefined {
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    assert.ok(error.offset >= 0 && error.offset < bytes.length, `offset ${error.offset}`);
    return undefined;
  }
}

function entryOf(sequence: number, valueBytes = 8): GoLogEntry {
  const value = stringValue(`${sequence}:`.padEnd(valueBytes, "v"));
  return { sequence, key: bytesOf(`key ${sequence % 7}`), value };
}

function entriesFrom(sequence: number, count: number, valueBytes = 8): GoLogEntry[] {
  return Array.from({ length: count }, (_, i) => entryOf(sequence + i, valueBytes));
}

function textOf({ operation = 1, key, value }: GoLogEntry): string {
  return `${hexOf(key)}=${operation === 2 ? "06" : hexOf(value)}`;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter(64);
  for (const part of parts) writer.appendBytes(part, 0, part.length);
  return writer.bytes.slice(0, writer.length);
}

function records(
  ...fragments: readonly (readonly [type: number, bytes: Uint8Array])[]
): Uint8Array {
  const writer = new ByteWriter(64);
  for (const [type, bytes] of fragments) appendGoRecord(writer, type, bytes);
  return writer.bytes.slice(0, writer.length);
}

test("readGoLog recovers every entry, wherever syncs cut the buffers", () => {
  for (const syncEvery of [1, 2, 3, 7, 50, 1000]) {
    const entries: (GoLogEntry | "sync")[] = [];
    for (const entry of entriesFrom(1, 300, 700)) {
      entries.push(entry);
      if (entry.sequence % syncEvery === 0) entries.push("sync");
    }
    const file = encodeGoLog(entries);
    const { entries: found, summary } = read(file);
    assert.deepEqual(found, entries.filter((entry) => entry !== "sync").map(textOf));
    assert.equal(summary.endOffset, file.length);
    assert.equal(summary.entryCount, 300);
  }
});

test("readGoLog puts fragments together, and steps over 0 to 7 bytes of padding", () => {
  const paddings = new Set<number>();
  for (let length = 30_000; length < 30_000 + 24; length++) {
    const entries = [entryOf(1, length), entryOf(2, 2_700), entryOf(3, 80_000), entryOf(4)];
    const file = encodeGoLog(entries);
    assert.deepEqual(read(file).entries, entries.map(textOf), `${length}`);
  }
  for (let padding = 0; padding <= 7; padding++) {
    // Key and value of the first entry fill the buffer up to the padding.
    const filler = { sequence: 1, key: new Uint8Array(), value: stringValue("") };
    const overhead = 7 + encodeGoLogEntry(filler).length;
    const first = { ...filler, value: stringValue("f".repeat(32_768 - padding - overhead)) };
    const file = encodeGoLog([first, entryOf(2), entryOf(3)]);
    const offsets = goRecordOffsets(file);
    paddings.add(offsets[1]! - (7 + encodeGoLogEntry(first).length));
    assert.deepEqual(read(file).entries, [first, entryOf(2), entryOf(3)].map(textOf));
  }
  assert.deepEqual([...paddings].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test("readGoLog takes both kinds of deletes, every type of value, and entries in the file's order", () => {
  const int64 = Uint8Array.of(1, 1, 2, 3, 4, 5, 6, 7, 8);
  const entries: GoLogEntry[] = [
    { sequence: 9, key: bytesOf("a"), value: int64 },
    { sequence: 10, key: bytesOf("a"), value: tombstone },
    { sequence: 3, operation: 2, key: bytesOf("a"), value: tombstone },
    { sequence: 3, key: new Uint8Array(), value: Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f) },
    { sequence: 4, key: bytesOf("b"), value: Uint8Array.of(3, 7) },
    { sequence: 4, key: bytesOf("c"), value: Uint8Array.of(4, 9, 1, 0, 0, 0, 0xff) },
    { sequence: 5, key: bytesOf("d"), value: Uint8Array.of(5, 0, 0, 0, 0, 0) },
    { sequence: 6, key: bytesOf("e"), value: Uint8Array.of(7, 0, 0, 0, 0) },
    { sequence: 7, key: bytesOf("f"), value: Uint8Array.of(8, 1, 0, 0, 0, 0xc3) },
    { sequence: 1, key: bytesOf("a"), value: int64 },
  ];
  assert.deepEqual(read(encodeGoLog(entries)).entries, entries.map(textOf));
});

test("readGoLog ends at a tail that was cut at any length, with all entries before the cut", () => {
  const entries = [...entriesFrom(1, 20, 100), entryOf(21, 70_000), ...entriesFrom(22, 5)];
  const whole = encodeGoLog(entries);
  const ends = entries.map((_, i) => encodeGoLog(entries.slice(0, i + 1)).length);
  let cuts = 0;
  for (
    let length = 0;
    length <= whole.length;
    length += length > 3_000 && length < 72_000 ? 101 : 1
  ) {
    const { entries: found } = read(whole.subarray(0, length));
    const expected = entries.filter((_, i) => ends[i]! <= length).map(textOf);
    assert.deepEqual(found, expected, `cut at ${length}`);
    cuts++;
  }
  assert.ok(cuts > 3_500);
});

test("readGoLog ends at zeros that a crash left in the place of data", () => {
  const entries = entriesFrom(1, 20);
  const file = encodeGoLog(entries);
  for (const zeros of [1, 7, 8, 4096, 300_000]) {
    const { entries: found, summary } = read(joined(file, new Uint8Array(zeros)));
    assert.deepEqual(found, entries.map(textOf), `${zeros} zeros`);
    assert.equal(summary.endOffset, file.length);
  }
});

test("readGoLog drops an incomplete entry that another session has appended to, and nothing else", () => {
  const [before, torn, after] = [entryOf(1), encodeGoLogEntry(entryOf(2, 300)), entriesFrom(2, 3)];
  for (
    const fragments of [[[2, torn.slice(0, 100)]], [[2, torn.slice(0, 9)], [3, torn.slice(9)]]]
  ) {
    const file = joined(
      encodeGoLog([before]),
      records(...fragments as [number, Uint8Array][]),
      encodeGoLog(after),
    );
    assert.deepEqual(read(file).entries, [before, ...after].map(textOf));
  }
});

test("readGoLog refuses records that no crash leaves", () => {
  const entry = encodeGoLogEntry(entryOf(2));
  const good = encodeGoLog([entryOf(1)]);
  const changed = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = entry.slice();
    copy.set(bytes, at);
    return copy;
  };
  const valueAt = 13 + entryOf(2).key.length;
  const bad: [string, Uint8Array][] = [
    ["a middle fragment alone", records([3, entry])],
    ["a last fragment alone", records([4, entry])],
    ["a last fragment behind a whole entry", joined(good, records([4, entry]))],
    ["12 bytes", records([1, entry.slice(0, 12)])],
    ["operation 0", records([1, changed(0, 0)])],
    ["operation 3", records([1, changed(0, 3)])],
    ["operation 255", records([1, changed(0, 255)])],
    ["sequence 2^53", records([1, changed(1, 0, 0, 0, 0, 0, 0, 0x20, 0)])],
    ["sequence -1", records([1, changed(1, ...new Array(8).fill(255))])],
    ["key length -1", records([1, changed(9, 255, 255, 255, 255)])],
    ["key length off by one", records([1, changed(9, entry.length - 12)])],
    ["no value", records([1, entry.slice(0, valueAt)])],
    ["value type 0", records([1, changed(valueAt, 0)])],
    ["value type 9", records([1, changed(valueAt, 9)])],
    ["a value that is a pointer", records([1, changed(valueAt + 1, 1)])],
    ["value length 0", records([1, changed(valueAt + 2, 0)])],
    ["value length off by one", records([1, changed(valueAt + 2, entry[valueAt + 2]! + 1)])],
    ["value length short by one", records([1, changed(valueAt + 2, entry[valueAt + 2]! - 1)])],
    ["value length -1", records([1, changed(valueAt + 2, 255, 255, 255, 255)])],
    ["a bad entry in fragments", records([2, changed(0, 9).slice(0, 5)], [4, entry.slice(5)])],
  ];
  for (const [what, file] of bad) {
    assert.throws(() => read(joined(good, file)), DecodeError, what);
    try {
      read(joined(good, file));
    } catch (error) {
      assert.ok((error as DecodeError).offset >= good.length, `${what}: ${error}`);
    }
  }
});

/**
 * Flips a bit: the log reads as before, without its last entry if the bit is in that one, or is
 * refused.
 */
function requireNoSilentLoss(
  file: Uint8Array,
  bit: number,
  entries: readonly string[],
  lastEntryAt: number,
): "refused" | "shorter" | "same" {
  const bytes = file.slice();
  bytes[bit >>> 3]! ^= 1 << (bit & 7);
  const reading = readOrRefuse(bytes);
  if (reading === undefined) return "refused";
  const found = reading.entries;
  if (found.length === entries.length) {
    assert.deepEqual(found, entries, `bit ${bit}`);
    return "same";
  }
  assert.deepEqual(found, entries.slice(0, -1), `bit ${bit}`);
  assert.ok(bit >>> 3 >= lastEntryAt, `bit ${bit}: the last entry at ${lastEntryAt} went missing`);
  return "shorter";
}

test("readGoLog never loses an entry silently to a flipped bit, except the last of the file", () => {
  const cut: (GoLogEntry | "sync")[] = [];
  for (const entry of entriesFrom(5, 40, 12)) cut.push(entry, "sync");
  const large = [
    entryOf(1),
    entryOf(2, 33_000),
    entryOf(3),
    entryOf(4, 70_000),
    ...entriesFrom(5, 9),
  ];
  let flips = 0;
  let refused = 0;
  for (const log of [cut, large]) {
    const file = encodeGoLog(log);
    const entries = read(file).entries;
    const lastEntryAt = goRecordOffsets(file).at(-2)!;
    const near = new Set<number>();
    for (const at of goRecordOffsets(file)) for (let i = -8; i < 24; i++) near.add(at + i);
    for (let bit = 0; bit < file.length * 8; bit++) {
      if (file.length > 10_000 && !near.has(bit >>> 3) && bit % 997 !== 0) continue;
      if (requireNoSilentLoss(file, bit, entries, lastEntryAt) === "refused") refused++;
      flips++;
    }
  }
  assert.ok(flips > 15_000 && refused > flips * 0.9, `${refused} of ${flips}`);
  reportFigure("go log mutants", flips);
});

test("readGoLog never loses an entry silently to a flipped bit in the logs that Go's code wrote", () => {
  let flips = 0;
  for (
    const [seed, name] of [
      "v0.3.1-zstd-crash/wal.bin",
      "v0.4.0-zstd-crash/wal-perwrite.bin",
      "v0.11.1-zstd/wal-batches.bin",
    ].entries()
  ) {
    const file = fixtureBytes(name);
    const { entries } = read(file);
    const offsets = goRecordOffsets(file);
    withSeed(seed, (random) => {
      for (let i = 0; i < 400 * SCALE; i++) {
        const near = Math.min(random.pick(offsets) + random.below(40), file.length - 1);
        const at = i % 3 === 0 ? random.below(file.length) : near;
        requireNoSilentLoss(file, at * 8 + i % 8, entries, offsets.at(-2)!);
        flips++;
      }
    });
  }
  reportFigure("go log mutants", flips);
});

test("readGoLog refuses a lost stretch of any length that later entries follow", () => {
  const entries = entriesFrom(100, 200, 60);
  const file = encodeGoLog(entries);
  for (const length of [1, 100, 512, 4096, 12_000]) {
    for (let at = 0; at + length < file.length - 200; at += 511) {
      const bytes = file.slice();
      if (bytes.subarray(at, at + length).every((byte) => byte === 0)) continue;
      bytes.fill(0, at, at + length);
      assert.equal(readOrRefuse(bytes), undefined, `${length} bytes of zeros at ${at}`);
    }
  }
});

test("readGoLog refuses damage that entries with repeated sequences follow to the end", () => {
  const file = encodeGoLog([...entriesFrom(1000, 20), "sync", ...entriesFrom(1, 20)]);
  const bytes = file.slice();
  const at = goRecordOffsets(file)[19]!;
  bytes[at + 20]! ^= 1;
  assert.throws(
    () => read(bytes),
    (error) => error instanceof DecodeError && error.offset === at,
  );
});

test("readGoLog never reads stored data as entries, whole, torn anywhere, or at a multiple of 32 KiB", () => {
  const evil = encodeGoLog(entriesFrom(3, 40).map((entry) => ({ ...entry, key: bytesOf("evil") })));
  const filler = new Uint8Array(32_768 - 7 - 13 - 1 - 6);
  filler.set(evil, 100);
  // A known defect of the Go program: after a sync the records in the value begin right at 32 KiB.
  const value = stringValue("").slice(0, 6);
  const content = joined(filler, evil, new Uint8Array(3_000), evil);
  new DataView(value.buffer).setUint32(2, content.length, true);
  const large: GoLogEntry = { sequence: 2, key: bytesOf("k"), value: joined(value, content) };
  const log = [entryOf(1), "sync", large, entryOf(3)] as const;
  const entries = [entryOf(1), large, entryOf(3)].map(textOf);
  const file = encodeGoLog(log);
  assert.deepEqual(read(file).entries, entries);
  let refused = 0;
  let cuts = 0;
  for (let length = 0; length < file.length; length += 13) {
    const reading = readOrRefuse(file.subarray(0, length));
    cuts++;
    if (reading === undefined) refused++;
    else assert.deepEqual(reading.entries, entries.slice(0, reading.entries.length), `${length}`);
  }
  // Data made up to continue the sequence passes for damage, at worst; never for entries.
  assert.ok(refused > 0 && refused < cuts);
});

test("readGoLog reads a torn value that holds another log as a torn value", () => {
  const other = fixtureBytes("v0.11.1-zstd/wal-batches.bin").subarray(0, 30_000);
  const value = joined(Uint8Array.of(5, 0, 0, 0, 0, 0), other);
  new DataView(value.buffer).setUint32(2, other.length, true);
  const file = encodeGoLog([...entriesFrom(5_000, 3), {
    sequence: 5_003,
    key: bytesOf("k"),
    value,
  }]);
  const start = goRecordOffsets(file)[3]!;
  let refused = 0;
  for (let length = start + 1; length < file.length; length += 29) {
    if (readOrRefuse(file.subarray(0, length))?.entries.length !== 3) refused++;
  }
  // Only if the cut falls between two of its records.
  assert.ok(refused < 15, `${refused} of ${Math.ceil((file.length - start) / 29)}`);
});

test("readGoLog ends in bounded time on a tail in which every byte could begin a record", () => {
  const unit = Uint8Array.of(0, 0, 0, 0, 0xff, 0x7f, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0);
  const hostile = new Uint8Array(400_000);
  for (let at = 0; at + unit.length < hostile.length; at += unit.length) hostile.set(unit, at);
  const ones = new Uint8Array(400_000).fill(1);
  const good = encodeGoLog(entriesFrom(1, 3));
  for (const tail of [hostile, ones]) {
    const reading = readOrRefuse(joined(good, tail));
    assert.ok(reading === undefined || reading.entries.length === 3);
  }
});
