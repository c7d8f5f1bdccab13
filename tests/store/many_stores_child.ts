/**
 * A child of many_stores_test.ts, with a directory to work in. Acts:
 *
 *   rest <dir>     opens many stores, uses each a little, waits until they are at rest; prints what one costs
 *   loop <dir>     opens, reads and closes one store after the other without a turn of the event loop
 *   thread <dir>   writes to several stores until their jobs run in the thread, and closes them one by one
 */

import { cpSync, mkdirSync, readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers";
import { open, openSync, type Store } from "../../mod.ts";
import { sharedThread } from "../../src/worker/shared_thread.ts";
import { Random } from "../support/random.ts";

const [act, directory] = process.argv.slice(2) as [string, string];
const runtime = globalThis as { gc?: () => void; Bun?: { gc(full: boolean): void } };
const collect = (): void => runtime.Bun === undefined ? runtime.gc!() : runtime.Bun.gc(true);

/** Bytes of the heap and of memory that belongs to objects in it. */
function heldBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Descriptors of files in the directory. */
function descriptors(): number {
  const linkOf = (name: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // That of the listing itself.
      return "";
    }
  };
  return readdirSync("/proc/self/fd").filter((name) => linkOf(name).startsWith(directory)).length;
}

async function rest(): Promise<void> {
  const count = 20;
  const use = async (name: string): Promise<Store> => {
    const store = await open(`${directory}/${name}`);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 500; i++) await store.put(`key ${i}`, "x".repeat(100));
      await store.flush();
    }
    for (let i = 0; i < 500; i++) await store.get(`key ${i}`);
    await store.put("last", 1, { sync: true });
    return store;
  };
  await (await use("warm")).close();
  const before = heldBytes();
  const stores: Store[] = [];
  for (let i = 0; i < count; i++) stores.push(await use(`store ${i}`));
  const found = () => ({
    descriptors: descriptors() / count,
    bytes: (heldBytes() - before) / count,
  });
  let now = found();
  // Minutes, should it take so long.
  for (let i = 0; i < 600 && (now.descriptors > 4 || now.bytes > 500_000); i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    now = found();
  }
  for (const store of stores) {
    if (await store.get("key 499") !== "x".repeat(100)) throw new Error("a key is missing");
    await store.put("again", 1);
    await store.close();
  }
  console.log(JSON.stringify({ ...now, afterClose: descriptors() }));
}

async function loop(): Promise<void> {
  const count = 16;
  const random = new Random(1);
  const first = await open(`${directory}/0`);
  for (let i = 0; i < 80; i++) {
    const batch = first.batch();
    for (let n = 0; n < 1000; n++) {
      batch.put(
        `key ${String(i * 1000 + n).padStart(8, "0")}`,
        Uint8Array.from({ length: 100 }, () => random.below(256)),
      );
    }
    await batch.write();
  }
  await first.compact();
  await first.close();
  for (let s = 1; s < count; s++) {
    mkdirSync(`${directory}/${s}`);
    for (const name of readdirSync(`${directory}/0`)) {
      if (name !== "LOCK") cpSync(`${directory}/0/${name}`, `${directory}/${s}/${name}`);
    }
  }
  const bytes = (): number => process.memoryUsage().arrayBuffers;
  const before = bytes();
  let one = 0;
  let peak = 0;
  let found = 0;
  for (let s = 0; s < count; s++) {
    const store = openSync(`${directory}/${s}`);
    for (let n = 0; n < 80_000; n += 20) {
      if (store.hasSync(`key ${String(n).padStart(8, "0")}`)) found++;
    }
    // Dropped without being closed, in the middle of a block.
    store.entries()[Symbol.iterator]().next();
    one = Math.max(one, store.stats().cache.sizeBytes);
    store.closeSync();
    peak = Math.max(peak, bytes() - before);
  }
  console.log(JSON.stringify({ found, count, one, peak, descriptors: descriptors() }));
}

async function thread(): Promise<void> {
  const options = { memtableSizeBytes: 1 << 20, compression: "none", walSync: "none" } as const;
  const stores = [0, 1, 2].map((s) => openSync(`${directory}/${s}`, options));
  let n = 1;
  while (stores.some((store) => store.stats().background !== "worker")) {
    for (const store of stores) {
      for (let i = 0; i < 2000; i++) {
        n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
        store.putSync(`key ${n % 100_000}`, `value ${n} `.repeat(10));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const told: boolean[] = [];
  for (const store of stores) {
    told.push(sharedThread.isStarted);
    await store.close();
  }
  console.log(JSON.stringify([...told, sharedThread.isStarted]));
}

if (act === "rest") await rest();
else if (act === "loop") await loop();
else await thread();
