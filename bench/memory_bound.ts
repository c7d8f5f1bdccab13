/**
 * `npm run bench:memory`: reads of stores that are larger than the memory, beside other stores,
 * each row in a process of its own in a memory cgroup that counts the page cache.
 *
 *   npm run bench:memory                                          10,000,000 entries in 256 MB, then 512 MB
 *   npm run bench:memory -- --entries 2000000 --memory-mb 128 --only skewed --engines tinykvs,lmdb
 *   npm run bench:memory -- --directory /data --keep --json result.json --update-docs
 *
 * The stores are made outside of the cgroup, by bench/peers/run_one.ts, and dropped from the page
 * cache before each row. `--keep` leaves them for the next run. Packages: cd bench/peers && npm ci.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, root, runProcess } from "../scripts/processes.ts";
import { replaceSection } from "./document.ts";
import { type BoundResult, renderBound } from "./memory_bound_report.ts";
import { boundRows, coldOpen } from "./memory_bound_rows.ts";
import type { BoundOutcome } from "./peers/memory_bound_run.ts";
import { MemoryGroup } from "./memory_group.ts";
import { dropFromPageCache } from "./peers/page_cache.ts";
import { programOf } from "./program.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";

requireFreshJobWorker(root);
const { values: given } = parseArgs({
  options: {
    entries: { type: "string", default: "10000000" },
    "memory-mb": { type: "string", default: "256,512" },
    "cache-mb": { type: "string", default: "64" },
    engines: { type: "string", default: "tinykvs,lmdb,node:sqlite,classic-level" },
    only: { type: "string" },
    warm: { type: "string", default: "10" },
    budget: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    directory: { type: "string", default: path.join(tmpdir(), "tinykvs-memory-bound") },
    json: { type: "string" },
    keep: { type: "boolean", default: false },
    "update-docs": { type: "boolean", default: false },
  },
});
const entries = Number(given.entries);
const engines = given.engines.split(",");
const only = given.only?.split(",");
const rows = [...boundRows, coldOpen].filter(({ name }) =>
  only === undefined || only.some((prefix) => name.startsWith(prefix))
);
const name = `tinykvs-memory-bound-${process.pid}`;

const runOne = await programOf("node", path.join(root, "bench", "peers", "run_one.ts"));
const program = await programOf("node", path.join(root, "bench", "peers", "memory_bound_run.ts"));

/** Makes the store of an engine unless it is there. */
async function prepare(engine: string): Promise<string> {
  const directory = path.join(given.directory, `${engine.replace(":", "-")}-${entries}`);
  const isDone = `${directory}.done`;
  if (existsSync(isDone)) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  console.log(`making the store of ${engine}`);
  const made = await runProcess(binaryOf("node"), [
    runOne,
    `--engine=${engine}`,
    "--workload=prepare",
    `--directory=${directory}`,
    `--entries=${entries}`,
    `--seed=${given.seed}`,
    "--no-verify",
  ]);
  const failure = failureOf(made);
  if (failure !== undefined) throw new Error(`Making ${engine} ${failure}\n${made.output}`);
  await runProcess("sync", readdirSync(directory).map((file) => path.join(directory, file)));
  writeFileSync(isDone, "");
  return directory;
}

async function measure(engine: string, row: string, megabytes: number): Promise<BoundOutcome> {
  const shared = await prepare(engine);
  const isCopy = boundRows.find(({ name }) => name === row)?.store === "copy";
  const directory = isCopy ? `${shared}-copy` : shared;
  if (isCopy) cpSync(shared, directory, { recursive: true });
  const files = readdirSync(directory).map((file) => path.join(directory, file));
  await runProcess("sync", files);
  const reason = dropFromPageCache(directory);
  if (reason !== undefined) throw new Error(reason);
  const group = MemoryGroup.make(name, megabytes * 1e6);
  if (typeof group === "string") throw new Error(group);
  try {
    const [command, commandArguments] = group.command(binaryOf("node"), [
      "--max-semi-space-size=16",
      program,
      `--engine=${engine}`,
      `--row=${row}`,
      `--directory=${directory}`,
      `--entries=${entries}`,
      `--seed=${given.seed}`,
      `--cache=${Number(given["cache-mb"]) * 1024 * 1024}`,
      `--warm=${given.warm}`,
      `--budget=${given.budget}`,
    ]);
    const result = await runProcess(command, commandArguments);
    const failure = failureOf(result);
    // A process that does not fit is a result.
    if (result.signal === "SIGKILL") return { kind: "unavailable", reason: "out of memory" };
    if (failure !== undefined) throw new Error(`${engine}, ${row} ${failure}\n${result.output}`);
    return JSON.parse(result.stdout.trimEnd().split("\n").at(-1)!) as BoundOutcome;
  } finally {
    await group.remove();
    if (isCopy) rmSync(directory, { recursive: true, force: true });
  }
}

const probe = MemoryGroup.make(name, 1e9);
if (typeof probe === "string") {
  console.log(`Skipped: ${probe}`);
} else {
  await probe.remove();
  const results: BoundResult[] = [];
  for (const megabytes of given["memory-mb"].split(",").map(Number)) {
    for (const { name: row, title } of rows) {
      for (const engine of engines) {
        const outcome = await measure(engine, row, megabytes);
        results.push({ engine, row, title, megabytes, outcome });
        console.log(
          outcome.kind === "measured"
            ? `${megabytes} MB, ${title}, ${engine}: ` +
              `${Math.round(outcome.operations / outcome.seconds)}/s, ` +
              `${(outcome.processorSeconds / outcome.operations * 1e6).toFixed(1)} µs of CPU, ` +
              `${(outcome.diskBytes / outcome.operations / 1e3).toFixed(2)} kB of disk, ` +
              `${(outcome.peakBytes / 1e6).toFixed(0)} MB`
            : `${megabytes} MB, ${title}, ${engine}: ${outcome.reason}`,
        );
      }
    }
  }
  const described = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    version: string;
  };
  const report = renderBound(results, {
    about:
      `Node ${process.versions.node}, @tinykvs/core ${version} (${described.stdout.trim()}), ` +
      `${new Date().toISOString().slice(0, 10)}, ${process.platform} ${release()}, ` +
      `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, ` +
      `${Math.round(totalmem() / 1e9)} GB of memory, a load of ${loadavg()[2]!.toFixed(1)}`,
    command: ["npm run bench:memory --", ...process.argv.slice(2)].join(" "),
    entries,
    cacheMB: Number(given["cache-mb"]),
  });
  console.log(`\n${report}`);
  if (given.json !== undefined) writeFileSync(given.json, `${JSON.stringify(results)}\n`);
  if (given["update-docs"]) {
    const file = path.join(root, "docs", "benchmarks", "memory-bound.md");
    const text = replaceSection(readFileSync(file, "utf8"), "bench/memory_bound", report);
    writeFileSync(file, text);
  }
  if (!given.keep) rmSync(given.directory, { recursive: true, force: true });
}
