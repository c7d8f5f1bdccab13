/** The corpus itself, and inputs of a size at which more than proportional work would show. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { Random } from "../support/random.ts";
import { countAllocations } from "./allocations.ts";
import { corpusFolders, corpusOf } from "./corpus.ts";
import type { FuzzedDecoder } from "./decoder.ts";
import { currentDecoder, logDecoder, manifestDecoder } from "./log_decoders.ts";
import { viewOn } from "./make.ts";
import { blockDecoder, filterDecoder, indexDecoder, tailDecoder } from "./table_decoders.ts";
import { valueDecoder } from "./value_decoder.ts";

const decoders: readonly FuzzedDecoder[] = [
  ...[logDecoder, manifestDecoder, currentDecoder],
  ...[blockDecoder, indexDecoder, filterDecoder, tailDecoder, valueDecoder],
];

const LARGE_BYTES = 2 ** 20;
/**
 * Work that is proportional takes some tens of milliseconds; work that is quadratic takes minutes.
 */
const MAX_CPU_MS = 5000;

test("Every decoder has a corpus of both kinds, and its README names every file", () => {
  const readme = readFileSync(new URL("./corpus/README.md", import.meta.url), "utf8");
  assert.deepEqual(corpusFolders(), decoders.map(({ name }) => name).sort());
  for (const folder of corpusFolders()) {
    const section = readme.split(`## ${folder}\n`)[1]?.split("\n## ")[0] ?? "";
    const named = [...section.matchAll(/^\| `([^`]+)` \| ./gm)].map(([, name]) => name).sort();
    assert.deepEqual(named, corpusOf(folder).map(({ name }) => name), folder);
    for (const isValid of [true, false]) {
      assert.ok(corpusOf(folder).some((input) => input.isValid === isValid), folder);
    }
  }
});

test("Large hostile inputs take time and memory in proportion to their length", () => {
  for (const decoder of decoders) {
    for (const [at, bytes] of largeInputs(decoder).entries()) {
      const before = process.cpuUsage();
      const allocated = countAllocations(() => decodesOrNot(decoder, bytes)).bytes;
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1000;
      assert.ok(cpuMs < MAX_CPU_MS, `${decoder.name}, large input ${at}: ${cpuMs} ms`);
      assert.ok(allocated <= bytes.length * 24 + 65536, `${decoder.name}, ${at}: ${allocated}`);
    }
  }
});

/**
 * Inputs of a megabyte: each valid one of the corpus, repeated and then cut, padded, and drawn out.
 */
function largeInputs(decoder: FuzzedDecoder): Uint8Array[] {
  const inputs: Uint8Array[] = [];
  for (const { bytes, isValid } of corpusOf(decoder.name)) {
    if (!isValid || bytes.length < 8) continue;
    const repeated = new Uint8Array(LARGE_BYTES);
    for (let at = 0; at < LARGE_BYTES; at += bytes.length) {
      repeated.set(bytes.subarray(0, Math.min(bytes.length, LARGE_BYTES - at)), at);
    }
    inputs.push(repeated);
    const padded = new Uint8Array(LARGE_BYTES);
    padded.set(bytes);
    inputs.push(padded);
    // The same byte without end: formats that nest, tags that seem to be there at every offset.
    const drawnOut = new Uint8Array(LARGE_BYTES).fill(bytes.at(-1)!);
    drawnOut.set(bytes);
    inputs.push(drawnOut);
  }
  for (const input of inputs) decoder.reseal?.(input);
  return [...inputs, ...largeLogs(decoder)];
}

/**
 * For readers that search after a bad record: the thing that they look for, at every fourth byte.
 */
function largeLogs(decoder: FuzzedDecoder): Uint8Array[] {
  if (decoder !== logDecoder && decoder !== manifestDecoder) return [];
  const head = decoder === logDecoder ? 32 : 24;
  const log = new Uint8Array(LARGE_BYTES);
  log.set(decoder.valid(new Random(1)).subarray(0, head));
  const tag = 0x5e6f7081 ^ 7;
  for (let at = head; at + 4 <= LARGE_BYTES; at += 4) viewOn(log).setUint32(at, tag, true);
  return [log];
}

function decodesOrNot(decoder: FuzzedDecoder, bytes: Uint8Array): void {
  try {
    decoder.decode(bytes);
  } catch (error) {
    assert.ok(
      error instanceof Error && ["DecodeError", "UnknownTableFeature"].includes(error.name),
    );
  }
}
