import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bloomPosition,
  bloomPositions,
  HASH_WORDS,
  hashKey,
  loadHashes,
  saveHashes,
} from "../../src/bytes/murmur3.ts";
import { murmur3Script } from "../../src/bytes/murmur3_script.ts";
import { hasWebAssembly } from "../../src/platform/web_assembly.ts";

const kernel = murmur3Script();
const input = new Uint8Array(kernel.memory.buffer, 32768, 65536);
const hashes = new Uint32Array(kernel.memory.buffer, 0, HASH_WORDS);
const pattern = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i * 31 + i * 7) >>> 3);

test("murmur3Script() hashes keys of every length as WebAssembly does, positions too", () => {
  assert.ok(hasWebAssembly, "there is nothing to compare with");
  const words = new Uint32Array(HASH_WORDS);
  const lengths = [...Array(200).keys(), 1023, 1024, 65535, 65536];
  for (const length of lengths) {
    // The state of an earlier key must not count.
    input.fill(0xff);
    input.set(pattern.subarray(length, length + Math.min(length, 4000)));
    const key = input.slice(0, length);
    hashKey(key, 0, length);
    saveHashes(words, 0);
    kernel.hash(length);
    assert.deepEqual(hashes, words, `length ${length}`);
    for (const m of [1, 7, 64, 1_000_003, 2 ** 32 + 1, 2 ** 53]) {
      for (const i of [0, 1, 2, 3, 6, 254]) {
        assert.equal(kernel.position(i, m), bloomPosition(i, m), `length ${length} ${i} ${m}`);
      }
    }
  }
});

test("murmur3Script() hashes a key in parts as at once", () => {
  const whole = new Uint32Array(HASH_WORDS);
  hashKey(pattern, 0, 69_999);
  saveHashes(whole, 0);
  kernel.begin();
  input.set(pattern.subarray(0, 65536));
  kernel.absorb(65536);
  const rest = 69_999 - 65536;
  input.set(pattern.subarray(65536, 69_999));
  kernel.absorb(rest - rest % 16);
  input.copyWithin(0, rest - rest % 16, rest);
  kernel.finish(69_999);
  assert.deepEqual(hashes, whole);
});

test("murmur3Script() gives the positions of many keys as WebAssembly does", () => {
  const saved = new Uint32Array(100 * HASH_WORDS);
  for (let n = 0; n < 100; n++) {
    hashKey(pattern, n, n + 20);
    saveHashes(saved, n * HASH_WORDS);
  }
  loadHashes(saved);
  input.set(new Uint8Array(saved.buffer));
  kernel.positions(100, 5, 12_345);
  const own = new Float64Array(kernel.memory.buffer, 1024, 100);
  assert.deepEqual(own, bloomPositions(100, 5, 12_345).slice(0, 100));
});
