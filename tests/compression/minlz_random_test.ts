/**
 * The MinLZ decoder on random blocks: valid ones against the model that built them, damaged and
 * random ones against the plain decoder of minlz_reference.ts. The two must agree on every input.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { minlzDecompressor } from "../../src/compression/minlz.ts";
import { DecodeError } from "../../src/errors.ts";
import { reportFigure } from "../support/figures.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import { MinlzBlock } from "./minlz_encoder.ts";
import { referenceDecode } from "./minlz_reference.ts";

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
const ROUNDS = Math.ceil(2000 * scale);
const MUTANTS = 100;
const onlySeed = process.env["TINYKVS_SEED"];
const codec = minlzDecompressor();

/**
 * Runs `body` for every seed, or the one that TINYKVS_SEED names; a failure says how to repeat it.
 */
function forEachSeed(body: (random: Random) => void): void {
  const first = onlySeed === undefined ? 1 : Number(onlySeed);
  const last = onlySeed === undefined ? ROUNDS : first;
  for (let seed = first; seed <= last; seed++) {
    try {
      body(new Random(seed));
    } catch (cause) {
      throw new Error(
        `${(cause as Error).message}; repeat with ` +
          `TINYKVS_SEED=${seed} node --test tests/compression/minlz_random_test.ts`,
        { cause },
      );
    }
  }
}

/** A number from `least` to `most`, often one of the two or of `edges`. */
function length(random: Random, least: number, most: number, edges: readonly number[]): number {
  const fitting = [least, most, ...edges].filter((edge) => edge >= least && edge <= most);
  if (random.below(3) === 0) return random.pick(fitting);
  return least + random.below(Math.min(most - least, 100) + 1);
}

/** Appends a random element that is valid at this point of the block. */
function appendElement(block: MinlzBlock, random: Random, isLarge: boolean): void {
  const room = block.content.length;
  const most = isLarge ? 70_000 : 400;
  const edges = [29, 30, 47, 48, 49, 60, 63, 64, 65, 285, 286, 319, 320, 65_565, 65_566, 65_600];
  const bytes = (count: number): Uint8Array => randomBytes(count, random);
  switch (random.below(room === 0 ? 1 : 7)) {
    case 0:
      block.literal(bytes(length(random, 1, most, [28, 29, 30, 285, 286])));
      break;
    case 1:
      if (block.distance <= room) block.repeat(length(random, 1, most, edges));
      break;
    case 2:
      block.copy1(length(random, 1, Math.min(room, 1024), [2, 3, 4, 5]), 4 + random.below(270));
      break;
    case 3:
      if (room < 64) break;
      block.copy2(length(random, 64, Math.min(room, 65_599), []), length(random, 4, most, edges));
      break;
    case 4: {
      const count = 1 + random.below(4);
      if (room + count < 64) break;
      const distance = length(random, 64, Math.min(room + count, 65_599), []);
      block.fusedCopy2(bytes(count), distance, 4 + random.below(8));
      break;
    }
    default: {
      const count = random.below(4);
      if (room + count < 65_536) break;
      const distance = length(random, 65_536, Math.min(room + count, 2_162_687), [65_537]);
      block.copy3(bytes(count), distance, length(random, 4, most, edges));
    }
  }
}

function randomBlock(random: Random): MinlzBlock {
  const block = new MinlzBlock();
  const isLarge = random.below(40) === 0;
  if (isLarge) block.literal(randomBytes(100, random)).repeat(65_400 + random.below(300));
  for (let left = 1 + random.below(30); left > 0; left--) appendElement(block, random, isLarge);
  return block;
}

/** Decodes into the middle of a larger buffer; undefined if the decoder refuses. */
function decode(bytes: Uint8Array, size: number): Uint8Array | undefined {
  const into = new Uint8Array(size + 10).fill(0xdd);
  try {
    codec.decompress(bytes, 0, bytes.length, into, 5, size);
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    return undefined;
  } finally {
    for (let i = 0; i < 5; i++) {
      assert.equal(into[i], 0xdd);
      assert.equal(into[size + 5 + i], 0xdd);
    }
  }
  return into.subarray(5, 5 + size);
}

/** Compares the decoder with the plain one. Returns whether they accept the block. */
function agree(bytes: Uint8Array): boolean {
  const stated = codec.statedLength(bytes, 0, bytes.length);
  const expected = referenceDecode(bytes);
  if (stated === undefined) {
    assert.equal(expected, undefined);
    return false;
  }
  // A damaged length may claim megabytes: the plain decoder has shown that it is not reached.
  if (expected === undefined && stated > 1 << 20) return false;
  const found = decode(bytes, stated);
  assert.equal(found === undefined, expected === undefined, Buffer.from(bytes).toString("hex"));
  if (expected !== undefined) assert.ok(Buffer.from(expected).equals(found!), "content");
  return expected !== undefined;
}

/** Flips, replaces, removes, inserts or swaps a few bytes, or cuts the block off. */
function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const out = [...bytes];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(Math.max(1, out.length));
    switch (random.below(6)) {
      case 0:
        out[at] = out[at]! ^ (1 << random.below(8));
        break;
      case 1:
        out[at] = random.pick([0, 1, 2, 3, 7, 0xf8, 0xfc, 0xfe, 0xff, random.below(256)]);
        break;
      case 2:
        out.splice(at, 1 + random.below(4));
        break;
      case 3:
        out.splice(at, 0, ...randomBytes(1 + random.below(4), random));
        break;
      case 4:
        out.length = at;
        break;
      default:
        out.splice(at, 0, ...out.slice(random.below(at + 1), at).slice(0, 8));
    }
  }
  return Uint8Array.from(out);
}

test("MinLZ decodes random valid blocks to what the model of their elements says", () => {
  let blocks = 0;
  let plain = 0;
  forEachSeed((random) => {
    const block = randomBlock(random);
    const bytes = block.encode();
    if (bytes[1] === 0) plain++;
    blocks++;
    const found = decode(bytes, block.content.length);
    assert.ok(found !== undefined && Buffer.from(block.content).equals(found), "content");
  });
  if (onlySeed === undefined) assert.ok(plain < blocks / 2, `${plain} of ${blocks} were plain`);
  reportFigure("fuzzed decoder inputs", blocks);
});

test("MinLZ agrees with the plain decoder on every damaged block", () => {
  let inputs = 0;
  let accepted = 0;
  forEachSeed((random) => {
    let block = randomBlock(random);
    while (block.elements.length > 3000) block = randomBlock(random);
    const bytes = block.encode();
    const mutants = block.content.length > 10_000 ? 3 : MUTANTS;
    for (let i = 0; i < mutants; i++) {
      if (agree(damage(bytes, random))) accepted++;
      inputs++;
    }
  });
  if (onlySeed === undefined) {
    assert.ok(accepted > inputs / 50 && accepted < inputs / 2, `${accepted} of ${inputs} accepted`);
  }
  reportFigure("fuzzed decoder inputs", inputs);
});

test("MinLZ agrees with the plain decoder on random elements after a literal", () => {
  let inputs = 0;
  let accepted = 0;
  forEachSeed((random) => {
    for (let i = 0; i < 20; i++) {
      const tail = randomBytes(random.below(6), random);
      for (let at = 0; at < tail.length; at++) {
        if (random.below(2) === 0) tail[at] = random.pick([0x04, 0x14, 0x01, 0x41, 0x00, 0xec]);
      }
      const bytes = [0, 8 + random.below(24), 0x38, 1, 2, 3, 4, 5, 6, 7, 8, ...tail];
      if (agree(Uint8Array.from(bytes))) accepted++;
      inputs++;
    }
  });
  if (onlySeed === undefined) {
    assert.ok(accepted > inputs / 2000, `${accepted} of ${inputs} accepted`);
  }
  reportFigure("fuzzed decoder inputs", inputs);
});
