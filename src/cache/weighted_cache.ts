/**
 * A cache that is bounded by the bytes of its entries, and that a scan does not empty.
 *
 * The eviction policy is S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction",
 * SOSP 2023, https://doi.org/10.1145/3600006.3613147; written from the paper). New entries go
 * through a small queue of a tenth of the capacity. They reach the main queue only if they were
 * used again meanwhile, or if they come back soon after they were dropped. A hit changes one small
 * counter and moves nothing.
 *
 * The owner of entries keeps them in its own slots (a table keeps its blocks in an array). So a
 * lookup is an array access and not a hash; the cache tells the owner when it drops an entry.
 */

import { GhostTable } from "./ghost_table.ts";

/** An object that keeps cache entries in numbered slots. */
export interface CacheOwner {
  /** A number that no other owner of the cache has. */
  readonly cacheId: number;
  /** The entry in the slot was dropped: forget it. */
  evicted(slot: number): void;
}

/** What the cache knows of one value. */
export class CacheEntry<T> {
  /** The value; undefined after the entry has left the cache, so that nothing keeps it alive. */
  value: T | undefined;
  /** Bytes that it counts for. */
  readonly chargeBytes: number;
  /** Its owner; undefined after it has left the cache. Internal. */
  owner: CacheOwner | undefined;
  /** Its slot with the owner. Internal. */
  readonly slot: number;
  /** Uses since it entered its queue, at most 3. Internal. */
  uses = 0;
  /** Whether it is in the main queue. Internal. */
  inMain = false;

  /** Made by `WeightedCache.insert`. */
  constructor(value: T, chargeBytes: number, owner: CacheOwner, slot: number) {
    this.value = value;
    this.chargeBytes = chargeBytes;
    this.owner = owner;
    this.slot = slot;
  }
}

const MAX_USES = 3;
/** A queue is tidied if it has this many removed entries, and they are more than half of it. */
const MAX_DEAD = 32;

/** A FIFO queue of entries in a ring. */
class Fifo<T> {
  #ring: (CacheEntry<T> | undefined)[] = new Array(64).fill(undefined);
  #head = 0;
  #count = 0;
  /** Places of entries that were removed. */
  #dead = 0;
  sizeBytes = 0;

  get length(): number {
    return this.#count;
  }

  push(entry: CacheEntry<T>): void {
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = entry;
    this.#count++;
  }

  shift(): CacheEntry<T> | undefined {
    if (this.#count === 0) return undefined;
    const entry = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#count--;
    if (entry!.owner === undefined) this.#dead--;
    return entry;
  }

  /**
   * Notes that an entry in here was removed. Its place is freed later, with many others at once.
   */
  noteRemoved(): void {
    this.#dead++;
    if (this.#dead <= MAX_DEAD || this.#dead * 2 <= this.#count) return;
    const mask = this.#ring.length - 1;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#ring[(this.#head + i) & mask]!;
      if (entry.owner !== undefined) this.#ring[(this.#head + kept++) & mask] = entry;
    }
    for (let i = kept; i < this.#count; i++) this.#ring[(this.#head + i) & mask] = undefined;
    this.#count = kept;
    this.#dead = 0;
  }

  #grow(): void {
    const grown: (CacheEntry<T> | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let i = 0; i < this.#count; i++) {
      grown[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)];
    }
    this.#ring = grown;
    this.#head = 0;
  }
}

/** A byte-bounded cache of `T`. */
export class WeightedCache<T> {
  #capacityBytes: number;
  #wasFull = false;
  /** Lookups that were answered. Counted by the owner's lookup through `hit`. */
  hits = 0;
  /** Lookups that had to load. */
  misses = 0;
  #sizeBytes = 0;
  readonly #small = new Fifo<T>();
  readonly #main = new Fifo<T>();
  /** Entries that were recently dropped from the small queue. */
  readonly #ghosts = new GhostTable();
  readonly #onDropped: ((value: T) => void) | undefined;
  readonly #borrow: ((bytes: number) => number) | undefined;
  #isClosed = false;

  /**
   * Makes an empty cache; a capacity of 0 keeps nothing. `onDropped` gets each value that leaves
   * the cache, by eviction or removal, after its owner was told. `borrow` is asked for capacity
   * before something has to leave, and returns how much of it there is.
   */
  constructor(
    capacityBytes: number,
    onDropped?: (value: T) => void,
    borrow?: (bytes: number) => number,
  ) {
    this.#capacityBytes = capacityBytes;
    this.#onDropped = onDropped;
    this.#borrow = borrow;
  }

  /** The most bytes that its entries may count for together. */
  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /** Whether an entry ever had to leave to make room. */
  get wasFull(): boolean {
    return this.#wasFull;
  }

  /** Bytes that the present entries count for. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Places in the queues, including those of removed entries. For tests. */
  get queueLength(): number {
    return this.#small.length + this.#main.length;
  }

  /** Notes a use of an entry. */
  hit(entry: CacheEntry<T>): void {
    this.hits++;
    if (entry.uses < MAX_USES) entry.uses++;
  }

  /**
   * Adds a value for an owner's slot, which must be empty. Returns its entry, or undefined if it is
   * larger than the whole cache. First it drops the entries that must make room.
   */
  insert(
    owner: CacheOwner,
    slot: number,
    value: T,
    chargeBytes: number,
  ): CacheEntry<T> | undefined {
    if (chargeBytes > this.#capacityBytes || this.#isClosed) return undefined;
    const entry = new CacheEntry(value, chargeBytes, owner, slot);
    if (this.#ghosts.delete(owner.cacheId, slot)) {
      this.#pushMain(entry);
    } else {
      this.#small.push(entry);
      this.#small.sizeBytes += chargeBytes;
    }
    this.#sizeBytes += chargeBytes;
    this.#makeRoom();
    return entry.owner === undefined ? undefined : entry;
  }

  /** Changes the capacity, and drops the entries that do not fit any more. */
  resize(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
    this.#makeRoom();
  }

  /** Removes an entry, for example when its table is deleted. The owner is not told. */
  remove(entry: CacheEntry<T>): void {
    if (entry.owner === undefined) return;
    const value = entry.value!;
    entry.owner = undefined;
    entry.value = undefined;
    this.#sizeBytes -= entry.chargeBytes;
    const queue = entry.inMain ? this.#main : this.#small;
    queue.sizeBytes -= entry.chargeBytes;
    queue.noteRemoved();
    if (this.#onDropped !== undefined) this.#onDropped(value);
  }

  /** Removes an entry and tells its owner. */
  drop(entry: CacheEntry<T>): void {
    const { owner } = entry;
    if (owner === undefined) return;
    owner.evicted(entry.slot);
    this.remove(entry);
  }

  /** Drops every entry, and accepts none any more. */
  close(): void {
    this.#isClosed = true;
    for (const queue of [this.#small, this.#main]) {
      for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
        if (entry.owner !== undefined) this.#drop(entry);
      }
      queue.sizeBytes = 0;
    }
    this.#ghosts.clear();
  }

  #makeRoom(): void {
    if (this.#sizeBytes > this.#capacityBytes && this.#borrow !== undefined) {
      this.#capacityBytes += this.#borrow(this.#sizeBytes - this.#capacityBytes);
    }
    while (this.#sizeBytes > this.#capacityBytes) {
      this.#wasFull = true;
      this.#evictOne();
    }
  }

  #evictOne(): void {
    const fromSmall = this.#small.sizeBytes > this.#capacityBytes / 10 ||
      this.#main.sizeBytes === 0;
    if (fromSmall) this.#evictFromSmall();
    else this.#evictFromMain();
  }

  #evictFromSmall(): void {
    for (;;) {
      const entry = this.#small.shift();
      if (entry === undefined) return;
      if (entry.owner === undefined) continue;
      this.#small.sizeBytes -= entry.chargeBytes;
      if (entry.uses > 0) {
        entry.uses = 0;
        this.#pushMain(entry);
        return;
      }
      this.#ghosts.add(entry.owner.cacheId, entry.slot);
      this.#drop(entry);
      return;
    }
  }

  #evictFromMain(): void {
    for (;;) {
      const entry = this.#main.shift();
      if (entry === undefined) return;
      if (entry.owner === undefined) continue;
      if (entry.uses > 0) {
        entry.uses--;
        this.#main.push(entry);
        continue;
      }
      this.#main.sizeBytes -= entry.chargeBytes;
      this.#drop(entry);
      return;
    }
  }

  #pushMain(entry: CacheEntry<T>): void {
    this.#main.push(entry);
    this.#main.sizeBytes += entry.chargeBytes;
    entry.inMain = true;
  }

  #drop(entry: CacheEntry<T>): void {
    const owner = entry.owner!;
    const value = entry.value!;
    entry.owner = undefined;
    entry.value = undefined;
    this.#sizeBytes -= entry.chargeBytes;
    owner.evicted(entry.slot);
    if (this.#onDropped !== undefined) this.#onDropped(value);
  }
}
