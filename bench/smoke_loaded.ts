/**
 * The rows of bench/smoke.ts beside two busy loops: batches in wall time, alone and beside the
 * loops, alternating. Its other rows count processor time, so they do not notice a writer that
 * waits for a thread which does not get its turn. These rows are printed and not judged, because
 * the remaining rate depends on the number of cores.
 */

import { mkdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { open, type Options } from "../mod.ts";
import { BusyLoops } from "./busy_loops.ts";
import { SeededRandom, type ValuePool } from "./key_values.ts";
import { StallMeter, Stopwatch } from "./measure.ts";
import { median } from "./smoke_verdict.ts";
import { workloads } from "./workloads.ts";

const ENTRIES = 200_000;
const ROUNDS = 3;
const LOOPS = 2;
const SEED = 1;
const options: Options = { walSync: "none" };

interface Row {
  readonly rates: number[];
  readonly stallsMs: number[];
}

async function measure(
  name: string,
  directory: string,
  values: ValuePool,
  row: Row,
): Promise<void> {
  const workload = workloads.find((one) => one.name === name)!;
  mkdirSync(directory);
  const store = await open(directory, options);
  const stopwatch = new Stopwatch();
  const bench = {
    directory,
    entries: ENTRIES,
    reads: 0,
    random: new SeededRandom(SEED),
    values,
    options,
    stopwatch,
  };
  const stalls = new StallMeter();
  const operations = await workload.run(bench, store);
  row.stallsMs.push(stalls.stop());
  row.rates.push(operations / stopwatch.seconds);
  await store.close();
  rmSync(directory, { recursive: true });
}

/** Measures and prints. */
export async function printLoaded(folder: string, values: ValuePool): Promise<void> {
  console.log(
    `\nbatches of 1,000, ${ENTRIES} entries, wall time, alone and beside ${LOOPS} busy loops, ` +
      `medians of ${ROUNDS}`,
  );
  const directory = path.join(folder, "loaded");
  for (const name of ["fillbatch-seq", "fillbatch-random"]) {
    const alone: Row = { rates: [], stallsMs: [] };
    const beside: Row = { rates: [], stallsMs: [] };
    for (let round = 0; round < ROUNDS; round++) {
      await measure(name, directory, values, alone);
      const loops = await BusyLoops.start(LOOPS);
      try {
        await measure(name, directory, values, beside);
      } finally {
        loops.stop();
      }
    }
    const shown = ({ rates, stallsMs }: Row): string =>
      `${Math.round(median(rates)).toLocaleString("en-US")}/s, longest stall ` +
      `${median(stallsMs).toFixed(0)} ms`;
    const left = Math.round(100 * median(beside.rates) / median(alone.rates));
    console.log(
      `${name.padEnd(22)}alone ${shown(alone)}; beside ${
        shown(beside)
      }; ${left} % of the rate is left`,
    );
  }
}
