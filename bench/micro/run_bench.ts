/**
 * Measures the cases of one module in this process and prints them. bench/micro.ts starts it, a
 * process a module, so that no module's types spoil the compiled code of another's; it is also what
 * to put under a profiler:
 *
 *     node --cpu-prof --cpu-prof-dir=/tmp bench/micro/run_bench.ts memtable 15
 *
 * Times are processor time of the whole process, the collector's and compiler's threads included.
 */

import process from "node:process";
import { benches } from "./benches.ts";
import { measureCases } from "./micro_case.ts";

/** Milliseconds of processor time that this process has taken. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const name = process.argv[2];
const rounds = Number(process.argv[3] ?? "15");
const bench = benches.find((one) => one.name === name);
if (bench === undefined || !Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(
    `Cannot run "${name}" for ${rounds} rounds: expected one of ` +
      `${benches.map((one) => one.name).join(", ")}, and 1 or more`,
  );
}
const effort = { warmUpMs: 60, rounds, turnMs: 5 };
for (const result of measureCases(bench.makeCases(), effort, processorMs)) {
  const figures = [result.medianNs, result.minNs, result.spreadNs].map((ns) =>
    ns.toFixed(ns < 1000 ? 1 : 0).padStart(10)
  );
  console.log(`${`${bench.name}: ${result.name}`.padEnd(52)} ${figures.join(" ")}`);
}
