/** The model of a store: a sorted map from keys to the texts of their values. */

/** A key and the text of its value. */
export type Entry = readonly [key: string, text: string];

/**
 * A change of the map: a key's new text, or undefined if it is deleted, and the time at which it
 * expires, if it does.
 */
export type MapChange = readonly [key: string, text: string | undefined, expiresAt?: number];

/**
 * A range by keys of the pool. An undefined field (or a missing one, as JSON makes it) is not a
 * bound.
 */
export interface RangeChoice {
  readonly prefix?: number | undefined;
  readonly gte?: number | undefined;
  readonly gt?: number | undefined;
  readonly lte?: number | undefined;
  readonly lt?: number | undefined;
  readonly reverse: boolean;
  readonly limit?: number | undefined;
}

/** The map. */
export class SortedMap {
  readonly #texts: Map<string, string>;
  readonly #keys: string[];
  readonly #times: Map<string, number>;

  /** An empty map, or a copy of another one. */
  constructor(from?: SortedMap) {
    this.#texts = new Map(from === undefined ? [] : from.#texts);
    this.#keys = from === undefined ? [] : from.#keys.slice();
    this.#times = new Map(from === undefined ? [] : from.#times);
  }

  /** Number of keys. */
  get size(): number {
    return this.#keys.length;
  }

  /** The text of a key's value, or undefined. */
  get(key: string): string | undefined {
    return this.#texts.get(key);
  }

  /** The time at which a key's value expires, or undefined. */
  timeOf(key: string): number | undefined {
    return this.#times.get(key);
  }

  /** Forgets what expires by a time. Returns how many keys that are. */
  expire(nowMs: number): number {
    const expired = [...this.#times].filter(([, time]) => time <= nowMs);
    for (const [key] of expired) this.apply([[key, undefined]]);
    return expired.length;
  }

  /** Applies changes in their order. */
  apply(changes: readonly MapChange[]): void {
    for (const [key, text, expiresAt] of changes) {
      this.#times.delete(key);
      if (text !== undefined && expiresAt !== undefined) this.#times.set(key, expiresAt);
      const isThere = this.#texts.has(key);
      if (text === undefined) {
        if (!isThere) continue;
        this.#texts.delete(key);
        this.#keys.splice(this.#lowerBound(key), 1);
      } else {
        if (!isThere) this.#keys.splice(this.#lowerBound(key), 0, key);
        this.#texts.set(key, text);
      }
    }
  }

  /**
   * The entries of a range in its direction, without the limit; `binary` gives the keys of bounds.
   */
  select(range: RangeChoice, binary: (key: number) => string): Entry[] {
    const { prefix, gte, gt, lte, lt, reverse } = range;
    const start = prefix === undefined ? undefined : binary(prefix);
    const lower = gte === undefined ? undefined : binary(gte);
    const above = gt === undefined ? undefined : binary(gt);
    const upper = lte === undefined ? undefined : binary(lte);
    const below = lt === undefined ? undefined : binary(lt);
    const entries: Entry[] = [];
    for (const key of this.#keys) {
      if (start !== undefined && !key.startsWith(start)) continue;
      if (lower !== undefined && key < lower || above !== undefined && key <= above) continue;
      if (upper !== undefined && key > upper || below !== undefined && key >= below) continue;
      entries.push([key, this.#texts.get(key)!]);
    }
    return reverse ? entries.reverse() : entries;
  }

  /** At most `limit` entries from a key on, which is included, in a direction. */
  near(key: string, reverse: boolean, limit: number): Entry[] {
    const entries: Entry[] = [];
    let at = this.#lowerBound(key);
    if (reverse && this.#keys[at] !== key) at--;
    for (const step = reverse ? -1 : 1; entries.length < limit; at += step) {
      const found = this.#keys[at];
      if (found === undefined) break;
      entries.push([found, this.#texts.get(found)!]);
    }
    return entries;
  }

  /** Whether the other map holds the same. */
  equals(other: SortedMap): boolean {
    if (this.size !== other.size) return false;
    for (const [key, text] of this.#texts) if (other.#texts.get(key) !== text) return false;
    return true;
  }

  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
