/** Footer, metadata and block footers: golden bytes, both forms, and everything that is neither. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  appendBlockFooter,
  type BlockFooter,
  decodeBlockFooter,
  decodeFooter,
  decodeProperties,
  encodeTableTail,
  FOOTER_BYTES,
  GO_METADATA_BYTES,
  UnknownTableFeature,
} from "../../src/sstable/table_format.ts";
import { dataViewOf, hexOf } from "../support/entries.ts";

const footer = {
  filterOffset: 1000,
  filterSize: 40,
  indexOffset: 1040,
  indexSize: 60,
  blockCount: 3,
  entryCount: 20,
};
const METADATA_BYTES = 36 + 4 + 12 + 16 + 16 + 12 + 4;
const METADATA_OFFSET = 1100;
const FILE_BYTES = METADATA_OFFSET + METADATA_BYTES + FOOTER_BYTES;

function tail(): { bytes: Uint8Array; checksum: number } {
  const writer = new ByteWriter(8);
  const checksum = encodeTableTail(
    writer,
    footer,
    { level: 2, tombstoneCount: 5 },
    {
      filterCrc: 0x11223344,
      indexCrc: 0x55667788,
      tableNumber: 0x1_0000_0002,
      contentCrc: 0x99aabbcc,
    },
  );
  return { bytes: writer.bytes.slice(0, writer.length), checksum };
}

/** Makes the checksum of a changed tail right again. */
function reseal(bytes: Uint8Array): Uint8Array {
  const view = dataViewOf(bytes);
  const at = bytes.length - FOOTER_BYTES - 4;
  const metadata = crc32(bytes, view, 0, at);
  view.setUint32(at, crc32(bytes, view, at + 4, bytes.length, metadata), true);
  return bytes;
}

function decodeBoth(bytes: Uint8Array, fileSize = FILE_BYTES): void {
  const view = dataViewOf(bytes);
  const found = decodeFooter(view, bytes.length - FOOTER_BYTES, fileSize);
  decodeProperties(
    bytes,
    view,
    bytes.length - FOOTER_BYTES - found.metadataSize,
    found.metadataSize,
  );
}

test("encodeTableTail makes the golden metadata and footer", () => {
  const { bytes, checksum } = tail();
  const view = dataViewOf(bytes);
  assert.equal(view.getUint32(METADATA_BYTES - 4, true), checksum);
  assert.equal(
    hexOf(bytes.slice(0, METADATA_BYTES - 4)),
    "02000000" + "00".repeat(16) + "0500000000000000" + "00".repeat(8) + "54565831" +
      "01000100" + "04000000" + "01000000" +
      "02000000" + "08000000" + "4433221188776655" +
      "03000000" + "08000000" + "0200000001000000" +
      "04000000" + "04000000" + "ccbbaa99",
  );
  assert.equal(
    hexOf(bytes.slice(METADATA_BYTES)),
    "e803000000000000" + "28000000" + "1004000000000000" + "3c000000" +
      "4c04000000000000" + "64000000" + "03000000" + "1400000000000000" +
      "f004000000000000" + "01000000" + "53564b54",
  );
  const metadataCrc = crc32(bytes, view, 0, METADATA_BYTES - 4);
  assert.equal(crc32(bytes, view, METADATA_BYTES, bytes.length, metadataCrc), checksum);
});

test("decodeFooter and decodeProperties give back what was encoded", () => {
  const { bytes, checksum } = tail();
  const view = dataViewOf(bytes);
  assert.deepEqual(decodeFooter(view, METADATA_BYTES, FILE_BYTES), {
    ...footer,
    metadataOffset: METADATA_OFFSET,
    metadataSize: METADATA_BYTES,
  });
  assert.deepEqual(decodeProperties(bytes, view, 0, METADATA_BYTES), {
    level: 2,
    tombstoneCount: 5,
    extension: {
      filterCrc: 0x11223344,
      indexCrc: 0x55667788,
      tableNumber: 0x1_0000_0002,
      contentCrc: 0x99aabbcc,
      checksum,
    },
  });
});

test("decodeProperties reads the 36 bytes of Go, which have no extension", () => {
  const { bytes } = tail();
  assert.deepEqual(decodeProperties(bytes, dataViewOf(bytes), 0, GO_METADATA_BYTES), {
    level: 2,
    tombstoneCount: 5,
    extension: undefined,
  });
});

test("decodeFooter and decodeProperties find every flipped bit of the tail", () => {
  const { bytes } = tail();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const mutant = bytes.slice();
    mutant[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => decodeBoth(mutant), DecodeError, `bit ${bit}`);
  }
});

test("decodeFooter refuses impossible offsets and sizes", () => {
  const { bytes } = tail();
  for (let at = 0; at < 56; at += 4) {
    // Counts are compared with the index, which this does not see.
    if (at >= 36 && at < 48) continue;
    for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const mutant = bytes.slice();
      const view = dataViewOf(mutant);
      if (view.getUint32(METADATA_BYTES + at, true) === value) continue;
      view.setUint32(METADATA_BYTES + at, value, true);
      assert.throws(() => decodeBoth(reseal(mutant)), DecodeError, `${value} at ${at}`);
    }
  }
});

test("decodeFooter refuses a file of another size", () => {
  const { bytes } = tail();
  for (const size of [0, 64, FILE_BYTES - 1, FILE_BYTES + 1]) {
    assert.throws(() => decodeBoth(bytes, size), DecodeError);
  }
});

test("decodeProperties refuses extensions that are cut off or overfull under a valid checksum", () => {
  const { bytes } = tail();
  for (const at of [44, 56, 72]) {
    for (const length of [0, 3, 7, 9, 0x7fffffff, 0xffffffff]) {
      const mutant = bytes.slice();
      dataViewOf(mutant).setUint32(at, length, true);
      assert.throws(
        () => decodeBoth(reseal(mutant)),
        (error) => error instanceof DecodeError || error instanceof UnknownTableFeature,
      );
    }
  }
});

test("decodeProperties refuses another version and unknown critical fields, and skips others", () => {
  const { bytes } = tail();
  const newer = bytes.slice();
  newer[48] = 2;
  assert.throws(() => decodeBoth(reseal(newer)), UnknownTableFeature);
  const skipped = bytes.slice();
  skipped[68] = 99;
  decodeBoth(reseal(skipped));
  skipped[70] = 1;
  assert.throws(() => decodeBoth(reseal(skipped)), UnknownTableFeature);
});

function decodeBlock(bytes: Uint8Array): BlockFooter {
  const found = { crc: 0, uncompressedLength: 0, storedLength: 0, codec: 0 };
  const chunk = Uint8Array.from([7, 7, 7, ...bytes, 9]);
  decodeBlockFooter(dataViewOf(chunk), 3, 3 + bytes.length, found);
  return found;
}

test("appendBlockFooter makes the golden footer", () => {
  const writer = new ByteWriter(8);
  for (const byte of [0xff, 0x31, 0x32, 0x33]) writer.appendUint8(byte);
  appendBlockFooter(writer, 1, 0x0102, 1);
  const bytes = writer.bytes.slice(1, writer.length);
  // 0x884863d2 is the CRC-32 of "123".
  assert.equal(hexOf(bytes), "313233" + "d2634888" + "02010000" + "03000000" + "01");
  assert.deepEqual(decodeBlock(bytes), {
    crc: 0x884863d2,
    uncompressedLength: 0x0102,
    storedLength: 3,
    codec: 1,
  });
});

test("decodeBlockFooter reads the 12 bytes of Go v0.3 as zstd", () => {
  const bytes = Uint8Array.from([1, 2, 3, 0xd2, 0x63, 0x48, 0x88, 2, 1, 0, 0, 3, 0, 0, 0]);
  assert.deepEqual(decodeBlock(bytes), {
    crc: 0x884863d2,
    uncompressedLength: 0x0102,
    storedLength: 3,
    codec: 0,
  });
});

test("decodeBlockFooter refuses a footer of neither form", () => {
  for (let length = 0; length < 40; length++) {
    assert.throws(() => decodeBlock(new Uint8Array(length).fill(0xff)), DecodeError);
  }
});

test("decodeBlockFooter returns a codec that nobody knows yet", () => {
  for (const codec of [4, 5, 255]) {
    const bytes = Uint8Array.from([1, 2, 3, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, codec]);
    assert.equal(decodeBlock(bytes).codec, codec);
  }
});
