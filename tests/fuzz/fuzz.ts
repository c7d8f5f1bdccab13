/**
 * Fuzzes one decoder: the corpus, and then inputs of three kinds, a third each. Every input is
 * checked: only documented errors, no more results and no more reading than the input's length
 * allows, and decoded data survives being encoded and decoded again. For one input in 16, and for
 * the whole corpus, the memory that the decoder asks for is bounded by the input's length.
 *
 * TINYKVS_TEST_SCALE multiplies the number of inputs, TINYKVS_SEED takes another seed, and
 * TINYKVS_FUZZ_INPUT=<decoder>:<hex> runs one input alone.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { DecodeError } from "../../src/errors.ts";
import { reportFigure } from "../support/figures.ts";
import { Random } from "../support/random.ts";
import { countAllocations } from "./allocations.ts";
import { corpusOf } from "./corpus.ts";
import type { FuzzedDecoder } from "./decoder.ts";
import { extremeInput, mutatedInput, randomInput } from "./mutations.ts";

const INPUTS = 200_000;
const SEED = 20_260_301;
/** This number of valid inputs is kept as a base; one more is made for this number of inputs. */
const KEPT_VALID = 64;
const INPUTS_PER_VALID = 32;
/**
 * Buffers may hold the input this number of times (a copy, offsets and words of its entries), and a
 * constant.
 */
const MAX_COPIES = 24;
const MAX_CONSTANT_BYTES = 32 * 1024;

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);

/** Fuzzes a decoder; `file` is the path of the test. */
export function fuzz(decoder: FuzzedDecoder, file: string): void {
  const given = process.env["TINYKVS_FUZZ_INPUT"];
  if (given !== undefined) {
    const [name, hex] = given.split(":");
    if (name === decoder.name) check(decoder, fromHex(hex ?? ""), true);
    return;
  }
  const corpus = corpusOf(decoder.name);
  for (const { name, bytes, isValid } of corpus) {
    const isDecoded = explained(decoder, file, bytes, `corpus file "${name}"`, true);
    assert.equal(
      isDecoded,
      isValid,
      `${decoder.name}/${name} is ${isDecoded ? "" : "not "}decoded`,
    );
  }
  const seed = Number(process.env["TINYKVS_SEED"] ?? SEED);
  const random = new Random(seed);
  const bases = corpus.map(({ bytes }) => bytes);
  const valid = corpus.filter(({ isValid }) => isValid).map(({ bytes }) => bytes);
  let decodedCount = 0;
  const inputs = Math.ceil(INPUTS * scale);
  for (let n = 0; n < inputs; n++) {
    if (n % INPUTS_PER_VALID === 0) {
      const made = decoder.valid(random);
      const isDecoded = explained(decoder, file, made, `valid input ${n}, seed ${seed}`, false);
      assert.ok(isDecoded, `${decoder.name}: a valid input is refused: ${toHex(made)}`);
      bases[n / INPUTS_PER_VALID % KEPT_VALID + corpus.length] = made;
      valid[n / INPUTS_PER_VALID % KEPT_VALID] = made;
    }
    const input = n % 3 === 0
      ? randomInput(random)
      : n % 3 === 1
      ? mutatedInput(decoder, random.pick(bases), random.pick(bases), random)
      : extremeInput(decoder, random.pick(valid), random);
    const isDecoded = explained(decoder, file, input, `input ${n}, seed ${seed}`, n % 16 === 0);
    if (isDecoded) decodedCount++;
  }
  // Inputs that are all refused, or all decoded, would test half of the decoder.
  const share = decodedCount / inputs;
  console.log(`${decoder.name}: ${inputs} inputs, ${decodedCount} decoded, seed ${seed}`);
  assert.ok(share > 0.01 && share < 0.9, `${decoder.name}: ${decodedCount} of ${inputs} decoded`);
  reportFigure("fuzzed decoder inputs", inputs);
}

/** Checks an input; a failure says how to repeat it and how to keep it. */
function explained(
  decoder: FuzzedDecoder,
  file: string,
  bytes: Uint8Array,
  what: string,
  countsMemory: boolean,
): boolean {
  try {
    return check(decoder, bytes, countsMemory);
  } catch (error) {
    const hex = toHex(bytes);
    const text = error instanceof Error ? error.stack : String(error);
    throw new Error(
      `${decoder.name} fails on ${what}, ${bytes.length} bytes. Repeat:\n` +
        `TINYKVS_FUZZ_INPUT=${decoder.name}:${hex} node --test ${file}\n` +
        `Keep it, with a line in tests/fuzz/corpus/README.md:\n` +
        `node -e 'fs.writeFileSync("tests/fuzz/corpus/${decoder.name}/hostile-NAME", ` +
        `Buffer.from("${hex}", "hex"))'\n${text}`,
      { cause: error },
    );
  }
}

/** Decodes an input and checks all that must hold; says whether it decodes. */
function check(decoder: FuzzedDecoder, bytes: Uint8Array, countsMemory: boolean): boolean {
  const before = countsMemory ? bytes.slice() : undefined;
  try {
    if (before !== undefined) {
      const allocated = countAllocations(() => attempt(decoder, bytes)).bytes;
      const limit = bytes.length * MAX_COPIES + MAX_CONSTANT_BYTES;
      assert.ok(allocated <= limit, `asks for ${allocated} bytes, the limit is ${limit}`);
    }
    const decoded = decoder.decode(bytes);
    assert.ok(decoded.items <= bytes.length, `${decoded.items} items out of ${bytes.length} bytes`);
    const maxWork = decoder.maxWork?.(bytes.length) ?? bytes.length * 2 + 64;
    assert.ok(decoded.work <= maxWork, `reads ${decoded.work} bytes, at most ${maxWork} are right`);
    decoded.requireRoundTrip();
    if (before !== undefined) assert.deepEqual(bytes, before, "the input was changed");
    return true;
  } catch (error) {
    if (!isTyped(decoder, error)) throw error;
    return false;
  }
}

/** Decodes for the count of memory alone. */
function attempt(decoder: FuzzedDecoder, bytes: Uint8Array): void {
  try {
    decoder.decode(bytes);
  } catch (error) {
    if (!isTyped(decoder, error)) throw error;
  }
}

function isTyped(decoder: FuzzedDecoder, error: unknown): boolean {
  if (error instanceof DecodeError) return Number.isSafeInteger(error.offset) && error.offset >= 0;
  return decoder.isTyped?.(error) ?? false;
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
