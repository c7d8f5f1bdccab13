import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { DecodeError } from "../../src/errors.ts";
import { appendExpiry } from "../../src/value/expiry.ts";
import { isPacked, unpackValue, ValuePacker } from "../../src/value/packed_value.ts";
import { encodeValue, ValueDecoder, valueTypeAt } from "../../src/value/value_codec.ts";
import {
  IN_LOG,
  IN_VALUE_FILE,
  isReference,
  readReference,
  REFERENCE_BYTES,
  referredLength,
  type ValueReference,
  writeReference,
} from "../../src/value/value_reference.ts";
import type { Random } from "../support/random.ts";
import { randomBytes, withSeed } from "../support/seeded.ts";

function someReference(random: Random): ValueReference {
  return {
    kind: random.pick([IN_LOG, IN_VALUE_FILE]),
    type: random.pick([4, 5, 7, 8]),
    number: random.uint32(),
    offset: random.below(2 ** 20) * 2 ** 32 + random.uint32(),
    length: 1 + random.below(2 ** 31),
    crc: random.uint32(),
  };
}

function encoded(reference: ValueReference, expiresAt?: number): ByteWriter {
  const writer = new ByteWriter(64);
  if (expiresAt !== undefined) appendExpiry(writer, expiresAt);
  writer.reserve(REFERENCE_BYTES);
  writeReference(writer.bytes, writer.view, writer.length, reference);
  writer.length += REFERENCE_BYTES;
  return writer;
}

test("A reference comes back as it was written, with and without a time", () => {
  withSeed(1, (random) => {
    for (let i = 0; i < 500; i++) {
      const reference = someReference(random);
      const time = random.below(2) === 0 ? undefined : random.uint32();
      const { bytes, view, length } = encoded(reference, time);
      assert.equal(isReference(bytes, 0), true);
      assert.deepEqual(readReference(bytes, view, 0, length), reference);
      assert.equal(referredLength(bytes, view, 0), reference.length);
      const types = { 4: "string", 5: "bytes", 7: "record", 8: "record" } as const;
      assert.equal(valueTypeAt(bytes, 0, length), types[reference.type as 4]);
    }
  });
});

test("readReference gives a reference or a DecodeError for any bytes", () => {
  withSeed(2, (random) => {
    let refused = 0;
    for (let i = 0; i < 5000; i++) {
      const writer = encoded(someReference(random), random.below(3) === 0 ? 7 : undefined);
      const bytes = writer.bytes.slice(0, writer.length - random.below(2) * random.below(9));
      for (let n = random.below(4); n > 0; n--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      try {
        const view = new DataView(bytes.buffer);
        const { kind, length, offset } = readReference(bytes, view, 0, bytes.length);
        assert.ok(kind <= 1 && length > 0 && Number.isSafeInteger(offset + length));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        refused++;
      }
    }
    assert.ok(refused > 500 && refused < 4500, `${refused} were refused`);
  });
});

test("Values that shrink are packed and come back; others are left as they are", () => {
  withSeed(3, (random) => {
    for (const codec of ["zstd", "snappy"] as const) {
      const packer = new ValuePacker(compressorFor(codec, -1));
      const decoder = new ValueDecoder({ int64: "bigint" });
      for (const length of [200, 5000, 40_000, 300_000]) {
        const values = ["many words ".repeat(length / 10), randomBytes(length, random)];
        for (const [shrinks, value] of [[true, values[0]!], [false, values[1]!]] as const) {
          const plain = new ByteWriter(64);
          encodeValue(value, plain);
          const packed = new ByteWriter(64);
          packed.appendUint8(99);
          assert.equal(packer.append(packed, plain.bytes, 0, plain.length), shrinks);
          if (!shrinks) assert.equal(packed.length, 1);
          if (!shrinks) continue;
          assert.ok(packed.length < plain.length * 7 / 8);
          assert.equal(isPacked(packed.bytes, 1), true);
          assert.deepEqual(decoder.decode(packed.bytes, packed.view, 1, packed.length), value);
          assert.equal(valueTypeAt(packed.bytes, 1, packed.length), "string");
        }
      }
    }
  });
});

test("Samples are left out while long values shrink, and taken again after one that does not", () => {
  withSeed(4, (random) => {
    const inner = compressorFor("zstd", -1);
    let calls = 0;
    const packer = new ValuePacker(
      {
        codec: inner.codec,
        maxCompressedLength: (length) => inner.maxCompressedLength(length),
        compress: (from, start, end, into, offset) => {
          calls++;
          return inner.compress(from, start, end, into, offset);
        },
      } as typeof inner,
    );
    const shrinking = new ByteWriter(64);
    encodeValue("many words ".repeat(5000), shrinking);
    const random40 = new ByteWriter(64);
    encodeValue(randomBytes(40_000, random), random40);
    const callsFor = (value: ByteWriter, shrinks: boolean): number => {
      const before = calls;
      const { bytes, length } = value;
      assert.equal(packer.append(new ByteWriter(64), bytes, 0, length), shrinks);
      return calls - before;
    };
    const first = Array.from({ length: 20 }, () => callsFor(shrinking, true));
    assert.deepEqual([first[0], first.at(-1)], [2, 1]);
    // One value is tried as a whole and left as it is, and the next one by its sample.
    assert.deepEqual([callsFor(random40, false), callsFor(random40, false)], [1, 1]);
    assert.equal(callsFor(shrinking, true), 2);
  });
});

test("unpackValue gives a value or a DecodeError for any bytes, and allocates in proportion", () => {
  withSeed(4, (random) => {
    const packer = new ValuePacker(compressorFor("snappy", -1));
    const plain = new ByteWriter(64);
    encodeValue("to be or not to be ".repeat(40), plain);
    const packed = new ByteWriter(64);
    packer.append(packed, plain.bytes, 0, plain.length);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const bytes = packed.bytes.slice(0, packed.length);
      for (let n = 1 + random.below(3); n > 0; n--) {
        bytes[random.below(i % 2 === 0 ? 8 : bytes.length)] = random.below(256);
      }
      try {
        const value = unpackValue(bytes, new DataView(bytes.buffer), 0, bytes.length);
        assert.ok(value.length < 100_000, `${value.length}`);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        refused++;
      }
    }
    assert.ok(refused > 1000, `${refused} were refused`);
  });
});
