/**
 * A child of deno_permissions_test.ts: the life of a store in the directory of its argument, without a
 * permission for anything else. It reports on standard output by `console.log`, which needs none.
 */

import { LockedError, open, openSync } from "../../mod.ts";

const [directory] = (globalThis as unknown as { Deno: { args: string[] } }).Deno.args as [string];

function require(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Not so: ${what}`);
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
await store.close();

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
