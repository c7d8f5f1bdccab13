// When the embedded zstd module is loaded. This file, and so this process, has no other tests:
// others load the module.

import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressor } from "../../src/compression/zstd.ts";
import { hasZstdWasm } from "../../src/compression/zstd_wasm.ts";
import { nativeZstd, runtimeName } from "../../src/platform/natives.ts";

test("Reading the first blocks does not load the embedded module; reading many does if it is faster", () => {
  assert.ok(nativeZstd !== undefined, `${runtimeName} has a zstd of its own`);
  const content = new Uint8Array(8192).map((_, i) => i % 7 * (i >> 6));
  const native = zstdCompressor(1, "native");
  const frame = new Uint8Array(native.maxCompressedLength(content.length));
  const length = native.compress(content, 0, content.length, frame, 0);
  const auto = zstdCompressor(1);
  const read = (): void => {
    const into = new Uint8Array(content.length);
    auto.decompress(frame, 0, length, into, 0, into.length);
    assert.deepEqual(into, content);
  };
  for (let i = 0; i < 256; i++) read();
  assert.equal(hasZstdWasm(), false);
  read();
  assert.equal(hasZstdWasm(), runtimeName !== "bun");
  read();
});
