/** The embedded zstd module: that of the package but for two functions, and with the same frames. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeBase64, inflateRaw } from "../../src/platform/natives.ts";
import {
  ZSTD_WASM_DEFLATED_BASE64,
  ZSTD_WASM_LENGTH,
  ZSTD_WASM_SHA256,
} from "../../wasm/generated/zstd_wasm.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";

const packaged = readFileSync(
  fileURLToPath(
    new URL("../../node_modules/@bokuweb/zstd-wasm/dist/esm/zstd.wasm", import.meta.url),
  ),
);
const embedded = inflateRaw(decodeBase64(ZSTD_WASM_DEFLATED_BASE64), ZSTD_WASM_LENGTH);

type Compress = (bytes: Uint8Array, level: number) => Uint8Array;

/** A function that compresses with a context of its own, kept between calls as in the library. */
function compressorOf(module: Uint8Array): Compress {
  const nothing = (): number => 0;
  const imports = { a: { a: nothing, b: nothing, c: nothing, d: nothing, e: nothing } };
  const instance = new WebAssembly.Instance(
    new WebAssembly.Module(Uint8Array.from(module)),
    imports,
  );
  const exports = instance.exports as unknown as {
    f: WebAssembly.Memory;
    g(): void;
    j(): number;
    s(size: number): number;
    l(...numbers: number[]): number;
  };
  exports.g();
  const context = exports.j();
  const input = exports.s(1 << 18);
  const output = exports.s(1 << 19);
  return (bytes, level) => {
    const heap = new Uint8Array(exports.f.buffer);
    heap.set(bytes, input);
    const size = exports.l(context, output, 1 << 19, input, bytes.length, 0, 0, level);
    assert.ok(size > 0);
    return heap.slice(output, output + size);
  };
}

test("The embedded zstd module differs from the package's in two functions of 92 bytes together", () => {
  assert.equal(createHash("sha256").update(embedded).digest("hex"), ZSTD_WASM_SHA256);
  assert.equal(embedded.length, packaged.length);
  const places = [...embedded.keys()].filter((at) => embedded[at] !== packaged[at]);
  assert.ok(places.length > 0 && places.at(-1)! - places[0]! < 94, `${places.length} bytes`);
});

test("The embedded zstd module makes the frames of the package's", () => {
  const [ours, theirs] = [compressorOf(embedded), compressorOf(packaged)];
  const random = new Random(1);
  for (const length of [0, 1, 7, 100, 1000, 4096, 16384, 70000, 200000]) {
    const noise = randomBytes(length, random);
    const text = noise.map((byte, at) => at % 50 < 25 ? 97 + byte % 4 : noise[at - (at % 7)]!);
    const run = new Uint8Array(length).fill(length);
    for (const bytes of [noise, text, run]) {
      for (const level of [1, 2, 3, 4]) {
        assert.deepEqual(ours(bytes, level), theirs(bytes, level), `${length} at ${level}`);
      }
    }
  }
});
