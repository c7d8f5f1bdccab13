/**
 * `npm run bench`: the workloads of bench/workloads.ts on one runtime, each in its own process, as
 * a table.
 *
 *   npm run bench                               Node, 1,000,000 entries
 *   npm run bench -- bun --entries 100000       another runtime, fewer entries
 *   npm run bench -- --only fillseq,open-sync   workloads whose name starts with one of these
 *   npm run bench -- --options '{"compression":"snappy"}'   options for every open
 *   npm run bench -- --seed 7 --json out.json   other data; results also as JSON
 *
 * Exits with 1 if a workload crashed or found a wrong answer. Figures of different runs differ by
 * what else the machine does; ratios within one run are what counts.
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Measurement } from "./db_bench.ts";
import { keyLength, valueLength } from "./key_values.ts";
import { workloads } from "./workloads.ts";
import {
  binaryOf,
  failureOf,
  parseRuntime,
  root,
  runProcess,
  runtimes,
} from "../scripts/processes.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";

requireFreshJobWorker(root);
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    options: { type: "string", default: "{}" },
    json: { type: "string" },
  },
});
const runtime = parseRuntime(positionals[0] ?? "node");
if (runtime === undefined || positionals.length > 1) {
  throw new RangeError(`Cannot bench on "${positionals.join(" ")}": expected one of ${runtimes}`);
}
const entries = Number(given.entries);
if (!Number.isSafeInteger(entries) || entries < 1000) {
  throw new RangeError(`Cannot bench with "${given.entries}" entries: expected 1000 or more`);
}

/** Version of a package in node_modules. */
function versionOf(name: string): string {
  const file = path.join(root, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

const columns = [
  { title: "workload", width: 24 },
  { title: "ops", width: 10 },
  { title: "seconds", width: 9 },
  { title: "ops/s", width: 11 },
  { title: "µs/op", width: 10 },
  { title: "close s", width: 8 },
  { title: "RSS MB", width: 7 },
  { title: "disk MB", width: 8 },
  { title: "stall ms", width: 9 },
] as const;

/** Prints a row: the first cell to the left, the others to the right. */
function printRow(cells: readonly string[]): void {
  console.log(
    cells.map((cell, i) =>
      i === 0 ? cell.padEnd(columns[0].width) : cell.padStart(columns[i]!.width)
    ).join(" "),
  );
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
const grouped = (count: number): string => Math.round(count).toLocaleString("en-US");

/** Runs a workload in its own process. */
async function measure(workload: string, directory: string): Promise<Measurement> {
  const permissions = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
  const result = await runProcess(binaryOf(runtime!), [
    ...permissions,
    path.join(root, "bench", "db_bench.ts"),
    `--workload=${workload}`,
    `--directory=${directory}`,
    `--entries=${entries}`,
    `--seed=${given.seed}`,
    `--options=${given.options}`,
  ]);
  const failure = failureOf(result);
  if (failure !== undefined) throw new Error(`Workload ${workload} ${failure}\n${result.output}`);
  return JSON.parse(result.stdout.trimEnd().split("\n").at(-1)!) as Measurement;
}

const about = {
  runtime: `${runtime} ${versionOf(runtime)}`,
  version:
    (JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string })
      .version,
  cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
  memoryMB: Math.round(totalmem() / 1e6),
  system: `${process.platform} ${release()}`,
  seed: Number(given.seed),
  entries,
  keyLength,
  valueLength,
  options: JSON.parse(given.options) as unknown,
};
console.log(`@tinykvs/core ${about.version} on ${about.runtime}, ${about.system}`);
console.log(`CPU ${about.cpu}, ${grouped(about.memoryMB)} MB of memory`);
console.log(
  `${grouped(entries)} entries of ${keyLength} + ${valueLength} bytes ` +
    `(${megabytes(entries * (keyLength + valueLength))} MB), half compressible, seed ${about.seed}`,
);
console.log(`options ${given.options} on top of walSync "none" and what a workload sets itself\n`);

const prefixes = given.only?.split(",");
const chosen = workloads.filter(({ name }) =>
  prefixes?.some((prefix) => name.startsWith(prefix)) ?? true
);
if (chosen.length === 0) {
  throw new RangeError(
    `Cannot find a workload for "${given.only}": there are ${
      workloads.map(({ name }) => name).join(", ")
    }`,
  );
}

const measurements: Measurement[] = [];
let failed = 0;
const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-bench-"));
try {
  printRow(columns.map(({ title }) => title));
  const shared = path.join(folder, "shared");
  if (chosen.some(({ store }) => store !== "empty")) await measure("prepare", shared);
  for (const { name, store } of chosen) {
    const directory = store === "shared" ? shared : path.join(folder, name);
    if (store === "copy") cpSync(shared, directory, { recursive: true });
    if (store === "empty") mkdirSync(directory);
    try {
      const one = await measure(name, directory);
      measurements.push(one);
      printRow([
        name,
        grouped(one.operations),
        one.seconds.toFixed(3),
        grouped(one.operations / one.seconds),
        (one.seconds / one.operations * 1e6).toFixed(3),
        one.closeSeconds.toFixed(2),
        megabytes(one.peakMemoryBytes),
        megabytes(one.diskBytes),
        one.longestStallMs?.toFixed(1) ?? "-",
      ]);
    } catch (error) {
      failed++;
      console.log((error as Error).message);
    }
    if (store !== "shared") rmSync(directory, { recursive: true, force: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (given.json !== undefined) {
  writeFileSync(given.json, `${JSON.stringify({ about, measurements }, undefined, 2)}\n`);
}
if (failed > 0) console.log(`${failed} workloads failed`);
process.exitCode = failed === 0 ? 0 : 1;
