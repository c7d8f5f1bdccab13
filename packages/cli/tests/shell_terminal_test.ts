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

  // Commands, keys and options.
  shell.type("ge\t");
  await shell.shows("get ");
  shell.type("us\t");
  await shell.shows("user:");
  shell.type("1 --js\t");
  await shell.shows("--json");
  shell.type("\x15get user:1\r");
  await shell.shows(`{"name": "Alice", "age": 30}`);
  await shell.shows("tinykvs> ");

  // The history of earlier shells, and of this one.
  shell.type("\x1b[A\x1b[A");
  await shell.shows("get user:2");
  shell.type("\r");
  await shell.shows(`"Bob"`);
  await shell.shows("tinykvs> ");

  // A stored value cannot do anything to the terminal.
  shell.type("get evil\r");
  const shown = await shell.shows("tinykvs> ");
  assert.match(shown, /\\u001b\]0;title\\u0007\\u001b\[2J/);
  assert.ok(!shown.includes("\x1b]0;title"));

  // A paste: SQL over several lines, without a semicolon, then with one, and a command.
  shell.type(
    "SELECT v.name\nFROM kv\nWHERE k = 'user:2'\nSELECT count()\n  FROM kv;\nget user:1 --jsonl\r",
  );
  await shell.shows("(1 row) read 1 key");
  await shell.shows(String(ENTRIES + 3));
  await shell.shows(`"type":"record","value":{"name":"Alice","age":30}}`);

  // What is not finished goes on in the next line.
  shell.type("SELECT v.age FROM kv WHERE\r");
  await shell.shows("...> ");
  shell.type("k = 'user:1';\r");
  await shell.shows("30");
  await shell.shows("(1 row)");
  await shell.shows("tinykvs> ");

  shell.type(".timer on\r");
  await shell.shows("tinykvs> ");
  shell.type(".mode csv\r");
  await shell.shows("mode csv");
  shell.type("get user:1\r");
  await shell.shows("user:1,");
  await shell.shows(" ms");
  shell.type(".mode box\r");
  await shell.shows("mode box");
  await shell.shows("tinykvs> ");

  // Ctrl-C stops the scan, and the shell goes on.
  shell.type("scan log: --all\r");
  await shell.shows("log:000200");
  shell.type("\x03");
  const scanned = await shell.shows("interrupted after");
  assert.ok(
    !scanned.includes(`log:${ENTRIES - 1}`),
    "the scan came to its end",
  );
  await shell.shows("tinykvs> ");
  // It stops the rest of a paste, too.
  shell.type("scan log: --all\nput pasted 1\nget pasted\r");
  await shell.shows("log:000200");
  shell.type("\x03");
  await shell.shows("2 lines of the paste left out");
  await shell.shows("tinykvs> ");
  shell.type("get pasted\r");
  await shell.shows("Not found: pasted");
  await shell.shows("tinykvs> ");
  // A paste that ends in the middle of a line is not done before that line is.
  shell.type("SELECT k FROM kv\nWHERE k = 'user:1'");
  await shell.shows("...> WHERE k = 'user:1'");
  shell.type("\r");
  await shell.shows("(1 row)");
  await shell.shows("tinykvs> ");
  // Ctrl-C takes back a line.
  shell.type("delete user:1\x03");
  await shell.shows("^C");
  shell.type("get user:1\r");
  await shell.shows("Alice");
  await shell.shows("tinykvs> ");

  // It asks before it deletes much.
  shell.type("DELETE FROM kv WHERE k LIKE 'user:%';\r");
  await shell.shows("Go on? [y/N] ");
  shell.type("n\r");
  await shell.shows("Nothing was changed");
  shell.type("DELETE FROM kv WHERE k LIKE 'user:%';\r");
  await shell.shows("Go on? [y/N] ");
  shell.type("y\r");
  await shell.shows("DELETE 2");
  await shell.shows("tinykvs> ");
  shell.type("get user:1\r");
  await shell.shows("Not found");
  await shell.shows("tinykvs> ");

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
