/**
 * Locks that vanish. The system drops a process's locks on LOCK when the process closes any
 * descriptor of that file, as a backup does. Then the holder continues, and others stay out until
 * it has ended. On a real disk, beside others of every runtime; Deno may use only its directory, so
 * that it can't look at processes. (lost_lock_holder_test.ts takes the lock from a holder,
 * lost_lock_states_test.ts at every step.)
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keptOut, succeed, withChildren } from "../support/lock_children.ts";
import { runtimeNames, thisRuntime } from "../support/runtimes.ts";

const DROPS = ["copy", "read", "sqlite", "worker"];

for (const holding of thisRuntime) {
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

for (const killed of thisRuntime) {
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
