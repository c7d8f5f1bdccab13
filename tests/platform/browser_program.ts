/**
 * A program for a place without `process`, `Buffer` and `node:` modules, such as a browser: the
 * contract and a store in memory. It hands its result to `globalThis.report`.
 */

import type { Reader } from "../../contract.ts";
import { memoryFileSystem, open, openSync } from "../../mod.ts";

declare const report: (result: unknown) => void;

const COUNT = 3000;

function keyOf(n: number): string {
  return `key ${String(n).padStart(5, "0")} \u00e9`;
}

async function sum(reader: Reader): Promise<number> {
  let total = 0;
  for await (const value of reader.values()) total += (value as { n: number }).n;
  return total;
}

async function run(): Promise<unknown> {
  const fileSystem = memoryFileSystem();
  const options = { fileSystem, memtableSizeBytes: 64 * 1024, compression: "zstd" } as const;
  const store = await open("/db", options);
  for (let n = 0; n < COUNT; n++) {
    const put = store.put(keyOf(n), { n, text: "some text that is compressed. ".repeat(4) });
    if (n % 100 === 0) await put;
  }
  await store.increment("zz count", COUNT).then(() => store.delete("zz count"));
  await store.flush();
  await store.compact();
  using snapshot = store.snapshot();
  await store.delete(keyOf(0));
  const found = [await sum(snapshot), await store.count(), await store.getMap(keyOf(7))];
  const tables = store.stats().levels.reduce((count, level) => count + level.tables, 0);
  await store.close();
  const again = openSync("/db", { ...options, lockTimeoutMs: 5 });
  const keys = again.keys({ reverse: true, limit: 2 }).nextManySync(5);
  // A second handle waits for the lock, which needs a pause without Node.
  const locked = await open("/db", { ...options, lockTimeoutMs: 5 }).catch((error) => error.code);
  again.closeSync();
  let size = 0;
  for (const name of fileSystem.listSync("/db")) {
    const status = fileSystem.statSync(`/db/${name}`);
    if (name.endsWith(".sst")) size += status?.sizeBytes ?? 0;
  }
  const refused = await open("/disk/path").catch((error) => `${error.code}: ${error.message}`);
  return { found, tables: tables > 0, isSmall: size < COUNT * 60, keys, locked, refused };
}

run().then(report, (error) => report({ error: `${error?.stack ?? error}` }));
