/**
 * One process of bench/billion.ts: goes on with a load and samples it, or opens what is loaded and
 * reads it. It adds lines to a results file (billion_lines.ts).
 *
 *   node bench/billion_run.ts --phase load --order seq --entries 2000000 --directory /data/s --results r.jsonl
 */

import { appendFileSync, statfsSync } from "node:fs";
import { loadavg } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { type EmbeddedStore, lowMemoryOptions, open, type Options } from "../mod.ts";
import type { Line, LoadLine } from "./billion_lines.ts";
import { SeededRandom } from "./key_values.ts";
import { peakMemoryBytes, Stopwatch } from "./measure.ts";
import { MemoryGroup } from "./memory_group.ts";
import { scaleData, type ScaleOrder } from "./scale_data.ts";
import {
  checkEntry,
  emptyOpenMs,
  filesOf,
  openAndGet,
  sampleOf,
  scanRate,
  writeEntries,
} from "./scale_steps.ts";

const { values: given } = parseArgs({
  options: {
    phase: { type: "string" },
    order: { type: "string" },
    entries: { type: "string" },
    seed: { type: "string", default: "1" },
    directory: { type: "string" },
    results: { type: "string" },
    group: { type: "string" },
    about: { type: "string", default: "" },
    command: { type: "string", default: "" },
    "sample-seconds": { type: "string", default: "5" },
    /** Stop the load then, in milliseconds since 1970. */
    "stop-at": { type: "string", default: "Infinity" },
    "least-free-bytes": { type: "string", default: "0" },
  },
});
const directory = given.directory!;
const entries = Number(given.entries);
const order = given.order as ScaleOrder;
const data = scaleData(order, entries, Number(given.seed));
const group = given.group === undefined ? undefined : MemoryGroup.at(given.group);
const options: Options = { ...lowMemoryOptions(), walSync: "none" };

/** Entries of a batch: what a loader would take. */
const batchLength = 1000;
/** A sample is taken here, too: the rate of a random load is compared with that up to here. */
const firstSample = 1_000_000;
const opens = 20;

function add(line: Line): void {
  appendFileSync(given.results!, `${JSON.stringify(line)}\n`);
}

/**
 * Number of entries that an earlier load has left: a killed load leaves whole batches, from the
 * first one to some batch.
 */
async function foundIn(store: EmbeddedStore): Promise<number> {
  const isThere = (batch: number): Promise<boolean> =>
    store.has(data.keyOf(data.indexAt(batch * batchLength)));
  let [there, notThere] = [-1, Math.ceil(entries / batchLength)];
  while (notThere - there > 1) {
    const middle = Math.floor((there + notThere) / 2);
    if (await isThere(middle)) there = middle;
    else notThere = middle;
  }
  const found = Math.min(entries, notThere * batchLength);
  for (let position = found - 1; position >= Math.max(0, found - batchLength); position--) {
    const index = data.indexAt(position);
    checkEntry(data, index, await store.get(data.keyOf(index)));
  }
  return found;
}

function lineOf(
  written: number,
  store: EmbeddedStore,
  stopwatch: Stopwatch,
  startedMs: number,
): LoadLine {
  const use = group?.use();
  const disk = statfsSync(directory);
  return {
    kind: "sample",
    ...sampleOf(directory, written, store, stopwatch, startedMs),
    levelBytes: store.stats().levels.map(({ sizeBytes }) => sizeBytes),
    groupBytes: use?.bytes ?? 0,
    groupCacheBytes: use?.cacheBytes ?? 0,
    freeDiskBytes: disk.bavail * disk.bsize,
    machineLoad: loadavg()[0]!,
  };
}

function show(sample: LoadLine, before: LoadLine): void {
  const written = sample.entries - before.entries;
  const rate = written / (sample.wallSeconds - before.wallSeconds);
  const byProcessor = written / (sample.processorSeconds - before.processorSeconds);
  console.log(
    `${(sample.entries / 1e6).toFixed(1)}M entries, ${Math.round(rate / 1000)}k/s, ` +
      `${Math.round(byProcessor / 1000)}k/s of CPU, ` +
      `${(sample.residentBytes / 1e6).toFixed(0)} MB resident, ` +
      `${(sample.groupBytes / 1e6).toFixed(0)} MB in the group, ${sample.files} files, ` +
      `levels ${sample.tables.join("/")}, ${(sample.diskBytes / 1e6).toFixed(0)} MB`,
  );
}

/** Loads what is missing in batches, each awaited, with a turn of the event loop after it. */
async function load(): Promise<void> {
  const stopAt = Number(given["stop-at"]);
  const leastFree = Number(given["least-free-bytes"]);
  const sampleMs = Number(given["sample-seconds"]) * 1000;
  const store = await open(directory, options);
  const found = await foundIn(store);
  add({
    kind: "part",
    date: new Date().toISOString(),
    about: given.about,
    command: given.command,
    found,
  });
  console.log(`${found.toLocaleString("en-US")} entries are there`);
  const stopwatch = new Stopwatch();
  const startedMs = performance.now();
  let before = lineOf(found, store, stopwatch, startedMs);
  add(before);
  let nextMs = startedMs + sampleMs;
  let stopped: string | undefined;
  let written = found;
  while (written < entries && stopped === undefined) {
    const end = Math.min(written + batchLength, entries);
    await writeEntries(store, data, written, end, stopwatch);
    written = end;
    const nowMs = performance.now();
    if (nowMs < nextMs && end !== firstSample && end !== entries) continue;
    nextMs = nowMs + sampleMs;
    const sample = lineOf(end, store, stopwatch, startedMs);
    add(sample);
    show(sample, before);
    before = sample;
    if (Date.now() > stopAt) stopped = "its time was over";
    else if (sample.freeDiskBytes < leastFree) {
      stopped = `only ${(sample.freeDiskBytes / 1e9).toFixed(1)} GB of the disk were free`;
    }
  }
  const closing = performance.now();
  await store.close();
  add({
    kind: "loaded",
    entries: written,
    ...(written < entries && stopped !== undefined ? { stopped } : {}),
    closeSeconds: (performance.now() - closing) / 1000,
    peakBytes: peakMemoryBytes(),
    ...filesOf(directory),
  });
}

/**
 * Compares key and value of a thousandth of the entries up to `end`: a run of them in each
 * thousandth part.
 */
function verify(store: EmbeddedStore, random: SeededRandom, end: number, isDense: boolean): number {
  const runs = Math.min(1000, Math.ceil(end / 1000));
  const runLength = Math.max(1, Math.floor(end / 1000 / runs));
  for (let run = 0; run < runs; run++) {
    const from = Math.floor(run * end / runs);
    const until = Math.floor((run + 1) * end / runs) - runLength;
    const start = from + random.below(Math.max(1, until - from));
    scanRate(store, data, start, runLength, 1, isDense);
  }
  return runs * runLength;
}

async function read(): Promise<void> {
  const random = new SeededRandom(Number(given.seed) + 1);
  const randomIndex = (): number => data.indexAt(random.below(written));
  const peaks: { after: string; bytes: number }[] = [];
  const peak = (after: string): void => void peaks.push({ after, bytes: peakMemoryBytes() });
  const first = await openAndGet(directory, options, data, data.indexAt(0));
  peak("the first opening");
  const written = await foundIn(first.store);
  await first.store.close();
  // Of a load in random order that was stopped, every range has a part only.
  const isDense = order === "seq" || written === entries;
  const end = order === "seq" ? written : entries;

  const warmOpenMs: number[] = [];
  for (let i = 0; i < opens; i++) {
    const { store, milliseconds } = await openAndGet(directory, options, data, randomIndex());
    warmOpenMs.push(milliseconds);
    await store.close();
  }
  peak(`${opens} more`);
  const store = await open(directory, options);
  if (store.getSync(`${data.keyOf(0)}x`) !== undefined) {
    throw new Error("Found a key that was never written");
  }
  const gets = Math.min(100_000, written);
  const stopwatch = new Stopwatch();
  const cpu = process.cpuUsage();
  for (let i = 0; i < gets; i++) {
    const index = randomIndex();
    const key = data.keyOf(index);
    stopwatch.start();
    const value = store.getSync(key);
    stopwatch.stop();
    checkEntry(data, index, value);
  }
  const { user, system } = process.cpuUsage(cpu);
  peak("random gets");
  const scanned = Math.min(1_000_000, end);
  const start = random.below(end - scanned + 1);
  const scannedPerSecond = scanRate(store, data, start, scanned, 64, isDense);
  peak("the scan");
  const verifyStarted = performance.now();
  const verified = verify(store, random, end, isDense);
  const verifySeconds = (performance.now() - verifyStarted) / 1000;
  peak("verifying");
  const countStarted = performance.now();
  const counted = await store.count();
  const countSeconds = (performance.now() - countStarted) / 1000;
  if (counted !== written) throw new Error(`There are ${counted} entries, expected ${written}`);
  peak("counting all");
  const { indexBytes } = store.stats();
  await store.close();
  add({
    kind: "read",
    entries: written,
    limitBytes: group?.limitBytes ?? 0,
    firstOpenMs: first.milliseconds,
    warmOpenMs,
    emptyOpenMs: await emptyOpenMs(`${directory}-empty`, options, opens),
    gets,
    getSeconds: stopwatch.seconds,
    getProcessorSeconds: (user + system) / 1e6,
    scanned,
    scannedPerSecond,
    verified,
    verifySeconds,
    countSeconds,
    indexBytes,
    peaks,
    groupPeakBytes: group?.use().peakBytes ?? 0,
  });
}

await (given.phase === "load" ? load() : read());
