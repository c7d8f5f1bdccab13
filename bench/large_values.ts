/**
 * `npm run bench:large`: large values beside other stores, each step in a process of its own.
 *
 *   npm run bench:large                                     values of 1 KB, 10 KB, 100 KB and 1 MB
 *   npm run bench:large -- --sizes 100000 --engines "tinykvs none,lmdb" --rounds 3 --scale 0.25
 *
 * Steps take turns: all stores one after another, then the next step, then the next round. It needs
 * the packages of the peers: cd bench/peers && npm ci.
 */

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, root, runProcess } from "../scripts/processes.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";
import { replaceSection } from "./document.ts";
import { LargeFigures, type LargeResult, renderLarge } from "./large_values_report.ts";
import { type LargeOutcome, type LargeStep, largeSteps } from "./large_values_steps.ts";
import { programOf } from "./program.ts";

requireFreshJobWorker(root);
const { values: given } = parseArgs({
  options: {
    sizes: { type: "string", default: "1000,10000,100000,1000000" },
    engines: {
      type: "string",
      default: "tinykvs,tinykvs none,lmdb,node:sqlite,classic-level,empty loop",
    },
    steps: { type: "string", default: largeSteps.join(",") },
    rounds: { type: "string", default: "1" },
    scale: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    directory: { type: "string", default: tmpdir() },
    json: { type: "string" },
    "update-docs": { type: "boolean", default: false },
  },
});
const engines = given.engines.split(",");
const steps = largeSteps.filter((step) => given.steps.split(",").includes(step));
const folder = mkdtempSync(path.join(given.directory, "tinykvs-large-"));
const program = await programOf("node", path.join(root, "bench", "peers", "large_values_run.ts"));
const results: LargeResult[] = [];

/** 100 MB of the smallest values, and 400 MB of the largest. */
function countOf(bytes: number): number {
  const total = bytes < 10_000 ? 100e6 : bytes < 100_000 ? 300e6 : 400e6;
  return Math.max(2, Math.round(total * Number(given.scale) / bytes));
}

async function measure(engine: string, bytes: number, step: LargeStep): Promise<void> {
  const directory = path.join(folder, engine.replaceAll(/\W/g, "-"));
  const target = step.startsWith("put") ? `${directory}-new` : directory;
  if (target !== directory) mkdirSync(target);
  const result = await runProcess(binaryOf("node"), [
    program,
    `--engine=${engine}`,
    `--step=${step}`,
    `--directory=${target}`,
    `--bytes=${bytes}`,
    `--count=${countOf(bytes)}`,
    `--seed=${given.seed}`,
  ]);
  const failure = failureOf(result);
  if (failure !== undefined) throw new Error(`${engine}, ${step} ${failure}\n${result.output}`);
  const outcome = JSON.parse(result.stdout.trimEnd().split("\n").at(-1)!) as LargeOutcome;
  results.push({ engine, bytes, step, outcome });
  if (target === directory) return;
  const isLeft = outcome.kind === "measured";
  if (isLeft) rmSync(directory, { recursive: true, force: true });
  if (isLeft) renameSync(target, directory);
  else rmSync(target, { recursive: true });
}

try {
  for (let round = 0; round < Number(given.rounds); round++) {
    for (const bytes of given.sizes.split(",").map(Number)) {
      for (const step of steps) {
        for (const engine of engines) await measure(engine, bytes, step);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const described = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
const report = renderLarge(new LargeFigures(results), {
  about: `Node ${process.versions.node}, ${described.stdout.trim()}, ` +
    `${new Date().toISOString().slice(0, 10)}, ${process.platform} ${release()}, ` +
    `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, ` +
    `a load of ${loadavg()[2]!.toFixed(1)}`,
  command: ["npm run bench:large --", ...process.argv.slice(2)].join(" "),
});
console.log(report);
if (given.json !== undefined) writeFileSync(given.json, `${JSON.stringify(results)}\n`);
if (given["update-docs"]) {
  const file = path.join(root, "docs", "benchmarks", "large-values.md");
  writeFileSync(file, replaceSection(readFileSync(file, "utf8"), "bench/large_values", report));
}
