/**
 * One process of bench/scale.ts: loads a store and samples it on the way, or opens a loaded one and
 * reads from it. Every answer is checked. Writes what it measured to a file, prints progress.
 *
 *   node bench/scale_run.ts --phase load --order seq --entries 2000000 --directory /data/s --output l.json
 */

import { readdirSync, statSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type EmbeddedStore, lowMemoryOptions, open, type Options, type Stats } from "../mod.ts";
import { SeededRandom } from "./key_values.ts";
import { peakMemoryBytes, residentMemoryBytes, Stopwatch, turn } from "./measure.ts";
import { scaleData, type ScaleOrder } from "./scale_data.ts";
import type { LoadResult, ReadResult, Sample } from "./scale_report.ts";
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

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Number and size of the files, and the size of the manifest among them. */
function filesOf(): Pick<Sample, "files" | "diskBytes" | "manifestBytes"> {
  let [files, diskBytes, manifestBytes] = [0, 0, 0];
  for (const name of readdirSync(directory)) {
    const size = statSync(path.join(directory, name), { throwIfNoEntry: false })?.size;
    // Background work may have deleted it since it was listed.
    if (size === undefined) continue;
    files++;
    diskBytes += size;
    if (name.startsWith("MANIFEST-")) manifestBytes += size;
  }
  return { files, diskBytes, manifestBytes };
}

function sampleOf(
  written: number,
  store: EmbeddedStore,
  stopwatch: Stopwatch,
  startedMs: number,
): Sample {
  const stats: Stats = store.stats();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    entries: written,
    storeSeconds: stopwatch.seconds,
    wallSeconds: (performance.now() - startedMs) / 1000,
    processorSeconds: processorSeconds(),
    residentBytes: residentMemoryBytes(),
    peakBytes: peakMemoryBytes(),
    heapBytes: heapUsed,
    bufferBytes: Math.max(external, arrayBuffers),
    ...filesOf(),
    tables: stats.levels.map(({ tables }) => tables),
    tableBytes: stats.levels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    writtenBytes: stats.flush.bytesWritten + stats.compaction.bytesWritten,
    stalls: stats.stalls.count,
  };
}

/** Loads everything in batches, each awaited, with a turn of the event loop after it. */
async function load(): Promise<LoadResult> {
  const sampleEvery = Number(given.sample);
  const store = await open(directory, options);
  const stopwatch = new Stopwatch();
  const startedMs = performance.now();
  const samples: Sample[] = [sampleOf(0, store, stopwatch, startedMs)];
  let nextSample = sampleEvery;
  for (let start = 0; start < entries; start += batchLength) {
    const end = Math.min(start + batchLength, entries);
    const batch = store.batch();
    for (let position = start; position < end; position++) {
      const index = data.indexAt(position);
      batch.put(data.keyOf(index), data.valueOf(index));
    }
    // The making of keys and of the batch costs the same from first to last, and would hide a
    // slower store.
    stopwatch.start();
    await batch.write();
    await turn();
    stopwatch.stop();
    if (end >= nextSample || end === entries) {
      nextSample += sampleEvery;
      const sample = sampleOf(end, store, stopwatch, startedMs);
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
  return { samples, closeSeconds, peakBytes: peakMemoryBytes(), ...filesOf() };
}

function check(index: number, value: unknown): void {
  const expected = data.valueOf(index);
  const isSame = value instanceof Uint8Array && value.length === expected.length &&
    value.every((byte, at) => byte === expected[at]);
  if (!isSame) throw new Error(`Wrong answer for key "${data.keyOf(index)}"`);
}

/** Opens a store; returns the milliseconds until it has answered a get. */
async function openAndGet(index: number): Promise<{
  store: EmbeddedStore;
  milliseconds: number;
  openMilliseconds: number;
}> {
  const startedMs = performance.now();
  const store = await open(directory, options);
  const openMilliseconds = performance.now() - startedMs;
  const value = store.getSync(data.keyOf(index));
  const milliseconds = performance.now() - startedMs;
  check(index, value);
  return { store, milliseconds, openMilliseconds };
}

/** A scan of consecutive entries from `start`, each checked; returns entries a second. */
function scanRate(store: EmbeddedStore, start: number, length: number): number {
  const startedMs = performance.now();
  let index = start;
  const range = { gte: data.keyOf(start), lt: data.keyOf(start + length) };
  for (const [key, value] of store.entries(range)) {
    // Keys and values all, byte by byte one in 64.
    if (key !== data.keyOf(index)) throw new Error(`Found "${key as string}" for entry ${index}`);
    if ((index & 63) === 0) check(index, value);
    index++;
  }
  if (index !== Math.min(start + length, entries)) {
    throw new Error(`A scan ended at entry ${index}, expected ${start + length}`);
  }
  return (index - start) / ((performance.now() - startedMs) / 1000);
}

/**
 * Milliseconds that opening takes in any case: the median over openings of a store without tables.
 */
async function emptyOpenMs(): Promise<number> {
  const empty = `${directory}-empty`;
  const times: number[] = [];
  for (let i = 0; i < opens; i++) {
    const startedMs = performance.now();
    const store = await open(empty, options);
    times.push(performance.now() - startedMs);
    await store.close();
  }
  return median(times);
}

async function read(): Promise<ReadResult> {
  const random = new SeededRandom(Number(given.seed) + 1);
  const openMs: number[] = [];
  const openOnlyMs: number[] = [];
  const { store, milliseconds, openMilliseconds } = await openAndGet(random.below(entries));
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
    check(index, value);
  }
  console.log(`${Math.round(randomGets / gets.seconds)} random gets a second`);
  peaks.push({ after: "random gets", bytes: peakMemoryBytes() });
  const scansPerSecond = scanRate(store, random.below(entries - rangeLength + 1), rangeLength);
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
    const { store, milliseconds, openMilliseconds } = await openAndGet(random.below(entries));
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
    emptyOpenMs: await emptyOpenMs(),
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
    ...filesOf(),
  };
}

const result = given.phase === "load" ? await load() : await read();
writeFileSync(given.output!, JSON.stringify(result));
