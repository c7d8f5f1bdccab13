/**
 * A child of readers_test.ts, on the store in the directory of its second argument.
 *
 * As "writer" it writes batches for as long as nobody sends a line: batch n gives all counters the
 * value n, and changes and deletes other keys, over memtables so small that flushes and compactions
 * go on all along. It prints the number of each batch after it is acknowledged, and now and then
 * reads the store itself, through its own read-only handle.
 *
 * As "reader" it gets lines: the number of a batch that was acknowledged before. It opens handles,
 * checks what each shows, checks those of the line before once more, closes them, and answers with
 * the number of opens.
 */

import { createInterface } from "node:readline";
import process from "node:process";
import { type EmbeddedStore, open, openSync, type Options } from "../../mod.ts";

const [role, directory] = process.argv.slice(2) as [string, string];
const COUNTERS = 30;
const OTHERS = 200;
const reading: Options = { readOnly: true, blockCacheSizeBytes: 0 };

/**
 * The number of the batch that a store shows; anything that is not the state after one is an error.
 */
async function checked(store: EmbeddedStore): Promise<number> {
  const counters = new Set<unknown>();
  let keys = 0;
  for await (const [key, value] of store.entries()) {
    keys++;
    if (String(key).startsWith("counter")) counters.add(value);
    else if (typeof value !== "string") throw new Error(`${String(key)} is ${String(value)}`);
  }
  if (keys === 0) return 0;
  const [number] = counters;
  if (counters.size !== 1 || typeof number !== "number") {
    throw new Error(`the counters are ${[...counters].join()}`);
  }
  const others = await store.count({ prefix: "other" });
  if (keys !== COUNTERS + others) throw new Error(`${keys} keys, ${others} others`);
  // What batch n has done to the keys beside the counters.
  for (let n = number; n > Math.max(0, number - OTHERS / 2); n -= 3) {
    const value = await store.get(`other ${n % OTHERS}`);
    const expected = n % 5 === 0 ? undefined : `${n}`.padEnd(300, "-");
    if (value !== expected) throw new Error(`batch ${n} is not whole after ${number}: ${value}`);
  }
  if (await store.get("counter 3") !== number) throw new Error("a get and a scan disagree");
  return number;
}

async function opened(
  atLeast: number,
  isSync: boolean,
): Promise<{ store: EmbeddedStore; number: number }> {
  const store = isSync ? openSync(directory, reading) : await open(directory, reading);
  const number = await checked(store);
  if (number < atLeast) {
    throw new Error(`batch ${atLeast} was acknowledged before the open, ${number} is there`);
  }
  return { store, number };
}

async function checkAgain(
  { store, number }: { store: EmbeddedStore; number: number },
): Promise<void> {
  const now = await checked(store);
  if (now !== number) throw new Error(`it was ${number} and is ${now}`);
  await store.close();
}

async function write(lines: AsyncIterator<string>): Promise<void> {
  const store = await open(directory, {
    memtableSizeBytes: 16 * 1024,
    blockCacheSizeBytes: 0,
    l0CompactionTrigger: 2,
    compression: "none",
    walSync: "none",
  });
  let isOver = false;
  const over = lines.next().then(() => isOver = true);
  let held: { store: EmbeddedStore; number: number } | undefined;
  let opens = 0;
  for (let n = 1; !isOver; n++) {
    const batch = store.batch();
    for (let i = 0; i < COUNTERS; i++) batch.put(`counter ${i}`, n);
    if (n % 5 === 0) batch.delete(`other ${n % OTHERS}`);
    else batch.put(`other ${n % OTHERS}`, `${n}`.padEnd(300, "-"));
    await batch.write();
    console.log(JSON.stringify(n));
    if (n % 200 === 0) await store.compact();
    if (n % 50 === 0) {
      if (held !== undefined) await checkAgain(held);
      held = await opened(n, n % 100 === 0);
      opens++;
    }
  }
  await over;
  if (held !== undefined) await checkAgain(held);
  await store.close();
  console.log(JSON.stringify({ opens }));
}

async function read(lines: AsyncIterator<string>): Promise<void> {
  let held: { store: EmbeddedStore; number: number }[] = [];
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const atLeast = Number(line.value);
    const fresh = await Promise.all([false, false, true].map((isSync) => opened(atLeast, isSync)));
    for (const handle of held) await checkAgain(handle);
    held = fresh;
    console.log(JSON.stringify(fresh.length));
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await (role === "writer" ? write(lines) : read(lines));
process.exit(0);
