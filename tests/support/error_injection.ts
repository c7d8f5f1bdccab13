/**
 * Runs a script of store calls once for every operation of its file system and every way in which
 * that operation may fail, once and from then on. Every run requires:
 *
 * - every call settles, in a bounded number of steps, and no rejection is left unhandled;
 * - a call that fails throws a typed error, which leads to an operation that was made to fail;
 * - after a failed write, sync or creation that the store can't do without, every write and `close`
 *   fails, nothing is retried into success, and memory does not grow;
 * - a read fails only if its own operations were made to fail, and shows nothing that was not
 *   written;
 * - without the fault the store opens again and has everything that was acknowledged.
 *
 *   TINYKVS_FAULT=script:operation:kind:once|sticky   makes just that run (failures print theirs)
 *   TINYKVS_TEST_SCALE=0.1                            tries fewer operations
 */

import assert from "node:assert/strict";
import process from "node:process";
import { setImmediate } from "node:timers";
import type { Options } from "../../src/options.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { openSync } from "../../src/store/open.ts";
import { ErrorTrial } from "./error_trial.ts";
import { type CrashImage, FaultFileSystem, type Operation } from "./fault_file_system.ts";
import { History } from "./fault_history.ts";
import { type FailureKind, faultOf, Injector } from "./fault_injector.ts";
import { FaultScheduler, frozenScheduler, useScheduler } from "./fault_scheduler.ts";
import { DIRECTORY, Run, smallOptions } from "./fault_workload.ts";

const SEED = 7;
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
const only = process.env["TINYKVS_FAULT"];
/** One operation in this many is tried. */
const oneIn = Math.max(1, Math.round((runtimeName === "node" ? 1 : 4) / scale));

/** The files of an earlier session, with the history that led to them. */
export interface Start {
  readonly image: CrashImage;
  readonly history: History;
}

/** A script: what it starts with, and what it does. */
export interface Script {
  readonly name: string;
  readonly options: Options;
  readonly start?: () => Promise<Start>;
  readonly steps: (trial: ErrorTrial) => Promise<void>;
}

/** The files that a killed process leaves after `steps`. */
export async function startAfter(
  options: Options,
  steps: (run: Run) => Promise<void>,
): Promise<Start> {
  const scheduler = new FaultScheduler(SEED);
  const history = new History();
  const fileSystem = new FaultFileSystem(SEED, scheduler);
  const run = new Run(SEED, fileSystem, scheduler, history, options);
  const restore = useScheduler(scheduler);
  try {
    await run.open();
    await steps(run);
  } finally {
    restore();
  }
  return { image: fileSystem.crash("process", SEED), history };
}

/** Makes every run of a script with one kind of failure; returns how many there were. */
export async function inject(file: string, script: Script, kind: FailureKind): Promise<number> {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  let runs = 0;
  try {
    const start = await script.start?.();
    const operations: Operation[] = [];
    await attempt(script, start, new Injector(Infinity, kind, false, operations), true);
    const struck = operations.filter((operation) => faultOf(kind, operation) !== undefined);
    for (const [at, operation] of struck.entries()) {
      if (at % oneIn !== 0 && only === undefined) continue;
      for (const mode of ["once", "sticky"]) {
        const name = [script.name, operation.index, kind, mode].join(":");
        if (only !== undefined && only !== name) continue;
        runs++;
        try {
          const injector = new Injector(operation.index, kind, mode === "sticky");
          await attempt(script, start, injector, kind !== "sync-revert");
          await new Promise<void>((resolve) => setImmediate(resolve));
          assert.deepEqual(unhandled.map(String), [], "unhandled rejections");
        } catch (error) {
          throw new Error(
            `${kind} (${mode}) at operation ${operation.index}, ${operation.operation} of ` +
              `"${operation.path}": ${error instanceof Error ? error.message : error}\n` +
              `repeat: TINYKVS_FAULT=${name} node --test ${file}`,
            { cause: error },
          );
        }
      }
    }
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
  return runs;
}

/** Runs a script with a fault, clears the fault, and requires that nothing acknowledged is lost. */
async function attempt(
  script: Script,
  start: Start | undefined,
  injector: Injector,
  isLive: boolean,
): Promise<void> {
  const scheduler = new FaultScheduler(SEED);
  const fileSystem = start?.image.build(SEED, scheduler) ?? new FaultFileSystem(SEED, scheduler);
  const history = start?.history.copy() ?? new History();
  const run = new Run(SEED, fileSystem, scheduler, history, script.options);
  const trial = new ErrorTrial(run, injector);
  fileSystem.faultFor = injector.faultFor;
  fileSystem.onOperation = injector.observe;
  const restore = useScheduler(scheduler);
  try {
    await script.steps(trial);
    await scheduler.settle();
  } finally {
    restore();
  }
  injector.clear();
  fileSystem.onOperation = undefined;
  trial.requireReported();
  assert.equal(fileSystem.openHandles, 0, "handles that are open after close");
  assert.deepEqual(fileSystem.violations, []);

  const restoreFrozen = useScheduler(frozenScheduler());
  try {
    const { written, durable } = history.bounds;
    requireRecovery(fileSystem.crash("strict", SEED).build(SEED), history, durable);
    requireRecovery(fileSystem, history, isLive ? written : durable);
  } finally {
    restoreFrozen();
  }
}

/**
 * Opens what is left, finds a prefix with everything acknowledged, writes to it, and opens it
 * again.
 */
function requireRecovery(fileSystem: FaultFileSystem, history: History, lowest: number): void {
  const { issued } = history.bounds;
  const store = openSync(DIRECTORY, { ...smallOptions, fileSystem });
  const ordinal = history.check(store, lowest, issued);
  store.putSync("zz", "mark:");
  store.closeSync();
  const again = openSync(DIRECTORY, { ...smallOptions, fileSystem });
  history.check(again, ordinal, ordinal, new Map([["zz", "mark:"]]));
  again.closeSync();
  assert.equal(fileSystem.openHandles, 0);
  assert.deepEqual(fileSystem.violations, []);
}
