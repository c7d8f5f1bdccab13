/**
 * Key hashing for the Bloom filters of tables: MurmurHash3 x64-128 by a small WebAssembly kernel.
 *
 * The kernel needs a fraction of the time of 64-bit products in JavaScript. It is made from
 * wasm/assembly/murmur3.ts, embedded (1.2 KB), and instantiated synchronously when this module is
 * loaded. Without WebAssembly, murmur3_script.ts does the same.
 *
 * The kernel holds the hashes of one key at a time: {@linkcode hashKey} replaces them, and the
 * functions below read them. A lookup hashes once and then probes the filter of every table. That
 * is safe because searching is synchronous: no `await` may come between the two.
 */

import { decodeBase64 } from "../platform/natives.ts";
import { hasWebAssembly } from "../platform/web_assembly.ts";
import { type Murmur3Kernel, murmur3Script } from "./murmur3_script.ts";
import { MURMUR3_WASM } from "./murmur3_wasm.ts";

const kernel = instantiate();
const hashes = new Uint32Array(kernel.memory.buffer, 0, 8);
const positions = new Float64Array(kernel.memory.buffer, 1024, 2048);
const input = new Uint8Array(kernel.memory.buffer, 32768, 65536);
const inputWords = new Uint32Array(kernel.memory.buffer, 32768, 16384);

/** Up to this many bytes a loop beats `set(subarray)`. */
const LOOP_COPY_MAX = 40;

/** Number of 32-bit words in the hashes of a key. */
export const HASH_WORDS = 8;

/** Number of keys for which {@linkcode bloomPositions} computes at once. */
export const HASH_BATCH = 2048;

function instantiate(): Murmur3Kernel {
  if (!hasWebAssembly) return murmur3Script();
  const module = new WebAssembly.Module(new Uint8Array(decodeBase64(MURMUR3_WASM)));
  return new WebAssembly.Instance(module).exports as unknown as Murmur3Kernel;
}

/**
 * Hashes the key `bytes[start, end)`, of any length: (h0, h1) over the key, (h2, h3) over the key
 * and one byte 0x01. The result stays until the next call.
 */
export function hashKey(bytes: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length <= LOOP_COPY_MAX) {
    const into = input;
    for (let i = 0; i < length; i++) into[i] = bytes[start + i]!;
    kernel.hash(length);
  } else if (length <= input.length) {
    input.set(bytes.subarray(start, end));
    kernel.hash(length);
  } else {
    kernel.begin();
    let at = start;
    while (at < end) {
      const count = Math.min(end - at, input.length);
      input.set(bytes.subarray(at, at + count));
      const whole = count - count % 16;
      kernel.absorb(whole);
      input.copyWithin(0, whole, count);
      at += count;
    }
    kernel.finish(length);
  }
}

/**
 * Bit that the last hashed key sets as number `i` (0 to 254) in a filter of `m` bits: an integer
 * below `m`, which is a whole number from 1 to 2^53.
 */
export function bloomPosition(i: number, m: number): number {
  return kernel.position(i, m);
}

/** Puts the last key's four hashes into `into[offset, offset + HASH_WORDS)`, for later use. */
export function saveHashes(into: Uint32Array, offset: number): void {
  for (let i = 0; i < HASH_WORDS; i++) into[offset + i] = hashes[i]!;
}

/** Gives the kernel the hashes of up to {@linkcode HASH_BATCH} keys, as saved. */
export function loadHashes(from: Uint32Array): void {
  inputWords.set(from);
}

/**
 * Bit number `i` in a filter of `m` bits, for each of the first `count` keys that were given to
 * {@linkcode loadHashes}, as by {@linkcode bloomPosition}. The result is a view that stays valid
 * until the next call. Hashing a key in between overwrites the loaded hashes.
 */
export function bloomPositions(count: number, i: number, m: number): Float64Array {
  kernel.positions(count, i, m);
  return positions;
}
