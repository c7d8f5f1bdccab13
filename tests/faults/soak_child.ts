/**
 * The process of soak_test.ts: a mixed load on a store on a slow disk. Arguments: seconds, seed. It
 * prints one line of JSON, a SoakReport, and compares all reads with a model.
 *
 * The disk is one in memory with the waits of a slow one. Each asynchronous call takes a seeded
 * latency, now and then a long one, and the time of its bytes at some bandwidth, one call after
 * another. A sync takes the bytes that were written to the file since the last one. (Synchronous
 * writes go to the system's memory on a real disk, too.) Four in five operations are reads, and
 * four in five keys come from one fifth. Every three seconds all workers write as fast as they can.
 * After that, some cursors are dropped without being closed.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { type EmbeddedStore, memoryFileSystem, open, type Options } from "../../mod.ts";
import { collectGarbage } from "../support/garbage.ts";
import { interceptingFileSystem } from "../support/intercepting_file_system.ts";
import { Random } from "../support/random.ts";
import { CACHE_BYTES, MEMTABLE_BYTES, type SoakReport } from "./soak_report.ts";
import { filesIn, holdThread, LagMeter, pause, residentBytes } from "./soak_meters.ts";

const BYTES_PER_MS = 4000;
const LATENCY_MS = 1;
const KEYS = 6000;
const WORKERS = 6;
const BURST_EVERY_MS = 3000;
const BURST_BATCHES = 12;
/** The kind of write that is a batch. */
const BATCH = 9;
const ABANDONED_CURSORS = 20;

const DIRECTORY = "/soak";

const [secondsText, seedText] = process.argv.slice(2) as [string, string];
const seconds = Number(secondsText);
const random = new Random(Number(seedText));

/** The time that synchronous calls would have taken so far. */
let syncIoMs = 0;
/** When the disk will have done all calls so far. */
let diskFreeAtMs = 0;
const unsynced = new Map<string, number>();

/** How long an operation holds the disk. */
function durationMs(operation: string, path: string, length: number): number {
  if (operation !== "sync") return LATENCY_MS + length / BYTES_PER_MS;
  const bytes = unsynced.get(path) ?? 0;
  unsynced.delete(path);
  return LATENCY_MS + bytes / BYTES_PER_MS;
}

/** The slow disk. */
function slowFileSystem(): ReturnType<typeof interceptingFileSystem> {
  return interceptingFileSystem(memoryFileSystem(), {
    before(operation, path, length): void {
      if (operation === "write") unsynced.set(path, (unsynced.get(path) ?? 0) + length);
      if (operation === "remove") unsynced.delete(path);
    },
    delay(operation, path, length): Promise<void> {
      const jitterMs = random.below(200) === 0 ? 60 : random.below(1000) / 1000;
      const nowMs = performance.now();
      diskFreeAtMs = Math.max(nowMs, diskFreeAtMs) + jitterMs + durationMs(operation, path, length);
      return pause(diskFreeAtMs - nowMs);
    },
    charge(operation, path, length): void {
      // Writes go to the system's memory, and so does what is read again; names are cheap.
      const isSlow = operation === "sync" || operation === "sync directory";
      if (isSlow) syncIoMs += durationMs(operation, path, length);
    },
  });
}

const model = new Map<string, string>();
let generation = 0;
let operations = 0;
let longestWriteMs = 0;

function keyOf(n: number): string {
  return `user:${String(n).padStart(6, "0")}`;
}

/** Four in five of the requested keys come from one fifth. */
function anyKey(): number {
  return random.below(5) < 4 ? random.below(KEYS / 5) : random.below(KEYS);
}

/** 100 to 900 characters that compress a little. */
function newValue(): string {
  let text = `${++generation} `;
  for (const length = 100 + random.below(800); text.length < length;) {
    text += random.uint32().toString(36);
  }
  return text;
}

async function timed(write: Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await write;
  longestWriteMs = Math.max(longestWriteMs, performance.now() - startedMs);
}

async function writeSome(store: EmbeddedStore, kind: number): Promise<void> {
  if (kind < 6) {
    const key = keyOf(anyKey());
    const value = newValue();
    model.set(key, value);
    await timed(store.put(key, value));
  } else if (kind < 8) {
    const key = keyOf(anyKey());
    model.delete(key);
    await timed(store.delete(key));
  } else {
    const batch = store.batch();
    for (let i = 0; i < 12; i++) {
      const key = keyOf(anyKey());
      const value = newValue();
      model.set(key, value);
      batch.put(key, value);
    }
    await timed(batch.write());
  }
}

async function readSome(store: EmbeddedStore): Promise<void> {
  const kind = random.below(40);
  const n = anyKey();
  if (kind < 34) {
    const expected = model.get(keyOf(n));
    const value = await store.get(keyOf(n));
    assert.equal(value, expected, keyOf(n));
    return;
  }
  const range = { gte: keyOf(n), lt: keyOf(n + 40), reverse: kind % 2 === 0 };
  const expected: [string, string][] = [];
  for (let i = n; i < n + 40; i++) {
    const value = model.get(keyOf(i));
    if (value !== undefined) expected.push([keyOf(i), value]);
  }
  if (range.reverse) expected.reverse();
  assert.deepEqual(await store.entries(range).toArray(), expected);
}

async function work(store: EmbeddedStore, untilMs: number): Promise<void> {
  let nextBurstMs = performance.now() + BURST_EVERY_MS / 2;
  while (performance.now() < untilMs) {
    if (performance.now() > nextBurstMs) {
      nextBurstMs += BURST_EVERY_MS;
      for (let i = 0; i < BURST_BATCHES; i++) await writeSome(store, BATCH);
    }
    for (let i = 0; i < 10; i++) {
      operations++;
      if (random.below(5) === 0) await writeSome(store, random.below(10));
      else await readSome(store);
    }
    await pause(4);
  }
}

/** The lag of a loop with nothing to do, and what the meter says of a thread that is held. */
async function calibrate(): Promise<{ idleLagMs: number; heldLagMs: number }> {
  const idle = new LagMeter(() => syncIoMs);
  await pause(500);
  idle.stop();
  const held = new LagMeter(() => syncIoMs);
  await pause(20);
  holdThread(80);
  await pause(20);
  held.stop();
  return { idleLagMs: idle.maxClockMs, heldLagMs: held.maxBusyMs };
}

const calibration = await calibrate();
const fileSystem = slowFileSystem();
const options: Options = {
  fileSystem,
  memtableSizeBytes: MEMTABLE_BYTES,
  blockCacheSizeBytes: CACHE_BYTES,
  blockSizeBytes: 4096,
  l0CompactionTrigger: 2,
  levelSizeMultiplier: 4,
  walSync: "interval",
};
const startBytes = residentBytes();
const store = await open(DIRECTORY, options);
const startedMs = performance.now();
const untilMs = startedMs + seconds * 1000;
const startedCpu = process.cpuUsage();
syncIoMs = 0;
const lag = new LagMeter(() => syncIoMs);
const workers = Array.from({ length: WORKERS }, () => work(store, untilMs));
const peaks = { warmBytes: 0, peakBytes: 0, handles: 0, files: 0, diskBytes: 0 };
while (performance.now() < untilMs) {
  await pause(50);
  const { count, bytes } = filesIn(fileSystem, DIRECTORY);
  peaks.files = Math.max(peaks.files, count);
  peaks.diskBytes = Math.max(peaks.diskBytes, bytes);
  peaks.handles = Math.max(peaks.handles, fileSystem.handles.open);
  const resident = residentBytes();
  if (performance.now() < startedMs + seconds * 333) {
    peaks.warmBytes = Math.max(peaks.warmBytes, resident);
  }
  peaks.peakBytes = Math.max(peaks.peakBytes, resident);
}
await Promise.all(workers);
const drainStartedMs = performance.now();
await store.flush();
while (store.stats().pendingCompactionBytes > 0) await pause(20);
const drainMs = performance.now() - drainStartedMs;
lag.stop();
const used = process.cpuUsage(startedCpu);

const tableFiles = (): number =>
  fileSystem.listSync(DIRECTORY).filter((n) => n.endsWith(".sst")).length;
const tables = (): number => store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
await store.compact();
const { flush, compaction, stalls, levels } = store.stats();

/** Drops cursors, each with a lease on the tables of its time; returns how many files they pin. */
async function abandonCursors(): Promise<number> {
  const cursors = [];
  for (let i = 0; i < ABANDONED_CURSORS; i++) {
    const cursor = store.entries();
    cursors.push(cursor);
    await cursor.nextMany(1);
    for (let j = 0; j < 5; j++) await writeSome(store, BATCH);
    if (i % 5 === 4) await store.compact();
  }
  const pinned = tableFiles() - tables();
  // Until here they can't have been collected.
  assert.equal(cursors.length, ABANDONED_CURSORS);
  return pinned;
}

const pinnedFiles = await abandonCursors();
await store.compact();
await collectGarbage(() => tableFiles() <= tables());
const endFiles = tableFiles();
const endTables = tables();
const entries = new Map(await store.entries().toArray() as [string, string][]);
assert.equal(entries.size, model.size);
for (const [key, value] of model) assert.equal(entries.get(key), value);
await store.close();

const report: SoakReport = {
  seconds: (performance.now() - startedMs) / 1000,
  operations,
  ...calibration,
  busyLagMs: lag.maxBusyMs,
  longLags: lag.longLags,
  clockLagMs: lag.maxClockMs,
  ticks: lag.ticks,
  startBytes,
  warmBytes: peaks.warmBytes,
  peakBytes: peaks.peakBytes,
  peakHandles: peaks.handles,
  peakFiles: peaks.files,
  peakDiskBytes: peaks.diskBytes,
  liveBytes: levels.reduce((sum, level) => sum + level.sizeBytes, 0),
  endFiles,
  endTables,
  endHandles: fileSystem.handles.open,
  pinnedFiles,
  flushes: flush.count,
  compactions: compaction.count,
  stalls: stalls.count,
  stalledMs: stalls.totalMs,
  longestWriteMs,
  drainMs,
  cpuShare: (used.user + used.system) / 1000 / (performance.now() - startedMs),
};
console.log(JSON.stringify(report));
