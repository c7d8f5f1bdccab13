/**
 * MurmurHash3 x64-128 with seed 0, over a key and over the key with one byte 0x01 behind it, and the
 * filter positions that follow from the four halves. AssemblyScript: build_murmur3.ts compiles it
 * into src/bytes/murmur3_wasm.ts; src/bytes/murmur3.ts is the only caller and describes the use.
 *
 * Algorithm: MurmurHash3 by Austin Appleby, public domain,
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp; positions as in
 * docs/FORMAT.md. Deviation: the two inputs share all whole blocks of the key, so these are
 * mixed once and only the tails twice.
 *
 * Memory (two pages, no allocator):
 *
 *   0       4 * u64     h0, h1, h2, h3 of the last key
 *   1024    2048 * f64  positions, the output of positions()
 *   32768   65536       input: a key's bytes, or 2048 times four hashes
 *   98304   16          tail of a key whose length is a multiple of 16, and the byte 0x01
 */

const HASHES: usize = 0;
const POSITIONS: usize = 1024;
const INPUT: usize = 32768;

const C1: u64 = 0x87c37b91114253d5;
const C2: u64 = 0x4cf5ad432745937f;

/** State over the whole blocks of the key so far. */
let stateA: u64 = 0;
let stateB: u64 = 0;

// @ts-ignore: decorator of AssemblyScript
@inline
function mixA(k: u64): u64 {
  return rotl<u64>(k * C1, 31) * C2;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function mixB(k: u64): u64 {
  return rotl<u64>(k * C2, 33) * C1;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function avalanche(k: u64): u64 {
  k = (k ^ (k >> 33)) * 0xff51afd7ed558ccd;
  k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53;
  return k ^ (k >> 33);
}

/** Starts a key. */
export function begin(): void {
  stateA = 0;
  stateB = 0;
}

/** Takes `length` bytes of the input, a multiple of 16. */
export function absorb(length: u32): void {
  let a = stateA;
  let b = stateB;
  for (let at = INPUT, end = INPUT + length; at < end; at += 16) {
    a ^= mixA(load<u64>(at));
    a = (rotl<u64>(a, 27) + b) * 5 + 0x52dce729;
    b ^= mixB(load<u64>(at, 8));
    b = (rotl<u64>(b, 31) + a) * 5 + 0x38495ab5;
  }
  stateA = a;
  stateB = b;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function store2(at: usize, a: u64, b: u64, length: u64): void {
  a ^= length;
  b ^= length;
  a += b;
  b += a;
  a = avalanche(a);
  b = avalanche(b);
  a += b;
  b += a;
  store<u64>(at, a);
  store<u64>(at, b, 8);
}

/** Ends a key of `length` bytes whose last `length % 16` are at `at`; stores the four halves. */
function end(at: usize, length: u32): void {
  const tail = length & 15;
  // The tail as two little-endian words with zeros behind it, then the same with the byte 1.
  let low: u64 = 0;
  let high: u64 = 0;
  if (tail != 0) {
    const rest = <u64>(tail & 7) << 3;
    const mask = (<u64>1 << rest) - 1;
    if (tail < 8) {
      low = load<u64>(at) & mask;
    } else {
      low = load<u64>(at);
      high = load<u64>(at, 8) & mask;
    }
  }
  store2(HASHES, stateA ^ mixA(low), stateB ^ mixB(high), length);

  const one = <u64>1 << (<u64>(tail & 7) << 3);
  if (tail < 8) low |= one;
  else high |= one;
  let a = stateA ^ mixA(low);
  let b = stateB;
  if (tail == 15) {
    // The byte 1 completes a block.
    a = (rotl<u64>(a, 27) + b) * 5 + 0x52dce729;
    b ^= mixB(high);
    b = (rotl<u64>(b, 31) + a) * 5 + 0x38495ab5;
  } else {
    b ^= mixB(high);
  }
  store2(HASHES + 16, a, b, <u64>length + 1);
}

/** Hashes a key of `length` bytes, up to 65536, that lies in the input. */
export function hash(length: u32): void {
  begin();
  const whole = length & ~15;
  absorb(whole);
  end(INPUT + whole, length);
}

/** Ends a key of `length` bytes that was absorbed but for its last `length % 16`, in the input. */
export function finish(length: u32): void {
  end(INPUT, length);
}

/** Position `i` of the four hashes at `at`, in a filter of `m` bits. */
// @ts-ignore: decorator of AssemblyScript
@inline
function positionOf(at: usize, i: u32, m: u64): u64 {
  const odd = i & 1;
  const first = load<u64>(at + (odd << 3));
  const second = load<u64>(at + ((2 + (((i + odd) & 3) >> 1)) << 3));
  return (first + <u64>i * second) % m;
}

/** Position `i` of the last key in a filter of `m` bits; both are whole, m at most 2^53. */
export function position(i: u32, m: f64): f64 {
  return <f64>positionOf(HASHES, i, <u64>m);
}

/** Position `i` of each of `count` keys whose four hashes lie in the input, to the positions. */
export function positions(count: u32, i: u32, m: f64): void {
  const bits = <u64>m;
  for (let n: u32 = 0; n < count; n++) {
    store<f64>(POSITIONS + (n << 3), <f64>positionOf(INPUT + (n << 5), i, bits));
  }
}
