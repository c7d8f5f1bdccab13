/**
 * Inputs of many shapes and the checks that every codec has to pass, for the tests of this folder.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Compressor, Decompressor } from "../../src/compression/compressor.ts";
import { DecodeError } from "../../src/errors.ts";

/** A stream of numbers in [0, bound) that the seed fixes (xorshift32). */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * bound);
  };
}

/** `length` bytes that no codec shrinks. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => next(256));
}

/** `length` bytes that look like a data block: keys that share prefixes, JSON values. */
export function structuredBytes(length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  const bytes = Buffer.alloc(length);
  let position = 0;
  for (let id = 0; position < length; id++) {
    const record = `user:${10_000_000 + id * 37}{"id":${id},"name":"n${next(500)}","score":` +
      `${next(100_000)},"active":${next(2) === 1},"town":"${"abcdefgh".slice(next(7))}"}`;
    position += bytes.write(record, position, "latin1");
  }
  return Uint8Array.from(bytes);
}

/** Inputs by a name that says what they are. */
export const inputs: ReadonlyMap<string, Uint8Array> = new Map([
  ["nothing", new Uint8Array(0)],
  ["one byte", Uint8Array.of(7)],
  ["14 bytes", structuredBytes(14, 1)],
  ["100 structured bytes", structuredBytes(100, 2)],
  ["255 structured bytes", structuredBytes(255, 3)],
  ["256 structured bytes", structuredBytes(256, 4)],
  ["16 KiB structured", structuredBytes(16 << 10, 5)],
  ["16 KiB random", randomBytes(16 << 10, 6)],
  ["16 KiB of zeros", new Uint8Array(16 << 10)],
  ["65,537 structured bytes", structuredBytes(65_537, 7)],
  ["65,537 random bytes", randomBytes(65_537, 8)],
  ["300,000 structured bytes", structuredBytes(300_000, 9)],
  ["1 MiB structured", structuredBytes(1 << 20, 10)],
  ["1 MiB random", randomBytes(1 << 20, 11)],
  ["1 MiB of zeros", new Uint8Array(1 << 20)],
]);

/** What `codec` makes of all of `input`. */
export function compressed(codec: Compressor, input: Uint8Array): Uint8Array {
  const output = new Uint8Array(codec.maxCompressedLength(input.length));
  return output.slice(0, codec.compress(input, 0, input.length, output, 0));
}

/** The content of all of `block`, which should have `length` bytes. */
export function decompressed(codec: Decompressor, block: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length);
  codec.decompress(block, 0, block.length, output, 0, length);
  return output;
}

/** Fails unless the bytes are the same; quicker than deepEqual on large arrays. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  assert.ok(Buffer.compare(actual, expected) === 0, `${what}: the bytes differ`);
}

/**
 * Checks that `reader` decodes what `writer` encoded, for every input, from the middle of one
 * buffer to the middle of another, without touching anything around it.
 */
export function checkRoundTrips(writer: Compressor, reader: Decompressor): void {
  for (const [name, input] of inputs) {
    const from = new Uint8Array(input.length + 11).fill(0xaa);
    from.set(input, 5);
    const capacity = writer.maxCompressedLength(input.length);
    const block = new Uint8Array(capacity + 11).fill(0xbb);
    const size = writer.compress(from, 5, 5 + input.length, block, 7);
    assert.ok(size <= capacity, `${name}: ${size} bytes, at most ${capacity} promised`);
    assert.deepEqual([...block.subarray(0, 7)], Array(7).fill(0xbb), `${name}: in front`);

    const output = new Uint8Array(input.length + 11).fill(0xcc);
    reader.decompress(block, 7, 7 + size, output, 3, input.length);
    assertSameBytes(output.subarray(3, 3 + input.length), input, name);
    assert.deepEqual([...output.subarray(0, 3)], Array(3).fill(0xcc), `${name}: in front`);
    assert.deepEqual(
      [...output.subarray(3 + input.length)],
      Array(8).fill(0xcc),
      `${name}: behind`,
    );
  }
}

/** Checks that no proper prefix of a block decodes. */
export function checkTruncations(codec: Compressor): void {
  for (const length of [0, 1, 100, 1000]) {
    const block = compressed(codec, structuredBytes(length, 20 + length));
    for (let size = 0; size < block.length; size++) {
      assert.throws(
        () => decompressed(codec, block.subarray(0, size), length),
        DecodeError,
        `${size} of the ${block.length} bytes of a block of ${length}`,
      );
    }
  }
}

/** Checks that blocks of another length than expected are refused. */
export function checkLengths(codec: Compressor): void {
  for (const length of [1, 100, 16 << 10, 200_000]) {
    const block = compressed(codec, structuredBytes(length, 30));
    for (const expected of [0, length - 1, length + 1, length * 2]) {
      assert.throws(
        () => decompressed(codec, block, expected),
        DecodeError,
        `${expected} bytes expected of a block of ${length}`,
      );
    }
  }
}

/**
 * Feeds damaged and random input: every call must end with a DecodeError or in exactly the bytes
 * of its part of the output, and the codec must work afterwards.
 *
 * @returns how many calls were refused, and how many gave some content
 */
export function checkHostileInput(
  codec: Compressor,
  seed: number,
  rounds: number,
): { refused: number; accepted: number } {
  const next = randomNumbers(seed);
  const content = structuredBytes(4096, seed);
  const block = compressed(codec, content);
  const output = new Uint8Array(content.length + 16);
  let refused = 0;
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    const kind = round % 4;
    let bytes: Uint8Array;
    if (kind === 0) {
      bytes = randomBytes(next(200), seed + round);
    } else {
      bytes = block.slice();
      const changes = kind === 1 ? 1 : kind === 2 ? 8 : 200;
      // Lengths and tables sit in front: half of the damage goes there.
      const reach = next(2) === 0 ? Math.min(24, bytes.length) : bytes.length;
      for (let change = 0; change < changes; change++) {
        bytes[next(reach)]! ^= kind === 1 ? 1 << next(8) : next(256);
      }
      if (kind === 3) bytes = bytes.subarray(0, next(bytes.length + 1));
    }
    output.fill(0xdd);
    const where = `seed ${seed}, round ${round}`;
    try {
      codec.decompress(bytes, 0, bytes.length, output, 8, content.length);
      accepted++;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw new Error(`failed at ${where}`, { cause: error });
      refused++;
    }
    for (const index of [0, 7, content.length + 8, content.length + 15]) {
      assert.equal(output[index], 0xdd, `${where}: byte ${index} outside of the output changed`);
    }
  }
  assertSameBytes(decompressed(codec, block, content.length), content, "after hostile input");
  return { refused, accepted };
}
