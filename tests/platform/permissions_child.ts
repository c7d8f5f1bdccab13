/**
 * A child of deno_permissions_test.ts and node_permissions_test.ts: the life of a store in the
 * directory of its first argument, without a permission for anything else. The second argument may
 * ask for a part of it: "die" ends without closing the store, "recover" opens what that left,
 * "read" reads that without a permission to write, "count" counts entries read-only, "thread" says
 * who does large jobs, and so does "inline", which gives a thread less time to come. It reports by `console.log`, which needs no permission.
 */

import { LockedError, open, openSync } from "../../mod.ts";

interface DenoRuntime {
  readonly args: [directory: string, act?: string];
  exit(code: number): never;
}

const { Deno: deno, process } = globalThis as unknown as {
  Deno?: DenoRuntime;
  process: { argv: string[]; exit(code: number): never };
};
const runtime: DenoRuntime = deno ?? {
  args: process.argv.slice(2) as [string, string?],
  exit: (code) => process.exit(code),
};
const [directory, act] = runtime.args;

function require(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Not so: ${what}`);
}

if (act === "die") {
  for (const walSync of ["none", "interval", "batch", "write"] as const) {
    const dying = await open(directory, { walSync, memtableSizeBytes: 4096, lockTimeoutMs: 50 });
    for (let i = 0; i < 200; i++) await dying.put(`${walSync} ${i}`, "x".repeat(50));
    dying.deleteSync(`${walSync} 0`);
    await dying.write([{ type: "put", key: `${walSync} last`, value: [1, 2] }], { sync: true });
    if (walSync === "write") {
      console.log("dying");
      runtime.exit(7);
    }
    await dying.close();
  }
}

if (act === "recover") {
  const recovered = await open(directory);
  for (const walSync of ["none", "interval", "batch", "write"]) {
    require((await recovered.count({ prefix: `${walSync} ` })) === 200, `all of ${walSync}`);
    require((await recovered.get(`${walSync} 0`)) === undefined, "a deleted key is missing");
  }
  {
    using snapshot = recovered.snapshot();
    await recovered.put("none 1", "changed");
    await recovered.compact();
    require((await snapshot.get("none 1")) === "x".repeat(50), "the snapshot shows its moment");
    require([...snapshot.keys({ reverse: true, limit: 3 })].length === 3, "a scan backwards");
  }
  await recovered.close();
  console.log("recovered");
  runtime.exit(0);
}

if (act === "count") {
  const readOnly = await open(directory, { readOnly: true });
  console.log(await readOnly.count());
  await readOnly.close();
  runtime.exit(0);
}

if (act === "thread" || act === "inline") {
  // A thread may need a while. Where none can come, this is enough for flushes and compactions.
  const most = act === "thread" ? 100 : 20;
  const busy = await open(directory, { memtableSizeBytes: 1 << 20, walSync: "none" });
  let n = 1;
  for (let rounds = 0; rounds < most && busy.stats().background === "inline"; rounds++) {
    for (let i = 0; i < 5_000; i++) {
      n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
      busy.putSync(`key ${n % 100_000}`, `value ${n} `.repeat(20));
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await busy.flush();
  await busy.compact();
  const count = await busy.count();
  console.log(busy.stats().background);
  await busy.close();
  const again = openSync(directory);
  require(await again.count() === count, "what the jobs wrote is there");
  again.closeSync();
  runtime.exit(0);
}

if (act === "read") {
  const reading = await open(directory, { readOnly: true });
  const again = openSync(directory, { readOnly: true });
  for (const walSync of ["none", "interval", "batch", "write"]) {
    require((await reading.count({ prefix: `${walSync} ` })) === 200, `all of ${walSync}`);
    require(again.getSync(`${walSync} 0`) === undefined, "a deleted key is missing");
  }
  await reading.close();
  again.closeSync();
  console.log("read");
  runtime.exit(0);
}

const store = await open(directory);
for (let i = 0; i < 500; i++) await store.put(`key ${i}`, { n: i, text: "x".repeat(100) });
await store.flush();
for (let i = 0; i < 500; i += 2) store.deleteSync(`key ${i}`);
await store.compact();
await store.sync();
try {
  await open(directory);
  throw new Error("A second open was not refused");
} catch (error) {
  if (!(error instanceof LockedError)) throw error;
}
require((await store.entries().toArray()).length === 250, "250 entries before the close");
await store.checkpoint(`${directory}/copy`);
await store.close();
const copy = await open(`${directory}/copy`);
require((await copy.count()) === 250, "250 entries in the checkpoint");
await copy.close();

const again = openSync(directory, { compression: "snappy" });
require(again.getSync("key 0") === undefined, "a deleted key is missing");
require(JSON.stringify(again.getSync("key 1")).startsWith('{"n":1,'), "a record is back");
require((await again.count()) === 250, "250 entries after reopening");
again.putSync("more", 1);
again.closeSync();

const reading = await open(directory, { readOnly: true });
require((await reading.get("more")) === 1, "the last write is there");
await reading.close();
console.log("done");
