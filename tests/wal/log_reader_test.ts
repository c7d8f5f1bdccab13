/**
 * Reading logs back: whole ones, torn ones, damaged ones. A crash may cost a tail, and only if
 * nothing proves that it was durable; no damage may ever change or drop an entry silently.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "../../src/errors.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { LOG_HEADER_BYTES } from "../../src/wal/log_format.ts";
import { readLog } from "../../src/wal/log_reader.ts";
import { bytesOf, dataViewOf, hexOf, type PlainEntry, tombstone } from "../support/entries.ts";
import { valueOfLength } from "../support/entries.ts";
import {
  fileOf,
  readAnyLog,
  readLogBytes,
  type ReadResult,
  resealHeader,
  resealRecord,
  TEST_STORE_ID,
  type TestBatch,
  type TestLog,
  writeLog,
} from "../support/logs.ts";
import { awkwardKey, randomBytes, withSeed } from "../support/seeded.ts";

const LOG = 12;
const FIRST = 500;

const small: readonly TestBatch[] = [
  { entries: [{ key: bytesOf("a"), value: Uint8Array.of(3, 1) }], sync: true },
  {
    entries: [
      { key: bytesOf("b"), value: tombstone },
      { key: bytesOf(""), value: Uint8Array.of(3, 0) },
      { key: bytesOf("cc"), value: valueOfLength(9, 4) },
    ],
    sync: false,
  },
  { entries: [{ key: bytesOf("d"), value: Uint8Array.of(3, 1) }], sync: true },
  { entries: [{ key: bytesOf("e"), value: Uint8Array.of(3, 1) }], sync: false },
  { entries: [{ key: bytesOf("f"), value: tombstone }], sync: false },
];

function textsOf(batches: readonly TestBatch[], first = FIRST): string[] {
  return batches.flatMap(({ entries }) => [...entries])
    .map(({ key, value }, i) => `${first + i}:${hexOf(key)}=${hexOf(value)}`);
}

/** The number of whole batches in a list of entries; fails if it is not such a prefix. */
function wholeBatches(found: readonly string[], batches: readonly TestBatch[]): number {
  assert.deepEqual(found, textsOf(batches).slice(0, found.length));
  let count = 0;
  let entries = 0;
  while (entries < found.length) entries += batches[count++]!.entries.length;
  assert.equal(entries, found.length, "half a batch was read");
  return count;
}

/** Reads, or says that the log is refused as damaged; any other error passes. */
function readOrRefuse(bytes: Uint8Array): ReadResult | DecodeError {
  try {
    return readLogBytes(bytes, LOG);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

function requireRefused(bytes: Uint8Array, message: RegExp, offset?: number): void {
  assert.throws(
    () => readLogBytes(bytes, LOG),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error));
      assert.match(error.message, message);
      if (offset !== undefined) assert.equal(error.offset, offset);
      return true;
    },
  );
}

test("readLog reads back what LogWriter wrote, with sequence numbers", () => {
  for (const isEnded of [false, true]) {
    const log = writeLog(LOG, FIRST, small, isEnded);
    const { summary, entries } = readLogBytes(log.bytes, LOG);
    assert.deepEqual(entries, textsOf(small));
    assert.deepEqual(summary, {
      header: { storeId: TEST_STORE_ID, logNumber: LOG, firstSequence: FIRST },
      end: isEnded ? "closed" : "open",
      endOffset: log.bytes.length,
      nextSequence: FIRST + 7,
      durableOffset: log.ends[2],
    });
  }
});

test("readLog reads a log without records", () => {
  for (const isEnded of [false, true]) {
    const log = writeLog(LOG, FIRST, [], isEnded);
    const { summary, entries } = readLogBytes(log.bytes, LOG);
    assert.deepEqual(entries, []);
    assert.equal(summary.end, isEnded ? "closed" : "open");
    assert.equal(summary.nextSequence, FIRST);
    assert.equal(summary.durableOffset, 0);
  }
});

test("readLog reads batches of any size, its window and more included", () => {
  withSeed(3, (random) => {
    const sizes = [10, 1_048_000, 300, 1_048_576, 1_048_577, 5, 2_500_000, 100, 524_288, 524_288];
    const batches = sizes.map((size, i) => ({
      entries: [
        { key: awkwardKey(random), value: valueOfLength(size, i) },
        { key: randomBytes(5, random), value: tombstone },
      ],
      sync: i % 2 === 0,
    }));
    const { bytes } = writeLog(LOG, FIRST, batches, true);
    const { summary, entries } = readLogBytes(bytes, LOG);
    assert.equal(summary.end, "closed");
    const expected = textsOf(batches);
    assert.equal(entries.length, expected.length);
    entries.forEach((entry, i) => assert.ok(entry === expected[i], `entry ${i} differs`));
  });
});

test("readLog reads many small records across its window", () => {
  withSeed(4, (random) => {
    const batches = Array.from({ length: 12_000 }, () => ({
      entries: [{ key: randomBytes(random.below(90), random), value: randomBytes(50, random) }],
      sync: random.below(50) === 0,
    }));
    const { bytes } = writeLog(LOG, FIRST, batches);
    assert.ok(bytes.length > 1_500_000);
    const { entries } = readLogBytes(bytes, LOG);
    const expected = textsOf(batches);
    assert.equal(entries.length, expected.length);
    entries.forEach((entry, i) => assert.ok(entry === expected[i], `entry ${i} differs`));
  });
});

test("readLog of a log cut anywhere gives whole batches and no error", () => {
  for (const isEnded of [false, true]) {
    const log = writeLog(LOG, FIRST, small, isEnded);
    for (let length = 0; length < log.bytes.length; length++) {
      const { summary, entries } = readLogBytes(log.bytes.slice(0, length), LOG);
      const expected = log.ends.filter((end) => end <= length).length;
      assert.equal(wholeBatches(entries, small), expected, `cut to ${length}`);
      const isWhole = length === 32 || log.ends.includes(length);
      assert.equal(summary.end, isWhole ? "open" : "torn", `cut to ${length}`);
      const end = expected > 0 ? log.ends[expected - 1] : length < 32 ? 0 : 32;
      assert.equal(summary.endOffset, end);
      assert.equal(summary.header === undefined, length < 32);
      assert.equal(summary.nextSequence, length < 32 ? 0 : FIRST + entries.length);
    }
  }
});

function checkFlips(log: TestLog, durableBatches: number): void {
  const durableEnd = log.ends[durableBatches - 1]!;
  for (let bit = 0; bit < log.bytes.length * 8; bit++) {
    const mutant = log.bytes.slice();
    mutant[bit >> 3]! ^= 1 << (bit & 7);
    const result = readOrRefuse(mutant);
    if (result instanceof DecodeError) continue;
    const batches = wholeBatches(result.entries, small);
    assert.ok(
      batches >= durableBatches,
      `bit ${bit}: ${batches} batches are left, ${durableBatches} are provably durable`,
    );
    assert.ok(bit >> 3 >= durableEnd, `bit ${bit}: damage to a durable byte was not noticed`);
  }
}

test("readLog finds every flipped bit that later records prove to have been durable", () => {
  checkFlips(writeLog(LOG, FIRST, small), 3);
  checkFlips(writeLog(LOG, FIRST, small, true), 3);
});

test("readLog of a log that was never synced loses only what follows a flipped bit", () => {
  const batches = small.map(({ entries }) => ({ entries, sync: false }));
  const log = writeLog(LOG, FIRST, batches);
  for (let bit = 0; bit < log.bytes.length * 8; bit++) {
    const mutant = log.bytes.slice();
    mutant[bit >> 3]! ^= 1 << (bit & 7);
    const { summary, entries } = readLogBytes(mutant, LOG);
    const before = log.ends.filter((end) => end <= bit >> 3).length;
    assert.equal(wholeBatches(entries, batches), before, `bit ${bit}`);
    assert.equal(summary.end, "torn");
  }
});

test("readLog names the offset of the damage", () => {
  const log = writeLog(LOG, FIRST, small);
  const mutant = log.bytes.slice();
  mutant[log.ends[0]! + 45]! ^= 1;
  requireRefused(mutant, /no whole record is here.*durable/, log.ends[0]!);
});

test("readLog finds damage whose proof lies megabytes after it", () => {
  const batches: TestBatch[] = Array.from({ length: 4 }, (_, i) => ({
    entries: [{ key: bytesOf(`k${i}`), value: valueOfLength(900_000, i) }],
    sync: i === 0,
  }));
  const log = writeLog(LOG, FIRST, batches);
  const mutant = log.bytes.slice();
  mutant[1000]! ^= 0x10;
  requireRefused(mutant, /no whole record is here/, 32);
});

test("readLog treats garbage after the last record as a torn tail, and zeros as an extended log", () => {
  const log = writeLog(LOG, FIRST, small);
  withSeed(5, (random) => {
    for (const length of [1, 31, 32, 39, 40, 41, 100, 4096]) {
      for (const tail of [new Uint8Array(length), randomBytes(length, random)]) {
        const { summary, entries } = readLogBytes(Uint8Array.from([...log.bytes, ...tail]), LOG);
        assert.deepEqual(entries, textsOf(small));
        assert.equal(summary.end, tail.every((byte) => byte === 0) ? "open" : "torn");
        assert.equal(summary.endOffset, log.bytes.length);
      }
    }
  });
});

test("readLog treats a file of zeros as a log whose header was never written", () => {
  for (const length of [0, 1, 31, 32, 33, 5000]) {
    const { summary, entries } = readLogBytes(new Uint8Array(length), LOG);
    assert.deepEqual(entries, []);
    assert.equal(summary.header, undefined);
    assert.equal(summary.end, "torn");
  }
});

test("readLog treats sectors that never reached the disk as a torn tail", () => {
  const log = writeLog(LOG, FIRST, small);
  const start = log.ends[2]!;
  const mutant = log.bytes.slice().fill(0, start, log.ends[3]!);
  const { summary, entries } = readLogBytes(mutant, LOG);
  assert.equal(wholeBatches(entries, small), 3);
  assert.equal(summary.end, "torn");
});

test("readLog does not read stale records of another log", () => {
  const log = writeLog(LOG, FIRST, small);
  const stale = writeLog(LOG - 1, FIRST + 7, small).bytes.subarray(32);
  const { summary, entries } = readLogBytes(Uint8Array.from([...log.bytes, ...stale]), LOG);
  assert.deepEqual(entries, textsOf(small));
  assert.equal(summary.end, "torn");
});

test("readLog refuses a log under the name of another one", () => {
  const { bytes } = writeLog(LOG + 1, FIRST, small);
  requireRefused(bytes, /number 13, its name says 12/, 12);
});

test("readLog refuses a gap and a step back in the sequence numbers", () => {
  const log = writeLog(LOG, FIRST, small);
  for (const [first, found] of [[FIRST + 2, 502], [FIRST, 500], [0, 0]] as const) {
    const mutant = log.bytes.slice();
    const record = log.ends[0]!;
    dataViewOf(mutant).setUint32(record + 16, first, true);
    resealRecord(mutant, record, log.ends[1]!);
    requireRefused(mutant, new RegExp(`sequence ${found}, expected 501`), record + 16);
  }
});

test("readLog ignores what the extension of a log has left after its end record", () => {
  const log = writeLog(LOG, FIRST, small, true);
  withSeed(6, (random) => {
    for (const length of [1, 39, 40, 4096, 1_100_000]) {
      for (const tail of [new Uint8Array(length), randomBytes(length, random)]) {
        const bytes = new Uint8Array(log.bytes.length + length);
        bytes.set(log.bytes);
        bytes.set(tail, log.bytes.length);
        const { summary, entries } = readLogBytes(bytes, LOG);
        assert.deepEqual(entries, textsOf(small));
        assert.equal(summary.end, "closed");
        assert.equal(summary.endOffset, log.bytes.length);
      }
    }
  });
});

test("readLog refuses a record that follows an end record", () => {
  const log = writeLog(LOG, FIRST, small, true);
  const record = log.bytes.subarray(log.ends[1], log.ends[2]);
  for (const gap of [0, 1, 5000]) {
    requireRefused(
      Uint8Array.from([...log.bytes, ...new Uint8Array(gap), ...record]),
      /a record follows the end record/,
      log.bytes.length + gap,
    );
  }
});

test("readLog of an extended log whose tail is torn anywhere gives whole batches and no error", () => {
  const log = writeLog(LOG, FIRST, small);
  const synced = log.ends[2]!;
  for (let from = synced; from < log.bytes.length; from++) {
    for (const until of [from + 1, log.bytes.length]) {
      // What was not synced may be there in part, and the rest is still zeros.
      const bytes = new Uint8Array(log.bytes.length + 600);
      bytes.set(log.bytes);
      bytes.fill(0, from, until);
      const { entries } = readLogBytes(bytes, LOG);
      const lost = bytes.some((byte, at) => at < log.bytes.length && byte !== log.bytes[at]);
      const whole = lost ? log.ends.filter((end) => end <= from).length : small.length;
      assert.equal(wholeBatches(entries, small), whole, `zeros from ${from} to ${until}`);
    }
  }
});

test("readLog refuses an end record that holds entries or a payload", () => {
  const log = writeLog(LOG, FIRST, small, true);
  const record = log.ends.at(-1)!;
  const counting = log.bytes.slice();
  dataViewOf(counting).setUint32(record + 32, 1, true);
  resealRecord(counting, record, counting.length);
  requireRefused(counting, /end record/, record);
  const loaded = Uint8Array.from([...log.bytes, 1, 2]);
  dataViewOf(loaded).setUint32(record + 8, 2, true);
  resealRecord(loaded, record, loaded.length);
  requireRefused(loaded, /end record/, record);
});

test("readLog distinguishes a newer version from damage", () => {
  const { bytes } = writeLog(LOG, FIRST, small);
  bytes[8] = 4;
  bytes.fill(0xff, 12, 28);
  resealHeader(bytes);
  assert.deepEqual(readAnyLog(bytes, LOG), { summary: { version: 4 }, entries: [] });
});

/** A log with one record whose payload is given; checksums are right. */
function logWithPayload(payload: readonly number[], entryCount: number): Uint8Array {
  const entry: PlainEntry = { key: new Uint8Array(payload.length - 9 - 1), value: tombstone };
  const { bytes } = writeLog(LOG, FIRST, [{ entries: [entry], sync: false }]);
  bytes.set(payload, 72);
  dataViewOf(bytes).setUint32(32 + 32, entryCount, true);
  resealRecord(bytes, 32, bytes.length);
  return bytes;
}

const goodPayload = [1, 2, 0, 0, 0, 0x61, 0x62, 1, 0, 0, 0, 6, 1, 0, 0, 0, 0, 2, 0, 0, 0, 3, 1];

test("readLog reads a payload that was put together by hand", () => {
  const { entries } = readLogBytes(logWithPayload(goodPayload, 2), LOG);
  assert.deepEqual(entries, ["500:6162=06", "501:=0301"]);
});

test("readLog refuses impossible lengths and counts under valid checksums", () => {
  const view = new DataView(new ArrayBuffer(4));
  const u32 = (value: number): number[] => {
    view.setUint32(0, value, true);
    return [...new Uint8Array(view.buffer)];
  };
  for (const value of [0, 1, 3, 4, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
    for (const at of [1, 7, 13, 17]) {
      const payload = goodPayload.slice();
      payload.splice(at, 4, ...u32(value));
      if (payload.every((byte, i) => byte === goodPayload[i])) continue;
      requireRefused(logWithPayload(payload, 2), /./);
    }
    requireRefused(logWithPayload(goodPayload, value), /./);
  }
});

test("readLog refuses an operation that it does not know", () => {
  for (const operation of [0, 2, 255]) {
    requireRefused(logWithPayload([operation, ...goodPayload.slice(1)], 2), /operation/);
  }
});

test("readLog treats impossible header fields under valid checksums as damage or a torn tail", () => {
  const log = writeLog(LOG, FIRST, small);
  const record = log.ends[1]!;
  for (const value of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]) {
    for (let field = 4; field < 40; field += 4) {
      const mutant = log.bytes.slice();
      const view = dataViewOf(mutant);
      if (view.getUint32(record + field, true) === value) continue;
      view.setUint32(record + field, value, true);
      if (field > 4) resealRecord(mutant, record, log.ends[2]!);
      const result = readOrRefuse(mutant);
      if (result instanceof DecodeError) continue;
      assert.deepEqual(result.entries, textsOf(small), `field ${field} is ${value}`);
      assert.ok(field === 24 && value <= 1, `field ${field} is ${value} and was accepted`);
    }
  }
});

test("readLog refuses an unsafe integer with the offset in the file, not in its window", () => {
  const batches: TestBatch[] = [
    { entries: [{ key: bytesOf("k"), value: valueOfLength(1_500_000, 1) }], sync: false },
    { entries: [{ key: bytesOf("l"), value: tombstone }], sync: false },
  ];
  const log = writeLog(LOG, FIRST, batches);
  const record = log.ends[0]!;
  dataViewOf(log.bytes).setUint32(record + 20, 0x200000, true);
  resealRecord(log.bytes, record, log.ends[1]!);
  requireRefused(log.bytes, /sequence 9007199254741\d+, expected 501/, record + 16);
});

test("readLog refuses a record that claims durability for bytes after it", () => {
  const log = writeLog(LOG, FIRST, small);
  const record = log.ends[0]!;
  for (const claim of [record + 1, 2 ** 40, 2 ** 53, 2 ** 64 - 2 ** 12]) {
    const mutant = log.bytes.slice();
    dataViewOf(mutant).setBigUint64(record + 24, BigInt(claim), true);
    resealRecord(mutant, record, log.ends[1]!);
    requireRefused(mutant, /durable/, record + 24);
  }
});

test("readLog is not misled by a stored value that looks like a record of the same log", () => {
  // The value holds a record that claims all the world to be durable; the record around it is torn.
  const fake = writeLog(LOG, FIRST, small.slice(0, 1)).bytes.slice(32);
  dataViewOf(fake).setBigUint64(24, 2n ** 40n, true);
  resealRecord(fake, 0, fake.length);
  const batches = [
    { entries: [{ key: bytesOf("k"), value: tombstone }], sync: false },
    { entries: [{ key: bytesOf("l"), value: fake }], sync: false },
  ];
  const log = writeLog(LOG, FIRST, batches);
  log.bytes[log.ends[0]! + 42]! ^= 1;
  const { summary, entries } = readLogBytes(log.bytes, LOG);
  assert.equal(wholeBatches(entries, batches), 1);
  assert.equal(summary.end, "torn");
});

test("readLog refuses a log of another store", () => {
  const { bytes } = writeLog(LOG, FIRST, small);
  dataViewOf(bytes).setUint32(24, 0x0a, true);
  resealHeader(bytes);
  requireRefused(bytes, /the log belongs to the store 0000000a, this is 5e6f7081/, 24);
});

test("readLog does not read records of another store after the header of this one", () => {
  const log = writeLog(LOG, FIRST, small);
  const view = dataViewOf(log.bytes);
  for (const [i, end] of log.ends.entries()) {
    const start = i === 0 ? LOG_HEADER_BYTES : log.ends[i - 1]!;
    view.setUint32(start + 12, 0x0a ^ LOG, true);
    resealRecord(log.bytes, start, end);
  }
  const { summary, entries } = readLogBytes(log.bytes, LOG);
  assert.deepEqual(entries, []);
  assert.equal(summary.end, "torn");
});

test("readLog returns nothing of a record that is malformed under valid checksums", () => {
  const log = writeLog(LOG, FIRST, small);
  // The third entry of the second batch loses its type byte to the key.
  const record = log.ends[0]!;
  const last = log.ends[1]! - 9;
  assert.equal(dataViewOf(log.bytes).getUint32(last - 4, true), 9);
  dataViewOf(log.bytes).setUint32(last - 4, 8, true);
  resealRecord(log.bytes, record, log.ends[1]!);
  const handle = fileOf(log.bytes).openReadSync("/log");
  const sequences: number[] = [];
  const reading = readLog(handle, TEST_STORE_ID, LOG, (sequence) => sequences.push(sequence));
  assert.throws(() => runTaskSync(reading), DecodeError);
  assert.deepEqual(sequences, [FIRST]);
});

test("readLog refuses a key that put would refuse", () => {
  const value = Uint8Array.of(3, 1);
  const ofLength = (length: number): readonly TestBatch[] => [
    { entries: [{ key: new Uint8Array(length), value }], sync: false },
  ];
  assert.equal(readLogBytes(writeLog(LOG, FIRST, ofLength(65536)).bytes, LOG).entries.length, 1);
  requireRefused(writeLog(LOG, FIRST, ofLength(65537)).bytes, /a key has 65537 bytes/, 72);
});

test("readLog refuses sequence numbers that pass the largest safe integer", () => {
  const first = Number.MAX_SAFE_INTEGER - 1;
  const batches = [{ entries: small[1]!.entries, sync: false }];
  requireRefused(writeLog(LOG, first, batches).bytes, /sequence/, 32 + 16);
});

test("readLog needs no more memory than the file for a record that claims 4 GiB", () => {
  const { bytes } = writeLog(LOG, FIRST, small);
  dataViewOf(bytes).setUint32(32 + 8, 0xffffffff, true);
  // The payload's checksum is left as it is: nobody may read that far.
  resealRecord(bytes, 32, 32 + 40);
  assert.ok(readOrRefuse(bytes) instanceof DecodeError);
});
