/**
 * Locks of directories whose paths are longer than SQLite accepts. There the record alone is the
 * lock.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { openSync } from "../../mod.ts";
import { keptOut, succeed, withChildren } from "../support/lock_children.ts";
import { runtimeNames, thisRuntime } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { LostLockAnswer } from "./lost_lock_child.ts";

/** A directory below `path` whose own path has that many bytes. */
function longPath(path: string, length: number): string {
  let made = path;
  while (length - made.length > 202) made = join(made, "p".repeat(100));
  const rest = length - made.length;
  if (rest > 101) made = join(made, "q".repeat(rest >> 1));
  made = join(made, "r".repeat(length - made.length - 1));
  assert.equal(made.length, length);
  return made;
}

for (const holding of thisRuntime) {
  test(`A store of a ${holding} holder whose path is longer than SQLite takes does not open, or opens twice`, () =>
    withChildren([holding, holding, ...runtimeNames], async ([holder, killed, ...others], path) => {
      for (const length of [499, 600, 1000]) {
        const store = longPath(path, length);
        await succeed(holder!, `open ${store}`);
        await succeed(holder!, "put one");
        for (const other of others) await keptOut(other, store, holder!);
        const link = join(path, `link${length}`);
        fs.symlinkSync(store, link);
        for (const other of others) await keptOut(other, link, holder!);
        await succeed(holder!, "putSync two");
        await succeed(holder!, "close");
        const locks = fs.readdirSync(store).filter((name) => name.startsWith("LOCK"));
        assert.deepEqual(locks, length < 500 ? ["LOCK"] : []);
        for (const other of others) {
          await succeed(other, `open ${store}`);
          assert.equal((await succeed(other, "get two")).value, "two");
          await succeed(other, "close");
        }
      }
      const store = longPath(path, 600);
      await succeed(killed!, `open ${store}`);
      await succeed(killed!, "put three");
      await killed!.kill();
      // All at once: what a dead holder left is taken over by one of them.
      for (const other of others) other.send(`open ${store}`);
      const answers = await Promise.all(others.map((other) => other.answer<LostLockAnswer>()));
      const winners = others.filter((_, at) => answers[at]!.ok);
      assert.equal(winners.length, 1, JSON.stringify(answers));
      assert.equal((await succeed(winners[0]!, "get three")).value, "three");
      await succeed(winners[0]!, "put four");
    }));
}

test("A store with a long path is open twice in this process and its threads", async () => {
  const { path, dispose } = temporaryDirectory("long");
  try {
    const directory = longPath(path, 600);
    const store = openSync(directory);
    assert.throws(() => openSync(directory), { code: "LOCKED", message: /by this process \(/ });
    const worker = new Worker(new URL("lock_race_worker.ts", import.meta.url), {
      workerData: directory,
    });
    const [message] = await once(worker, "message") as [string];
    assert.match(message, /^this process, in another thread \(/);
    await worker.terminate();
    store.putSync("one", 1);
    store.closeSync();
    openSync(directory).closeSync();
  } finally {
    dispose();
  }
});
