/**
 * A time series: one key a sensor and moment, so that a range scan reads one sensor's values of a
 * period, in order. A reverse scan with a limit finds the newest value.
 *
 *     node examples/time_series.ts ./series
 *
 * Prints:
 *
 *     kitchen from 08:00 to 08:04: 20, 20.5, 21, 21.5
 *     newest in the cellar: 12.9
 *     60 values of the kitchen, average 34.75
 */

import process from "node:process";
import { open } from "@tinykvs/core";

await using store = await open(process.argv[2] ?? "./series", { walSync: "interval" });

const minute = (text: string) => `2026-01-01T${text}`;
for (let i = 0; i < 60; i++) {
  const time = minute(`08:${String(i).padStart(2, "0")}`);
  await store.batch()
    .put(`kitchen/${time}`, 20 + i / 2)
    .put(`cellar/${time}`, 7 + i / 10)
    .write();
}

const values: number[] = [];
const period = { gte: `kitchen/${minute("08:00")}`, lt: `kitchen/${minute("08:04")}` };
for await (const value of store.values(period)) values.push(value as number);
console.log(`kitchen from 08:00 to 08:04: ${values.join(", ")}`);

for await (const value of store.values({ prefix: "cellar/", reverse: true, limit: 1 })) {
  console.log(`newest in the cellar: ${value}`);
}

let [count, sum] = [0, 0];
for (const value of store.values({ prefix: "kitchen/" })) {
  count++;
  sum += value as number;
}
console.log(`${count} values of the kitchen, average ${sum / count}`);
