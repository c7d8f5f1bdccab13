/** The parameters of the function that writes: see ddl.ts. */

import type { Parameter } from "./driver.ts";
import type { Change, KeyChange, RangeChange } from "./operations.ts";
import { compare, covers, encodeCommits } from "./operations.ts";

/** A version that a key must have, 0 if it must be missing. */
export interface Expected {
  readonly key: Uint8Array;
  readonly version: string;
}

/** A range that a transaction has read, with what it has seen there. */
export interface Scanned {
  readonly lower: Uint8Array;
  readonly upper: Uint8Array | undefined;
  readonly reverse: boolean;
  /** The number of entries, and the hash of their versions. */
  readonly digest: string;
}

/** Everything that one call writes and checks. */
export interface WriteRequest {
  /** The commits, each with its operations in order. */
  readonly commits: readonly (readonly Change[])[];
  /** Versions of keys that are written. */
  readonly expected: readonly Expected[];
  /** Versions of keys that a transaction has read. */
  readonly reads: readonly Expected[];
  /** Ranges that a transaction has read. */
  readonly scans: readonly Scanned[];
  /** The time by which the transaction judged what has expired. */
  readonly time: number;
  /** Whether the server must have it on its disk. */
  readonly sync: boolean;
}

/** What remains of operations if only the result counts. */
interface Final {
  readonly ranges: readonly RangeChange[];
  readonly puts: readonly KeyChange[];
  readonly deletes: readonly KeyChange[];
}

/**
 * The result of operations: ranges to remove, then the last operation of each key, sorted, so that
 * two writes lock their rows in the same order.
 */
export function finalOf(commits: readonly (readonly Change[])[]): Final {
  const ranges: RangeChange[] = [];
  let last: KeyChange[];
  if (
    commits.length === 1 && commits[0]!.length === 1 && "id" in commits[0]![0]!
  ) {
    last = [commits[0]![0] as KeyChange];
  } else {
    const byId = new Map<string, KeyChange>();
    for (const commit of commits) {
      for (const change of commit) {
        if ("id" in change) byId.set(change.id, change);
        else {
          ranges.push(change);
          for (const [id, { key }] of byId) {
            if (covers(change, key)) byId.delete(id);
          }
        }
      }
    }
    last = [...byId.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }
  return {
    ranges,
    puts: last.filter(({ value }) => value !== undefined),
    deletes: last.filter(({ value }) => value === undefined),
  };
}

/** Collects pieces of bytes, and their places. */
class Pieces {
  readonly #parts: Uint8Array[] = [];
  /** The place of the next piece, counted from 1. */
  at = 1;

  /** Returns the place. */
  add(part: Uint8Array): number {
    const at = this.at;
    this.#parts.push(part);
    this.at += part.length;
    return at;
  }

  finish(): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0]!;
    const bytes = new Uint8Array(this.at - 1);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** The text of an array. */
export function arrayText(
  items: readonly (number | string | boolean | null)[],
): string {
  return `{${items.join(",")}}`;
}

/** Keys as one piece of bytes with places and lengths: see the statement `getMany`. */
export function keyParameters(keys: readonly Uint8Array[]): Parameter[] {
  const pieces = new Pieces();
  const places = keys.map((key) => pieces.add(key));
  return [
    pieces.finish(),
    arrayText(places),
    arrayText(keys.map((key) => key.length)),
  ];
}

/** The parameters of the statement. */
export function writeParameters(
  request: WriteRequest,
  session: string | null,
  batch: number,
  isWatched: boolean,
): Parameter[] {
  const { commits, expected, reads, scans, time, sync } = request;
  const { ranges, puts, deletes } = finalOf(commits);
  const pieces = new Pieces();
  const columns = <T>(
    items: readonly T[],
    count: number,
    row: (item: T) => (number | string | boolean)[],
  ): Parameter[] => {
    if (items.length === 0) return Array.from({ length: count }, () => null);
    const texts: (number | string | boolean)[][] = Array.from(
      { length: count },
      () => [],
    );
    for (const item of items) {
      row(item).forEach((value, i) => texts[i]!.push(value));
    }
    return texts.map(arrayText);
  };
  const bounds = (
    lower: Uint8Array,
    upper: Uint8Array | undefined,
  ): number[] => {
    const at = pieces.add(lower);
    if (upper !== undefined) pieces.add(upper);
    return [at, lower.length, upper?.length ?? -1];
  };
  const putColumns = columns(puts, 3, ({ key, value }) => {
    const at = pieces.add(key);
    pieces.add(value!);
    return [at, key.length, value!.length];
  });
  const expires = puts.some(({ expiresAt }) => expiresAt !== Infinity)
    ? `{${
      puts.map(({ expiresAt }) => expiresAt === Infinity ? "NULL" : String(expiresAt))
        .join(",")
    }}`
    : null;
  const versions = ({ key, version }: Expected): (number | string)[] => [
    pieces.add(key),
    key.length,
    version,
  ];
  const sorted = [...expected].sort((a, b) => compare(a.key, b.key));
  const rest = [
    ...columns(deletes, 2, ({ key }) => [pieces.add(key), key.length]),
    ...columns(ranges, 3, ({ lower, upper }) => bounds(lower, upper)),
    ...columns(sorted, 3, versions),
    ...columns(reads, 3, versions),
    ...columns(scans, 5, ({ lower, upper, reverse, digest }) => [
      ...bounds(lower, upper),
      reverse,
      digest,
    ]),
  ];
  return [
    session,
    String(batch),
    isWatched || reads.length > 0 || scans.length > 0,
    sync,
    pieces.finish(),
    isWatched ? encodeCommits(commits) : null,
    ...putColumns,
    expires,
    ...rest,
    String(time),
  ];
}
