/**
 * Makes tests of crash workloads: each runs on a file system that is crashed at every operation in
 * every way that fault_file_system.ts knows. Each state is opened and compared with the history.
 *
 *   TINYKVS_CRASH=workload:event:kind#variant:seed   checks just that state (failures print theirs)
 *   TINYKVS_CRASH_WORKLOAD=flush,zstd                runs just these workloads
 *   TINYKVS_TEST_SCALE=10                            runs ten seeds of each
 *
 * A workload is a script against a `Run`. A workload that starts with files of other origin (a
 * store of the Go program) puts durable ones there in `prepare`, and tells the history their
 * content.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import type { Options } from "../../src/options.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { type CrashCounts, CrashFailure, type CrashName, parseCrashName } from "./crash_names.ts";
import { CrashExplorer } from "./fault_crashes.ts";
import { FaultFileSystem, type Profile } from "./fault_file_system.ts";
import { reportFigure } from "./figures.ts";
import { History } from "./fault_history.ts";
import { FaultScheduler, useScheduler } from "./fault_scheduler.ts";
import { Run } from "./fault_workload.ts";

/** A scripted workload. */
export interface Workload {
  /** Its name in TINYKVS_CRASH. */
  readonly name: string;
  /** What the test says that survives. */
  readonly title: string;
  /** Options of the run, over `smallOptions`. */
  readonly options: Options;
  /** Options with which the states are opened, if they differ. */
  readonly checkOptions?: Options;
  /** Puts durable files there, and `history.adopt`s what they hold, before the script starts. */
  readonly prepare?: (fileSystem: FaultFileSystem, history: History) => void;
  /** Names of files that opening leaves alone. */
  readonly mayRemain?: (name: string) => boolean;
  /** States taken of every kind with a choice; 3 unless given. */
  readonly variants?: number;
  /** Whether the last write is cut at every byte. */
  readonly everyByte?: boolean;
  /** Whose rules the file system keeps. */
  readonly profile?: Profile;
  /** What the run must have reached at some time, or it does not show what its title says. */
  readonly peaks?: {
    readonly levels?: number;
    readonly immutables?: number;
    readonly extendedLogs?: number;
  };
  readonly script: (run: Run) => Promise<void>;
}

/** How a workload is explored. */
export interface Exploration {
  readonly seed: number;
  readonly oneIn: number;
  readonly lastEvent?: number | undefined;
  readonly testFile: string;
}

/** The least that a test file must have opened on Node; Deno and Bun open a share of it. */
export interface CrashMinimum {
  readonly opened: number;
  readonly nested: number;
}

const only = process.env["TINYKVS_CRASH"] === undefined
  ? undefined
  : parseCrashName(process.env["TINYKVS_CRASH"]);
const wanted = process.env["TINYKVS_CRASH_WORKLOAD"];
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
/** Deno and Bun open one in this number of the different states. */
const OTHERS_ONE_IN = 4;
const share = runtimeName === "node" ? scale : scale / OTHERS_ONE_IN;
const oneIn = Math.max(1, Math.round(1 / share));
/** The first seed is fixed, so that a failure in CI is one at home. */
const seedCount = Math.max(1, Math.floor(share));

/** Runs a workload once; returns what was done, and the explorer's number of all outcomes. */
export async function exploreWorkload(
  workload: Workload,
  { seed, oneIn, lastEvent, testFile }: Exploration,
  repeated: CrashName | undefined = only,
): Promise<{ counts: CrashCounts; outcome: number }> {
  const counts: CrashCounts = { states: 0, distinct: 0, opened: 0, nested: 0 };
  const scheduler = new FaultScheduler(seed);
  const history = new History();
  const fileSystem = new FaultFileSystem(seed, scheduler, workload.profile);
  workload.prepare?.(fileSystem, history);
  const run = new Run(seed, fileSystem, scheduler, history, workload.options);
  const { name, checkOptions = run.options, mayRemain, variants = 3, everyByte } = workload;
  const explorer = new CrashExplorer({
    ...{ workload: name, seed, run, checkOptions, mayRemain, variants, everyByte, oneIn },
    ...{ lastEvent, only: repeated, testFile, counts },
    namesAreDurable: workload.profile !== "windows",
  });
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  const restore = useScheduler(scheduler);
  try {
    await workload.script(run);
    explorer.checkWaiting();
    await scheduler.settle();
    await new Promise<void>((resolve) => setImmediate(resolve));
    // I11 of the workload itself; the explorer looks after that of the states.
    assert.equal(run.unsettled, 0, "calls that never settled");
    assert.deepEqual(unhandled, [], "unhandled rejections");
    assert.deepEqual(run.fileSystem.violations, []);
    assert.equal(run.fileSystem.openHandles, 0, "handles that are open after close");
  } finally {
    restore();
    process.off("unhandledRejection", onUnhandled);
  }
  const { levels = 0, immutables = 0, extendedLogs = 0 } = workload.peaks ?? {};
  assert.ok(run.peaks.levels >= levels, `at most ${run.peaks.levels} levels had tables`);
  assert.ok(run.peaks.immutables >= immutables, `at most ${run.peaks.immutables} memtables waited`);
  assert.ok(run.peaks.extendedLogs >= extendedLogs, `${run.peaks.extendedLogs} logs were extended`);
  if (repeated !== undefined) {
    assert.ok(counts.opened + counts.nested > 0, "TINYKVS_CRASH names no state of this run");
  }
  return { counts, outcome: explorer.outcome };
}

/**
 * As `exploreWorkload`. If states were left out, a failure is reported for the shortest run that
 * fails.
 */
async function exploreAndShrink(
  workload: Workload,
  exploration: Exploration,
): Promise<CrashCounts> {
  try {
    return (await exploreWorkload(workload, exploration)).counts;
  } catch (error) {
    if (!(error instanceof CrashFailure) || exploration.oneIn === 1) throw error;
    await exploreWorkload(workload, { ...exploration, oneIn: 1, lastEvent: error.event });
    throw error;
  }
}

/**
 * One test a workload, and one that enough was opened. `testFile` is the path of the calling file.
 */
export function crashTests(
  testFile: string,
  workloads: readonly Workload[],
  minimum: CrashMinimum,
): void {
  const total: CrashCounts = { states: 0, distinct: 0, opened: 0, nested: 0 };
  for (const workload of workloads) {
    test(`${workload.title} shows a prefix of its history after a crash at any operation`, async () => {
      if (!(only?.workload ?? wanted ?? workload.name).split(",").includes(workload.name)) return;
      const seeds = only === undefined
        ? Array.from({ length: seedCount }, (_, index) => index + 1)
        : [only.seed];
      for (const seed of seeds) {
        const before = process.cpuUsage();
        const counts = await exploreAndShrink(workload, {
          seed,
          oneIn: only === undefined ? oneIn : 1,
          testFile,
        });
        const { user, system } = process.cpuUsage(before);
        console.log(
          `crash: ${workload.name} ${counts.states} states, ${counts.distinct} distinct, ` +
            `${counts.opened} opened, ` +
            `${counts.nested} of recoveries, ${((user + system) / 1e6).toFixed(1)} s of CPU`,
        );
        total.states += counts.states;
        total.opened += counts.opened;
        total.nested += counts.nested;
      }
    });
  }
  test(`The crashes of ${testFile} open as many states as they are meant to`, () => {
    reportFigure("crash states", total.opened + total.nested);
    reportFigure("crash states of recoveries", total.nested);
    if (only !== undefined || wanted !== undefined || scale < 1) return;
    const part = runtimeName === "node" ? 1 : OTHERS_ONE_IN + 1;
    assert.ok(total.opened >= minimum.opened / part, `${total.opened} opened`);
    assert.ok(total.nested >= minimum.nested / part, `${total.nested} of recoveries opened`);
  });
}
