/**
 * Runs one workload in this process and prints what was measured as one line of JSON, the last of
 * stdout. bench/run.ts starts it, a fresh process a workload, so that memory and compiled code
 * are each workload's own.
 *
 *   node bench/db_bench.ts --workload fillseq-sync --directory /tmp/empty --entries 100000 --seed 1
 *
 * Exits with 1 if the store answers wrongly.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { open, type Options } from "../mod.ts";
import { SeededRandom, ValuePool } from "./key_values.ts";
import { directorySizeBytes, peakMemoryBytes, StallMeter, Stopwatch } from "./measure.ts";
import type { Bench } from "./operations.ts";
import { prepareWorkload, workloads } from "./workloads.ts";

/** What a run measured. */
export interface Measurement {
  readonly workload: string;
  readonly operations: number;
  /** Time of the operations. */
  readonly seconds: number;
  /** Time of closing afterwards: work that was put off shows up here. */
  readonly closeSeconds: number;
  /** Peak resident memory of the process up to the end of the operations. */
  readonly peakMemoryBytes: number;
  /** Size of the store's directory after closing. */
  readonly diskBytes: number;
  /** Longest time without a turn of the event loop; null for workloads without such turns. */
  readonly longestStallMs: number | null;
}

const { values: given } = parseArgs({
  options: {
    workload: { type: "string" },
    directory: { type: "string" },
    entries: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    options: { type: "string", default: "{}" },
  },
});
const workload = [prepareWorkload, ...workloads].find(({ name }) => name === given.workload);
if (workload === undefined || given.directory === undefined) {
  throw new RangeError(
    `Cannot run workload "${given.workload}" in "${given.directory}": expected one of ` +
      `${workloads.map(({ name }) => name).join(", ")} and a directory`,
  );
}
const directory = given.directory;
const entries = Number(given.entries);
const options: Options = {
  walSync: "none",
  ...workload.options,
  ...JSON.parse(given.options) as Options,
};

/** The same data and random numbers each time. */
function makeBench(): Bench {
  const seed = Number(given.seed);
  return {
    directory,
    entries,
    reads: Math.min(entries, 200_000),
    random: new SeededRandom(seed),
    values: new ValuePool(seed),
    options,
    stopwatch: new Stopwatch(),
  };
}

const bench = makeBench();
const store = await open(directory, options);
workload.setUp?.(bench, store);
const stalls = workload.isAsync ? new StallMeter() : undefined;
const operations = await workload.run(bench, store);
const longestStallMs = stalls?.stop() ?? null;
const peak = peakMemoryBytes();
const closing = new Stopwatch();
closing.start();
if (store.status !== "closed") await store.close();
closing.stop();
const diskBytes = directorySizeBytes(directory);

if (workload.verify !== undefined) {
  const reopened = await open(directory, options);
  await workload.verify(makeBench(), reopened);
  await reopened.close();
}
const measurement: Measurement = {
  workload: workload.name,
  operations,
  seconds: bench.stopwatch.seconds,
  closeSeconds: closing.seconds,
  peakMemoryBytes: peak,
  diskBytes,
  longestStallMs,
};
process.stdout.write(`${JSON.stringify(measurement)}\n`);
