/** What a read has cost: counted by the store, as the difference of its statistics. */

import type { Range } from "@tinykvs/core";
import type { OpenStore } from "../store_access.ts";
import { countOf, countText, durationText } from "../text/numbers.ts";

/** What a read has cost. */
export interface Reading {
  /** Keys that the command was shown. */
  readonly entries: number;
  /** Blocks that were read from files. */
  readonly blocksRead: number;
  /** Blocks that were in the cache. */
  readonly cacheHits: number;
  /** Large values that were read from their files. */
  readonly valuesRead: number;
  /** Deletions that the scan walked over. */
  readonly tombstones: number;
  readonly seconds: number;
}

/** Counts what happens to a store between `new` and `end`. */
export class ReadMeter {
  readonly #store: OpenStore;
  readonly #before: ReturnType<OpenStore["stats"]>;
  readonly #started: number;
  /** Keys that the command was shown. */
  entries = 0;

  constructor(store: OpenStore) {
    this.#store = store;
    this.#before = store.stats();
    this.#started = performance.now();
  }

  /** What was read until now. */
  end(): Reading {
    const seconds = (performance.now() - this.#started) / 1000;
    const { cache, scan, values } = this.#store.stats();
    const before = this.#before;
    return {
      entries: this.entries,
      blocksRead: cache.misses - before.cache.misses,
      cacheHits: cache.hits - before.cache.hits,
      valuesRead: values.reads - before.values.reads,
      tombstones: scan.tombstones - before.scan.tombstones,
      seconds,
    };
  }
}

/** A reading in one line: "read 2 keys, 1 block (1 from the cache), 0.3 ms". */
export function readingText(reading: Reading): string {
  const { entries, blocksRead, cacheHits, valuesRead, tombstones, seconds } = reading;
  const blocks = blocksRead + cacheHits;
  const cached = cacheHits === 0 ? "" : ` (${countText(cacheHits)} from the cache)`;
  return [
    `read ${countOf(entries, "key")}`,
    `${countOf(blocks, "block")}${cached}`,
    ...(valuesRead > 0 ? [countOf(valuesRead, "large value")] : []),
    ...(tombstones > 0 ? [countOf(tombstones, "deletion")] : []),
    durationText(seconds),
  ].join(", ");
}

/** Which tables a read of a range has to look at. */
export interface TableUse {
  readonly level: number;
  readonly used: number;
  readonly skipped: number;
}

/** How many tables of each level a range meets. */
export function tablesUsed(
  store: OpenStore,
  ranges: readonly Range[],
): TableUse[] {
  const used = new Set(
    ranges.flatMap((range) => store.tables(range).map(({ file }) => file)),
  );
  const levels = new Map<number, { used: number; skipped: number }>();
  for (const { level, file } of store.tables()) {
    const counts = levels.get(level) ?? { used: 0, skipped: 0 };
    if (used.has(file)) counts.used++;
    else counts.skipped++;
    levels.set(level, counts);
  }
  return [...levels].map(([level, counts]) => ({ level, ...counts }));
}
