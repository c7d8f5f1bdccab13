/**
 * Processes that open one store in the same instant: exactly one gets it, and the others get the
 * LockedError that is documented; also over the files of a killed holder, with waiting, and under
 * other names of the directory. (tests/platform/directory_lock_test.ts tests only the lock.)
 *
 * The contenders are processes that get their orders as lines. A race starts at a moment of the
 * system's clock for which they wait busily. `TINYKVS_TEST_SCALE` multiplies the rounds.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { LockedError, open, openSync } from "../../mod.ts";
import { type RuntimeName, runtimeName } from "../../src/platform/natives.ts";
import { LineChild } from "../support/line_child.ts";
import { runtimeNames } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { LockAnswer } from "./lock_race_child.ts";

const script = fileURLToPath(new URL("lock_race_child.ts", import.meta.url));
const rounds = Math.max(1, Math.round(8 * Number(process.env["TINYKVS_TEST_SCALE"] ?? 1)));

/** Runs the body with contenders of these runtimes, and a directory that is not a store yet. */
async function withContenders(
  runtimes: readonly RuntimeName[],
  body: (contenders: LineChild[], directory: string) => Promise<void>,
): Promise<void> {
  const { path, dispose } = temporaryDirectory("race");
  const contenders = runtimes.map((runtime) => new LineChild(runtime, script, path));
  try {
    await body(contenders, join(path, "store"));
  } finally {
    await Promise.all(contenders.map((contender) => contender.kill()));
    dispose();
  }
}

/** A moment that every contender will have read its line by. */
async function startMs(contender: LineChild): Promise<number> {
  const { atMs } = await contender.ask<LockAnswer>("time");
  return atMs + 10;
}

/** A race for the store; returns the winner. */
async function race(
  contenders: readonly LineChild[],
  directory: string,
  act: "open" | "grab" = "open",
): Promise<LineChild> {
  const start = await startMs(contenders[0]!);
  for (const contender of contenders) contender.send(`${act} 0 ${start} ${directory}`);
  const answers = await Promise.all(
    contenders.map((contender) => contender.answer<LockAnswer>()),
  );
  const winners = contenders.filter((_, index) => answers[index]!.ok);
  assert.equal(winners.length, 1, JSON.stringify(answers));
  const winner = winners[0]!;
  for (const [index, contender] of contenders.entries()) {
    if (contender === winner) continue;
    assertLocked(answers[index]!, directory, /^another handle \(.+\)$/);
    // In the race the winner may not have left its name yet; now it has.
    const again = await contender.ask<LockAnswer>(`open 0 0 ${directory}`);
    assertLocked(again, directory, nameOf(winner));
  }
  return winner;
}

function nameOf({ runtime, pid }: LineChild): RegExp {
  return new RegExp(`^another handle \\(${runtime} \\d[^,]*, pid ${pid}, since 2\\S+Z\\)$`);
}

/** Every documented property of the error. */
function assertLocked({ error }: LockAnswer, directory: string, holder: RegExp): void {
  assert.ok(error !== undefined);
  assert.equal(error.isLockedError, true, error.message);
  assert.equal(error.name, "LockedError");
  assert.equal(error.code, "LOCKED");
  assert.equal(error.path, directory);
  assert.match(error.holder, holder);
  assert.equal(error.message, `Cannot open "${directory}": it is locked by ${error.holder}`);
}

const others = runtimeNames.filter((name) => name !== runtimeName);
const fields: Record<string, readonly RuntimeName[]> = {
  "two processes of this runtime": [runtimeName, runtimeName],
  "processes of this runtime and a second one": [runtimeName, others[0]!],
  "processes of this runtime and the third one": [runtimeName, others[1]!],
  "four processes of all runtimes": [runtimeName, runtimeName, ...others],
};
for (const [name, runtimes] of Object.entries(fields)) {
  test(`A race of ${name} for a store has one winner, also when its holder was killed`, () =>
    withContenders(runtimes, async (contenders, directory) => {
      for (let round = 0; round < rounds; round++) {
        const winner = await race(contenders, directory);
        assert.equal((await winner.ask<LockAnswer>("release 0")).ok, true);
      }
      const killed = new LineChild(runtimes[0]!, script);
      try {
        assert.equal((await killed.ask<LockAnswer>(`open 0 0 ${directory}`)).ok, true);
      } finally {
        await killed.kill();
      }
      // The lock of the killed one is free, and the winner recovers its log.
      const winner = await race(contenders, directory);
      await winner.ask<LockAnswer>("release 0");
      const store = openSync(directory);
      assert.equal(store.getSync("holder"), winner.pid);
      store.closeSync();
    }));
}

test("A race has one winner even if its holders lose the lock of the system at once", () =>
  withContenders([...runtimeNames, runtimeName], async (contenders, directory) => {
    for (let round = 0; round < rounds; round++) {
      const winner = await race(contenders, directory, "grab");
      assert.equal((await winner.ask<LockAnswer>("release 0")).ok, true);
    }
  }));

test("A holder that is killed during a race of two leaves the store to one of them", () =>
  withContenders([...runtimeNames], async ([holder, ...waiting], directory) => {
    await holder!.ask<LockAnswer>(`open 0 0 ${directory}`);
    for (const contender of waiting) contender.send(`open 30000 0 ${directory}`);
    await holder!.kill();
    const first = await Promise.race(waiting.map(async (contender) => {
      assert.equal((await contender.answer<LockAnswer>()).ok, true);
      return contender;
    }));
    const second = waiting.find((contender) => contender !== first)!;
    // The other one keeps waiting, and gets the store when it is closed.
    const released = await first.ask<LockAnswer>("release 0");
    const got = await second.answer<LockAnswer>();
    assert.equal(got.ok, true);
    assert.ok(got.atMs >= released.atMs);
  }));

for (const waiting of runtimeNames) {
  test(`lockTimeoutMs makes ${waiting} wait for the holder, and no longer than it says`, () =>
    withContenders([runtimeName, waiting], async ([holder, waiter], directory) => {
      await holder!.ask<LockAnswer>(`open 0 0 ${directory}`);
      const start = await startMs(holder!);
      const refused = await waiter!.ask<LockAnswer>(`open 120 ${start} ${directory}`);
      assertLocked(refused, directory, nameOf(holder!));
      assert.ok(refused.atMs >= start + 120, `refused after ${refused.atMs - start} ms`);
      const next = await startMs(waiter!);
      waiter!.send(`open 60000 ${next} ${directory}`);
      const released = await holder!.ask<LockAnswer>(`release ${next + 60}`);
      const got = await waiter!.answer<LockAnswer>();
      assert.equal(got.ok, true);
      assert.ok(released.atMs >= next + 60 && got.atMs >= released.atMs);
    }));
}

test("A store that is open in this process is locked under every name of its directory", async () => {
  const { path, dispose } = temporaryDirectory("names");
  const directory = join(path, "store");
  try {
    const store = await open(directory);
    const parentLink = join(path, "parent");
    symlinkSync(path, parentLink);
    const linked = join(parentLink, "store");
    const names = [
      directory,
      pathToFileURL(directory),
      relative(process.cwd(), directory),
      `${dirname(directory)}/./x/../${basename(directory)}/`,
      linked,
    ];
    for (const name of names) {
      const isLocked = (error: unknown): boolean => {
        assert.ok(error instanceof LockedError, String(error));
        assert.match(error.holder, new RegExp(`^this process \\(.*, pid ${process.pid}, since `));
        return true;
      };
      await assert.rejects(open(name), isLocked);
      assert.throws(() => openSync(name), isLocked);
    }
    for (const name of [directory, linked]) {
      const worker = new Worker(new URL("lock_race_worker.ts", import.meta.url), {
        workerData: name,
      });
      const [message] = await once(worker, "message") as [string];
      assert.match(
        message,
        new RegExp(`^this process, in another thread \\(.*, pid ${process.pid}, since `),
      );
      await worker.terminate();
    }
    await store.close();
    const again = await open(linked);
    await again.close();
  } finally {
    dispose();
  }
});
