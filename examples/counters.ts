/**
 * Counters of page views. Reading and writing synchronously makes each step whole: nothing runs in
 * between. One `sync` at the end makes all of them durable.
 *
 *     node examples/counters.ts ./counters
 *
 * Prints:
 *
 *     /about 250
 *     /index 500
 *     /news 250
 */

import process from "node:process";
import { openSync } from "@tinykvs/core";

const store = openSync(process.argv[2] ?? "./counters", { walSync: "none" });

function count(page: string): void {
  const old = store.getSync(page) as bigint | undefined;
  store.putSync(page, (old ?? 0n) + 1n);
}

for (let i = 0; i < 1_000; i++) count(["/index", "/about", "/index", "/news"][i % 4]!);
await store.sync();
for (const [page, views] of store.entries()) console.log(`${page} ${views}`);
store.closeSync();
