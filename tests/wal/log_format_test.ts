/** The bytes of a log: golden header and records, and bytes that are not a header or record. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  decodeLogHeader,
  decodeRecordHeader,
  encodeLogHeader,
  LOG_HEADER_BYTES,
  RECORD_END,
  RECORD_ENTRIES,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  sealRecord,
} from "../../src/wal/log_format.ts";
import { dataViewOf, hexOf } from "../support/entries.ts";
import { resealHeader } from "../support/logs.ts";

const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER;

function headerBytes(logNumber: number, firstSequence: number): Uint8Array {
  const writer = new ByteWriter(64);
  encodeLogHeader(writer, { storeId: 0x5e6f7081, logNumber, firstSequence });
  return writer.bytes.slice(0, writer.length);
}

function decodeHeader(bytes: Uint8Array): ReturnType<typeof decodeLogHeader> {
  return decodeLogHeader(bytes, dataViewOf(bytes), 0);
}

function emptyRecord(): RecordHeader {
  return {
    payloadCrc: 0,
    payloadLength: 0,
    firstSequence: 0,
    durableOffset: 0,
    entryCount: 0,
    type: 0,
  };
}

function recordBytes(payload: Uint8Array, durableOffset: number): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + payload.length).fill(0xaa);
  bytes.set(payload, RECORD_HEADER_BYTES);
  sealRecord(
    bytes,
    dataViewOf(bytes),
    0,
    bytes.length,
    9,
    RECORD_ENTRIES,
    0x1_0000_0002,
    3,
    durableOffset,
  );
  return bytes;
}

test("encodeLogHeader makes the golden header", () => {
  const bytes = headerBytes(0x0102, 0x3_0000_0004);
  assert.equal(bytes.length, LOG_HEADER_BYTES);
  assert.equal(
    hexOf(bytes),
    "544b565357414c01" + "01000000" + "02010000" + "0400000003000000" + "81706f5e" + "f9b1c45b",
  );
  assert.deepEqual(decodeHeader(bytes), {
    version: 1,
    header: { storeId: 0x5e6f7081, logNumber: 0x0102, firstSequence: 0x3_0000_0004 },
  });
});

test("sealRecord makes the golden record", () => {
  const bytes = recordBytes(Buffer.from("0101000000" + "6b" + "01000000" + "06", "hex"), 0x20);
  assert.equal(
    hexOf(bytes),
    "eed8e84f" + "0e76fbf3" + "0b000000" + "09000000" + "0200000001000000" +
      "2000000000000000" + "03000000" + "01000000" + "01010000006b0100000006",
  );
});

test("decodeLogHeader gives back numbers up to the largest safe integer", () => {
  const bytes = headerBytes(0xffffffff, MAX_SEQUENCE);
  assert.deepEqual(decodeHeader(bytes)?.header, {
    storeId: 0x5e6f7081,
    logNumber: 0xffffffff,
    firstSequence: MAX_SEQUENCE,
  });
});

test("decodeLogHeader finds every flipped bit", () => {
  const bytes = headerBytes(7, 8);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const mutant = bytes.slice();
    mutant[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeHeader(mutant), undefined, `bit ${bit}`);
  }
});

test("decodeLogHeader refuses a foreign magic and an unsafe sequence under valid checksums", () => {
  const foreign = headerBytes(7, 8);
  foreign[0] = 0x55;
  resealHeader(foreign);
  assert.throws(() => decodeHeader(foreign), DecodeError);
  const unsafe = headerBytes(7, 8);
  unsafe[22] = 0x20;
  resealHeader(unsafe);
  assert.throws(() => decodeHeader(unsafe), DecodeError);
});

test("decodeLogHeader recognises a newer version without reading fields that it can't know", () => {
  const bytes = headerBytes(7, 8).fill(0xff, 12, 28);
  bytes[8] = 4;
  resealHeader(bytes);
  assert.deepEqual(decodeHeader(bytes), { version: 4, header: undefined });
});

test("decodeRecordHeader reads back what sealRecord wrote", () => {
  const bytes = recordBytes(new Uint8Array(5), 2 ** 40 + 1);
  const record = emptyRecord();
  assert.equal(decodeRecordHeader(bytes, dataViewOf(bytes), 0, 9, record), true);
  assert.deepEqual({ ...record, payloadCrc: 0 }, {
    payloadCrc: 0,
    payloadLength: 5,
    firstSequence: 0x1_0000_0002,
    durableOffset: 2 ** 40 + 1,
    entryCount: 3,
    type: RECORD_ENTRIES,
  });
});

test("decodeRecordHeader finds every flipped bit of the header", () => {
  const bytes = recordBytes(Uint8Array.of(1, 2, 3), 77);
  for (let bit = 0; bit < RECORD_HEADER_BYTES * 8; bit++) {
    const mutant = bytes.slice();
    mutant[bit >> 3]! ^= 1 << (bit & 7);
    const found = decodeRecordHeader(mutant, dataViewOf(mutant), 0, 9, emptyRecord());
    assert.equal(found, false, `bit ${bit}`);
  }
});

test("decodeRecordHeader refuses a record of another log", () => {
  const bytes = recordBytes(Uint8Array.of(1, 2, 3), 77);
  assert.equal(decodeRecordHeader(bytes, dataViewOf(bytes), 0, 8, emptyRecord()), false);
});

test("decodeRecordHeader knows two types of record", () => {
  for (
    const [type, known] of [[0, false], [RECORD_ENTRIES, true], [RECORD_END, true], [3, false]]
  ) {
    const bytes = new Uint8Array(RECORD_HEADER_BYTES);
    sealRecord(bytes, dataViewOf(bytes), 0, bytes.length, 9, Number(type), 0, 0, 0);
    assert.equal(decodeRecordHeader(bytes, dataViewOf(bytes), 0, 9, emptyRecord()), known);
  }
});
