/**
 * A cache on disk in front of something slow. Entries carry their time; one that is too old is made
 * again. Losing the last entries in a crash does no harm, so nothing is synced.
 *
 *     node examples/cache.ts ./cache
 *
 * Prints:
 *
 *     made 1, 4, 9
 *     found 1, 4, 9
 *     made 4 again after its time
 *     5 calls, of which 4 made a value
 */

import process from "node:process";
import { open } from "@tinykvs/core";

await using store = await open(process.argv[2] ?? "./cache", {
  walSync: "none",
  compression: "snappy",
});
const LIFETIME_MS = 1_000;
let [calls, made] = [0, 0];

async function cached(key: string, now: number, make: () => number): Promise<number> {
  calls++;
  const entry = await store.getMap(key) as { time: number; value: number } | undefined;
  if (entry !== undefined && entry.time + LIFETIME_MS > now) {
    return entry.value;
  }
  made++;
  const value = make();
  await store.put(key, { time: now, value });
  return value;
}

const square = (n: number, now: number) => cached(`square:${n}`, now, () => n * n);
console.log(`made ${[await square(1, 0), await square(2, 0), await square(3, 0)].join(", ")}`);
const found: number[] = [];
for (const value of store.values()) found.push((value as { value: number }).value);
console.log(`found ${found.join(", ")}`);
await square(1, 500);
console.log(`made ${await square(2, 2_000)} again after its time`);
console.log(`${calls} calls, of which ${made} made a value`);
