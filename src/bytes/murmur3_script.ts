/**
 * The MurmurHash3 kernel (wasm/assembly/murmur3.ts) in JavaScript, for runtimes without
 * WebAssembly: the same functions over the same layout of memory, with the same results. It is many
 * times slower.
 *
 * Algorithm: MurmurHash3 by Austin Appleby, public domain,
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp.
 */

/** The functions of wasm/assembly/murmur3.ts, which describes them and the memory. */
export interface Murmur3Kernel {
  /** Hashes, positions and input. */
  readonly memory: { readonly buffer: ArrayBufferLike };
  /** Starts a key. */
  begin(): void;
  /** Takes `length` bytes of the input, a multiple of 16. */
  absorb(length: number): void;
  /** Hashes a key of `length` bytes that lies in the input. */
  hash(length: number): void;
  /** Ends a key of `length` bytes, whose last `length % 16` lie in the input. */
  finish(length: number): void;
  /** Position `i` of the last key in a filter of `m` bits. */
  position(i: number, m: number): number;
  /** Position `i` of each of `count` keys whose hashes lie in the input. */
  positions(count: number, i: number, m: number): void;
}

const MEMORY_BYTES = 2 * 65536;
/** In words of eight bytes. */
const INPUT = 32768 / 8;

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

function wrapped(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotated(value: bigint, by: bigint): bigint {
  return wrapped(value << by) | value >> 64n - by;
}

function mixA(word: bigint): bigint {
  return wrapped(rotated(wrapped(word * C1), 31n) * C2);
}

function mixB(word: bigint): bigint {
  return wrapped(rotated(wrapped(word * C2), 33n) * C1);
}

function avalanche(word: bigint): bigint {
  word = wrapped((word ^ word >> 33n) * 0xff51afd7ed558ccdn);
  word = wrapped((word ^ word >> 33n) * 0xc4ceb9fe1a85ec53n);
  return word ^ word >> 33n;
}

/** Makes a kernel with its own memory. */
export function murmur3Script(): Murmur3Kernel {
  const buffer = new ArrayBuffer(MEMORY_BYTES);
  const words = new BigUint64Array(buffer);
  const positions = new Float64Array(buffer, 1024, 2048);
  /** State over the whole blocks of the key so far. */
  let stateA = 0n;
  let stateB = 0n;

  function begin(): void {
    stateA = 0n;
    stateB = 0n;
  }

  /** Takes a block into the state. */
  function mix(low: bigint, high: bigint): void {
    stateA = wrapped((rotated(stateA ^ mixA(low), 27n) + stateB) * 5n + 0x52dce729n);
    stateB = wrapped((rotated(stateB ^ mixB(high), 31n) + stateA) * 5n + 0x38495ab5n);
  }

  function absorb(length: number): void {
    const end = INPUT + length / 8;
    for (let at = INPUT; at < end; at += 2) mix(words[at]!, words[at + 1]!);
  }

  /** Stores the two halves of a hash. */
  function store(at: number, a: bigint, b: bigint, length: number): void {
    b ^= BigInt(length);
    a = wrapped((a ^ BigInt(length)) + b);
    b = wrapped(b + a);
    a = avalanche(a);
    b = avalanche(b);
    words[at] = a + b;
    words[at + 1] = a + b + b;
  }

  /** Ends a key of `length` bytes whose last `length % 16` are at the word `at`. */
  function end(at: number, length: number): void {
    const tail = length % 16;
    const rest = BigInt(tail % 8 * 8);
    let low = tail < 8 ? BigInt.asUintN(Number(rest), words[at]!) : words[at]!;
    let high = tail < 8 ? 0n : BigInt.asUintN(Number(rest), words[at + 1]!);
    store(0, stateA ^ mixA(low), stateB ^ mixB(high), length);
    // The same with the byte 1 after it.
    if (tail < 8) low |= 1n << rest;
    else high |= 1n << rest;
    if (tail === 15) {
      mix(low, high);
      store(2, stateA, stateB, length + 1);
    } else {
      store(2, stateA ^ mixA(low), stateB ^ mixB(high), length + 1);
    }
  }

  function positionOf(at: number, i: number, m: bigint): number {
    const odd = i & 1;
    const first = words[at + odd]!;
    const second = words[at + 2 + ((i + odd & 3) >> 1)]!;
    return Number(wrapped(first + BigInt(i) * second) % m);
  }

  return {
    memory: { buffer },
    begin,
    absorb,
    hash(length: number): void {
      begin();
      absorb(length - length % 16);
      end(INPUT + (length >>> 4) * 2, length);
    },
    finish(length: number): void {
      end(INPUT, length);
    },
    position: (i, m) => positionOf(0, i, BigInt(m)),
    positions(count, i, m): void {
      const bits = BigInt(m);
      for (let n = 0; n < count; n++) positions[n] = positionOf(INPUT + n * 4, i, bits);
    },
  };
}
