/** Sizes of keys and values, and how often each occurs. */

import { Buffer } from "node:buffer";
import { Extension, type RecordItem } from "@tinykvs/core";
import { isContainer } from "../values/kinds.ts";

/** Bytes of a value's content. A record counts as MessagePack, about. */
export function sizeOfValue(value: RecordItem): number {
  switch (typeof value) {
    case "string":
      return Buffer.byteLength(value);
    case "bigint":
    case "number":
      return 8;
    case "boolean":
    case "undefined":
      return 1;
  }
  if (value === null) return 1;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Date) return 8;
  if (value instanceof Extension) return value.data.length;
  return isContainer(value) ? recordSize(value) : 8;
}

function recordSize(item: RecordItem): number {
  if (item === null || item === undefined || typeof item === "boolean") {
    return 1;
  }
  if (typeof item === "number" && Number.isInteger(item)) {
    const magnitude = Math.abs(item);
    return magnitude < 128 ? 1 : magnitude < 65536 ? 3 : magnitude < 2 ** 32 ? 5 : 9;
  }
  if (isContainer(item)) {
    const parts = Array.isArray(item)
      ? item.map((member) => recordSize(member))
      : Object.entries(item).map(([name, member]) => recordSize(name) + recordSize(member));
    return parts.reduce((sum, part) => sum + part, parts.length < 16 ? 1 : 3);
  }
  const bytes = sizeOfValue(item);
  return bytes + (bytes < 32 ? 1 : bytes < 256 ? 2 : bytes < 65536 ? 3 : 5);
}

/** A class of a histogram: sizes from `from` to `to`, both included. */
export interface SizeClass {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Counts sizes by powers of two. */
export class Histogram {
  readonly #counts: number[] = [];
  /** How many sizes were added. */
  count = 0;
  /** Their sum. */
  total = 0;
  /** The largest. */
  largest = 0;

  /** Adds a size. */
  add(size: number): void {
    const at = size === 0 ? 0 : Math.floor(Math.log2(size)) + 1;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.count++;
    this.total += size;
    this.largest = Math.max(this.largest, size);
  }

  /** The classes from the first to the last that has sizes. */
  classes(): SizeClass[] {
    const first = this.#counts.findIndex((count) => count > 0);
    if (first === -1) return [];
    return Array.from({ length: this.#counts.length - first }, (_, index) => {
      const at = first + index;
      return {
        from: at === 0 ? 0 : 2 ** (at - 1),
        to: at === 0 ? 0 : 2 ** at - 1,
        count: this.#counts[at] ?? 0,
      };
    });
  }
}
