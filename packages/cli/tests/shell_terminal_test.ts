/** The shell in a pseudo-terminal, as a person sees it, on the runtime of the test. */

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { PseudoTerminal } from "./support/pty.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** With so large a store a scan is not over before it reads a Ctrl-C, also on a busy machine. */
const ENTRIES = 300_000;

async function makeStore(path: string): Promise<void> {
  await using store = await open(path, { walSync: "none" });
  for (let at = 0; at < ENTRIES; at += 1000) {
    const batch = store.batch();
    for (let i = at; i < at + 1000; i++) {
      batch.put(`log:${String(i).padStart(6, "0")}`, `line ${i}`);
    }
    await batch.write();
  }
  await store.put("user:1", { name: "Alice", age: 30 });
  await store.put("user:2", { name: "Bob", age: 40 });
  await store.put("evil", "\x1b]0;title\x07\x1b[2J");
}

test("The shell completes, takes a paste, stops a scan by Ctrl-C, asks, and keeps a history", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  const history = folder.at("history");
  // As another program might have left it.
  writeFileSync(history, "get user:2\n", { mode: 0o644 });
  const environment = { TINYKVS_HISTORY: history, NO_COLOR: "1" };
  await using shell = new PseudoTerminal([db], environment);
  await shell.shows("tinykvs> ");
  /** Types, and waits until each of the texts was shown, in this order. */
  const answers = async (typed: string, ...texts: string[]): Promise<void> => {
    shell.type(typed);
    for (const text of texts) await shell.shows(text);
  };

  // Commands, keys and options.
  await answers("ge\t", "get ");
  await answers("us\t", "user:");
  await answers("1 --js\t", "--json");
  await answers("\x15get user:1\r", `{"name": "Alice", "age": 30}`, "tinykvs> ");

  // The history of earlier shells, and of this one.
  await answers("\x1b[A\x1b[A", "get user:2");
  await answers("\r", `"Bob"`, "tinykvs> ");

  // A stored value cannot do anything to the terminal.
  shell.type("get evil\r");
  const shown = await shell.shows("tinykvs> ");
  assert.match(shown, /\\u001b\]0;title\\u0007\\u001b\[2J/);
  assert.ok(!shown.includes("\x1b]0;title"));

  // A paste: SQL over several lines, without a semicolon, then with one, and a command.
  await answers(
    "SELECT v.name\nFROM kv\nWHERE k = 'user:2'\nSELECT count()\n  FROM kv;\nget user:1 --jsonl\r",
    "(1 row) read 1 key",
    String(ENTRIES + 3),
    `"type":"record","value":{"name":"Alice","age":30}}`,
  );

  // What is not finished goes on in the next line.
  await answers("SELECT v.age FROM kv WHERE\r", "...> ");
  await answers("k = 'user:1';\r", "30", "(1 row)", "tinykvs> ");

  await answers(".timer on\r", "tinykvs> ");
  await answers(".mode csv\r", "mode csv");
  await answers("get user:1\r", "user:1,", " ms");
  await answers(".mode box\r", "mode box", "tinykvs> ");

  // Ctrl-C stops the scan, and the shell goes on.
  await answers("scan log: --all\r", "log:000200");
  shell.type("\x03");
  const scanned = await shell.shows("interrupted after");
  assert.ok(
    !scanned.includes(`log:${ENTRIES - 1}`),
    "the scan came to its end",
  );
  await shell.shows("tinykvs> ");
  // It stops the rest of a paste, too.
  await answers("scan log: --all\nput pasted 1\nget pasted\r", "log:000200");
  await answers("\x03", "2 lines of the paste left out", "tinykvs> ");
  await answers("get pasted\r", "Not found: pasted", "tinykvs> ");
  // A paste that ends in the middle of a line is not done before that line is.
  await answers("SELECT k FROM kv\nWHERE k = 'user:1'", "...> WHERE k = 'user:1'");
  await answers("\r", "(1 row)", "tinykvs> ");
  // Ctrl-C takes back a line.
  await answers("delete user:1\x03", "^C");
  await answers("get user:1\r", "Alice", "tinykvs> ");

  // It asks before it deletes much.
  await answers("DELETE FROM kv WHERE k LIKE 'user:%';\r", "Go on? [y/N] ");
  await answers("n\r", "Nothing was changed");
  await answers("DELETE FROM kv WHERE k LIKE 'user:%';\r", "Go on? [y/N] ");
  await answers("y\r", "DELETE 2", "tinykvs> ");
  await answers("get user:1\r", "Not found", "tinykvs> ");

  shell.type("\x04");
  assert.equal(await shell.exitCode(), 0);
  assert.equal(statSync(history).mode & 0o777, 0o600);
  const lines = readFileSync(history, "utf8").split("\n");
  assert.equal(lines[0], "get user:2");
  assert.ok(
    lines.includes("SELECT v.name FROM kv WHERE k = 'user:2'"),
    lines.join("\n"),
  );
  assert.ok(!lines.includes("delete user:1"));
  // Answers are no commands.
  assert.ok(!lines.includes("y"));
});
