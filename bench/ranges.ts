/**
 * What deleting costs, and what reads cost afterwards.
 *
 *     node bench/ranges.ts [entries] [range|single]
 *
 * A store on disk is filled in key order, 16 + 100 bytes an entry.
 *
 * 1. Its head is deleted but for the last 1,000 entries: by a range in one store, and by single
 *    deletes in another, which takes a thousand keys at a time from the head as the reader of a queue
 *    does. Then the first `next()` of a scan from the head is timed, before anything is flushed,
 *    after that, and after a reopening. The same with few entries comes first: the times are those
 *    of compiled code. With a second argument, the head is deleted in that way only. Beside the time
 *    is what the process worked meanwhile: on a busy machine the time has waits in it.
 * 2. `deleteRange` of ten entries, and of all entries but the last 1,000, is timed, each as the
 *    median of several stores' calls, and what the files are before and after.
 */

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type EmbeddedStore, openSync } from "../mod.ts";
import { keyOf } from "./key_values.ts";

const wanted = Number(process.argv[2] ?? 1_000_000);
const ways = process.argv[3] === undefined ? ["range", "single"] : [process.argv[3]];
/** Of the stores that are filled at the moment. */
let count = 0;
let stores = 0;
const LEFT = 1000;
/** Entries of the rounds that only make the code warm, and how many rounds. */
const WARM_UP = 20_000;
const WARM_UPS = 5;
const BATCH = 1000;
const value = new Uint8Array(100).map((_, at) => (at * 37) & 255);

const folder = mkdtempSync(join(tmpdir(), "tinykvs-ranges-"));

function open(name: string): EmbeddedStore {
  return openSync(join(folder, name), { walSync: "none" });
}

function fill(store: EmbeddedStore): void {
  for (let at = 0; at < count; at += BATCH) {
    const batch = store.batch();
    for (let i = at; i < Math.min(count, at + BATCH); i++) batch.put(keyOf(i), value);
    store.writeSync(batch);
  }
  store.flushSync();
}

function bytesOf(name: string): number {
  const path = join(folder, name);
  return readdirSync(path).filter((file) => file.endsWith(".sst"))
    .reduce((sum, file) => sum + statSync(join(path, file)).size, 0);
}

/** How long a call took, and what the process worked meanwhile, in milliseconds. */
interface Time {
  readonly ms: number;
  readonly cpuMs: number;
}

function timed(call: () => void): Time {
  const before = process.cpuUsage();
  const start = performance.now();
  call();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** The first step of a scan, which must show the first entry that is left. */
function firstNext(store: EmbeddedStore): Time {
  const cursor = store.keys();
  let key: unknown;
  const time = timed(() => key = cursor.nextSync().value);
  if (key !== keyOf(count - LEFT)) throw new Error(`the first key is ${String(key)}`);
  cursor.closeSync();
  return time;
}

function report(what: string, { ms, cpuMs }: Time): void {
  const figures = `${ms.toFixed(3).padStart(9)} ms, CPU ${cpuMs.toFixed(3).padStart(9)} ms`;
  console.log(`${what.padEnd(64)} ${figures}`);
}

function deleteHead(store: EmbeddedStore, isSingle: boolean): Time {
  return timed(() => {
    if (!isSingle) return store.deleteRangeSync({ lt: keyOf(count - LEFT) });
    for (let at = 0; at < count - LEFT; at += BATCH) {
      const batch = store.batch();
      for (const key of store.keys({ limit: BATCH })) batch.delete(key);
      store.writeSync(batch);
    }
  });
}

/** Deletes the head of a new store in one of the ways, and times the scans after that. */
async function run(way: string, isReported: boolean): Promise<void> {
  const show = isReported ? report : (): void => {};
  const isSingle = way === "single";
  const name = `${way}-${stores++}`;
  let store = open(name);
  fill(store);
  const before = bytesOf(name);
  for (let i = 0; i < 2000; i++) store.keys({ gte: keyOf(i * 7919 % count) }).nextSync();
  const how = isSingle ? "single deletes" : "a range";
  show(`deleting the head by ${how}`, deleteHead(store, isSingle));
  show("  the first next() after it", firstNext(store));
  show("  the second scan's", firstNext(store));
  store.flushSync();
  show("  after a flush", firstNext(store));
  store.closeSync();
  store = open(name);
  show("  after a reopening", firstNext(store));
  const start = performance.now();
  const cpu = process.cpuUsage();
  const isSmall = (): boolean => bytesOf(name) < before / 50;
  while (isReported && !isSmall() && performance.now() - start < 60_000) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const sizes = `${(before / 1e6).toFixed(1)} MB of tables are now ${
    (bytesOf(name) / 1e6).toFixed(1)
  } MB`;
  const { user, system } = process.cpuUsage(cpu);
  show(`  ${sizes}, after`, { ms: performance.now() - start, cpuMs: (user + system) / 1000 });
  store.closeSync();
}

try {
  console.log(`${wanted} entries, Node ${process.version}`);
  for (const way of ways) {
    count = WARM_UP;
    for (let round = 0; round < WARM_UPS; round++) await run(way, false);
    count = wanted;
    await run(way, true);
  }
  const times = new Map<number, Time[]>([[10, []], [count - LEFT, []]]);
  const store = open("times");
  fill(store);
  // Nothing but the call: what it deletes is there each time, because the range is in the memtable.
  for (let round = 0; round < 51; round++) {
    for (const [keys, measured] of times) {
      measured.push(timed(() => store.deleteRangeSync({ gte: keyOf(0), lt: keyOf(keys) })));
    }
  }
  for (const [keys, measured] of times) {
    report(`deleteRange of ${keys} entries, median`, measured.sort((a, b) => a.ms - b.ms)[25]!);
  }
  store.closeSync();
} finally {
  rmSync(folder, { recursive: true });
}
