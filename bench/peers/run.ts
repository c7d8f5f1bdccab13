/**
 * Runs tinykvs and the peers side by side on one runtime: every store and row in a fresh process,
 * rounds interleaved, medians, ratios and the verdict on the targets. README.md says how to install
 * the peers.
 *
 *   node bench/peers/run.ts                       Node, 1,000,000 entries, 3 rounds, about 30 minutes
 *   node bench/peers/run.ts bun --entries 20000 --rounds 1     a quick look on another runtime
 *   node bench/peers/run.ts --engines tinykvs,lmdb --only get,scan   some stores, some rows
 *   node bench/peers/run.ts --results node.json --minutes 9    again and again, until it is finished
 *   node bench/peers/run.ts bun --results bun.json --compare node.json --update-docs
 *
 * Exits with 0 when it is finished, with 1 if tinykvs failed in any row (what fails a peer is a
 * result and stands in the table), and with 3 if `--minutes` ended it: the same command goes on.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, parseRuntime, root, runProcess } from "../../scripts/processes.ts";
import { updateChart } from "../chart.ts";
import { replaceSection } from "../document.ts";
import { programOf } from "../program.ts";
import type { EngineKind } from "./engine.ts";
import { engineKinds } from "./engines.ts";
import { Figures } from "./figures.ts";
import {
  budgetOf,
  type Budgets,
  canRun,
  minutesLeft,
  type PlannedRun,
  plannedRuns,
  standingOf,
} from "./plan.ts";
import { type About, renderReport } from "./report.ts";
import type { Outcome, Run } from "./results.ts";
import {
  differences,
  parseSession,
  type Session,
  type Settings,
  withItem,
  withoutPrepared,
} from "./session.ts";
import { shortNumber } from "./table_text.ts";
import { judgeAll, targetsFor } from "./verdict.ts";
import { workloads } from "./workloads.ts";
import { requireFreshJobWorker } from "../../wasm/freshness.ts";

requireFreshJobWorker(root);
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" },
    "read-seconds": { type: "string", default: "2" },
    "fill-seconds": { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    engines: { type: "string" },
    directory: { type: "string", default: tmpdir() },
    minutes: { type: "string" },
    results: { type: "string" },
    compare: { type: "string" },
    markdown: { type: "string" },
    "update-docs": { type: "boolean", default: false },
  },
});
const runtime = parseRuntime(positionals[0] ?? "node");
if (runtime === undefined || positionals.length > 1) {
  throw new RangeError(`Cannot run on "${positionals.join(" ")}": expected node, deno or bun`);
}

/** A number among the arguments. */
function numberOf(
  name: "entries" | "rounds" | "read-seconds" | "fill-seconds" | "seed" | "minutes",
  least: number,
  isWhole = true,
): number {
  const value = Number(given[name]);
  if (!(value >= least) || (isWhole && !Number.isSafeInteger(value))) {
    throw new RangeError(`Cannot use --${name} ${given[name]}: expected ${least} or more`);
  }
  return value;
}

const entries = numberOf("entries", 1000);
const rounds = numberOf("rounds", 1);
const seed = numberOf("seed", 0);
const budgets: Budgets = {
  readSeconds: numberOf("read-seconds", 0.1, false),
  fillSeconds: numberOf("fill-seconds", 0.1, false),
};
const minutes = given.minutes === undefined ? Infinity : numberOf("minutes", 0, false);
if (given.minutes !== undefined && given.results === undefined) {
  throw new RangeError("Cannot stop after --minutes without --results, a file to go on from");
}
const node = given.compare === undefined
  ? undefined
  : parseSession(readFileSync(given.compare, "utf8"));

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

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(path.join(root, file), "utf8")) as { version: string }).version;
}

/** The commit of the repository, with "-dirty" where files differ from it. */
async function commit(): Promise<string> {
  const result = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
  return failureOf(result) === undefined ? result.stdout.trim() : "unknown commit";
}

const settings: Settings = {
  runtime,
  entries,
  rounds,
  ...budgets,
  seed,
  rows: rows.map(({ name }) => name),
  engines: kinds.map(({ name }) => name),
};

/** A new run, or the one in the results file. */
function startOrGoOn(): Session {
  if (given.results !== undefined && existsSync(given.results)) {
    const found = parseSession(readFileSync(given.results, "utf8"));
    const different = differences(found.settings, settings);
    if (different.length > 0) {
      throw new RangeError(`Cannot go on with "${given.results}": ${different.join("; ")}`);
    }
    if (!existsSync(found.folder)) {
      found.folder = mkdtempSync(path.join(given.directory, "tinykvs-peers-"));
    }
    return found;
  }
  return {
    format: 1,
    settings,
    folder: mkdtempSync(path.join(given.directory, "tinykvs-peers-")),
    about: {
      runtime: `${{ node: "Node", deno: "Deno", bun: "Bun" }[runtime!]} ` +
        versionIn(`node_modules/${runtime!}/package.json`),
      version: versionIn("package.json"),
      system: `${process.platform} ${release()}`,
      cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
      memoryMB: Math.round(totalmem() / 1e6),
      command: ["node bench/peers/run.ts", ...process.argv.slice(2)].join(" "),
    },
    commits: [],
    dates: [],
    loads: [],
    seconds: 0,
    columns: [],
    rows: rows.map(({ name, title, family, unit, isFill = false }) => ({
      name,
      title,
      family,
      isFill,
      isLowerBetter: unit === "milliseconds",
    })),
    runs: [],
    verdicts: [],
  };
}

const session = startOrGoOn();
const secondsBefore = session.seconds;
const startedMs = performance.now();
const secondsOfPart = (): number => (performance.now() - startedMs) / 1000;

/** Writes the results so that an interruption leaves the old ones or the new ones. */
function save(): void {
  session.seconds = secondsBefore + secondsOfPart();
  if (given.results === undefined) return;
  writeFileSync(`${given.results}.new`, `${JSON.stringify(session, undefined, 1)}\n`);
  renameSync(`${given.results}.new`, given.results);
}

const program = await programOf(runtime, path.join(root, "bench", "peers", "run_one.ts"));

/** Runs one workload on one store in its own process. */
async function measure(
  engine: string,
  workload: string,
  directory: string,
  budgetSeconds: number,
  timeoutSeconds: number,
  more: readonly string[] = [],
): Promise<Outcome> {
  const flags = runtime === "deno" ? ["run", "-A", "--no-check", "--unstable-kv"] : [];
  const result = await runProcess(binaryOf(runtime!), [
    ...flags,
    program,
    `--engine=${engine}`,
    `--workload=${workload}`,
    `--directory=${directory}`,
    `--entries=${entries}`,
    `--seed=${seed}`,
    `--budget=${budgetSeconds}`,
    ...more,
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

function say(round: number, workload: string, engine: string, outcome: Outcome): void {
  const text = outcome.kind === "measured"
    ? shortNumber(outcome.figure) + (outcome.stopped ? "*" : "")
    : `${outcome.kind}: ${outcome.reason}`;
  console.log(`${round} ${workload.padEnd(18)} ${engine.padEnd(18)} ${text}`);
}

const folderOf = (engine: string): string =>
  path.join(session.folder, engine.replaceAll(/[^a-z0-9]+/gi, "-"));
const sharedOf = (engine: string): string => path.join(folderOf(engine), "shared");

function isOver(): boolean {
  return secondsOfPart() >= minutes * 60;
}

function record(run: Omit<Run, "isPeer">, kind: EngineKind): void {
  session.runs.push({ ...run, isPeer: kind.isOwn !== true && kind.isFloor !== true });
  say(run.round, run.workload, run.engine, run.outcome);
  save();
}

/** Finds out whether this runtime can load a store. */
async function probe(kind: EngineKind): Promise<void> {
  const { name, isFloor = false, isOwn = false, notes } = kind;
  const directory = path.join(session.folder, "probe");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const outcome = await measure(name, "probe", directory, 10, 60);
  rmSync(directory, { recursive: true, force: true });
  const version = outcome.kind === "measured" ? outcome.version : "";
  const problem = outcome.kind === "measured" ? undefined : outcome.reason;
  const operations = outcome.kind === "measured" ? outcome.engineOperations ?? [] : [];
  session.columns.push({ engine: name, version, isFloor, isOwn, notes, problem, operations });
  say(0, "probe", name, outcome);
  save();
}

/** Fills the store of an engine that the reading rows share. */
async function prepare(kind: EngineKind): Promise<void> {
  const { name } = kind;
  session.runs = withoutPrepared(session.runs, name);
  rmSync(sharedOf(name), { recursive: true, force: true });
  mkdirSync(sharedOf(name), { recursive: true });
  if (kind.isFloor === true) return;
  // A store that takes so long is in no row the best; it would double the time of a run.
  const timeoutSeconds = kind.isOwn === true ? 600 : 10 + entries / 20_000;
  const outcome = await measure(name, "prepare", sharedOf(name), timeoutSeconds, timeoutSeconds);
  const problem = outcome.kind === "unsupported" ? outcome.kind : "failed";
  record({
    engine: name,
    workload: "prepare",
    round: 0,
    outcome: outcome.kind === "measured"
      ? outcome
      : { kind: problem, reason: `no store to read from: ${outcome.reason}` },
  }, kind);
}

/** Runs a row on a store, unless there is no store to read from. */
async function runCell({ kind, row, round }: PlannedRun): Promise<void> {
  const { name } = kind;
  const unprepared = row.store === "empty"
    ? undefined
    : session.runs.find((run) =>
      run.engine === name && run.workload === "prepare" && run.outcome.kind !== "measured"
    );
  if (unprepared !== undefined) {
    record({ engine: name, workload: row.name, round, outcome: unprepared.outcome }, kind);
    return;
  }
  const directory = row.store === "shared" ? sharedOf(name) : path.join(folderOf(name), row.name);
  if (row.store !== "shared") rmSync(directory, { recursive: true, force: true });
  if (row.store === "copy") cpSync(sharedOf(name), directory, { recursive: true });
  if (row.store === "empty") mkdirSync(directory, { recursive: true });
  const budgetSeconds = budgetOf(kind, row, budgets);
  const timeoutSeconds = 60 + budgetSeconds * 3 + entries / 10_000;
  const started = secondsOfPart();
  // What a peer has written is looked at once; what tinykvs has, every time.
  const more = round > 1 && kind.isOwn !== true ? ["--no-verify"] : [];
  const outcome = await measure(name, row.name, directory, budgetSeconds, timeoutSeconds, more);
  const processSeconds = secondsOfPart() - started;
  if (row.store !== "shared") rmSync(directory, { recursive: true, force: true });
  record({ engine: name, workload: row.name, round, outcome, processSeconds }, kind);
}

/** What is left to do: false if the time was over before it was finished. */
async function runAll(): Promise<boolean> {
  for (const kind of kinds) {
    if (session.columns.some(({ engine }) => engine === kind.name)) continue;
    if (isOver()) return false;
    await probe(kind);
  }
  const usable = kinds.filter(({ name }) =>
    session.columns.some(({ engine, problem }) => engine === name && problem === undefined)
  );
  const planned = plannedRuns(usable, rows, rounds);
  for (const run of planned) {
    const { kind, row, round } = run;
    const operations = session.columns.find(({ engine }) => engine === kind.name)?.operations;
    if (operations === undefined || canRun(row, operations)) continue;
    if (standingOf(run, session.runs) !== "due") continue;
    const outcome = { kind: "unsupported", reason: "has no such operation" } as const;
    session.runs.push({ engine: kind.name, workload: row.name, round, outcome });
  }
  // Only if something is left to read: a finished run makes its report without any store.
  const unprepared = usable.filter((kind) => {
    const isWanted = planned.some((run) =>
      run.kind === kind && run.row.store !== "empty" && standingOf(run, session.runs) === "due"
    );
    const made = session.runs.find(({ engine, workload }) =>
      engine === kind.name && workload === "prepare"
    );
    const isThere = existsSync(sharedOf(kind.name)) || made?.outcome.kind === "failed";
    return isWanted && !((made !== undefined || kind.isFloor === true) && isThere);
  });
  const left = (stores: number): string =>
    `${minutesLeft(planned, stores, session.runs, budgets, entries).toFixed(0)} minutes`;
  console.log(`about ${left(unprepared.length)} to go`);
  for (const kind of unprepared) {
    if (isOver()) return false;
    await prepare(kind);
  }
  let round = 0;
  for (const run of planned) {
    if (standingOf(run, session.runs) !== "due") continue;
    if (isOver()) return false;
    if (run.round !== round) console.log(`round ${run.round}, about ${left(0)} to go`);
    round = run.round;
    await runCell(run);
  }
  return true;
}

session.commits = withItem(session.commits, await commit());
session.dates.push(new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC");
session.loads.push(loadavg()[0]!);
let isFinished = false;
try {
  isFinished = await runAll();
} finally {
  // Stores that a later part reads from stay.
  if (isFinished || given.results === undefined) {
    rmSync(session.folder, { recursive: true, force: true });
  }
}
session.loads.push(loadavg()[0]!);

const about = {
  ...session.about,
  commit: session.commits.join(", then "),
  date: session.dates[0]!,
  entries,
  rounds,
  ...budgets,
  seed,
  minutes: (secondsBefore + secondsOfPart()) / 60,
  loads: session.loads,
} as unknown as About;
const figures = new Figures(session.columns, session.rows, session.runs);
const nodeFigures = node === undefined
  ? undefined
  : new Figures(node.columns, node.rows, node.runs);
session.verdicts = judgeAll(targetsFor(runtime, session.rows, figures, nodeFigures), figures);
save();
const report = renderReport(about, session.columns, session.rows, session.runs, session.verdicts);
if (isFinished) {
  console.log(`\n${report}`);
  if (given.markdown !== undefined) writeFileSync(given.markdown, report);
  if (given["update-docs"]) {
    const file = path.join(root, "docs", "benchmarks", `${runtime}.md`);
    writeFileSync(
      file,
      replaceSection(readFileSync(file, "utf8"), `bench/peers ${runtime}`, report),
    );
    if (runtime === "node") updateChart(root);
  }
} else console.log(`stopped after ${minutes} minutes: the same command goes on`);
const ownFailures = session.runs.filter(({ engine, outcome }) =>
  engine.startsWith("tinykvs") && outcome.kind === "failed"
);
if (ownFailures.length > 0) console.log(`tinykvs failed in ${ownFailures.length} rows`);
process.exitCode = ownFailures.length > 0 ? 1 : isFinished ? 0 : 3;
