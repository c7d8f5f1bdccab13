/**
 * The other side of MinLZ, for tests: single elements, with their meaning by the plainest model (an
 * array that grows a byte at a time), and a small greedy compressor over them.
 *
 * It is written from the specification (see src/compression/minlz.ts) and independent of the
 * decoder: it shares neither code nor constants with it.
 */

import type { Compressor } from "../../src/compression/compressor.ts";
import { minlzDecompressor } from "../../src/compression/minlz.ts";

/** Builds a block element by element, and its content. */
export class MinlzBlock {
  readonly elements: number[] = [];
  readonly content: number[] = [];
  /** What a repeat copies from. */
  distance = 1;

  literal(bytes: ArrayLike<number>): this {
    this.#shortLength(0, bytes.length);
    this.#append(bytes);
    return this;
  }

  /** 1 byte or more. */
  repeat(length: number): this {
    this.#shortLength(4, length);
    this.#copy(length);
    return this;
  }

  /** 1-1024 back, 4-273 bytes. */
  copy1(distance: number, length: number): this {
    const back = distance - 1;
    const code = length < 19 ? length - 4 : 15;
    this.elements.push(1 + code * 4 + (back % 4) * 64, Math.floor(back / 4));
    if (code === 15) this.elements.push(length - 18);
    this.distance = distance;
    this.#copy(length);
    return this;
  }

  /** 64-65,599 back, 4 bytes or more. */
  copy2(distance: number, length: number): this {
    const { code, more } = longLength(length);
    this.elements.push(2 + code * 4, ...littleEndian(distance - 64, 2), ...more);
    this.distance = distance;
    this.#copy(length);
    return this;
  }

  /** 1-4 literals, then 4-11 bytes from 64-65,599 back. */
  fusedCopy2(literals: ArrayLike<number>, distance: number, length: number): this {
    const tag = 3 + (literals.length - 1) * 8 + (length - 4) * 32;
    this.elements.push(tag, ...littleEndian(distance - 64, 2));
    this.distance = distance;
    this.#append(literals);
    this.#copy(length);
    return this;
  }

  /** 0-3 literals, then 4 bytes or more from 65,536-2,162,687 back. */
  copy3(literals: ArrayLike<number>, distance: number, length: number): this {
    const { code, more } = longLength(length);
    const word = 7 + literals.length * 8 + code * 32 + (distance - 65_536) * 2048;
    this.elements.push(...littleEndian(word, 4), ...more);
    this.distance = distance;
    this.#append(literals);
    this.#copy(length);
    return this;
  }

  /** The block: compressed if that is no longer than its content, else plain. */
  encode(): Uint8Array {
    const shrinks = this.elements.length <= this.content.length;
    const head = shrinks ? [0, ...varint(this.content.length)] : [0, 0];
    return Uint8Array.from(head.concat(shrinks ? this.elements : this.content));
  }

  #shortLength(repeat: number, length: number): void {
    if (length <= 29) this.elements.push(repeat + (length - 1) * 8);
    else {
      const more = length - 30;
      const size = more < 256 ? 1 : more < 65_536 ? 2 : 3;
      this.elements.push(repeat + (28 + size) * 8, ...littleEndian(more, size));
    }
  }

  #append(bytes: ArrayLike<number>): void {
    for (let i = 0; i < bytes.length; i++) {
      this.elements.push(bytes[i]!);
      this.content.push(bytes[i]!);
    }
  }

  #copy(length: number): void {
    for (let i = 0; i < length; i++) this.content.push(this.content.at(-this.distance)!);
  }
}

function longLength(length: number): { code: number; more: number[] } {
  if (length <= 64) return { code: length - 4, more: [] };
  const more = length - 64;
  const size = more < 256 ? 1 : more < 65_536 ? 2 : 3;
  return { code: 60 + size, more: littleEndian(more, size) };
}

function littleEndian(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [128 + (value % 128), ...varint(Math.floor(value / 128))];
}

/** Compresses greedily: it takes the longest match of the last place with the same four bytes. */
export function minlzCompress(input: Uint8Array): Uint8Array {
  if (input.length === 0) return Uint8Array.of(0);
  const block = new MinlzBlock();
  const places = new Map<number, number>();
  let pending = 0;
  let at = 0;
  while (at < input.length) {
    let found: { distance: number; length: number } | undefined;
    if (at + 4 <= input.length) {
      const word = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) |
        (input[at + 3]! << 24);
      const place = places.get(word);
      places.set(word, at);
      if (place !== undefined) {
        let length = 4;
        while (at + length < input.length && input[place + length] === input[at + length]) length++;
        if (at - place <= 2_162_687) found = { distance: at - place, length };
      }
    }
    if (found === undefined) {
      at++;
      continue;
    }
    appendMatch(block, input.subarray(pending, at), found.distance, found.length);
    at += found.length;
    pending = at;
  }
  if (pending < at) block.literal(input.subarray(pending, at));
  return block.encode();
}

function appendMatch(
  block: MinlzBlock,
  literals: Uint8Array,
  distance: number,
  length: number,
): void {
  const isFar = distance > 65_599;
  const fuses = isFar ? literals.length < 4 : literals.length > 0 && literals.length < 5 &&
    distance >= 64 && length < 12 && distance !== block.distance;
  if (!fuses && literals.length > 0) block.literal(literals);
  if (isFar) block.copy3(fuses ? literals : [], distance, length);
  else if (fuses) block.fusedCopy2(literals, distance, length);
  else if (distance === block.distance) block.repeat(length);
  else if (distance >= 64) block.copy2(distance, length);
  else {
    const first = Math.min(length, 273);
    block.copy1(distance, first);
    if (length > first) block.repeat(length - first);
  }
}

/**
 * The decoder under test and the compressor above as one codec, for the checks of codec_checks.ts.
 */
export const minlzCodec: Compressor = {
  codec: 3,
  maxCompressedLength: (length) => length + 2 + 5,
  compress(from, start, end, into, offset) {
    const block = minlzCompress(from.subarray(start, end));
    into.set(block, offset);
    return block.length;
  },
  statedLength: (from, start, end) => minlzDecompressor().statedLength(from, start, end),
  maxDecompressedLength: (from, start, end) =>
    minlzDecompressor().maxDecompressedLength(from, start, end),
  decompress: (from, start, end, into, offset, length) =>
    minlzDecompressor().decompress(from, start, end, into, offset, length),
};
