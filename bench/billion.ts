/**
 * `npm run bench:billion`: loads a billion entries in 1 GB of memory, page cache included, samples
 * on the way, then opens and reads them.
 *
 *   npm run bench:billion                                    1,000,000,000 in key order, on Node
 *   npm run bench:billion -- --order random                  100,000,000 in random order
 *   npm run bench:billion -- --entries 10000000 --directory /data --keep
 *   npm run bench:billion -- --minutes 30                    stops then; the same command goes on
 *   npm run bench:billion -- --results r.jsonl --report --update-docs
 *
 * Samples are added to a results file every 5 seconds, and the store stays until the end. So the
 * same command goes on after a kill, and the report says so. Exits with 3 if it was stopped, and
 * with 1 if a target is missed or an answer was wrong. Without a memory cgroup (Linux, as root) it
 * runs without a limit, and says so.
 */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, root, runProcess } from "../scripts/processes.ts";
import { type BillionRun, parseLines, type Settings, settingsDiffer } from "./billion_lines.ts";
import { billionChart, judgeBillion, renderBillion } from "./billion_report.ts";
import { replaceSection } from "./document.ts";
import { MemoryGroup } from "./memory_group.ts";
import { programOf } from "./program.ts";
import type { ScaleOrder } from "./scale_data.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";

const { values: given } = parseArgs({
  options: {
    order: { type: "string", default: "seq" },
    entries: { type: "string" },
    seed: { type: "string", default: "1" },
    "memory-mb": { type: "string", default: "1000" },
    directory: { type: "string", default: path.join(tmpdir(), "tinykvs-billion") },
    results: { type: "string" },
    minutes: { type: "string", default: "Infinity" },
    "least-free-gb": { type: "string", default: "10" },
    keep: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    "update-docs": { type: "boolean", default: false },
  },
});
const { order } = given;
if (order !== "seq" && order !== "random") {
  throw new RangeError(`Cannot load in order "${order}": expected seq or random`);
}
const defaultEntries: Readonly<Record<ScaleOrder, number>> = {
  seq: 1_000_000_000,
  random: 100_000_000,
};
const entries = Number(given.entries ?? defaultEntries[order]);
if (!Number.isSafeInteger(entries) || entries < 1000) {
  throw new RangeError(`Cannot load "${given.entries}" entries: expected 1000 or more`);
}
const directory = path.join(given.directory, order);
const resultsFile = path.resolve(given.results ?? path.join(given.directory, `${order}.jsonl`));

function recorded(): BillionRun {
  return parseLines(readFileSync(resultsFile, "utf8"));
}

/** What README advises for little memory: V8's young generation takes up to 100 MB otherwise. */
const nodeFlags = ["--max-semi-space-size=16"];

async function aboutText(): Promise<string> {
  const versionIn = (file: string): string =>
    (JSON.parse(readFileSync(path.join(root, file), "utf8")) as { version: string }).version;
  const described = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
  const commit = failureOf(described) === undefined ? described.stdout.trim() : "unknown commit";
  return `Node ${versionIn("node_modules/node/package.json")} ${nodeFlags.join(" ")}, ` +
    `@tinykvs/core ${versionIn("package.json")} (${commit}), ` +
    `${new Date().toISOString().slice(0, 10)}, ${process.platform} ${release()}, ` +
    `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, ` +
    `${Math.round(totalmem() / 1e9)} GB of memory`;
}

/** Loads what is missing, then reads. Returns whether everything is there. */
async function measure(): Promise<boolean> {
  requireFreshJobWorker(root);
  const stopAt = Date.now() + Number(given.minutes) * 60_000;
  mkdirSync(given.directory, { recursive: true });
  const made = MemoryGroup.make(`tinykvs-billion-${process.pid}`, Number(given["memory-mb"]) * 1e6);
  const group = typeof made === "string" ? undefined : made;
  if (group === undefined) console.log(`Nothing limits the memory: ${made as string}`);
  const settings: Settings = {
    kind: "settings",
    format: 1,
    order: order as ScaleOrder,
    entries,
    seed: Number(given.seed),
    limitBytes: group?.limitBytes ?? 0,
  };
  try {
    if (existsSync(resultsFile)) {
      const different = settingsDiffer(recorded().settings, settings);
      if (different !== undefined) {
        throw new Error(`Cannot go on with "${resultsFile}": ${different}`);
      }
      // A killed process may have left half a line.
      const text = readFileSync(resultsFile, "utf8");
      if (!text.endsWith("\n")) {
        writeFileSync(resultsFile, text.slice(0, text.lastIndexOf("\n") + 1));
      }
    } else {
      if (existsSync(directory)) {
        throw new Error(
          `Cannot begin: "${directory}" is there, and its results "${resultsFile}" not`,
        );
      }
      appendFileSync(resultsFile, `${JSON.stringify(settings)}\n`);
    }
    const about = await aboutText();
    const program = await programOf("node", path.join(root, "bench", "billion_run.ts"));
    const runPhase = async (phase: "load" | "read"): Promise<void> => {
      const nodeArguments = [
        ...nodeFlags,
        program,
        `--phase=${phase}`,
        `--order=${order}`,
        `--entries=${entries}`,
        `--seed=${given.seed}`,
        `--directory=${directory}`,
        `--results=${resultsFile}`,
        `--stop-at=${stopAt}`,
        `--least-free-bytes=${Number(given["least-free-gb"]) * 1e9}`,
        `--about=${about}`,
        `--command=${["npm run bench:billion --", ...process.argv.slice(2)].join(" ")}`,
        ...(group === undefined ? [] : [`--group=${group.directory}`]),
      ];
      const [command, commandArguments] = group?.command(binaryOf("node"), nodeArguments) ??
        [binaryOf("node"), nodeArguments];
      const failure = failureOf(await runProcess(command, commandArguments, { inherit: true }));
      if (failure !== undefined) throw new Error(`The ${phase} process ${failure}`);
    };
    if (recorded().loaded?.entries !== entries) await runPhase("load");
    if (recorded().read?.entries !== recorded().loaded!.entries) await runPhase("read");
  } finally {
    await group?.remove();
  }
  return recorded().loaded!.entries === entries;
}

const isWhole = given.report || await measure();
const run = recorded();
const picture = `billion-${order}.svg`;
const report = renderBillion(run, picture);
console.log(`\n${report}`);
if (given["update-docs"]) {
  const folder = path.join(root, "docs", "benchmarks");
  writeFileSync(path.join(folder, picture), billionChart(run));
  const file = path.join(folder, "billion.md");
  const text = replaceSection(readFileSync(file, "utf8"), `bench/billion ${order}`, report);
  writeFileSync(file, text);
}
if (isWhole && !given.keep && !given.report) {
  for (const made of [directory, `${directory}-empty`]) {
    rmSync(made, { recursive: true, force: true });
  }
}
const isMet = judgeBillion(run).every(({ isMet }) => isMet);
process.exitCode = !isWhole ? 3 : isMet ? 0 : 1;
