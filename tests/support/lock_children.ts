/**
 * Children that hold stores and contend for them (lost_lock_child.ts), and what is required of
 * them.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RuntimeName } from "../../src/platform/natives.ts";
import type { LostLockAnswer } from "../faults/lost_lock_child.ts";
import { LineChild } from "./line_child.ts";
import { temporaryDirectory } from "./temporary.ts";

const script = fileURLToPath(new URL("../faults/lost_lock_child.ts", import.meta.url));

/** Runs the body with children of these runtimes and a directory for stores. */
export async function withChildren(
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

/** The line must succeed. */
export async function succeed(child: LineChild, line: string): Promise<LostLockAnswer> {
  const answer = await child.ask<LostLockAnswer>(line);
  assert.equal(answer.ok, true, `${child.runtime}, "${line}": ${JSON.stringify(answer)}`);
  return answer;
}

/** The line must fail; returns how. */
export async function fail(
  child: LineChild,
  line: string,
): Promise<NonNullable<LostLockAnswer["error"]>> {
  const answer = await child.ask<LostLockAnswer>(line);
  assert.equal(answer.ok, false, `${child.runtime}, "${line}" succeeded`);
  return answer.error!;
}

/** The child must be kept out, by the holder's name. */
export async function keptOut(child: LineChild, store: string, holder: LineChild): Promise<void> {
  const { name, code, message } = await fail(child, `open ${store}`);
  assert.deepEqual([name, code], ["LockedError", "LOCKED"], message);
  assert.match(message, new RegExp(`another handle \\(${holder.runtime} \\S+, pid ${holder.pid},`));
}
