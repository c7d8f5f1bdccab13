/** `watch` on a store that this process has open for writing: every commit shows, ranges too. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOf } from "../src/commands.ts";
import { runCommand } from "../src/main.ts";
import { ShellStore } from "../src/shell/shell_store.ts";
import { collectingTerminal } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** Runs `watch` with these words while the same store writes; ends when `until` is shown. */
async function watching(
  words: readonly string[],
  until: string,
  isTerminal = false,
): Promise<string> {
  using folder = temporaryFolder();
  const store = new ShellStore(folder.at("db"), Date.now);
  try {
    await using lease = await store.write({ createIfMissing: true });
    for (const key of ["a", "k:1", "k:2", "k:3", "z"]) await lease.store.put(key, 1n);
    const interrupt = new AbortController();
    const { terminal, out } = collectingTerminal({
      terminal: isTerminal,
      // What is flushed, and not only written, is what the reader of a pipe sees.
      onFlush: (text) => {
        if (text.includes(until)) interrupt.abort();
      },
    });
    const surroundings = { terminal, store, signal: interrupt.signal };
    const done = runCommand(commandOf("watch")!, words, surroundings);
    // The watch begins with the first write that it sees.
    const again = setInterval(() => void lease.store.put("k:0", "first"), 20);
    while (!out().includes("first")) await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(again);
    await lease.store.deleteRange({ gte: "k:2", lt: "k:3" });
    await lease.store.batch().put("k:4", { x: 1 }).deleteRange({ prefix: "" }).put("k:9", "last")
      .write();
    await done;
    return out();
  } finally {
    await store.close();
  }
}

const after = (lines: readonly string[]): string[] => lines.filter((line) => !line.includes("k:0"));

test("A deleted range is one change with its bounds, cut to the range that is watched", async () => {
  const shown = (await watching(["k:"], "last")).trim().split("\n");
  assert.deepEqual(after(shown).map((line) => JSON.parse(line)), [
    { change: "deleteRange", range: { gte: { key: "k:2" }, lt: { key: "k:3" } } },
    { change: "put", key: "k:4", type: "record", value: { x: 1 } },
    { change: "deleteRange", range: { gte: { key: "k:" }, lt: { key: "k;" } } },
    { change: "put", key: "k:9", type: "string", value: "last" },
  ]);
});

test("In CSV there is one header, and a range is described in a row", async () => {
  const shown = (await watching(["k:", "--csv"], "last")).trim().split("\n");
  assert.deepEqual(after(shown), [
    "change,key,value",
    'deleteRange,"keys from k:2, before k:3",',
    'put,k:4,"{""x"": 1}"',
    'deleteRange,"keys from k:, before k;",',
    'put,k:9,"""last"""',
  ]);
});

test("On a terminal a range is a line with a minus", async () => {
  const shown = await watching(["k:", "--no-color"], "last", true);
  const lines = after(shown.trim().split("\n")).map((line) => line.replace(/^[\d:]+ {2}/, ""));
  assert.deepEqual(lines.filter((line) => /^[-+]/.test(line)), [
    "- keys from k:2, before k:3",
    '+ k:4 = {"x": 1}',
    "- keys from k:, before k;",
    '+ k:9 = "last"',
  ]);
});
