import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  decodeCurrent,
  decodeManifest,
  encodeCurrent,
  encodeManifestHeader,
  encodeManifestRecord,
  MANIFEST_HEADER_BYTES,
  otherCurrentVersion,
} from "../../src/version/manifest_format.ts";
import type { VersionEdit } from "../../src/version/version_edit.ts";
import { Random } from "../support/random.ts";
import { bytesOf, hexOf, tableOf, textOf } from "../support/store_tables.ts";

const STORE = 0x5e6f7081;
const NUMBER = 7;

const edits: VersionEdit[] = [
  {
    nextFileNumber: 9,
    lastSequence: 100,
    log: { number: 6, live: false },
    removed: [],
    added: [{ level: 1, table: tableOf("5[a-m]") }],
  },
  { nextFileNumber: 10, log: { number: 9, live: true }, removed: [], added: [] },
  {
    nextFileNumber: 11,
    lastSequence: 120,
    removed: [{ level: 1, number: 5 }],
    added: [{ level: 2, table: tableOf("10[a-m]") }],
  },
];

/** A manifest with the edits, and where each record starts and the last one ends. */
function manifestOf(
  content: readonly VersionEdit[],
  number = NUMBER,
): { bytes: Uint8Array; offsets: number[] } {
  const writer = new ByteWriter(16);
  encodeManifestHeader(writer, STORE, number);
  const offsets: number[] = [];
  for (const [ordinal, edit] of content.entries()) {
    offsets.push(writer.length);
    encodeManifestRecord(writer, STORE, number, ordinal, edit);
  }
  offsets.push(writer.length);
  return { bytes: writer.bytes.slice(0, writer.length), offsets };
}

/** Puts the right checksum over `[from, to)` at `at`. */
function reseal(bytes: Uint8Array, from: number, to: number, at: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(at, crc32(bytes, view, from, to), true);
}

test("Manifests have the bytes that the format describes", () => {
  const { bytes } = manifestOf([{ nextFileNumber: 2, removed: [], added: [] }]);
  const expected = [
    "544b56534d414e01 01000000 07000000 81706f5e 32a3640d",
    "c78b8a96 09000000 86706f5e 00000000 01 0200000000000000",
  ].join("").replaceAll(" ", "");
  assert.equal(hexOf(bytes), expected);
});

test("decodeManifest reads back the edits and where they end", () => {
  const { bytes } = manifestOf(edits);
  assert.deepEqual(decodeManifest(bytes, STORE, NUMBER), {
    newerVersion: undefined,
    edits,
    endOffset: bytes.length,
  });
});

test("decodeManifest reads a manifest that lies in a larger buffer", () => {
  const { bytes } = manifestOf(edits);
  const larger = new Uint8Array(bytes.length + 9);
  larger.set(bytes, 5);
  assert.deepEqual(
    decodeManifest(larger.subarray(5, 5 + bytes.length), STORE, NUMBER).edits,
    edits,
  );
});

test("decodeManifest reads every truncation as a prefix of the edits or as damage", () => {
  const { bytes, offsets } = manifestOf(edits);
  for (let length = 0; length < bytes.length; length++) {
    const whole = offsets.slice(1).filter((end) => end <= length).length;
    const cut = bytes.slice(0, length);
    if (whole === 0) {
      assert.throws(() => decodeManifest(cut, STORE, NUMBER), DecodeError, `${length} bytes`);
      continue;
    }
    const content = decodeManifest(cut, STORE, NUMBER);
    assert.deepEqual(content.edits, edits.slice(0, whole), `${length} bytes`);
    assert.equal(content.endOffset, offsets[whole], `${length} bytes`);
  }
});

test("decodeManifest notices every flipped bit before the last record and drops a bad last one", () => {
  const { bytes, offsets } = manifestOf(edits);
  const last = offsets[edits.length - 1]!;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >>> 3]! ^= 1 << (bit & 7);
    const where = `bit ${bit & 7} of byte ${bit >>> 3}`;
    if (bit >>> 3 < last) {
      assert.throws(
        () => decodeManifest(damaged, STORE, NUMBER),
        (error) => error instanceof DecodeError && error.offset <= bytes.length,
        where,
      );
    } else {
      const content = decodeManifest(damaged, STORE, NUMBER);
      assert.deepEqual(content.edits, edits.slice(0, -1), where);
      assert.equal(content.endOffset, last, where);
    }
  }
});

test("decodeManifest drops anything that a crash may leave after the last record", () => {
  const { bytes } = manifestOf(edits);
  const other = manifestOf(edits, NUMBER + 1).bytes.slice(MANIFEST_HEADER_BYTES);
  const tails = [
    Uint8Array.of(0),
    new Uint8Array(4096),
    new Uint8Array(4096).fill(0xff),
    other,
    bytes.slice(0, 200),
  ];
  for (const tail of tails) {
    const longer = new Uint8Array(bytes.length + tail.length);
    longer.set(bytes);
    longer.set(tail, bytes.length);
    const content = decodeManifest(longer, STORE, NUMBER);
    assert.deepEqual(content.edits, edits);
    assert.equal(content.endOffset, bytes.length);
  }
});

test("decodeManifest refuses records that are left out, repeated or swapped", () => {
  const { bytes, offsets } = manifestOf(edits);
  const record = (at: number): number[] => [...bytes.slice(offsets[at], offsets[at + 1])];
  const head = [...bytes.slice(0, MANIFEST_HEADER_BYTES)];
  const orders = [[0, 2], [0, 2, 1], [1, 2], [2], [1, 0, 2], [0, 1, 1, 2]];
  for (const order of orders) {
    const made = Uint8Array.from([...head, ...order.flatMap(record)]);
    const isPrefix = (content: readonly VersionEdit[]): boolean =>
      content.every((edit, at) => JSON.stringify(edit) === JSON.stringify(edits[at]));
    try {
      const content = decodeManifest(made, STORE, NUMBER);
      assert.ok(isPrefix(content.edits), `${order}`);
      assert.ok(!order.includes(2) || content.edits.length === 3, `${order}: lost a whole record`);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `${order}: ${error}`);
    }
  }
});

test("decodeManifest refuses a manifest of another number", () => {
  const { bytes } = manifestOf(edits);
  assert.throws(() => decodeManifest(bytes, STORE, NUMBER + 1), {
    name: "DecodeError",
    message: "the manifest is number 7, its name says 8",
    offset: 12,
  });
});

test("decodeManifest refuses a manifest of another store", () => {
  const { bytes } = manifestOf(edits);
  assert.throws(() => decodeManifest(bytes, 0x0a, NUMBER), {
    name: "DecodeError",
    message: "the manifest belongs to the store 5e6f7081, CURRENT says 0000000a",
    offset: 16,
  });
});

test("decodeManifest distinguishes a newer version from damage", () => {
  const { bytes } = manifestOf(edits);
  bytes[8] = 4;
  assert.throws(() => decodeManifest(bytes, STORE, NUMBER), DecodeError);
  reseal(bytes, 0, 20, 20);
  assert.equal(decodeManifest(bytes, STORE, NUMBER).newerVersion, 4);
  bytes[0] = 0;
  reseal(bytes, 0, 20, 20);
  assert.throws(() => decodeManifest(bytes, STORE, NUMBER), /magic/);
});

test("decodeManifest names the file's offset of a malformed edit with a valid checksum", () => {
  const { bytes, offsets } = manifestOf(edits);
  const start = offsets[1]!;
  bytes[start + 16] = 99;
  reseal(bytes, start + 4, offsets[2]!, start);
  assert.throws(
    () => decodeManifest(bytes, STORE, NUMBER),
    (error) => error instanceof DecodeError && error.offset === start + 16,
  );
});

test("decodeManifest needs bounded time for a hostile manifest", () => {
  // Behind one good record: 65,536 headers in a row, each of a later record of half a megabyte.
  // Summing up all of them would take 2^34 bytes.
  const { bytes } = manifestOf(edits.slice(0, 1));
  const hostile = new Uint8Array(bytes.length + 2 ** 20);
  hostile.set(bytes);
  const view = new DataView(hostile.buffer);
  for (let at = bytes.length; at + 16 <= hostile.length; at += 16) {
    view.setUint32(at + 4, Math.min(2 ** 19, hostile.length - at - 16), true);
    view.setUint32(at + 8, STORE ^ NUMBER, true);
    view.setUint32(at + 12, NUMBER, true);
  }
  assert.throws(() => decodeManifest(hostile, STORE, NUMBER), /record 1 is damaged/);
});

test("decodeManifest reads every random input as edits or a DecodeError", () => {
  const seed = 20260803;
  const random = new Random(seed);
  const { bytes, offsets } = manifestOf(edits);
  for (let run = 0; run < 5000; run++) {
    const damaged = bytes.slice();
    // A right checksum over wrong bytes: what a hostile file would have.
    const record = random.below(3);
    const [start, end] = [offsets[record]!, offsets[record + 1]!];
    for (let change = 0; change <= random.below(3); change++) {
      damaged[start + 4 + random.below(end - start - 4)] = random.below(256);
    }
    reseal(damaged, start + 4, end, start);
    try {
      decodeManifest(damaged, STORE, NUMBER);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `seed ${seed}, run ${run}: ${error}`);
    }
  }
});

test("CURRENT is one line of text", () => {
  assert.equal(
    textOf(encodeCurrent({ storeId: STORE, manifestNumber: 7 })),
    "tinykvs 1 MANIFEST-000007 store=5e6f7081 crc32=0892febb\n",
  );
  assert.match(
    textOf(encodeCurrent({ storeId: STORE, manifestNumber: 4294967295 })),
    /^tinykvs 1 MANIFEST-4294967295 store=5e6f7081 crc32=/,
  );
});

test("decodeCurrent reads back the store and the number", () => {
  for (const number of [0, 1, 999999, 1000000, 4294967295]) {
    const current = { storeId: STORE, manifestNumber: number };
    assert.deepEqual(decodeCurrent(encodeCurrent(current)), current);
  }
});

test("decodeCurrent refuses every truncation, flipped bit and extra byte", () => {
  const bytes = encodeCurrent({ storeId: STORE, manifestNumber: 7 });
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeCurrent(bytes.slice(0, length)), DecodeError, `${length} bytes`);
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >>> 3]! ^= 1 << (bit & 7);
    assert.throws(() => decodeCurrent(damaged), DecodeError, `bit ${bit}`);
  }
  for (const extra of [0, 10, 32]) {
    assert.throws(() => decodeCurrent(Uint8Array.of(...bytes, extra)), DecodeError);
    assert.throws(() => decodeCurrent(Uint8Array.of(extra, ...bytes)), DecodeError);
  }
  assert.throws(() => decodeCurrent(new Uint8Array(1000)), DecodeError);
});

test("otherCurrentVersion distinguishes a whole line of another version from damage", () => {
  // The checksum was computed by a separate program.
  const newer = "tinykvs 2 STATE-000007 x=1 crc32=6ba40766\n";
  assert.equal(otherCurrentVersion(bytesOf(newer)), 2);
  assert.equal(
    otherCurrentVersion(encodeCurrent({ storeId: STORE, manifestNumber: 7 })),
    undefined,
  );
  const text = "tinykvs 01 MANIFEST-000007";
  const crc = crc32(bytesOf(text), new DataView(bytesOf(text).buffer), 0, text.length);
  const padded = `${text} crc32=${crc.toString(16).padStart(8, "0")}\n`;
  assert.equal(otherCurrentVersion(bytesOf(padded)), undefined);
  for (let at = 0; at < newer.length; at++) {
    const damaged = bytesOf(newer);
    damaged[at]! ^= 1;
    assert.equal(otherCurrentVersion(damaged), undefined, `byte ${at}`);
  }
});

test("decodeCurrent never leads out of the directory", () => {
  const names = ["../MANIFEST-000007", "/MANIFEST-000007", "MANIFEST-7", "MANIFEST-0000007"];
  for (const name of names) {
    const line = bytesOf(`tinykvs 1 ${name} store=5e6f7081`);
    const crc = crc32(line, new DataView(line.buffer), 0, line.length);
    const text = `tinykvs 1 ${name} store=5e6f7081 crc32=${crc.toString(16).padStart(8, "0")}\n`;
    assert.throws(() => decodeCurrent(bytesOf(text)), DecodeError, name);
  }
});
