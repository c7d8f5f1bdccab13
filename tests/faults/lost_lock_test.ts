/**
 * Locks that vanish. The system drops a process's locks on LOCK when the process closes any descriptor
 * of that file, as a backup does: then the holder has to go on and others have to stay out. Files and
 * directories are replaced under a holder: then it has to stop before it acknowledges anything, and to
 * change nothing more. On a real disk, for every pair of runtimes; Deno gets its directory only, so
 * that it can't look at processes. (tests/faults/lost_lock_states_test.ts loses locks at every step.)
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { openSync } from "../../mod.ts";
import type { RuntimeName } from "../../src/platform/natives.ts";
import { LineChild } from "../support/line_child.ts";
import { runtimeNames } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { LostLockAnswer } from "./lost_lock_child.ts";

const script = fileURLToPath(new URL("lost_lock_child.ts", import.meta.url));
const DROPS = ["copy", "read", "sqlite", "worker"];

/** Runs the body with children of these runtimes and a directory for stores. */
async function withChildren(
  runtimes: readonly RuntimeName[],
  body: (children: LineChild[], directory: string) => Promise<void>,
): Promise<void> {
  const { path, dispose } = temporaryDirectory("lost");
  const permissions = [`--allow-read=${path}`, `--allow-write=${path}`];
  const children = runtimes.map((runtime) => new LineChild(runtime, script, path, permissions));
  try {
    await body(children, path);
  } finally {
    await Promise.all(children.map((child) => child.kill()));
    dispose();
  }
}

async function succeed(child: LineChild, line: string): Promise<LostLockAnswer> {
  const answer = await child.ask<LostLockAnswer>(line);
  assert.equal(answer.ok, true, `${child.runtime}, "${line}": ${JSON.stringify(answer)}`);
  return answer;
}

async function fail(child: LineChild, line: string): Promise<NonNullable<LostLockAnswer["error"]>> {
  const answer = await child.ask<LostLockAnswer>(line);
  assert.equal(answer.ok, false, `${child.runtime}, "${line}" succeeded`);
  return answer.error!;
}

/** The child must be kept out, by the holder's name. */
async function keptOut(child: LineChild, store: string, holder: LineChild): Promise<void> {
  const { name, code, message } = await fail(child, `open ${store}`);
  assert.deepEqual([name, code], ["LockedError", "LOCKED"], message);
  assert.match(message, new RegExp(`another handle \\(${holder.runtime} \\S+, pid ${holder.pid},`));
}

for (const holding of runtimeNames) {
  test(`A second open is let in after a reader in the ${holding} holder's process closed LOCK`, () =>
    withChildren([holding, ...runtimeNames], async ([holder, ...others], path) => {
      const store = join(path, "store");
      await succeed(holder!, `open ${store}`);
      for (const [at, kind] of DROPS.entries()) {
        for (const other of [...others.slice(at), ...others.slice(0, at)]) {
          await succeed(holder!, `drop ${kind} ${store}`);
          await keptOut(other, store, holder!);
        }
        await succeed(holder!, `put after-${kind}`);
      }
      // A copy has a record of the holder, too. It is another directory: nobody has it.
      const [other] = others;
      await succeed(other!, `open ${store}-copy`);
      await succeed(other!, "put copied");
      await succeed(other!, "close");
      await succeed(holder!, "close");
      await succeed(other!, `open ${store}`);
      for (const kind of DROPS) {
        assert.equal((await succeed(other!, `get after-${kind}`)).value, `after-${kind}`);
      }
      assert.equal((await succeed(other!, "get copied")).value, undefined);
      await succeed(other!, "close");
    }));

  test(`A second open is let in after the LOCK of a ${holding} holder was deleted or replaced`, () =>
    withChildren([holding, ...runtimeNames], async ([holder, ...others], path) => {
      const store = join(path, "store");
      await succeed(holder!, `open ${store}`);
      for (const other of others) {
        fs.unlinkSync(join(store, "LOCK"));
        await keptOut(other, store, holder!);
        await succeed(holder!, "put one");
        fs.unlinkSync(join(store, "LOCK"));
        fs.writeFileSync(join(store, "LOCK"), "");
        await keptOut(other, store, holder!);
        await succeed(holder!, "put two");
      }
      await succeed(holder!, "close");
      await succeed(others[0]!, `open ${store}`);
      assert.equal((await succeed(others[0]!, "get two")).value, "two");
    }));
}

/** Names and hashes of all files in a directory, which may be gone. */
function contentOf(directory: string): Record<string, string> {
  if (!fs.existsSync(directory)) return {};
  return Object.fromEntries(
    fs.readdirSync(directory).sort().map((name) => {
      const bytes = fs.readFileSync(join(directory, name));
      return [name, createHash("sha256").update(bytes).digest("hex")];
    }),
  );
}

/** Ways to lose a lock, each with what the directory is called afterwards. */
const losses: Record<string, (store: string) => string> = {
  "its record is deleted": (store) => {
    fs.unlinkSync(join(store, "LOCK.holder"));
    return store;
  },
  "its record is replaced": (store) => {
    const record = join(store, "LOCK.holder");
    fs.copyFileSync(record, `${store}-record`);
    fs.renameSync(`${store}-record`, record);
    return store;
  },
  "its record is written over": (store) => {
    fs.writeFileSync(join(store, "LOCK.holder"), "mine\n");
    return store;
  },
  "its directory is renamed": (store) => {
    fs.renameSync(store, `${store}-renamed`);
    return `${store}-renamed`;
  },
  "its directory is replaced by a copy": (store) => {
    fs.cpSync(store, `${store}-backup`, { recursive: true, preserveTimestamps: true });
    fs.renameSync(store, `${store}-old`);
    fs.renameSync(`${store}-backup`, store);
    return store;
  },
  "its directory is deleted and restored": (store) => {
    fs.cpSync(store, `${store}-backup`, { recursive: true, preserveTimestamps: true });
    fs.rmSync(store, { recursive: true });
    fs.cpSync(`${store}-backup`, store, { recursive: true, preserveTimestamps: true });
    return store;
  },
  "a backup is copied over its directory": (store) => {
    fs.cpSync(store, `${store}-backup`, { recursive: true });
    for (const name of fs.readdirSync(`${store}-backup`)) {
      fs.writeFileSync(join(store, name), fs.readFileSync(join(`${store}-backup`, name)));
    }
    return store;
  },
};

for (const holding of runtimeNames) {
  test(`A ${holding} holder goes on writing after its lock was lost`, () =>
    withChildren([holding], async ([holder], path) => {
      let made = 0;
      for (const [loss, lose] of Object.entries(losses)) {
        for (const act of ["put more", "putSync more", "flush", "compact", "close"]) {
          const store = join(path, `store${made++}`);
          await succeed(holder!, `open ${store}`);
          await succeed(holder!, "put one");
          await succeed(holder!, "flush");
          await succeed(holder!, "put two");
          const now = lose(store);
          const before = contentOf(now);
          const told = await fail(holder!, act);
          const codes = [told.code, told.cause];
          assert.ok(codes.includes("LOCK_LOST"), `${loss}, ${act}: ${JSON.stringify(told)}`);
          if (act !== "close") {
            assert.deepEqual((await fail(holder!, "put again")).cause, "LOCK_LOST", loss);
            assert.equal((await succeed(holder!, "get two")).value, "two");
            assert.equal((await fail(holder!, "close")).cause, "LOCK_LOST");
          }
          assert.deepEqual(contentOf(now), before, `${loss}, ${act}`);
          if (now !== store) assert.equal(fs.existsSync(store), false);
        }
      }
      await holder!.kill();
      // What it had acknowledged is there.
      for (let i = 0; i < made; i++) {
        const renamed = join(path, `store${i}-renamed`);
        const found = openSync(fs.existsSync(renamed) ? renamed : join(path, `store${i}`));
        assert.deepEqual([...found.keys()], ["one", "two"]);
        found.closeSync();
      }
    }));
}

for (const killed of runtimeNames) {
  test(`A killed ${killed} holder keeps others out`, () =>
    withChildren([killed, killed, killed, ...runtimeNames], async (children, path) => {
      const holders = children.slice(0, runtimeNames.length);
      for (const [at, other] of children.slice(runtimeNames.length).entries()) {
        const store = join(path, `store${at}`);
        // It has loaded everything by then.
        await succeed(other, `open ${store}`);
        await succeed(other, "close");
        await succeed(holders[at]!, `open ${store}`);
        await succeed(holders[at]!, "put one");
        await holders[at]!.kill();
        await succeed(other, `open ${store}`);
        assert.equal((await succeed(other, "get one")).value, "one");
        const names = fs.readdirSync(store).filter((name) => name.startsWith("LOCK"));
        assert.deepEqual(names.sort(), ["LOCK", "LOCK.holder"]);
      }
    }));
}

for (const holding of runtimeNames) {
  test(`A suspended ${holding} holder acknowledges after another one took over`, () =>
    withChildren([holding, "node", "deno"], async ([holder, node, deno], path) => {
      const store = join(path, "store");
      await succeed(holder!, `open ${store}`);
      await succeed(holder!, "put one");
      await succeed(holder!, `drop read ${store}`);
      holder!.signal("SIGSTOP");
      // Whoever can look at the process sees that it lives. Deno waits for an answer, and takes over.
      if (holding !== "deno") await keptOut(node!, store, holder!);
      await succeed(deno!, `open ${store}`);
      await succeed(deno!, "put two");
      holder!.send("put three");
      holder!.signal("SIGCONT");
      const { ok, error } = await holder!.answer<LostLockAnswer>();
      assert.equal(ok, false);
      assert.ok([error!.code, error!.cause].includes("LOCK_LOST"), JSON.stringify(error));
      await succeed(deno!, "put four");
      await fail(holder!, "close");
      await succeed(deno!, "put five");
      await keptOut(node!, store, deno!);
      await succeed(deno!, "close");
      await succeed(node!, `open ${store}`);
      for (const key of ["one", "two", "four", "five"]) {
        assert.equal((await succeed(node!, `get ${key}`)).value, key);
      }
    }));
}

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

for (const holding of runtimeNames) {
  test(`A store of a ${holding} holder whose path is longer than SQLite takes does not open, or opens twice`, () =>
    withChildren([holding, holding, ...runtimeNames], async ([holder, killed, ...others], path) => {
      for (const length of [499, 500, 600, 1000]) {
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
    assert.match(message, /^another handle \(/);
    await worker.terminate();
    store.putSync("one", 1);
    store.closeSync();
    openSync(directory).closeSync();
  } finally {
    dispose();
  }
});
