/**
 * Builds the Bloom filter section of a table; its layout is at the head of filter.ts.
 *
 * The size of a filter follows from the number of keys, which is known only when the last one is in
 * the table. Until then 32 bytes of hashes are kept for each key, in chunks that the next table
 * reuses. (Go sizes the filter of a compacted table by the sum of its inputs' key counts; the
 * table's own count makes it as small as the rate allows.)
 */

import {
  bloomPositions,
  HASH_BATCH,
  HASH_WORDS,
  hashKey,
  loadHashes,
  saveHashes,
} from "../bytes/murmur3.ts";
import { runTaskSync, type Task } from "../platform/task.ts";
import {
  FILTER_HEADER_BYTES,
  filterSectionBytes,
  MAX_FILTER_BITS,
  MAX_FILTER_HASHES,
} from "./filter.ts";

const CHUNK_WORDS = HASH_BATCH * HASH_WORDS;

/** The first chunk begins with room for this number of keys: most tables of small stores fit. */
const FIRST_KEYS = 64;

/** Collects the keys of a table and makes its filter section. */
export class FilterBuilder {
  readonly #falsePositiveRate: number;
  readonly #chunks: Uint32Array[] = [];
  #keyCount = 0;

  /**
   * Makes a builder of filters that answer "may be" for `falsePositiveRate` of the absent keys.
   *
   * @throws {RangeError} the rate is not between 0 and 1, both excluded
   */
  constructor(falsePositiveRate: number) {
    if (!(falsePositiveRate > 0 && falsePositiveRate < 1)) {
      throw new RangeError(
        `Cannot build a filter: false positive rate is ${falsePositiveRate}, expected between 0 and 1`,
      );
    }
    this.#falsePositiveRate = falsePositiveRate;
  }

  /** Count of keys added since the last reset. */
  get keyCount(): number {
    return this.#keyCount;
  }

  /** Adds the key `bytes[start, end)`; replaces the hashes of the last `hashKey`. */
  addKey(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#keyCount % HASH_BATCH;
    const chunkIndex = (this.#keyCount - index) / HASH_BATCH;
    let chunk = this.#chunks[chunkIndex];
    if (chunk === undefined || index * HASH_WORDS === chunk.length) {
      chunk = this.#makeRoom(chunkIndex, chunk);
    }
    hashKey(bytes, start, end);
    saveHashes(chunk, index * HASH_WORDS);
    this.#keyCount++;
  }

  /** A chunk that has room: a small one for the first keys, and a whole one in its place later. */
  #makeRoom(chunkIndex: number, full: Uint32Array | undefined): Uint32Array {
    const isFirst = chunkIndex === 0 && full === undefined;
    const chunk = new Uint32Array(isFirst ? FIRST_KEYS * HASH_WORDS : CHUNK_WORDS);
    if (full !== undefined) chunk.set(full);
    this.#chunks[chunkIndex] = chunk;
    return chunk;
  }

  /**
   * Makes the section, sized for `expectedKeys` (by default the number of added keys). The keys
   * stay until {@linkcode reset}. Replaces the hashes of the last `hashKey`.
   *
   * @throws {RangeError} the filter would be larger than a reader accepts
   */
  finish(expectedKeys: number = this.#keyCount): Uint8Array {
    return runTaskSync(this.finishTask(expectedKeys));
  }

  /** As `finish`, a task: it pauses after every 2048 keys, some 100 µs. */
  *finishTask(expectedKeys: number = this.#keyCount): Task<Uint8Array> {
    const { bits, hashes } = filterParameters(expectedKeys, this.#falsePositiveRate);
    const section = new Uint8Array(filterSectionBytes(bits));
    const view = new DataView(section.buffer);
    for (const [at, value] of [[0, bits], [8, hashes], [16, bits]] as const) {
      view.setUint32(at, value / 0x1_0000_0000);
      view.setUint32(at + 4, value);
    }
    for (let from = 0; from < this.#keyCount; from += HASH_BATCH) {
      const count = Math.min(HASH_BATCH, this.#keyCount - from);
      loadHashes(this.#chunks[from / HASH_BATCH]!);
      for (let i = 0; i < hashes; i++) setBits(section, bloomPositions(count, i, bits), count);
      yield undefined;
    }
    return section;
  }

  /** Forgets the keys; keeps the memory for the next table. */
  reset(): void {
    this.#keyCount = 0;
  }
}

/**
 * Number of bits and of hashes for `keyCount` keys, in Go's float64 arithmetic.
 *
 * @throws {RangeError} the filter would be larger than a reader accepts
 */
export function filterParameters(
  keyCount: number,
  falsePositiveRate: number,
): { bits: number; hashes: number } {
  const ln2 = Math.LN2;
  const bits = Math.max(1, Math.ceil(-keyCount * Math.log(falsePositiveRate) / (ln2 * ln2)));
  if (bits > MAX_FILTER_BITS) {
    throw new RangeError(
      `Cannot build a filter for ${keyCount} keys: it has ${bits} bits, expected at most ` +
        MAX_FILTER_BITS,
    );
  }
  const wanted = keyCount === 0 ? 1 : Math.max(1, Math.ceil(ln2 * bits / keyCount));
  const hashes = Math.min(wanted, MAX_FILTER_HASHES);
  return { bits, hashes };
}

function setBits(section: Uint8Array, positions: Float64Array, count: number): void {
  for (let n = 0; n < count; n++) {
    const position = positions[n]!;
    section[FILTER_HEADER_BYTES + (position / 8 ^ 7)]! |= 1 << (position & 7);
  }
}
