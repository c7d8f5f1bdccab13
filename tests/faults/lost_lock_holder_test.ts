/**
 * Holders that lose their lock: files and directories are replaced, or another process takes over
 * while they are suspended. They stop before they acknowledge anything, and change nothing more. On
 * a real disk, on every runtime.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openSync } from "../../mod.ts";
import { fail, keptOut, succeed, withChildren } from "../support/lock_children.ts";
import { thisRuntime } from "../support/runtimes.ts";
import type { LostLockAnswer } from "./lost_lock_child.ts";

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

for (const holding of thisRuntime) {
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

for (const holding of thisRuntime) {
  test(`A suspended ${holding} holder acknowledges after another one took over`, () =>
    withChildren([holding, "node", "deno"], async ([holder, node, deno], path) => {
      const store = join(path, "store");
      await succeed(holder!, `open ${store}`);
      await succeed(holder!, "put one");
      await succeed(holder!, `drop read ${store}`);
      holder!.signal("SIGSTOP");
      // A contender that can look at the process sees that it lives. Deno waits for an answer, and
      // takes over.
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
