// SIGKILL while the worker thread flushes and merges on the plain disk: nothing durable is lost,
// and what the thread had half done is gone.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSync } from "../../mod.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { BATCH_SIZE, keyOf, valueOf } from "./kill_thread_content.ts";

const script = fileURLToPath(new URL("kill_thread_child.ts", import.meta.url));
/** Batches after the thread came up at which it is killed: while it flushes, while it merges. */
const KILLED_AFTER = [2, 12, 30];

/**
 * Runs the child until `batches` after its thread is up; returns the last batch that was
 * acknowledged.
 */
async function runAndKill(directory: string, batches: number): Promise<number> {
  const { command, args } = runtimeCommand(runtimeName, script, [directory]);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  let acknowledged = 0;
  let left = Infinity;
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "worker") {
        left = batches;
      } else {
        acknowledged = Number(line);
        left--;
      }
    }
    if (left <= 0) child.kill("SIGKILL");
  });
  const [, signal] = await ended;
  assert.equal(signal, "SIGKILL");
  return acknowledged;
}

/** The store holds some first batches, the acknowledged ones among them, and no file too many. */
function check(directory: string, acknowledged: number): void {
  const store = openSync(directory);
  const last = store.getSync("last") as number;
  assert.ok(last >= acknowledged, `found batch ${last}, acknowledged was ${acknowledged}`);
  const expected = new Map<string, string>();
  for (let n = 1; n <= last; n++) {
    for (let i = 0; i < BATCH_SIZE; i++) expected.set(keyOf(n, i), valueOf(n, i));
  }
  let count = 0;
  for (const [key, value] of store.entries({ prefix: "key " })) {
    count++;
    assert.equal(value, expected.get(key as string));
  }
  assert.equal(count, expected.size);
  const live = store.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
  const tables = readdirSync(directory).filter((name) => name.endsWith(".sst"));
  assert.equal(tables.length, live, "tables that nothing refers to are left");
  store.closeSync();
}

for (const batches of KILLED_AFTER) {
  test(`Acknowledged writes survive kills ${batches} batches after the thread has started`, async () => {
    const { path: directory, dispose } = temporaryDirectory("kill-thread");
    try {
      check(directory, await runAndKill(directory, batches));
      check(directory, await runAndKill(directory, batches));
    } finally {
      dispose();
    }
  });
}
