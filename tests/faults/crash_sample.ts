/**
 * A workload that is small enough to be explored by another runtime too: see
 * crash_runtimes_test.ts.
 */

import process from "node:process";
import { pathToFileURL } from "node:url";
import { exploreWorkload, type Workload } from "../support/crash_tests.ts";

const sample: Workload = {
  name: "sample",
  title: "",
  options: { walSync: "none" },
  variants: 2,
  script: async (run) => {
    await run.open();
    for (let i = 0; i < 6; i++) {
      await run.wait(Promise.all([run.batch(6, 30, 250, { sync: i % 3 === 0 }), run.put(30, 60)]));
    }
    await run.wait(run.compact());
    await run.close();
  },
};

/** How many states were opened, and a number that is equal if their outcomes were. */
export async function exploreSample(): Promise<string> {
  const testFile = "tests/faults/crash_runtimes_test.ts";
  const { counts, outcome } = await exploreWorkload(sample, { seed: 1, oneIn: 4, testFile });
  return `${counts.opened} states, ${counts.nested} of recoveries, outcome ${outcome}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  console.log(await exploreSample());
}
