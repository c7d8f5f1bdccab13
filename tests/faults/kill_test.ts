/**
 * Processes that write to stores on the disk are ended in the middle of it, several times on the
 * same store, and then the other two runtimes check the files. The first one opens read-only, so
 * that the second finds the same. Everything that was acknowledged must be there, batches whole, as
 * a prefix of the history, whatever the writer was doing: writes, flushes, compactions, the
 * recovery from the last kill.
 *
 * A kill leaves the system's file cache alone, so this can't find a missing fsync (crash_test.ts
 * does). It finds writes that were acknowledged while they were only in the heap. Writers end by
 * SIGKILL 30 to 230 ms after their first acknowledgement, by SIGKILL at a numbered operation of
 * their file system (half of a write done), by `process.exit`, by an uncaught error or by SIGTERM
 * right after an acknowledgement. `TINYKVS_SEED` repeats the choices, but not the clock;
 * `TINYKVS_TEST_SCALE` multiplies the kills.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeName } from "../../src/platform/natives.ts";
import { reportFigure } from "../support/figures.ts";
import { Random } from "../support/random.ts";
import { runtimeNames } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { Ending, WriterTask } from "./kill_history.ts";
import { runVerifier, runWriter } from "./kill_writers.ts";

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
const seed = Number(process.env["TINYKVS_SEED"] ?? 20_260_102);
const [reader, writer] = runtimeNames.filter((name) => name !== runtimeName);

/** "recovery" is "operation" with a number so low that it comes while the store is opened. */
type Life = Ending | "recovery" | "check";

/** The lives of one store. Its content is checked when a life says so, and at the end. */
const stores: readonly (readonly Life[])[] = [
  ["kill", "recovery", "recovery", "check", "kill"],
  ["kill", "exit", "recovery", "check", "operation"],
  ["throw", "operation", "recovery", "check", "kill"],
  ["sigterm", "kill", "operation", "check", "exit"],
];

/** A store with what is known of it. */
interface StoreRun {
  readonly directory: string;
  readonly walSync: WriterTask["walSync"];
  readonly random: Random;
  /** What happened to it, for messages. */
  readonly lives: string[];
  acknowledged: number;
  issued: number;
}

let kills = 0;
let killsInOpen = 0;
let deepestLevel = 0;

/** Lets one writer live and end. */
async function live(run: StoreRun, life: Ending | "recovery"): Promise<void> {
  const { random } = run;
  const ending = life === "recovery" ? "operation" : life;
  const at = life === "recovery"
    ? 1 + random.below(12)
    : life === "operation"
    ? 20 + random.below(400)
    : 1 + random.below(120);
  const isSync = random.below(2) === 0;
  run.lives.push(`${ending} ${isSync ? "sync " : ""}at ${at}`);
  const { directory, walSync, acknowledged } = run;
  const end = await runWriter(
    { directory, walSync, isSync, ending, at, acknowledged },
    30 + random.below(200),
  );
  kills++;
  if (end.wasOpening) killsInOpen++;
  run.acknowledged = end.acknowledged;
  run.issued = Math.max(run.issued, end.issued);
}

/** Has both other runtimes check all stores. */
async function verify(runs: readonly StoreRun[]): Promise<void> {
  const tasks = runs.map(({ directory, acknowledged }) => ({ directory, acknowledged }));
  const readOnly = await runVerifier(
    reader!,
    tasks.map((task) => ({ ...task, isReadOnly: true })),
  );
  const full = await runVerifier(writer!, tasks.map((task) => ({ ...task, isReadOnly: false })));
  for (const [index, run] of runs.entries()) {
    const { ordinal, tables } = full[index]!;
    assert.equal(readOnly[index]!.ordinal, ordinal, `${reader} and ${writer} differ`);
    assert.ok(ordinal <= run.issued, `batch ${ordinal} is there, ${run.issued} was never issued`);
    deepestLevel = Math.max(deepestLevel, tables.findLastIndex((count) => count > 0));
    run.acknowledged = ordinal;
  }
}

/** Ends the writers of four stores with one `walSync`, round by round, two writers at a time. */
async function endWriters(walSync: WriterTask["walSync"], round: number): Promise<void> {
  const parent = temporaryDirectory("kill");
  const runs: StoreRun[] = stores.map((_, index) => ({
    directory: join(parent.path, String(index)),
    walSync,
    random: new Random(seed + round * 100 + index * 10 + walSync.length),
    lives: [],
    acknowledged: 0,
    issued: 0,
  }));
  try {
    for (let step = 0; step < stores[0]!.length; step++) {
      for (let pair = 0; pair < runs.length; pair += 2) {
        // Both end, even if one has failed: the other one would write into a directory that is
        // being removed.
        const ended = await Promise.allSettled([pair, pair + 1].map(async (index) => {
          const life = stores[index]![step]!;
          if (life !== "check") await live(runs[index]!, life);
        }));
        for (const end of ended) if (end.status === "rejected") throw end.reason;
      }
      if (stores[0]![step] === "check") await verify(runs);
    }
    await verify(runs);
  } catch (error) {
    const lives = runs.map((run, index) => `store ${index}: ${run.lives.join(", ")}`).join("\n");
    throw new Error(
      `${(error as Error).message}\nwalSync ${walSync}, ${lives}\nrepeat: TINYKVS_SEED=` +
        `${seed} npm test -- --runtime ${runtimeName} --filter faults/kill_test`,
      { cause: error },
    );
  } finally {
    parent.dispose();
  }
}

const rounds = Math.max(1, Math.round(scale));
for (const walSync of ["none", "interval", "batch", "write"] as const) {
  test(`Writers with walSync ${walSync} lose nothing that was acknowledged when they are killed`, async () => {
    for (let round = 0; round < rounds; round++) await endWriters(walSync, round);
  });
}

test("The kills have hit recoveries and stores of several levels, and were enough", () => {
  reportFigure("kills", kills);
  assert.ok(kills >= 60 * rounds, `${kills} kills`);
  assert.ok(killsInOpen >= 8 * rounds, `${killsInOpen} kills while a store was opened`);
  assert.ok(deepestLevel >= 2, `the deepest level was ${deepestLevel}`);
});
