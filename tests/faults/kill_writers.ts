/**
 * The parent's side of the kill tests: starts writers (kill_child.ts) and sees them end, and has
 * what they leave checked by the other two runtimes (kill_verifier.ts), one process for several
 * stores.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import {
  MAX_IN_FLIGHT,
  type VerifierReport,
  type VerifierTask,
  type WriterTask,
} from "./kill_history.ts";

const child = fileURLToPath(new URL("kill_child.ts", import.meta.url));
const verifier = fileURLToPath(new URL("kill_verifier.ts", import.meta.url));

/** How a writer came to its end. */
export interface WriterEnd {
  /** The last batch that is known to be acknowledged, whichever writer reported it. */
  readonly acknowledged: number;
  /** The last batch that can have been issued. */
  readonly issued: number;
  /** Whether it was still opening the store. */
  readonly wasOpening: boolean;
}

/** Runs a writer to its end. A "kill" strikes `delayMs` after the first acknowledgement. */
export async function runWriter(task: WriterTask, delayMs: number): Promise<WriterEnd> {
  const { command, args } = runtimeCommand(runtimeName, child, [JSON.stringify(task)]);
  const writer = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(writer, "close");
  let errors = "";
  writer.stderr.on("data", (chunk) => errors += String(chunk));
  let output = "";
  let isTimed = task.ending !== "kill";
  for await (const chunk of writer.stdout) {
    output += String(chunk);
    if (isTimed || !/^\d+\n/m.test(output)) continue;
    isTimed = true;
    // When a kill comes is left to the clock: nothing waits for it.
    setTimeout(() => writer.kill("SIGKILL"), delayMs);
  }
  const [code, signal] = await closed as [number | null, string | null];
  assertEnding(task, `${code} ${signal}`, errors);
  const lines = output.split("\n");
  const opened = /^open (\d+)\n/.exec(output);
  if (opened === null) {
    return {
      acknowledged: task.acknowledged,
      issued: task.acknowledged + MAX_IN_FLIGHT + 1,
      wasOpening: true,
    };
  }
  const recovered = Number(opened[1]);
  assert.ok(
    recovered >= task.acknowledged,
    `batch ${task.acknowledged} was acknowledged, ${recovered} was there when ${runtimeName} opened`,
  );
  const reported = lines.slice(1, -1).map(Number);
  const acknowledged = Math.max(recovered, ...reported.slice(-2 * MAX_IN_FLIGHT));
  return { acknowledged, issued: acknowledged + MAX_IN_FLIGHT + 1, wasOpening: false };
}

/** Each way to end looks different from outside. */
function assertEnding({ ending }: WriterTask, how: string, errors: string): void {
  if (ending === "exit") assert.equal(how, "7 null", errors);
  else if (ending === "throw") {
    assert.equal(how, "1 null", errors);
    assert.match(errors, /uncaught on purpose/);
  } else {
    assert.equal(how, ending === "sigterm" ? "null SIGTERM" : "null SIGKILL", errors);
    assert.equal(errors, "");
  }
}

/** Has a runtime check several stores in one process; what it found, in their order. */
export async function runVerifier(
  runtime: RuntimeName,
  tasks: readonly VerifierTask[],
): Promise<VerifierReport[]> {
  const { command, args } = runtimeCommand(runtime, verifier, [JSON.stringify(tasks)]);
  const process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(process, "close");
  let output = "";
  let errors = "";
  process.stdout.on("data", (chunk) => output += String(chunk));
  process.stderr.on("data", (chunk) => errors += String(chunk));
  const [code] = await closed as [number | null];
  assert.equal(code, 0, `${runtime}: ${errors}${output}`);
  const reports = output.trimEnd().split("\n").map((line) => JSON.parse(line) as VerifierReport);
  assert.equal(reports.length, tasks.length, output);
  return reports;
}
