/**
 * Inflates raw deflate data (RFC 1951) if the runtime has no synchronous call for it, as in a
 * browser. It is needed once, for the embedded zstd module. Written for size, not for speed.
 */

/** Base values and extra bits of lengths (symbols 257 to 285) and distances (0 to 29). */
const LENGTHS = makeBases(29, 4, 3);
const DISTANCES = makeBases(30, 2, 1);
/** The order in which the lengths of the code-length codes are stored. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

interface Bases {
  readonly base: readonly number[];
  readonly bits: readonly number[];
}

function makeBases(count: number, perStep: number, start: number): Bases {
  const base: number[] = [];
  const bits: number[] = [];
  let next = start;
  for (let i = 0; i < count; i++) {
    const extra = Math.max(0, Math.floor(i / perStep) - 1);
    base.push(next);
    bits.push(extra);
    next += 2 ** extra;
  }
  return { base, bits };
}

/** A canonical Huffman code: how many codes have each length, and the symbols in their order. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function makeCode(lengths: ArrayLike<number>): Code {
  const counts = new Uint16Array(16);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]!]!++;
  counts[0] = 0;
  const offsets = new Uint16Array(16);
  for (let length = 1; length < 16; length++) {
    offsets[length] = offsets[length - 1]! + counts[length - 1]!;
  }
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) {
    if (lengths[i] !== 0) symbols[offsets[lengths[i]!]!++] = i;
  }
  return { counts, symbols };
}

const FIXED_LITERALS = makeCode(
  Array.from({ length: 288 }, (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8),
);
const FIXED_DISTANCES = makeCode(new Array(30).fill(5));

/**
 * The content of raw deflate data.
 *
 * @throws {RangeError} it is damaged, or longer than `maxLength` bytes
 */
export function inflate(input: Uint8Array, maxLength: number): Uint8Array<ArrayBuffer> {
  return new Inflater(input, maxLength).run();
}

class Inflater {
  readonly #input: Uint8Array;
  readonly #output: Uint8Array<ArrayBuffer>;
  #at = 0;
  #length = 0;
  #buffer = 0;
  #available = 0;

  constructor(input: Uint8Array, maxLength: number) {
    this.#input = input;
    this.#output = new Uint8Array(maxLength);
  }

  run(): Uint8Array<ArrayBuffer> {
    let isLast = false;
    while (!isLast) {
      isLast = this.#bits(1) === 1;
      const kind = this.#bits(2);
      if (kind === 0) this.#stored();
      else if (kind === 1) this.#compressed(FIXED_LITERALS, FIXED_DISTANCES);
      else if (kind === 2) this.#dynamic();
      else throw damaged();
    }
    return this.#output.subarray(0, this.#length);
  }

  #bits(count: number): number {
    while (this.#available < count) {
      if (this.#at === this.#input.length) throw damaged();
      this.#buffer |= this.#input[this.#at++]! << this.#available;
      this.#available += 8;
    }
    const value = this.#buffer & ((1 << count) - 1);
    this.#buffer >>>= count;
    this.#available -= count;
    return value;
  }

  #symbol({ counts, symbols }: Code): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length < 16; length++) {
      code |= this.#bits(1);
      const count = counts[length]!;
      if (code - first < count) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw damaged();
  }

  #stored(): void {
    this.#buffer = 0;
    this.#available = 0;
    const length = this.#bits(16);
    if ((this.#bits(16) ^ 0xffff) !== length || this.#at + length > this.#input.length) {
      throw damaged();
    }
    this.#reserve(length);
    this.#output.set(this.#input.subarray(this.#at, this.#at + length), this.#length);
    this.#at += length;
    this.#length += length;
  }

  #dynamic(): void {
    const literals = this.#bits(5) + 257;
    const distances = this.#bits(5) + 1;
    const count = this.#bits(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let i = 0; i < count; i++) codeLengths[ORDER[i]!] = this.#bits(3);
    const code = makeCode(codeLengths);
    const lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length;) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw damaged();
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const repeat = symbol === 16
        ? 3 + this.#bits(2)
        : symbol === 17
        ? 3 + this.#bits(3)
        : 11 + this.#bits(7);
      if (i + repeat > lengths.length) throw damaged();
      lengths.fill(value, i, i + repeat);
      i += repeat;
    }
    this.#compressed(makeCode(lengths.subarray(0, literals)), makeCode(lengths.subarray(literals)));
  }

  #compressed(literals: Code, distances: Code): void {
    const output = this.#output;
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) {
        this.#reserve(1);
        output[this.#length++] = symbol;
        continue;
      }
      const length = symbol === 285 ? 258 : this.#value(LENGTHS, symbol - 257);
      const distance = this.#value(DISTANCES, this.#symbol(distances));
      if (distance > this.#length) throw damaged();
      this.#reserve(length);
      for (let i = 0; i < length; i++) {
        output[this.#length] = output[this.#length - distance]!;
        this.#length++;
      }
    }
  }

  #value({ base, bits }: Bases, symbol: number): number {
    if (symbol >= base.length) throw damaged();
    return base[symbol]! + this.#bits(bits[symbol]!);
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#output.length) throw damaged();
  }
}

function damaged(): RangeError {
  return new RangeError("Cannot inflate: the data is damaged, or longer than expected");
}
