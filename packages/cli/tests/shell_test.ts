/** The shell without a terminal: entries of a pipe, words, completion, history, and its store. */

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { commandOf } from "../src/commands.ts";
import { complete } from "../src/shell/completion.ts";
import { EntryReader } from "../src/shell/entries.ts";
import { History, KEPT_ENTRIES } from "../src/shell/history.ts";
import { ShellStore } from "../src/shell/shell_store.ts";
import { splitWords } from "../src/shell/words.ts";
import { run } from "./support/cli.ts";
import { makeStore } from "./support/stores.ts";
import { temporaryFolder } from "./support/temporary.ts";

test("A pipe of commands and SQL is done in order, and stops at the first error", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, [["a", 1n]]);
  const script = `put user:1 {"name": "Alice B",\n  "age": 30}\nSELECT v.name\nFROM kv
WHERE k = 'user:1'\nput b 'two words'; x\nget b\n`;
  const failing = await run([db], { input: script });
  // The put has three arguments: what follows is not done.
  assert.equal(failing.code, 2);
  assert.equal(failing.out, `{"k":"user:1","name":"Alice B"}\n`);
  assert.match(failing.err, /put was given/);
  const sound = await run([db], {
    input:
      "put b 'two words'\n.mode csv\nget b --jsonl\n\\tables\nselect count() from kv;\n.quit\nget none\n",
  });
  assert.deepEqual([sound.code, sound.err], [0, ""]);
  assert.match(sound.out, /"key":"b","type":"string","value":"two words"/);
  const csv = await run([db, "--csv"], {
    input: "SELECT k FROM kv\n\nSELECT k FROM kv LIMIT 1",
  });
  assert.equal(csv.out, "k\na\nb\nuser:1\nk\na\n");
  const unknown = await run([db], { input: "gett a\n" });
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /no command "gett"\n.*Did you mean get\?/);
  assert.equal((await run([folder.at("none")], { input: "" })).code, 2);
});

test("Words keep literals whole", () => {
  const cases: readonly (readonly [line: string, words: readonly string[]])[] = [
    ["get user:1", ["get", "user:1"]],
    [`put k  {"a": [1, "}"], "b": {}} --json`, [
      "put",
      "k",
      `{"a": [1, "}"], "b": {}}`,
      "--json",
    ]],
    [`get "a b\\"c"`, ["get", `"a b\\"c"`]],
    ["get x'00 ff'", ["get", "x'00 ff'"]],
    ["put k 'it''s  here'", ["put", "k", "it's  here"]],
    [`scan --prefix="a b" --lt=x'ff'`, [
      "scan",
      `--prefix="a b"`,
      "--lt=x'ff'",
    ]],
    ["get it's", ["get", "it's"]],
    ["", []],
  ];
  for (const [line, words] of cases) {
    assert.deepEqual(splitWords(line), words, line);
  }
  for (const line of [`put k {"a"`, "get 'a", `get "a`, "get x'00"]) {
    assert.throws(() => splitWords(line), /has no end/);
  }
});

test("Lines make entries: SQL to its end, commands by line, what is open goes on", () => {
  const reader = new EntryReader((word) => commandOf(word) !== undefined);
  const all = (...lines: string[]): string[] => {
    const entries = lines.flatMap((line) => reader.push(line));
    const rest = reader.flush();
    return rest === undefined ? entries : [...entries, rest];
  };
  assert.deepEqual(all("get a", "scan"), ["get a", "scan"]);
  assert.deepEqual(all("SELECT *", "  FROM kv", "WHERE k = 'a';", "get a"), [
    "SELECT *\n  FROM kv\nWHERE k = 'a';",
    "get a",
  ]);
  assert.deepEqual(
    all("SELECT * FROM kv", "SELECT 2", ".mode csv", "delete k"),
    [
      "SELECT * FROM kv",
      "SELECT 2",
      ".mode csv",
      "delete k",
    ],
  );
  assert.deepEqual(all("SELECT 'a", "", ".mode", "get x';", "get y"), [
    "SELECT 'a\n\n.mode\nget x';",
    "get y",
  ]);
  assert.deepEqual(all("select 1", "", "delete from kv where k = 'a'"), [
    "select 1",
    "delete from kv where k = 'a'",
  ]);
  assert.deepEqual(all("put k {", `"get": 1`, "}", "get k"), [
    `put k {\n"get": 1\n}`,
    "get k",
  ]);
});

test("TAB completes commands, options, choices, words of SQL and keys by their parts", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, [
    ...Array.from(
      { length: 300 },
      (_, index) => [`user:${1000 + index}:name`, "x"] as const,
    ),
    ["usage", 1n],
    ["it's", 1n],
    ["with space", 1n],
    ["\x1b[2J", 1n],
  ]);
  const store = new ShellStore(db, Date.now);
  const offers = async (line: string): Promise<readonly string[]> =>
    (await complete(line, store))[0];
  assert.deepEqual(await offers("cou"), ["count "]);
  assert.deepEqual(await offers(".mo"), [".mode "]);
  assert.deepEqual(await offers(".mode js"), ["json", "jsonl"]);
  assert.deepEqual(await offers("scan --rev"), ["--reverse "]);
  assert.deepEqual(await offers("put a b --type in"), ["int"]);
  assert.deepEqual(await offers("get us"), ["usage", "user:"]);
  assert.deepEqual((await offers("get user:")).length, 40);
  assert.deepEqual(await offers("get user:1000:"), ["user:1000:name"]);
  assert.deepEqual(await offers(`get "wi`), [`"with space`]);
  assert.deepEqual(await offers("get wi"), []);
  // A key that a terminal obeys is not offered as it is.
  assert.deepEqual(await offers("get \x1b"), []);
  assert.deepEqual(await offers("SELECT * FROM kv WHERE k = 'use"), ["user:"]);
  assert.deepEqual(await offers("SELECT * FROM kv WHERE k = 'it"), ["it''s"]);
  assert.deepEqual(
    await offers("SELECT * FROM kv WHERE k LIKE 'a' OR"),
    ["ORDER "].concat("OR ").sort(),
  );
  assert.deepEqual(await offers("select * fr"), ["from "]);
  await store.close();
});

test("A shell that only reads shows what others write, and one that writes keeps the lock", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, [["a", 1n]]);
  const shell = new ShellStore(db, Date.now);
  const read = async (key: string): Promise<unknown> => {
    await using lease = await shell.read();
    return await lease.store.get(key);
  };
  assert.equal(await read("b"), undefined);
  {
    await using writer = await open(db);
    await writer.put("b", 2n);
    assert.equal(await read("b"), 2n);
    await assert.rejects(shell.write(), { code: "LOCKED" });
    // The refused write has not broken reading.
    assert.equal(await read("a"), 1n);
  }
  {
    await using lease = await shell.write();
    await lease.store.put("c", 3n);
  }
  assert.equal(await read("c"), 3n);
  await assert.rejects(open(db), { code: "LOCKED" });
  await shell.close();
  await using again = await open(db);
  assert.equal(await again.get("c"), 3n);
});

test("The history is private, one line an entry, and bounded", () => {
  using folder = temporaryFolder();
  const file = folder.at("history");
  const history = new History(file);
  history.add("get a");
  history.add("get a");
  history.add(" put secret x");
  history.add("SELECT *\n  FROM kv");
  assert.equal(readFileSync(file, "utf8"), "get a\nSELECT * FROM kv\n");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, "", { mode: 0o644 });
  for (let i = 0; i < 2 * KEPT_ENTRIES + 1; i++) {
    appendFileSync(file, `get ${i}\n`);
  }
  const cut = new History(file);
  assert.equal(cut.entries.length, KEPT_ENTRIES);
  assert.equal(cut.entries.at(-1), `get ${2 * KEPT_ENTRIES}`);
  assert.equal(readFileSync(file, "utf8").split("\n").length, KEPT_ENTRIES + 1);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  // Without a file it still works.
  new History(folder.at("no/such/folder/history")).add("get a");
});
