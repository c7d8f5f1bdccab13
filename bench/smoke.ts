/**
 * `npm run bench:smoke`: has a workload become much slower than it was?
 *
 *     npm run bench:smoke                       Node, under a minute
 *     npm run bench:smoke -- bun                another runtime
 *     npm run bench:smoke -- --only readrandom  workloads whose name starts with one of these
 *     npm run bench:smoke -- --record           writes bench/smoke_ratios.json, on a quiet machine
 *
 * Some workloads of db_bench run at 20,000 entries, with a small memtable so that flushes and a
 * compaction take part, in turns with a floor (smoke_floors.ts). The ratio of workload to floor is
 * compared with the recorded one; exits with 1 when a workload has lost more than a third, or an
 * answer was wrong. A workload that seems to have lost is measured again, twice, before it counts.
 *
 * Everything is processor time of the whole process, background work and closing included: wall
 * time is mostly other people's on a machine that is shared. Waiting (for fsync, for a timer) is
 * therefore not seen there; `npm run bench` shows it. At the end batches are measured in wall time,
 * alone and beside two busy loops (smoke_loaded.ts).
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type EmbeddedStore, open, type Options } from "../mod.ts";
import {
  binaryOf,
  failureOf,
  parseRuntime,
  root,
  runProcess,
  type Runtime,
  runtimes,
} from "../scripts/processes.ts";
import { runtimeName, runtimeVersion } from "../src/platform/natives.ts";
import { SeededRandom, ValuePool } from "./key_values.ts";
import { Stopwatch } from "./measure.ts";
import type { Bench } from "./operations.ts";
import { type Floor, makeFloors } from "./smoke_floors.ts";
import { printLoaded } from "./smoke_loaded.ts";
import {
  betterRatio,
  type FloorName,
  median,
  parseRecord,
  ratioOf,
  type RecordedRatios,
  type SmokeRecord,
  type SmokeRound,
  verdictOf,
  withRecorded,
} from "./smoke_verdict.ts";
import { prepareWorkload, type Workload, workloads } from "./workloads.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";

const ENTRIES = 20_000;
const ROUNDS = 9;
/** Rounds that come first and are not counted: code is compiled in them. */
const WARM_UP_ROUNDS = 2;
/**
 * Runs that `--record` takes the median of: how code gets compiled differs from process to process.
 */
const RECORD_RUNS = 3;
/** Fewer rounds than this say nothing; with them the first pass ends when its time is up. */
const MIN_ROUNDS = 3;
const FIRST_PASS_SECONDS = 36;
const ALL_SECONDS = 52;
const ATTEMPTS = 3;
/** Processor time that a reading workload, and a floor, takes at least in a round. */
const READ_SECONDS = 0.04;
const FLOOR_SECONDS = 0.012;
/** Gets a run where each of them decompresses a block. */
const COLD_READS = 2000;
const SEED = 1;
const options: Options = { walSync: "none", memtableSizeBytes: 512 * 1024 };
const recordFile = path.join(root, "bench", "smoke_ratios.json");
const values = new ValuePool(SEED);
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`;
const version = `${runtimeName} ${runtimeVersion}`;

/**
 * What is run, and the floor that it is compared with. Not among them: what waits for the disk, and
 * `scan-for-await`, whose turns of the event loop go by the clock (on a busy machine its processor
 * time swings by a factor of 3).
 */
const guarded: Readonly<Record<string, FloorName>> = {
  "fillseq-sync": "append",
  "fillrandom-sync": "append",
  "fillseq-await": "memory",
  "fillrandom-64": "memory",
  "fillrandom-inline": "memory",
  "fillrandom-thread": "memory",
  "fillbatch-seq": "memory",
  "fillbatch-random": "memory",
  "readrandom-hot-sync": "memory",
  "readrandom-hot-await": "memory",
  "readrandom-cold-sync": "memory",
  "getmany-cold": "memory",
  "readmissing-sync": "memory",
  "scan-for-of": "memory",
  "scan-reverse": "memory",
  "prefix100-sync": "memory",
  "prefix100-await": "memory",
  "mixed-sync": "memory",
};

/** Seconds of processor time that this process has taken. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** A stopwatch that counts processor time. */
class ProcessorStopwatch extends Stopwatch {
  #started = 0;
  #total = 0;

  override start(): void {
    this.#started = processorSeconds();
  }

  override stop(): void {
    this.#total += processorSeconds() - this.#started;
  }

  override get seconds(): number {
    return this.#total;
  }
}

/** What was measured of a workload. */
interface Measured {
  readonly workload: Workload;
  readonly floor: FloorName;
  rounds: SmokeRound[];
  ratio: number;
  attempts: number;
}

requireFreshJobWorker(root);
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    record: { type: "boolean", default: false },
    // For the runs of --record: measures without a time limit, prints the ratios as JSON.
    measure: { type: "boolean", default: false },
  },
});
const runtime = parseRuntime(positionals[0] ?? "node");
if (runtime === undefined || positionals.length > 1) {
  throw new RangeError(`Cannot bench on "${positionals.join(" ")}": expected one of ${runtimes}`);
}
const prefixes = given.only?.split(",") ?? [""];
const chosen = workloads.filter(({ name }) =>
  Object.hasOwn(guarded, name) && prefixes.some((prefix) => name.startsWith(prefix))
);
if (chosen.length === 0) {
  throw new RangeError(
    `Cannot find a workload for "${given.only}": there are ${Object.keys(guarded).join(", ")}`,
  );
}
if (runtime === runtimeName) {
  if (given.record) await recordRatios();
  else await main();
} else {
  const { code } = await runProcess(...selfOn(runtime, process.argv.slice(2)), { inherit: true });
  process.exitCode = code ?? 1;
}

/** Command and arguments that run this file. */
function selfOn(other: Runtime, more: readonly string[]): [string, string[]] {
  const permissions = other === "deno" ? ["run", "-A", "--no-check"] : [];
  return [binaryOf(other), [...permissions, path.join(root, "bench", "smoke.ts"), ...more]];
}

/** Measures, prints, and judges. */
async function main(): Promise<void> {
  const startedMs = performance.now();
  const elapsed = (): number => (performance.now() - startedMs) / 1000;
  const record = readRecord();
  const known = record[runtimeName];
  console.log(`${version}, ${machine}, ${ENTRIES} entries, seed ${SEED}, processor time`);
  console.log(
    known === undefined
      ? `nothing is recorded for ${runtimeName}`
      : `recorded: ${known.runtime}, ${known.machine}, ${known.date}`,
  );
  const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-smoke-"));
  try {
    const floors = makeFloors(folder);
    for (const [name, { description }] of Object.entries(floors)) {
      console.log(`floor "${name}": ${description}`);
    }
    const shared = path.join(folder, "shared");
    await runFresh(prepareWorkload, shared, true);
    const readable = await openReadable(shared, folder);
    const measured = chosen.map((workload): Measured => ({
      workload,
      floor: guarded[workload.name]!,
      rounds: [],
      ratio: 0,
      attempts: 0,
    }));
    await measureAttempt(
      measured,
      floors,
      readable,
      folder,
      (done) =>
        done < ROUNDS && (done < MIN_ROUNDS || given.measure || elapsed() < FIRST_PASS_SECONDS),
    );
    const hasLost = ({ workload, ratio }: Measured): boolean =>
      verdictOf(ratio, known?.ratios[workload.name]) === "lost";
    for (let attempt = 2; attempt <= ATTEMPTS && !given.measure; attempt++) {
      const again = measured.filter(hasLost);
      if (again.length === 0 || elapsed() > ALL_SECONDS) break;
      console.log(`once more: ${again.map(({ workload }) => workload.name).join(", ")}`);
      await measureAttempt(
        again,
        floors,
        readable,
        folder,
        (done) => done < ROUNDS && (done < MIN_ROUNDS || elapsed() < ALL_SECONDS),
      );
    }
    printTable(measured, record);
    if (given.measure) {
      const ratios = measured.map(({ workload, ratio }) => [workload.name, ratio]);
      console.log(JSON.stringify(Object.fromEntries(ratios)));
      return;
    }
    judge(measured, record);
    await printLoaded(folder, values);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${elapsed().toFixed(0)} s`);
}

/** Opens a copy of the shared store for each set of options that a reading workload wants. */
async function openReadable(shared: string, folder: string): Promise<Map<string, EmbeddedStore>> {
  const stores = new Map<string, EmbeddedStore>();
  for (const workload of chosen) {
    const key = JSON.stringify(workload.options);
    if (workload.store !== "shared" || stores.has(key)) continue;
    const directory = path.join(folder, `shared-${stores.size}`);
    cpSync(shared, directory, { recursive: true });
    stores.set(key, await open(directory, { ...options, ...workload.options }));
  }
  return stores;
}

/** Rounds over the workloads for as long as `goesOn` says; those that warm up are not counted. */
async function measureAttempt(
  measured: readonly Measured[],
  floors: Readonly<Record<FloorName, Floor>>,
  readable: ReadonlyMap<string, EmbeddedStore>,
  folder: string,
  goesOn: (doneRounds: number) => boolean,
): Promise<void> {
  for (const one of measured) one.rounds = [];
  for (let round = -WARM_UP_ROUNDS; round < 0 || goesOn(round); round++) {
    let last: { name: FloorName; seconds: number } | undefined;
    for (const one of measured) {
      const { workload } = one;
      const floor = floors[one.floor];
      const own = path.join(folder, "own");
      if (workload.store === "copy") cpSync(path.join(folder, "shared"), own, { recursive: true });
      if (workload.store === "empty") mkdirSync(own);
      const floorBefore = last?.name === one.floor ? last.seconds : floorSeconds(floor);
      const seconds = workload.store === "shared"
        ? await runReading(workload, readable.get(JSON.stringify(workload.options))!)
        : await runFresh(workload, own, round < 0);
      last = { name: one.floor, seconds: floorSeconds(floor) };
      rmSync(own, { recursive: true, force: true });
      if (round >= 0) {
        one.rounds.push({ workload: seconds, floorBefore, floorAfter: last.seconds });
      }
    }
  }
  for (const one of measured) {
    one.ratio = betterRatio(one.ratio, ratioOf(one.rounds));
    one.attempts++;
  }
}

/** Processor seconds an operation of a floor. */
function floorSeconds(floor: Floor): number {
  const started = processorSeconds();
  let operations = 0;
  let seconds = 0;
  do {
    operations += floor.run();
    seconds = processorSeconds() - started;
  } while (seconds < FLOOR_SECONDS);
  return seconds / operations;
}

/** What a workload works on. */
function makeBench(workload: Workload, directory: string): Bench {
  return {
    directory,
    entries: ENTRIES,
    reads: workload.options.blockCacheSizeBytes === 0 ? COLD_READS : ENTRIES,
    random: new SeededRandom(SEED),
    values,
    options: { ...options, ...workload.options },
    stopwatch: new ProcessorStopwatch(),
  };
}

/** Runs a reading workload often enough; returns processor seconds an operation. */
async function runReading(workload: Workload, store: EmbeddedStore): Promise<number> {
  const bench = makeBench(workload, "");
  workload.setUp?.(bench, store);
  let operations = 0;
  while (bench.stopwatch.seconds < READ_SECONDS) operations += await workload.run(bench, store);
  return bench.stopwatch.seconds / operations;
}

/**
 * Opens a store, runs a writing workload, closes; returns processor seconds an operation.
 * `verifies` looks at what was written afterwards, not measured.
 */
async function runFresh(
  workload: Workload,
  directory: string,
  verifies: boolean,
): Promise<number> {
  const bench = makeBench(workload, directory);
  const store = await open(directory, bench.options);
  workload.setUp?.(bench, store);
  const operations = await workload.run(bench, store);
  bench.stopwatch.start();
  await store.close();
  bench.stopwatch.stop();
  if (verifies && workload.verify !== undefined) {
    const reopened = await open(directory, bench.options);
    await workload.verify(makeBench(workload, directory), reopened);
    await reopened.close();
  }
  return bench.stopwatch.seconds / operations;
}

function printTable(measured: readonly Measured[], record: SmokeRecord): void {
  const recorded = record[runtimeName]?.ratios;
  const titles = ["floor", "ops/s", "floor's", "ratio", "recorded", "change", "rounds", "tries"];
  console.log(
    `\n${"workload".padEnd(22)}${titles.map((title) => title.padStart(10)).join("")}  verdict`,
  );
  for (const { workload, floor, rounds, ratio, attempts } of measured) {
    const before = recorded?.[workload.name];
    const rate = (seconds: readonly number[]): string =>
      Math.round(1 / median(seconds)).toLocaleString("en-US");
    const cells = [
      floor,
      rate(rounds.map((round) => round.workload)),
      rate(rounds.flatMap(({ floorBefore, floorAfter }) => [floorBefore, floorAfter])),
      ratio.toFixed(4),
      before?.toFixed(4) ?? "-",
      before === undefined ? "-" : `${((ratio / before - 1) * 100).toFixed(0)} %`,
      String(rounds.length),
      String(attempts),
    ];
    console.log(
      `${workload.name.padEnd(22)}${cells.map((cell) => cell.padStart(10)).join("")}  ` +
        verdictOf(ratio, before),
    );
  }
}

/** Runs several processes that only measure, and records the median of each ratio. */
async function recordRatios(): Promise<void> {
  const runs: Record<string, number>[] = [];
  for (let run = 0; run < RECORD_RUNS; run++) {
    const only = given.only === undefined ? [] : [`--only=${given.only}`];
    const result = await runProcess(...selfOn(runtime!, [runtimeName, "--measure", ...only]));
    const failure = failureOf(result);
    if (failure !== undefined) throw new Error(`A run ${failure}\n${result.output}`);
    console.log(result.stdout);
    runs.push(JSON.parse(result.stdout.trimEnd().split("\n").at(-1)!) as Record<string, number>);
  }
  const ratios = Object.fromEntries(
    chosen.map(({ name }) => [name, Number(median(runs.map((run) => run[name]!)).toPrecision(4))]),
  );
  const date = new Date().toISOString().slice(0, 10);
  const measured: RecordedRatios = { machine, runtime: version, date, ratios };
  const next = withRecorded(readRecord(), runtimeName, measured);
  writeFileSync(recordFile, `${JSON.stringify(next, undefined, 2)}\n`);
  console.log(`recorded in ${path.relative(root, recordFile)}`);
}

/** What is recorded, for all runtimes. */
function readRecord(): SmokeRecord {
  return existsSync(recordFile) ? parseRecord(readFileSync(recordFile, "utf8")) : {};
}

/** Says what is wrong, and sets the exit code. */
function judge(measured: readonly Measured[], record: SmokeRecord): void {
  const recorded = record[runtimeName]?.ratios;
  for (const { workload, ratio } of measured) {
    const verdict = verdictOf(ratio, recorded?.[workload.name]);
    if (verdict === "lost") {
      console.log(`FAILED: ${workload.name} has lost more than a third against the record`);
      process.exitCode = 1;
    } else if (verdict === "not recorded") {
      console.log(
        `FAILED: ${workload.name} has no recorded ratio on ${runtimeName}; run ` +
          `npm run bench:smoke -- ${runtimeName} --record on a quiet machine`,
      );
      process.exitCode = 1;
    }
  }
}
