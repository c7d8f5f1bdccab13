/**
 * Histories that the model once failed on, by what was wrong; each is as short as it could be made.
 */

import { test } from "node:test";
import type { Step } from "./command.ts";
import { runHistory } from "./histories.ts";

/** Runs steps on files with asynchronous calls, over many courses of them. */
async function run(first: number, steps: readonly Step[]): Promise<void> {
  for (let seed = 0; seed < 12; seed++) {
    await runHistory({ first, asyncFiles: true, seed, steps }, {
      isFixed: false,
      keysAsText: false,
    });
  }
}

test("A read that comes up short while the store is closed ends in a ClosedError, not in EBADF", async () => {
  const scan = { what: "scan", change: { key: 1 }, range: { reverse: false } };
  const steps: Step[] = [
    { do: "fill", with: { from: 0, count: 60, stride: 1, bytes: 100, seed: 1 } },
    { do: "flush", with: true },
  ];
  for (let hops = 0; hops < 20; hops++) {
    steps.push({ do: "close", with: { calls: [scan], hops, options: 1, form: "sync" } });
  }
  await run(1, steps);
});
