/**
 * The steps of which bench/scale_run.ts and bench/billion_run.ts are made: writing a batch, taking
 * a sample, opening, scanning. Every answer is checked.
 */

import { readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { type EmbeddedStore, lowMemoryOptions, open, type Options, type Stats } from "../mod.ts";
import {
  peakMemoryBytes,
  processorSeconds,
  residentMemoryBytes,
  type Stopwatch,
  turn,
} from "./measure.ts";
import type { ScaleData } from "./scale_data.ts";
import type { Sample } from "./scale_report.ts";
import { median } from "./smoke_verdict.ts";

/** Options of the stores that are loaded. */
export const scaleOptions: Options = { ...lowMemoryOptions(), walSync: "none" };
/** Entries of a batch: what a loader would take. */
export const batchLength = 1000;
/** How often a loaded store is opened. */
export const opens = 20;

/** Number and size of the files of a store, and the size of the manifest among them. */
export function filesOf(
  directory: string,
): Pick<Sample, "files" | "diskBytes" | "manifestBytes"> {
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

/** The state of a load of which `written` entries are written. */
export function sampleOf(
  directory: string,
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
    ...filesOf(directory),
    tables: stats.levels.map(({ tables }) => tables),
    tableBytes: stats.levels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    writtenBytes: stats.flush.bytesWritten + stats.compaction.bytesWritten,
    stalls: stats.stalls.count,
  };
}

/**
 * Writes the entries of the positions from `start` to before `end` as one batch, awaits it, and
 * gives the event loop a turn.
 */
export async function writeEntries(
  store: EmbeddedStore,
  data: ScaleData,
  start: number,
  end: number,
  stopwatch: Stopwatch,
): Promise<void> {
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
}

/** Throws unless `value` is that of entry `index`. */
export function checkEntry(data: ScaleData, index: number, value: unknown): void {
  const expected = data.valueOf(index);
  const isSame = value instanceof Uint8Array && value.length === expected.length &&
    value.every((byte, at) => byte === expected[at]);
  if (!isSame) throw new Error(`Wrong answer for key "${data.keyOf(index)}"`);
}

/** Opens a store; returns the milliseconds until it has answered a get. */
export async function openAndGet(
  directory: string,
  options: Options,
  data: ScaleData,
  index: number,
): Promise<{
  store: EmbeddedStore;
  milliseconds: number;
  openMilliseconds: number;
}> {
  const startedMs = performance.now();
  const store = await open(directory, options);
  const openMilliseconds = performance.now() - startedMs;
  const value = store.getSync(data.keyOf(index));
  const milliseconds = performance.now() - startedMs;
  checkEntry(data, index, value);
  return { store, milliseconds, openMilliseconds };
}

/**
 * A scan of the `length` entries from `start`; returns entries a second. It checks all keys, and
 * one value in `valueEvery` byte by byte. With `isDense` every entry of the range must be there.
 */
export function scanRate(
  store: EmbeddedStore,
  data: ScaleData,
  start: number,
  length: number,
  valueEvery = 64,
  isDense = true,
): number {
  const startedMs = performance.now();
  let index = start;
  let seen = 0;
  const range = { gte: data.keyOf(start), lt: data.keyOf(start + length) };
  for (const [key, value] of store.entries(range)) {
    if (!isDense) index = Math.max(index, Number(key));
    if (key !== data.keyOf(index)) throw new Error(`Found "${key as string}" for entry ${index}`);
    if (index % valueEvery === 0) checkEntry(data, index, value);
    index++;
    seen++;
  }
  if (isDense && index !== Math.min(start + length, data.entries)) {
    throw new Error(`A scan ended at entry ${index}, expected ${start + length}`);
  }
  return seen / ((performance.now() - startedMs) / 1000);
}

/**
 * Milliseconds that opening takes in any case: the median over openings of a store without tables.
 */
export async function emptyOpenMs(
  directory: string,
  options: Options,
  opens: number,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < opens; i++) {
    const startedMs = performance.now();
    const store = await open(directory, options);
    times.push(performance.now() - startedMs);
    await store.close();
  }
  return median(times);
}
