/**
 * Copies of single entries that were read from blocks which did not stay in the block cache.
 *
 * If the data do not fit, entries that are read often may lie scattered over blocks that are read
 * seldom. A cache of blocks holds dozens of unwanted entries for each wanted one there; this one
 * holds the wanted ones (decision 40). An entry is kept by its table and key. Tables never change,
 * so nothing has to be invalidated: entries of a deleted table are not asked for any more, and drop
 * out.
 *
 * Entries lie in segments, one after the other, without an object each. A hash table of words says
 * where. If all segments are full, the oldest one is swept: entries that were used since the last
 * sweep move together, the others are dropped (a FIFO queue with second chances). Each bucket of
 * the hash table has four places; an entry that finds none takes another one's, which is lost.
 */

import { compareRanges } from "../bytes/compare.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";

/** Bytes of a segment at most: a sweep of one takes tens of microseconds. */
const MAX_SEGMENT_BYTES = 32 * 1024;
/** A small cache has smaller segments, down to this size, so that it has several. */
const MIN_SEGMENT_BYTES = 1024;
const SEGMENTS = 8;
/** Larger entries are not kept: few of them fill a block, so that its cache serves them as well. */
const MAX_ENTRY_BYTES = MIN_SEGMENT_BYTES;
/** Hash; owner; lengths of key and value, and uses. */
const HEADER_BYTES = 12;
const MAX_USES = 3;
/** Sweeps of one insertion, before a segment is emptied without regard to uses. */
const MAX_SWEEPS = 4;
/** Places of a bucket. */
const WAYS = 4;
/** Bytes of segments for a place: half of the places are taken by entries of about 130 bytes. */
const BYTES_PER_PLACE = 64;

interface Segment {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;
  /** Bytes that entries take. */
  used: number;
}

/** A bounded set of entries. */
export class EntryCache {
  readonly #segmentBytes: number;
  /** Log of the words of a segment. */
  readonly #segmentShift: number;
  #maxSegments: number;
  readonly #onGrown: () => void;
  readonly #segments: Segment[] = [];
  /** The segment that entries are added to. */
  #active = -1;
  /** Where entries are, in words over all segments, plus 1; 0 is empty. */
  #places: Uint32Array;
  /** Mask of the first place of a bucket. */
  #mask: number;

  /**
   * Makes a cache for at most `capacityBytes` of entries, which keeps none if that is less than a
   * KiB. `onGrown` is called when its memory has grown.
   */
  constructor(capacityBytes: number, onGrown: () => void) {
    let segmentBytes = MIN_SEGMENT_BYTES;
    while (segmentBytes < MAX_SEGMENT_BYTES && segmentBytes * SEGMENTS < capacityBytes) {
      segmentBytes *= 2;
    }
    this.#segmentBytes = segmentBytes;
    this.#segmentShift = 31 - Math.clz32(segmentBytes / 4);
    this.#maxSegments = Math.floor(capacityBytes / segmentBytes);
    this.#onGrown = onGrown;
    let places = WAYS;
    while (places * 2 * BYTES_PER_PLACE <= capacityBytes) places *= 2;
    this.#places = new Uint32Array(places);
    this.#mask = places - WAYS;
  }

  /** Bytes of its memory. */
  get memoryBytes(): number {
    return this.#segments.length * this.#segmentBytes + this.#places.byteLength;
  }

  /**
   * Makes `into` show the owner's entry with the key `[0, length)` of `key`, if it is here; returns
   * whether it is. What it shows is valid until the next entry is added.
   */
  find(owner: number, key: DataView, length: number, into: EntryView): boolean {
    const hash = hashOf(owner, key, 0, length);
    const bucket = hash & this.#mask;
    for (let way = 0; way < WAYS; way++) {
      const place = this.#places[bucket + way]!;
      if (place === 0) continue;
      const at = place - 1;
      const { words, view, bytes } = this.#segments[at >>> this.#segmentShift]!;
      const word = at & ((1 << this.#segmentShift) - 1);
      if (words[word] !== hash || words[word + 1] !== owner) continue;
      const packed = words[word + 2]!;
      const keyStart = word * 4 + HEADER_BYTES;
      const keyEnd = keyStart + keyLengthOf(packed);
      if (compareRanges(view, keyStart, keyEnd, key, 0, length) !== 0) continue;
      if (usesOf(packed) < MAX_USES) words[word + 2] = packed + ONE_USE;
      into.keyBytes = into.valueBytes = bytes;
      into.keyView = into.valueView = view;
      into.keyStart = keyStart;
      into.keyEnd = into.valueStart = keyEnd;
      into.valueEnd = keyEnd + valueLengthOf(packed);
      return true;
    }
    return false;
  }

  /** Adds an owner's entry that is not here, if it is small. */
  add(owner: number, entry: EntryView): void {
    const keyLength = entry.keyEnd - entry.keyStart;
    const valueLength = entry.valueEnd - entry.valueStart;
    const size = sizeOf(keyLength, valueLength);
    if (this.#maxSegments === 0 || size > MAX_ENTRY_BYTES) return;
    const segment = this.#segmentWithRoom(size);
    const offset = segment.used;
    segment.used += size;
    const { words, bytes } = segment;
    const hash = hashOf(owner, entry.keyView, entry.keyStart, entry.keyEnd);
    const word = offset >>> 2;
    words[word] = hash;
    words[word + 1] = owner;
    words[word + 2] = keyLength | (valueLength << LENGTH_BITS);
    let to = offset + HEADER_BYTES;
    const { keyBytes, valueBytes } = entry;
    // Loops, and no views: these few bytes are copied before a view of them would be made.
    for (let at = entry.keyStart; at < entry.keyEnd; at++) bytes[to++] = keyBytes[at]!;
    for (let at = entry.valueStart; at < entry.valueEnd; at++) bytes[to++] = valueBytes[at]!;
    this.#note(hash, this.#placeAt(this.#active, offset));
  }

  /** Drops everything, and keeps nothing any more. */
  close(): void {
    this.#segments.length = 0;
    this.#active = -1;
    this.#maxSegments = 0;
    this.#places = new Uint32Array(WAYS);
    this.#mask = 0;
  }

  #placeAt(segment: number, offset: number): number {
    return (segment * this.#segmentBytes + offset) / 4 + 1;
  }

  #note(hash: number, place: number): void {
    const places = this.#places;
    const bucket = hash & this.#mask;
    for (let way = 0; way < WAYS; way++) {
      if (places[bucket + way] !== 0) continue;
      places[bucket + way] = place;
      return;
    }
    places[bucket + (hash >>> 30)] = place;
  }

  /** Where in `#places` an entry is, or -1 if another one took its place. */
  #whereIs(hash: number, place: number): number {
    const bucket = hash & this.#mask;
    for (let way = 0; way < WAYS; way++) {
      if (this.#places[bucket + way] === place) return bucket + way;
    }
    return -1;
  }

  /** The active segment, which has this room. */
  #segmentWithRoom(size: number): Segment {
    const segments = this.#segments;
    const active = segments[this.#active];
    if (active !== undefined && active.used + size <= this.#segmentBytes) return active;
    if (segments.length < this.#maxSegments) {
      const bytes = new Uint8Array(this.#segmentBytes);
      const { buffer } = bytes;
      const made = { bytes, view: new DataView(buffer), words: new Uint32Array(buffer), used: 0 };
      this.#active = segments.push(made) - 1;
      this.#onGrown();
      return made;
    }
    for (let sweep = 1;; sweep++) {
      this.#active = (this.#active + 1) % segments.length;
      const segment = segments[this.#active]!;
      this.#sweep(segment, sweep < MAX_SWEEPS);
      if (segment.used + size <= this.#segmentBytes) return segment;
    }
  }

  /** Keeps the entries of a segment that were used, with a use less each. */
  #sweep(segment: Segment, keepsUsed: boolean): void {
    const { bytes, words, used } = segment;
    let kept = 0;
    for (let at = 0; at < used;) {
      const word = at >>> 2;
      const packed = words[word + 2]!;
      const size = sizeOf(keyLengthOf(packed), valueLengthOf(packed));
      const where = this.#whereIs(words[word]!, this.#placeAt(this.#active, at));
      if (where >= 0 && (!keepsUsed || usesOf(packed) === 0)) {
        this.#places[where] = 0;
      } else if (where >= 0) {
        words[word + 2] = packed - ONE_USE;
        if (kept < at) bytes.copyWithin(kept, at, at + size);
        this.#places[where] = this.#placeAt(this.#active, kept);
        kept += size;
      }
      at += size;
    }
    segment.used = kept;
  }
}

const LENGTH_BITS = 10;
const LENGTH_MASK = (1 << LENGTH_BITS) - 1;
const ONE_USE = 1 << (2 * LENGTH_BITS);

function keyLengthOf(packed: number): number {
  return packed & LENGTH_MASK;
}

function valueLengthOf(packed: number): number {
  return (packed >>> LENGTH_BITS) & LENGTH_MASK;
}

function usesOf(packed: number): number {
  return packed >>> (2 * LENGTH_BITS);
}

/** Bytes of an entry with its header, a multiple of 4. */
function sizeOf(keyLength: number, valueLength: number): number {
  return HEADER_BYTES + ((keyLength + valueLength + 3) & ~3);
}

/** A hash of a table and a key, by words: the table spreads keys that several tables have. */
function hashOf(owner: number, key: DataView, start: number, end: number): number {
  let hash = Math.imul(owner, 0x9e3779b1) ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ key.getInt32(at, true), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ key.getUint8(at), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
