/**
 * A child of idle_test.ts: deletes everything in the store that its argument names, stays for as
 * long as the store needs to be found idle, and wants to exit then, without closing it.
 */

import process from "node:process";
import { setTimeout } from "node:timers";
import { open } from "../../mod.ts";

const store = await open(process.argv[2]!);
const batch = store.batch();
for await (const key of store.keys()) batch.delete(key);
await batch.write();
console.log("deleted");
// The idle time and a little of what comes after it.
setTimeout(() => console.log("done"), 1700);
