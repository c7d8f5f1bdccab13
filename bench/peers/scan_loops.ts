/**
 * The measured loops over scans that workloads.ts composes, and the scan that checks what a writing
 * row has left behind. As in loops.ts, answers are summed up while they arrive and checked
 * afterwards.
 */

import { keyOf, type ValuePool } from "../key_values.ts";
import { EntrySum, sumOf } from "./digests.ts";
import type { Engine, ScanRange } from "./engine.ts";
import { type Bench, type Done, hotEntries, inChunks, need } from "./loops.ts";

const everything: ScanRange = { prefix: null, end: null, reverse: false };

/** Scans by the first of the ways that the engine has. */
async function scanAny(engine: Engine, range: ScanRange, sum: EntrySum): Promise<void> {
  if (engine.scanForOf !== undefined) engine.scanForOf(range, sum.see);
  else if (engine.scanBulk !== undefined) await engine.scanBulk(range, sum.see);
  else await need(engine.scanForAwait, "scan")(range, sum.see);
}

/** Throws unless the store holds exactly the entries with these numbers. */
export async function checkContent(
  engine: Engine,
  indexes: Iterable<number>,
  values: ValuePool,
): Promise<void> {
  const sum = new EntrySum();
  await scanAny(engine, everything, sum);
  sum.check(sumOf(indexes, values));
}

/** A scan over everything. */
export async function scanAll(
  bench: Bench,
  way: "scanForOf" | "scanForAwait" | "scanBulk" | "any",
  reverse: boolean,
): Promise<Done> {
  const { engine, entries, stopwatch } = bench;
  const range = { ...everything, reverse };
  const sum = new EntrySum();
  stopwatch.start();
  const pending = way === "any"
    ? scanAny(engine, range, sum)
    : need(engine[way], way).call(engine, range, sum.see);
  const wasSync = pending === undefined;
  if (!wasSync) await pending;
  stopwatch.stop();
  // Adding up the expected values takes 150 ms, which are not a stall of the store.
  const check = (): void => sum.check(sumOf(allIndexes(entries, reverse), bench.values));
  return { operations: entries, stopped: false, wasSync, check };
}

/** Numbers of all entries in the order of a scan; a generator, as an array would be 8 MB. */
function* allIndexes(entries: number, reverse: boolean): Generator<number> {
  for (let i = 0; i < entries; i++) yield reverse ? entries - 1 - i : i;
}

/** Scans of the 100 entries that share a prefix, below `limit`; counts scans. */
export async function prefixScans(
  bench: Bench,
  isSync: boolean,
  limit: number = hotEntries(bench.entries),
): Promise<Done> {
  const { engine, entries, values } = bench;
  const random = bench.newRandom();
  const groups = Math.floor(limit / 100);
  const ranges: ScanRange[] = [];
  const expected: number[] = [];
  const sums: EntrySum[] = [];
  const run = isSync ? engine.scanForOf : engine.scanBulk ?? engine.scanForAwait;
  const total = Math.max(10, Math.floor(entries / 500) * 10);
  return await inChunks(bench, total, { least: 10, most: 10 }, () => {
    ranges.length = 0;
    sums.length = 0;
    expected.length = 0;
    for (let i = 0; i < 10; i++) {
      const group = random.below(groups);
      const prefix = keyOf(group * 100).slice(0, -2);
      const last = prefix.length - 1;
      const end = prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
      ranges.push({ prefix, end, reverse: false });
      sums.push(new EntrySum());
      expected.push(group * 100);
    }
  }, async (_start, length) => {
    for (let i = 0; i < length; i++) {
      const pending = need(run, "scan")(ranges[i]!, sums[i]!.see);
      if (pending !== undefined) await pending;
    }
    bench.stopwatch.stop();
    for (let i = 0; i < length; i++) {
      const indexes = Array.from({ length: 100 }, (_, at) => expected[i]! + at);
      if (!bench.isFloor) sums[i]!.check(sumOf(indexes, values));
    }
    bench.stopwatch.start();
  });
}
