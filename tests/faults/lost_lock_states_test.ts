/**
 * Loses the lock at every step. A script of store calls runs once for every operation of its file
 * system. At that operation the lock is dropped, and another store opens the directory, writes,
 * flushes, and continues or is closed. The holder is not told. Every run requires:
 *
 * - whatever the holder acknowledges, before or after, the other store has;
 * - what the other store acknowledges stays, whatever the holder still does;
 * - the holder's next durable write fails, because of the lock, and so does its close;
 * - if the lock is lost between two operations, the holder makes, renames, removes and appends
 *   nothing more. (If it is lost between a check of the lock and the operation after it, the
 *   operation is made; nothing may depend on it.)
 *
 *   TINYKVS_LOSS=script:operation:before|after   makes just that run (failures print theirs)
 *   TINYKVS_TEST_SCALE=0.1                       tries fewer operations
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { BackgroundError, IoError, LockLostError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { type Start, startAfter } from "../support/error_injection.ts";
import { FaultFileSystem, type OperationEvent } from "../support/fault_file_system.ts";
import { History } from "../support/fault_history.ts";
import { FaultScheduler, frozenScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { DIRECTORY, Run, smallOptions } from "../support/fault_workload.ts";
import { reportFigure } from "../support/figures.ts";

const SEED = 11;
const only = process.env["TINYKVS_LOSS"];
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
/** At one operation in this many the lock is lost. */
const oneIn = Math.max(1, Math.round((runtimeName === "node" ? 1 : 4) / scale));
const PHASES = ["before", "after"] as const;

interface Script {
  readonly name: string;
  readonly title: string;
  readonly options: Options;
  readonly start?: () => Promise<Start>;
  /** Calls of the store, each of which may fail. */
  readonly steps: (run: Run) => readonly (() => Promise<void> | void)[];
}

const scripts: readonly Script[] = [
  {
    name: "fresh",
    title: "that is new and written to asynchronously",
    options: { walSync: "batch" },
    steps: (run) => [
      () => run.wait(run.put(12, 60)),
      () => run.wait(run.batch(12, 12, 900)),
      () => run.wait(run.put(12, 60)),
      () => run.wait(run.flush()),
      () => run.wait(Promise.all([run.put(12, 60), run.put(12, 60)]).then(() => {})),
      () => run.wait(run.batch(12, 12, 900)),
      () => run.wait(run.batch(12, 12, 900)),
      () => run.wait(run.compact()),
      () => run.wait(run.put(12, 60)),
    ],
  },
  {
    name: "recovered",
    title: "that was recovered from a log",
    options: { walSync: "none" },
    start: () =>
      startAfter({ walSync: "batch" }, async (run) => {
        await run.wait(run.batch(12, 12, 900));
        await run.wait(run.flush());
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.put(12, 100));
      }),
    steps: (run) => [
      () => run.wait(run.put(12, 60, true)),
      () => run.wait(run.batch(12, 12, 900, { sync: true })),
      () => run.wait(run.batch(12, 12, 900, { sync: true })),
      () => run.wait(run.sync()),
      () => run.wait(run.compact()),
    ],
  },
  {
    name: "synchronous",
    title: "that is written to synchronously",
    options: { walSync: "batch" },
    steps: (run) =>
      Array.from({ length: 6 }, (_, at) => () => {
        run.putSync(12, 60);
        run.batchSync(12, 12, at % 2 === 0 ? 900 : 100);
      }),
  },
];

/** The other store, and what it showed when it was opened. */
interface Heir {
  readonly store: EmbeddedStore;
  readonly ordinal: number;
}

for (const script of scripts) {
  for (const phase of PHASES) {
    test(`A store ${script.title} loses an acknowledged write when its lock is lost ${phase} any operation`, async () => {
      const start = await script.start?.();
      const { lockedAt, count } = await attempt(script, start, Infinity, phase);
      let runs = 0;
      for (let at = lockedAt + 1; at < count; at += only === undefined ? oneIn : 1) {
        const name = `${script.name}:${at}:${phase}`;
        if (only !== undefined && only !== name) continue;
        try {
          await attempt(script, start, at, phase);
        } catch (error) {
          throw new Error(
            `the lock is lost ${phase} operation ${at}: ${
              error instanceof Error ? error.message : error
            }\n` +
              `repeat: TINYKVS_LOSS=${name} node --test tests/faults/lost_lock_states_test.ts`,
            { cause: error },
          );
        }
        runs++;
      }
      reportFigure("lost locks", runs);
    });
  }
}

/** Runs the script and loses the lock at one operation; tells of the operations that there were. */
async function attempt(
  script: Script,
  start: Start | undefined,
  lossAt: number,
  phase: (typeof PHASES)[number],
): Promise<{ lockedAt: number; count: number }> {
  const scheduler = new FaultScheduler(SEED);
  const fileSystem = start?.image.build(SEED, scheduler) ?? new FaultFileSystem(SEED, scheduler);
  const history = start?.history.copy() ?? new History();
  const run = new Run(SEED, fileSystem, scheduler, history, script.options);
  let heir: Heir | undefined;
  const late: string[] = [];
  let lockedAt = -1;
  fileSystem.onOperation = (event) => {
    if (event.operation === "lock") lockedAt = event.index;
    if (heir === undefined && event.index === lossAt && event.phase === phase) {
      fileSystem.onOperation = undefined;
      heir = inherit(fileSystem, history, lossAt);
      fileSystem.onOperation = (next) => noteChange(next, event, late);
    }
  };
  const restore = useScheduler(scheduler);
  const errors: unknown[] = [];
  const trying = async (step: () => Promise<unknown> | unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  };
  let lastError: unknown;
  try {
    await trying(() => run.open());
    if (errors.length === 0) {
      for (const step of script.steps(run)) await trying(step);
      if (heir !== undefined) {
        lastError = await run.wait(run.put(12, 60, true)).catch((error: unknown) => error);
        assert.ok(lastError !== undefined, "a durable write succeeds");
      }
      await trying(() => run.close());
    }
    await scheduler.settle();
  } finally {
    restore();
  }
  fileSystem.onOperation = undefined;
  if (heir === undefined) {
    assert.deepEqual(errors, []);
    return { lockedAt, count: fileSystem.operationCount };
  }
  // An operation that came too late may fail because of what the other store did.
  const isLate = (error: unknown): boolean => phase === "before" && error instanceof IoError;
  for (const error of errors.map(firstCause)) {
    assert.ok(error instanceof LockLostError || isLate(error), String(error));
  }
  if (phase === "after") assert.deepEqual(late, []);
  requireKept(fileSystem, history, heir);
  return { lockedAt, count: fileSystem.operationCount };
}

/** Takes the directory over; has tables, a manifest and its own log after that. */
function inherit(fileSystem: FaultFileSystem, history: History, at: number): Heir {
  const restore = useScheduler(frozenScheduler());
  try {
    if (fileSystem.statSync(DIRECTORY) === undefined) fileSystem.makeDirectorySync(DIRECTORY);
    else fileSystem.dropLock(DIRECTORY);
    const store = openSync(DIRECTORY, { ...smallOptions, fileSystem });
    const { durable, issued } = history.bounds;
    const ordinal = history.check(store, durable, issued);
    store.putSync("zz", `mark:${"x".repeat(5000)}`);
    store.putSync("zz", "mark:");
    if (at % 2 === 0) store.closeSync();
    return { store, ordinal };
  } finally {
    restore();
  }
}

/**
 * Notes changes that may not happen any more. A write that transferred a part of its bytes may
 * continue.
 */
function noteChange(next: OperationEvent, last: OperationEvent, late: string[]): void {
  if (next.phase !== "before") return;
  const { operation, path } = next;
  const goesOn = path === last.path && (last.operation === "create" || last.operation === "write");
  const isChange = operation === "create" || operation === "rename" || operation === "remove" ||
    (operation === "write" && path.includes("MANIFEST") && !goesOn);
  if (isChange) late.push(`${operation} ${path}`);
}

function firstCause(error: unknown): unknown {
  return error instanceof BackgroundError ? firstCause(error.cause) : error;
}

/** Both the live state and what a power loss leaves have what either has acknowledged. */
function requireKept(
  fileSystem: FaultFileSystem,
  history: History,
  { store, ordinal }: Heir,
): void {
  assert.ok(
    ordinal >= history.bounds.durable,
    `write ${history.bounds.durable} is acknowledged, the other store has ${ordinal}`,
  );
  // The holder may look for files that the other store has removed.
  const isOurs = (violation: string): boolean => !violation.endsWith("opened after it was removed");
  const restore = useScheduler(frozenScheduler());
  try {
    const mark = new Map([["zz", "mark:"]]);
    const power = fileSystem.crash("strict", SEED).build(SEED);
    if (store.status === "open") {
      history.check(store, ordinal, ordinal, mark);
      store.closeSync();
    }
    for (const left of [fileSystem, power]) {
      const again = openSync(DIRECTORY, { ...smallOptions, fileSystem: left });
      history.check(again, ordinal, ordinal, mark);
      again.closeSync();
      assert.equal(left.openHandles, 0);
      assert.deepEqual(left.violations.filter(isOurs), []);
    }
  } finally {
    restore();
  }
}
