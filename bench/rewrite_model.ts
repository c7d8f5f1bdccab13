/**
 * A load as the picker sees it, without files. A table is a sample of its keys, and has the size of
 * the entries that they represent. The real picker decides. A merge sorts the keys of its inputs,
 * and cuts them as the job would.
 */

import {
  type Compaction,
  type CompactionOptions,
  MAX_OVERLAP_FACTOR,
  totalSize,
} from "../src/compaction/compaction.ts";
import { pickCompaction } from "../src/compaction/picker.ts";
import { type TableMetadata, tableMetadata } from "../src/version/table_metadata.ts";

/** Number of keys that represent the entries of a flush. */
export const FLUSH_KEYS = 1500;

/** What a load is like. */
export interface RewriteOptions {
  /** The options of compaction. */
  readonly compaction: CompactionOptions;
  /** Size in bytes of a flushed table. */
  readonly flushBytes: number;
  /** Bytes that merges read while a memtable fills, in flushes. */
  readonly pace: number;
  /** Tables in level 0 at which writers wait for merges. */
  readonly stopTables: number;
}

/** Levels under a load. */
export class RewriteModel {
  /** Tables by level, level 0 newest first. */
  readonly levels: TableMetadata[][];
  /** Bytes that flushes have written. */
  flushedBytes = 0;
  /** Bytes that merges have written. */
  rewrittenBytes = 0;
  /** Merges so far. */
  merges = 0;
  /** The most bytes that one merge has read. */
  largestMergeBytes = 0;
  readonly #options: RewriteOptions;
  readonly #bytesPerKey: number;
  readonly #keys = new Map<number, Uint32Array>();
  #nextNumber = 1;
  #merge: Compaction | undefined;
  /** Bytes that the present merge has still to read. */
  #leftBytes = 0;

  /** Makes an empty store. */
  constructor(options: RewriteOptions) {
    this.#options = options;
    this.#bytesPerKey = options.flushBytes / FLUSH_KEYS;
    this.levels = Array.from({ length: options.compaction.maxLevels }, () => []);
  }

  /**
   * Adds the table of a flush with `FLUSH_KEYS` keys in order, and does the merges that there is
   * time for.
   */
  flush(keys: Uint32Array): void {
    this.levels[0]!.unshift(this.#table(keys));
    this.flushedBytes += keys.length * this.#bytesPerKey;
    let budget = this.#options.pace * this.#options.flushBytes;
    for (;;) {
      const mustWait = this.levels[0]!.length >= this.#options.stopTables;
      if ((budget <= 0 && !mustWait) || !this.#begin()) return;
      const step = mustWait ? this.#leftBytes : Math.min(this.#leftBytes, budget);
      budget -= step;
      this.#leftBytes -= step;
      if (this.#leftBytes <= 0) this.#finish();
    }
  }

  /** Whether there is a merge to continue with; moves are done at once. */
  #begin(): boolean {
    while (this.#merge === undefined) {
      const picked = pickCompaction(this.levels, this.#options.compaction);
      if (picked === undefined) return false;
      if (picked.kind === "move") {
        this.#install(picked, picked.inputs[0]!.tables);
        continue;
      }
      this.#merge = picked;
      this.#leftBytes = totalSize(picked.inputs.flatMap(({ tables }) => tables));
      this.largestMergeBytes = Math.max(this.largestMergeBytes, this.#leftBytes);
      this.merges++;
    }
    return true;
  }

  #finish(): void {
    const merge = this.#merge!;
    this.#merge = undefined;
    const inputs = merge.inputs.flatMap(({ tables }) => tables);
    const parts = inputs.map(({ number }) => this.#keys.get(number)!);
    const keys = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      keys.set(part, at);
      at += part.length;
    }
    keys.sort();
    this.rewrittenBytes += keys.length * this.#bytesPerKey;
    this.#install(merge, this.#cut(merge, keys));
    for (const { number } of inputs) this.#keys.delete(number);
  }

  /** Output tables: closed when they are large enough, or overlap too much of the level below. */
  #cut({ maxFileSizeBytes, deeper }: Compaction, keys: Uint32Array): TableMetadata[] {
    const outputs: TableMetadata[] = [];
    const below = deeper[0] ?? [];
    const most = Math.max(1, Math.round(maxFileSizeBytes / this.#bytesPerKey));
    let first = 0;
    let passed = 0;
    let overlapBytes = 0;
    for (let i = 0; i < keys.length; i++) {
      while (passed < below.length && largestOf(below[passed]!) < keys[i]!) {
        overlapBytes += below[passed++]!.sizeBytes;
      }
      const isOverlong = overlapBytes > maxFileSizeBytes * MAX_OVERLAP_FACTOR;
      if (i === first || (!isOverlong && i - first < most)) continue;
      outputs.push(this.#table(keys.slice(first, i)));
      first = i;
      overlapBytes = 0;
    }
    outputs.push(this.#table(keys.slice(first)));
    return outputs;
  }

  #install({ inputs, outputLevel }: Compaction, outputs: readonly TableMetadata[]): void {
    for (const { level, tables } of inputs) {
      this.levels[level] = this.levels[level]!.filter((table) => !tables.includes(table));
    }
    this.levels[outputLevel] = [...this.levels[outputLevel]!, ...outputs]
      .sort((a, b) => a.smallestView.getUint32(0) - b.smallestView.getUint32(0));
  }

  #table(keys: Uint32Array): TableMetadata {
    const number = this.#nextNumber++;
    this.#keys.set(number, keys);
    return tableMetadata({
      number,
      sizeBytes: Math.round(keys.length * this.#bytesPerKey),
      entryCount: keys.length,
      tombstoneCount: 0,
      smallest: keyOf(keys[0]!),
      largest: keyOf(keys.at(-1)!),
      checksum: 0,
    });
  }
}

function keyOf(key: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, key);
  return bytes;
}

function largestOf({ largestView }: TableMetadata): number {
  return largestView.getUint32(0);
}
