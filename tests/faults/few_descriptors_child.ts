/**
 * A child of few_descriptors_test.ts, under a limit of its file descriptors. Acts, with a
 * directory:
 *
 *   build <dir>          makes a store of several hundred tables, without a limit
 *   use <dir>            does everything that one does with it, in one process
 *   read <dir>           opens it read-only and reads everything
 *   squeeze <dir>        as `use`, with descriptors taken away until calls fail; says what failed
 *   recover <dir>        takes all descriptors from open stores, gives them back, and goes on with the same handles
 */

import assert from "node:assert/strict";
import { closeSync, openSync as openFile } from "node:fs";
import process from "node:process";
import { BackgroundError, type EmbeddedStore, IoError, open, type Options } from "../../mod.ts";

const [act, directory] = process.argv.slice(2) as [string, string];
const KEYS = 9000;
/** Tables of 4 KiB, the smallest: several hundred of them in a store of a few megabytes. */
const options: Options = {
  memtableSizeBytes: 4096,
  blockSizeBytes: 512,
  compression: "none",
  blockCacheSizeBytes: 0,
  l0CompactionTrigger: 4,
  levelSizeMultiplier: 10,
  walSync: "none",
};

function keyOf(n: number): string {
  return `key ${String(n).padStart(6, "0")}`;
}

function valueOf(n: number, generation: number): string {
  return `${generation} ${String(n * 7919 % 1_000_003).padStart(150, "-")}`;
}

/** Every key, one by one in an order far from the tables', and by scans. */
async function readAll(store: EmbeddedStore, generation: (n: number) => number): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    const n = i * 4001 % KEYS;
    assert.equal(await store.get(keyOf(n)), valueOf(n, generation(n)));
  }
  let at = 0;
  for await (const [key, value] of store.entries()) {
    assert.equal(key, keyOf(at));
    assert.equal(value, valueOf(at, generation(at)));
    at++;
  }
  assert.equal(at, KEYS);
  for (const key of store.keys({ reverse: true })) assert.equal(key, keyOf(--at));
  const asked = Array.from({ length: 300 }, (_, i) => i * 29 % KEYS);
  const values = await Promise.all(asked.map((n) => store.get(keyOf(n))));
  assert.deepEqual(values, asked.map((n) => valueOf(n, generation(n))));
}

function tablesOf(store: EmbeddedStore): number {
  return store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
}

/** Opens and uses a store of many tables; everything must work. */
async function use(): Promise<void> {
  const store = await open(directory, options);
  const tables = tablesOf(store);
  assert.ok(tables >= 300, `${tables} tables`);
  await readAll(store, () => 0);
  // Open cursors over many tables, while the tables under them are replaced.
  const cursors = Array.from({ length: 8 }, (_, i) => store.keys({ gte: keyOf(i * 1000) }));
  for (const [i, cursor] of cursors.entries()) {
    assert.deepEqual(await cursor.nextMany(1), [keyOf(i * 1000)]);
  }
  for (let n = 0; n < KEYS; n += 3) await store.put(keyOf(n), valueOf(n, 1));
  const generation = (n: number): number => n % 3 === 0 ? 1 : 0;
  await readAll(store, generation);
  for (const [i, cursor] of cursors.entries()) {
    assert.deepEqual(await cursor.nextMany(2), [keyOf(i * 1000 + 1), keyOf(i * 1000 + 2)]);
    await cursor.close();
  }
  await store.compact();
  await readAll(store, generation);
  const { openFiles } = store.stats();
  await store.close();
  const again = await open(directory, options);
  await readAll(again, generation);
  await again.close();
  console.log(JSON.stringify({ tables, openFiles }));
}

/** Reads a store of more tables than can be kept open, twice. */
async function read(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const store = await open(directory, { ...options, readOnly: true });
    assert.ok(tablesOf(store) >= 300);
    await readAll(store, () => 0);
    await store.close();
  }
  console.log("read");
}

/** The descriptors that are free, all taken but `left`. */
function takeDescriptors(left: number): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openFile(import.meta.filename!, "r"));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EMFILE");
      break;
    }
  }
  assert.ok(taken.length >= left, `${taken.length} descriptors are free, ${left} are asked for`);
  for (let i = 0; i < left; i++) closeSync(taken.pop()!);
  return taken;
}

/**
 * Uses the store with only `left` descriptors, from none upwards. Each failure is a typed EMFILE,
 * and what was acknowledged before it is there when the store is opened with enough of them.
 */
async function squeeze(): Promise<void> {
  const failures: string[] = [];
  let works = -1;
  // What the runtime itself opens late (Deno: certificates, a pipe for signals) comes first.
  const listener = (): void => {};
  process.on("SIGUSR2", listener);
  const first = await open(directory, options);
  await first.put("first", 1);
  await first.delete("first");
  await first.close();
  for (let left = 0; left < 24 && works < 0; left++) {
    const taken = takeDescriptors(left);
    let store: EmbeddedStore | undefined;
    let acknowledged = -1;
    try {
      store = await open(directory, options);
      for (let n = 0; n < KEYS; n += 31) {
        assert.equal(await store.get(keyOf(n)), valueOf(n, 0));
      }
      for (let n = 0; n < 400; n++) {
        await store.put(`late ${n}`, n);
        acknowledged = n;
      }
      await store.flush();
      await store.close();
      works = left;
    } catch (error) {
      const cause = error instanceof BackgroundError ? error.cause : error;
      assert.ok(cause instanceof IoError, String(error));
      failures.push(`${left}: ${cause.operation} ${cause.osCode}`);
      await store?.close().catch((failure: unknown) => {
        assert.ok(failure instanceof BackgroundError, String(failure));
      });
    }
    for (const descriptor of taken) closeSync(descriptor);
    const again = await open(directory, options);
    for (let n = 0; n <= acknowledged; n++) assert.equal(again.getSync(`late ${n}`), n);
    for (let n = 0; n < 400; n++) await again.delete(`late ${n}`);
    await again.close();
  }
  process.off("SIGUSR2", listener);
  console.log(JSON.stringify({ works, failures }));
}

/** Writes without any free descriptor until calls fail, and continues when there are some. */
async function recover(): Promise<void> {
  const listener = (): void => {};
  process.on("SIGUSR2", listener);
  // One that has a log and tables, and one that is about to get its first.
  const stores = [await open(directory, options), await open(`${directory}/new`, options)];
  await stores[0]!.put("first", 1);
  const expected = stores.map(() => new Map<string, number>());
  const refused = [0, 0];
  for (let round = 0; round < 3; round++) {
    const taken = takeDescriptors(0);
    for (const [s, store] of stores.entries()) {
      for (let n = 0; n < 600 || (refused[s] === round && n < 5000); n++) {
        try {
          await store.put(`late ${round} ${n}`, n);
          expected[s]!.set(`late ${round} ${n}`, n);
        } catch (error) {
          assert.ok(error instanceof IoError && error.osCode === "EMFILE", String(error));
          refused[s]!++;
          if (n > 600) break;
        }
      }
      await store.flush().catch((error: unknown) => {
        assert.ok(error instanceof IoError && error.osCode === "EMFILE", String(error));
      });
    }
    for (const descriptor of taken) closeSync(descriptor);
    for (const [s, store] of stores.entries()) {
      await store.put(`after ${round}`, round);
      expected[s]!.set(`after ${round}`, round);
    }
  }
  for (const [s, store] of stores.entries()) {
    await store.compact();
    for (const [key, n] of expected[s]!) assert.equal(await store.get(key), n);
    await store.close();
    const again = await open(store.path, options);
    for (const [key, n] of expected[s]!) assert.equal(again.getSync(key), n);
    await again.close();
  }
  process.off("SIGUSR2", listener);
  console.log(JSON.stringify(refused));
}

switch (act) {
  case "build": {
    const store = await open(directory, options);
    for (let n = 0; n < KEYS; n++) await store.put(keyOf(n), valueOf(n, 0));
    await store.compact();
    console.log(tablesOf(store));
    await store.close();
    break;
  }
  case "use":
    await use();
    break;
  case "recover":
    await recover();
    break;
  case "read":
    await read();
    break;
  case "squeeze":
    await squeeze();
    break;
}
