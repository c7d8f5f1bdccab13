/**
 * Processes that write to a store on the disk are ended in the middle of it; another runtime then opens
 * what they left. All that was acknowledged has to be there, batches whole, as a prefix of the history.
 *
 * A kill leaves the system's file cache alone, so this can't find a missing fsync; it finds data that
 * was acknowledged while it was in the heap only. Kills come after a seeded number of reports by the
 * child, so in the midst of whatever it does next: `TINYKVS_SEED` repeats them, `TINYKVS_TEST_SCALE`
 * multiplies them.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand, runtimeNames } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const scale = Number(process.env.TINYKVS_TEST_SCALE ?? 1);
const seed = Number(process.env.TINYKVS_SEED ?? 20_260_102);

const child = fileURLToPath(new URL("kill_child.ts", import.meta.url));
const verifier = fileURLToPath(new URL("kill_verifier.ts", import.meta.url));
const otherRuntimes = runtimeNames.filter((name) => name !== runtimeName);

type Ending = "kill" | "kill sync" | "exit" | "throw" | "sigterm";

let state = seed >>> 0;
function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
}

/** Runs a writer until its end; returns the last ordinal that it reported as acknowledged. */
async function write(directory: string, walSync: string, ending: Ending): Promise<number> {
  const mode = ending === "kill" ? "run" : ending === "kill sync" ? "sync" : ending;
  const count = 20 + random(150);
  const { command, args } = runtimeCommand(runtimeName, child, [
    directory,
    walSync,
    mode,
    ending.startsWith("kill") ? String(10 ** 9) : String(count),
  ]);
  const writer = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(writer, "close");
  let errors = "";
  writer.stderr.on("data", (chunk) => errors += String(chunk));
  let output = "";
  for await (const chunk of writer.stdout) {
    output += String(chunk);
    if (ending.startsWith("kill") && output.split("\n").length > count) writer.kill("SIGKILL");
  }
  const [code, signal] = await closed as [number | null, string | null];
  const reported = output.slice(0, output.lastIndexOf("\n")).split("\n");
  assert.ok(reported.length > 10, `the writer reported ${reported.length} batches:\n${errors}`);
  const how = `${code} ${signal}`;
  if (ending.startsWith("kill")) assert.equal(how, "null SIGKILL", errors);
  else if (ending === "exit") assert.equal(how, "7 null", errors);
  else if (ending === "throw") assert.match(errors, /uncaught on purpose/);
  else assert.equal(how, "null SIGTERM", errors);
  return Number(reported.at(-1));
}

/** Has another runtime check what is left. */
function verify(directory: string, acknowledged: number, context: string): void {
  const runtime = otherRuntimes[random(otherRuntimes.length)]!;
  const { command, args } = runtimeCommand(runtime, verifier, [directory, String(acknowledged)]);
  const result = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(
    result.status,
    0,
    `${context}, checked by ${runtime}, ${acknowledged} acknowledged; ` +
      `repeat with TINYKVS_SEED=${seed} and tests/faults/kill_test.ts on ${runtimeName}:\n` +
      result.stdout + result.stderr,
  );
}

/** Lets several writers in turn work on one store, each ended in its way. */
async function endWriters(walSync: string, endings: readonly Ending[]): Promise<void> {
  const directory = temporaryDirectory("kill");
  try {
    for (let round = 0; round < scale; round++) {
      for (const [at, ending] of endings.entries()) {
        const acknowledged = await write(directory.path, walSync, ending);
        verify(directory.path, acknowledged, `writer ${at} (${ending}) with walSync ${walSync}`);
      }
    }
  } finally {
    directory.dispose();
  }
}

test("Writers without syncs lose nothing that was acknowledged when they are killed", async () => {
  await endWriters("none", ["kill", "exit", "kill sync", "throw"]);
});

test("Writers with syncs at intervals lose nothing that was acknowledged when killed", async () => {
  await endWriters("interval", ["kill", "sigterm", "kill sync"]);
});

test("Writers with syncs of groups lose nothing that was acknowledged when they are killed", async () => {
  await endWriters("batch", ["kill", "throw", "kill sync", "exit"]);
});

test("Writers with a sync a write lose nothing that was acknowledged when they are killed", async () => {
  await endWriters("write", ["kill", "sigterm", "kill sync"]);
});
