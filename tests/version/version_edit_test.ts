import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { MAX_FILE_NUMBER } from "../../src/version/file_names.ts";
import {
  decodeVersionEdit,
  encodeVersionEdit,
  MAX_LEVELS,
  type VersionEdit,
} from "../../src/version/version_edit.ts";
import { tableMetadata } from "../../src/version/table_metadata.ts";
import { Random } from "../support/random.ts";
import { bytesOf, hexOf, tableOf } from "../support/store_tables.ts";

function encoded(edit: VersionEdit): Uint8Array {
  const writer = new ByteWriter(16);
  encodeVersionEdit(writer, edit);
  return writer.bytes.slice(0, writer.length);
}

function decoded(bytes: Uint8Array): VersionEdit {
  return decodeVersionEdit(bytes, 0, bytes.length);
}

const full: VersionEdit = {
  nextFileNumber: 0x1234,
  lastSequence: 2 ** 40 + 5,
  log: { number: 7, live: true },
  removed: [{ level: 1, number: 5 }],
  added: [
    { level: 2, table: tableOf("9[ab-cd]x3!") },
    { level: 0, table: tableOf("10[-z]g") },
  ],
};

test("encodeVersionEdit writes the bytes that the format describes", () => {
  const expected = [
    "01 3412000000000000",
    "02 0500000000010000",
    "03 07000000 01",
    "04 01 05000000",
    "05 02 09000000 2c01000000000000 0a00000000000000 0100000000000000 01 09000000",
    "02000000 6162 02000000 6364",
    "05 00 0a000000 6400000000000000 0a00000000000000 0000000000000000 00",
    "00000000 01000000 7a",
  ].join("").replaceAll(" ", "");
  assert.equal(hexOf(encoded(full)), expected);
});

test("decodeVersionEdit reads back every field", () => {
  assert.deepEqual(decoded(encoded(full)), full);
  assert.deepEqual(decoded(encoded({ removed: [], added: [] })), { removed: [], added: [] });
  const dead: VersionEdit = { log: { number: 0, live: false }, removed: [], added: [] };
  assert.deepEqual(decoded(encoded(dead)), dead);
});

test("decodeVersionEdit reads an edit that lies in a larger buffer", () => {
  const bytes = encoded(full);
  const larger = new Uint8Array(bytes.length + 20).fill(0xff);
  larger.set(bytes, 7);
  assert.deepEqual(decodeVersionEdit(larger, 7, 7 + bytes.length), full);
});

test("decodeVersionEdit copies the keys", () => {
  const bytes = encoded(full);
  const edit = decoded(bytes);
  bytes.fill(0);
  assert.deepEqual(edit.added[0]!.table.smallest, bytesOf("ab"));
});

test("decodeVersionEdit refuses every truncation that cuts a field", () => {
  const bytes = encoded(full);
  const fieldEnds = [0, 9, 18, 24, 30, bytes.length - 40, bytes.length];
  for (let end = 0; end <= bytes.length; end++) {
    if (fieldEnds.includes(end)) {
      decodeVersionEdit(bytes, 0, end);
      continue;
    }
    assert.throws(
      () => decodeVersionEdit(bytes, 0, end),
      (error) => error instanceof DecodeError && error.offset <= end,
      `cut at ${end}`,
    );
  }
});

test("decodeVersionEdit refuses fields out of range, naming their offset", () => {
  const bad: [string, string, number][] = [
    ["an unknown tag", "09", 0],
    ["times of a table that was not added", "06 05000000 0100000000000000 01 0000000000000000", 0],
    ["tag 0", "00", 0],
    ["a level of 7", "04 07 05000000", 1],
    ["an added level of 255", "05 ff 09000000", 1],
    ["a log flag of 2", "03 07000000 02", 5],
    ["a number above 2^53", "01 0000000000002000", 1],
    ["file numbers that no file can have", "01 0000000001000000", 1],
    [
      "a checksum flag of 9",
      "05 00 0a000000 6400000000000000 0a00000000000000 0000000000000000 09",
      30,
    ],
    [
      "a key of 4 GiB",
      "05 00 0a000000 6400000000000000 0a00000000000000 0000000000000000 00 ffffffff 61",
      35,
    ],
    [
      "keys in the wrong order",
      "05 00 0a000000 6400000000000000 0a00000000000000 0000000000000000 00" +
      "01000000 62 01000000 61",
      2,
    ],
  ];
  for (const [what, hex, offset] of bad) {
    const bytes = Uint8Array.from(
      hex.replaceAll(" ", "").match(/../g)!,
      (byte) => parseInt(byte, 16),
    );
    assert.throws(
      () => decoded(bytes),
      (error) => error instanceof DecodeError && error.offset === offset,
      what,
    );
  }
});

test("decodeVersionEdit reads every random input as an edit or a DecodeError", () => {
  const seed = 20260801;
  const random = new Random(seed);
  const valid = encoded(full);
  let edits = 0;
  for (let run = 0; run < 20_000; run++) {
    let bytes: Uint8Array;
    if (run % 2 === 0) {
      bytes = valid.slice();
      for (let change = 0; change <= random.below(3); change++) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
    } else {
      bytes = Uint8Array.from({ length: random.below(60) }, () => random.below(6));
    }
    try {
      const edit = decoded(bytes);
      assert.deepEqual(decoded(encoded(edit)), edit);
      edits++;
    } catch (error) {
      assert.ok(
        error instanceof DecodeError,
        `seed ${seed}, run ${run}: ${error}; repeat with node --test tests/version/version_edit_test.ts`,
      );
    }
  }
  assert.ok(edits > 1000, `only ${edits} inputs were edits`);
});

test("decodeVersionEdit round-trips random edits with extreme numbers", () => {
  const seed = 20260802;
  const random = new Random(seed);
  const numbers = [0, 1, 255, 65536, 2 ** 31, 2 ** 32 - 1];
  const sizes = [...numbers, 2 ** 32, 2 ** 53 - 1];
  for (let run = 0; run < 500; run++) {
    const edit: VersionEdit = {
      ...(random.below(2) === 0 ? {} : { nextFileNumber: random.pick([1, MAX_FILE_NUMBER]) }),
      ...(random.below(2) === 0 ? {} : { lastSequence: random.pick(sizes) }),
      ...(random.below(2) === 0
        ? {}
        : { log: { number: random.pick(numbers), live: random.below(2) === 1 } }),
      removed: Array.from({ length: random.below(4) }, () => ({
        level: random.below(MAX_LEVELS),
        number: random.pick(numbers),
      })),
      added: Array.from({ length: random.below(4) }, () => ({
        level: random.below(MAX_LEVELS),
        table: tableMetadata({
          number: random.pick(numbers),
          sizeBytes: random.pick(sizes),
          entryCount: random.pick(sizes),
          tombstoneCount: random.pick(sizes),
          checksum: random.pick([undefined, 0, 0xffffffff]),
          smallest: new Uint8Array(random.pick([0, 1, 300])),
          largest: new Uint8Array(random.pick([300, 65536])).fill(0xff),
        }),
      })),
    };
    assert.deepEqual(decoded(encoded(edit)), edit, `seed ${seed}, run ${run}`);
  }
});
