/**
 * Runs tinykvs and the peers side by side on one runtime: every store and row in a fresh process,
 * rounds interleaved, medians and ratios as a table. README.md says how to install the peers.
 *
 *   node bench/peers/run.ts                       Node, 1,000,000 entries, 3 rounds
 *   node bench/peers/run.ts bun --entries 20000 --rounds 1     a quick look on another runtime
 *   node bench/peers/run.ts --engines tinykvs,lmdb --only get,scan   some stores, some rows
 *   node bench/peers/run.ts --json peers.json --markdown peers.md --update-docs
 *
 * Exits with 1 if tinykvs failed in any row; what fails a peer is a result and stands in the table.
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, parseRuntime, root, runProcess } from "../../scripts/processes.ts";
import type { EngineKind } from "./engine.ts";
import { engineKinds } from "./engines.ts";
import { type About, type Column, renderReport, replaceReport, shortNumber } from "./report.ts";
import type { Outcome, Run } from "./results.ts";
import { type Workload, workloads } from "./workloads.ts";

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" },
    budget: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    engines: { type: "string" },
    directory: { type: "string", default: tmpdir() },
    json: { type: "string" },
    markdown: { type: "string" },
    "update-docs": { type: "boolean", default: false },
  },
});
const runtime = parseRuntime(positionals[0] ?? "node");
if (runtime === undefined || positionals.length > 1) {
  throw new RangeError(`Cannot run on "${positionals.join(" ")}": expected node, deno or bun`);
}

/** A whole number among the arguments. */
function wholeNumber(name: "entries" | "rounds" | "budget" | "seed", least: number): number {
  const value = Number(given[name]);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`Cannot use --${name} ${given[name]}: expected ${least} or more`);
  }
  return value;
}

const entries = wholeNumber("entries", 1000);
const rounds = wholeNumber("rounds", 1);
const budgetSeconds = wholeNumber("budget", 1);
const seed = wholeNumber("seed", 0);

const prefixes = given.only?.split(",");
const rows = workloads.filter(({ name }) =>
  prefixes?.some((prefix) => name.startsWith(prefix)) ?? true
);
const wantedEngines = given.engines?.split(",");
const unknown = wantedEngines?.filter((name) => !engineKinds.some((kind) => kind.name === name));
if (rows.length === 0 || (unknown?.length ?? 0) > 0) {
  throw new RangeError(
    `Cannot find rows "${given.only ?? "all"}" or engines "${unknown?.join() ?? ""}": there are ` +
      `${workloads.map(({ name }) => name).join(", ")}, and ` +
      `${engineKinds.map(({ name }) => name).join(", ")}`,
  );
}
const kinds = engineKinds.filter(({ name, runtimes }) =>
  wantedEngines?.includes(name) ?? runtimes.includes(runtime)
);
const isFor = (kind: EngineKind, workload: string): boolean =>
  kind.only?.some((prefix) => workload.startsWith(prefix)) ?? true;

/** Runs one workload on one store in a process of its own. */
async function measure(
  engine: string,
  workload: string,
  directory: string,
  timeoutSeconds: number,
): Promise<Outcome> {
  const flags = runtime === "deno" ? ["run", "-A", "--no-check", "--unstable-kv"] : [];
  const result = await runProcess(binaryOf(runtime!), [
    ...flags,
    path.join(root, "bench", "peers", "run_one.ts"),
    `--engine=${engine}`,
    `--workload=${workload}`,
    `--directory=${directory}`,
    `--entries=${entries}`,
    `--seed=${seed}`,
    `--budget=${budgetSeconds}`,
  ], { timeoutMs: timeoutSeconds * 1000 });
  const failure = failureOf(result);
  if (failure === undefined) {
    return JSON.parse(result.stdout.trimEnd().split("\n").at(-1)!) as Outcome;
  }
  const lines = result.output.split("\n").map((text) => text.trim());
  // The line with the error, rather than the source around it, which runtimes print, too.
  const said = lines.find((text) => /^(\w*error\b|panic\b|what\(\))/i.test(text)) ??
    lines.find((text) => /error|cannot/i.test(text));
  return { kind: "failed", reason: said === undefined ? failure : `${failure}: ${said}` };
}

/** The commit of the repository, with "-dirty" where files differ from it. */
async function commit(): Promise<string> {
  const result = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
  return failureOf(result) === undefined ? result.stdout.trim() : "unknown commit";
}

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(path.join(root, file), "utf8")) as { version: string }).version;
}

function say(round: number, workload: string, engine: string, outcome: Outcome): void {
  const text = outcome.kind === "measured"
    ? shortNumber(outcome.figure) + (outcome.stopped ? "*" : "")
    : `${outcome.kind}: ${outcome.reason}`;
  console.log(`${round} ${workload.padEnd(18)} ${engine.padEnd(16)} ${text}`);
}

const startedMs = performance.now();
const loadAtStart = loadavg()[0]!;
const folder = mkdtempSync(path.join(given.directory, "tinykvs-peers-"));
const folderOf = (engine: string): string =>
  path.join(folder, engine.replaceAll(/[^a-z0-9]+/gi, "-"));
const columns: Column[] = [];
const runs: Run[] = [];
/** Stores that a row, or all reading rows ("prepare"), won't be tried on again. */
const givenUp = new Map<string, Outcome>();

/** Finds out which stores this runtime can load. */
async function probe(): Promise<void> {
  for (const kind of kinds) {
    const { name, isFloor = false, isOwn = false, notes } = kind;
    const directory = path.join(folder, "probe");
    mkdirSync(directory);
    const outcome = await measure(name, "probe", directory, 60);
    rmSync(directory, { recursive: true, force: true });
    const version = outcome.kind === "measured" ? outcome.version : "";
    const problem = outcome.kind === "measured" ? undefined : outcome.reason;
    columns.push({ engine: name, version, isFloor, isOwn, notes, problem });
    say(0, "probe", name, outcome);
  }
}

/** Fills the store of an engine that the reading rows share. */
async function prepare(kind: EngineKind): Promise<void> {
  const directory = path.join(folderOf(kind.name), "shared");
  mkdirSync(directory, { recursive: true });
  if (kind.isFloor === true) return;
  const outcome = await measure(kind.name, "prepare", directory, 600);
  runs.push({ engine: kind.name, workload: "prepare", round: 0, outcome });
  say(0, "prepare", kind.name, outcome);
  if (outcome.kind !== "measured") {
    const problem = outcome.kind === "unsupported" ? outcome.kind : "failed";
    givenUp.set(`${kind.name} prepare`, {
      kind: problem,
      reason: `no store to read from: ${outcome.reason}`,
    });
  }
}

/** Runs a row on a store, unless that failed before. */
async function runCell(kind: EngineKind, row: Workload, round: number): Promise<void> {
  const key = `${kind.name} ${row.name}`;
  const before = givenUp.get(key) ??
    (row.store === "empty" ? undefined : givenUp.get(`${kind.name} prepare`));
  if (before !== undefined) {
    if (round === 1) runs.push({ engine: kind.name, workload: row.name, round, outcome: before });
    return;
  }
  const shared = path.join(folderOf(kind.name), "shared");
  const directory = row.store === "shared" ? shared : path.join(folderOf(kind.name), row.name);
  if (row.store === "copy") cpSync(shared, directory, { recursive: true });
  if (row.store === "empty") mkdirSync(directory, { recursive: true });
  const timeoutSeconds = 60 + budgetSeconds * 3 + entries / 10_000;
  const outcome = await measure(kind.name, row.name, directory, timeoutSeconds);
  if (row.store !== "shared") rmSync(directory, { recursive: true, force: true });
  runs.push({ engine: kind.name, workload: row.name, round, outcome });
  if (outcome.kind !== "measured") givenUp.set(key, outcome);
  say(round, row.name, kind.name, outcome);
}

try {
  await probe();
  const usable = kinds.filter(({ name }) =>
    columns.some(({ engine, problem }) => engine === name && problem === undefined)
  );
  const readsOf = (kind: EngineKind): boolean =>
    rows.some((row) => row.store !== "empty" && isFor(kind, row.name));
  for (const kind of usable) {
    if (readsOf(kind) || prefixes === undefined) await prepare(kind);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [at, row] of rows.entries()) {
      const able = usable.filter((kind) => isFor(kind, row.name));
      // Nobody is always first, nor always after the same neighbour.
      const first = (at + round) % Math.max(1, able.length);
      for (const kind of [...able.slice(first), ...able.slice(0, first)]) {
        await runCell(kind, row, round);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const about: About = {
  runtime: `${{ node: "Node", deno: "Deno", bun: "Bun" }[runtime]} ` +
    versionIn(`node_modules/${runtime}/package.json`),
  version: versionIn("package.json"),
  commit: await commit(),
  system: `${process.platform} ${release()}`,
  cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
  memoryMB: Math.round(totalmem() / 1e6),
  date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
  command: ["node bench/peers/run.ts", ...process.argv.slice(2)].join(" "),
  entries,
  rounds,
  budgetSeconds,
  seed,
  minutes: (performance.now() - startedMs) / 60_000,
  load: [loadAtStart, loadavg()[0]!],
};
const report = renderReport(
  about,
  columns,
  rows.map(({ name, title, family, unit }) => ({
    name,
    title,
    family,
    isLowerBetter: unit === "milliseconds",
  })),
  runs,
);
console.log(`\n${report}`);
if (given.json !== undefined) {
  writeFileSync(given.json, `${JSON.stringify({ about, columns, runs }, undefined, 1)}\n`);
}
if (given.markdown !== undefined) writeFileSync(given.markdown, report);
if (given["update-docs"]) {
  const file = path.join(root, "docs", "BENCHMARKS.md");
  writeFileSync(file, replaceReport(readFileSync(file, "utf8"), runtime, report));
}
const ownFailures = runs.filter(({ engine, outcome }) =>
  engine.startsWith("tinykvs") && outcome.kind === "failed"
);
if (ownFailures.length > 0) console.log(`tinykvs failed in ${ownFailures.length} rows`);
process.exitCode = ownFailures.length === 0 ? 0 : 1;
