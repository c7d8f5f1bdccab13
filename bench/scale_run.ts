/**
 * One process of bench/scale.ts: loads a store and samples it on the way, or opens a loaded one and
 * reads from it. Every answer is checked. Writes what it measured to a file, prints progress.
 *
 *   node bench/scale_run.ts --phase load --order seq --entries 2000000 --directory /data/s --output l.json
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { lowMemoryOptions, open, type Options } from "../mod.ts";
import { SeededRandom } from "./key_values.ts";
import { peakMemoryBytes, Stopwatch } from "./measure.ts";
import { scaleData, type ScaleOrder } from "./scale_data.ts";
import type { LoadResult, ReadResult, Sample } from "./scale_report.ts";
import {
  checkEntry,
  emptyOpenMs,
  filesOf,
  openAndGet,
  sampleOf,
  scanRate,
  writeEntries,
} from "./scale_steps.ts";
import { median } from "./smoke_verdict.ts";

const { values: given } = parseArgs({
  options: {
    phase: { type: "string" },
    order: { type: "string" },
    entries: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    directory: { type: "string" },
    output: { type: "string" },
  },
});
const directory = given.directory!;
const entries = Number(given.entries);
const data = scaleData(given.order as ScaleOrder, entries, Number(given.seed));
const options: Options = { ...lowMemoryOptions(), walSync: "none" };

/** Entries of a batch: what a loader would take. */
const batchLength = 1000;
const randomGets = Math.min(20_000, entries);
const rangeLength = Math.min(1_000_000, entries);
const opens = 20;

/** Loads everything in batches, each awaited, with a turn of the event loop after it. */
async function load(): Promise<LoadResult> {
  const sampleEvery = Number(given.sample);
  const store = await open(directory, options);
  const stopwatch = new Stopwatch();
  const startedMs = performance.now();
  const samples: Sample[] = [sampleOf(directory, 0, store, stopwatch, startedMs)];
  let nextSample = sampleEvery;
  for (let start = 0; start < entries; start += batchLength) {
    const end = Math.min(start + batchLength, entries);
    await writeEntries(store, data, start, end, stopwatch);
    if (end >= nextSample || end === entries) {
      nextSample += sampleEvery;
      const sample = sampleOf(directory, end, store, stopwatch, startedMs);
      const before = samples.at(-1)!;
      samples.push(sample);
      const rate = (sample.entries - before.entries) /
        (sample.storeSeconds - before.storeSeconds);
      console.log(
        `${(end / 1e6).toFixed(1)}M entries, ${Math.round(rate / 1000)}k/s, ` +
          `${(sample.residentBytes / 1e6).toFixed(0)} MB resident, ${sample.files} files, ` +
          `levels ${sample.tables.join("/")}, ${(sample.diskBytes / 1e6).toFixed(0)} MB`,
      );
    }
  }
  const closing = performance.now();
  await store.close();
  const closeSeconds = (performance.now() - closing) / 1000;
  return { samples, closeSeconds, peakBytes: peakMemoryBytes(), ...filesOf(directory) };
}

async function read(): Promise<ReadResult> {
  const random = new SeededRandom(Number(given.seed) + 1);
  const openMs: number[] = [];
  const openOnlyMs: number[] = [];
  const { store, milliseconds, openMilliseconds } = await openAndGet(
    directory,
    options,
    data,
    random.below(entries),
  );
  openMs.push(milliseconds);
  openOnlyMs.push(openMilliseconds);
  console.log(`open to first get: first ${openMs[0]!.toFixed(1)} ms`);
  const peaks = [{ after: "opening", bytes: peakMemoryBytes() }];
  const missing = store.getSync(`${data.keyOf(0)}x`);
  if (missing !== undefined) throw new Error("Found a key that was never written");
  const gets = new Stopwatch();
  for (let i = 0; i < randomGets; i++) {
    const index = random.below(entries);
    const key = data.keyOf(index);
    gets.start();
    const value = store.getSync(key);
    gets.stop();
    checkEntry(data, index, value);
  }
  console.log(`${Math.round(randomGets / gets.seconds)} random gets a second`);
  peaks.push({ after: "random gets", bytes: peakMemoryBytes() });
  const scansPerSecond = scanRate(
    store,
    data,
    random.below(entries - rangeLength + 1),
    rangeLength,
  );
  peaks.push({ after: "the scan", bytes: peakMemoryBytes() });
  const beforeAll = store.stats();
  const startedMs = performance.now();
  const counted = await store.count();
  const countSeconds = (performance.now() - startedMs) / 1000;
  if (counted !== entries) throw new Error(`The store has ${counted} entries, expected ${entries}`);
  peaks.push({ after: "counting all", bytes: peakMemoryBytes() });
  const stats = store.stats();
  const peakBytes = peakMemoryBytes();
  await store.close();
  // Last: what many closed stores leave to the collector says nothing of reading one.
  for (let i = 0; i < opens - 1; i++) {
    const { store, milliseconds, openMilliseconds } = await openAndGet(
      directory,
      options,
      data,
      random.below(entries),
    );
    openMs.push(milliseconds);
    openOnlyMs.push(openMilliseconds);
    await store.close();
  }
  peaks.push({ after: `${opens - 1} more openings`, bytes: peakMemoryBytes() });
  return {
    peaks,
    firstOpenMs: openMs[0]!,
    openMs,
    openOnlyMs: median(openOnlyMs),
    emptyOpenMs: await emptyOpenMs(`${directory}-empty`, options, opens),
    randomGets,
    getsPerSecond: randomGets / gets.seconds,
    rangeLength,
    scannedPerSecond: scansPerSecond,
    counted,
    countSeconds,
    // All tables have been read by now: their indexes are in memory as far as the budget goes.
    indexBytes: Math.max(beforeAll.indexBytes, stats.indexBytes),
    filterBytes: Math.max(beforeAll.filterBytes, stats.filterBytes),
    tables: stats.levels.map(({ tables }) => tables),
    peakBytes,
    ...filesOf(directory),
  };
}

const result = given.phase === "load" ? await load() : await read();
writeFileSync(given.output!, JSON.stringify(result));
