/**
 * What the hot modules cost, in nanoseconds an operation, each module in its own process.
 *
 *     node bench/micro.ts                           every module on Node
 *     node bench/micro.ts --runtime bun             on another runtime: node, deno, bun, all
 *     node bench/micro.ts --only memtable,crc       some modules
 *     node bench/micro.ts --rounds 31               more rounds than 15
 *
 * Cases of a module run in turns, after a warm-up; shown are the median of the rounds, the least,
 * and the distance between the quartiles. Every answer is checked. Only ratios within one run mean
 * anything. Exits with 1 if an answer was wrong.
 */

import { cpus } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  binaryOf,
  failureOf,
  parseRuntime,
  root,
  runProcess,
  runtimes,
} from "../scripts/processes.ts";
import { benches } from "./micro/benches.ts";

const { values: given } = parseArgs({
  options: {
    only: { type: "string" },
    runtime: { type: "string", default: "node" },
    rounds: { type: "string", default: "15" },
  },
});
const chosenRuntimes = given.runtime === "all" ? runtimes : [parseRuntime(given.runtime)];
const names = given.only?.split(",") ?? benches.map(({ name }) => name);
for (const name of names) {
  if (!benches.some((bench) => bench.name === name)) {
    throw new RangeError(
      `Cannot find "${name}": expected some of ${benches.map((bench) => bench.name).join(", ")}`,
    );
  }
}

for (const runtime of chosenRuntimes) {
  if (runtime === undefined) {
    throw new RangeError(`Cannot run on "${given.runtime}": expected all or one of ${runtimes}`);
  }
  const version = await runProcess(binaryOf(runtime), ["--version"]);
  console.log(
    `${runtime} ${version.stdout.match(/\d+\.\d+\.\d+/)?.[0]}, ` +
      `${cpus().length} x ${cpus()[0]?.model.trim()}, processor time`,
  );
  console.log(`${"ns an operation".padEnd(52)} ${"median".padStart(10)}        min  quartiles`);
  for (const name of names) {
    const result = await runProcess(binaryOf(runtime), [
      ...(runtime === "deno" ? ["run", "-A", "--no-check"] : []),
      path.join(root, "bench", "micro", "run_bench.ts"),
      name,
      given.rounds,
    ]);
    process.stdout.write(result.output);
    const failure = failureOf(result);
    if (failure !== undefined) {
      console.log(`Module ${name} ${failure}`);
      process.exitCode = 1;
    }
  }
  console.log();
}
