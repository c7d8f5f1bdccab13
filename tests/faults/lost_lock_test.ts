/**
 * Locks that vanish. The system drops a process's locks on LOCK when the process closes any descriptor
 * of that file, as a backup does: then the holder has to go on and others have to stay out. Files and
 * directories are replaced under a holder: then it has to stop before it acknowledges anything, and to
 * change nothing more. On a real disk, for every pair of runtimes; Deno gets its directory only, so
 * that it can't look at processes. (tests/faults/lost_lock_states_test.ts loses locks at every step.)
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
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
  for (const trying of runtimeNames) {
    test(`A second open by ${trying} is let in after a reader in the ${holding} holder's process closed LOCK`, () =>
      withChildren([holding, trying], async ([holder, other], path) => {
        const store = join(path, "store");
        await succeed(holder!, `open ${store}`);
        for (const kind of DROPS) {
          await succeed(holder!, `drop ${kind} ${store}`);
          await keptOut(other!, store, holder!);
          await succeed(holder!, `put after-${kind}`);
        }
        // A copy has a record of the holder, too. It is another directory: nobody has it.
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
  }
}
