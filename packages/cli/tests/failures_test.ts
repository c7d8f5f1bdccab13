/** What goes wrong is one sentence and an exit code, and nothing is half done. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { BackgroundError, IoError, open, UnsupportedFormatError } from "@tinykvs/core";
import { describeFailure } from "../src/failures.ts";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

async function filled(db: string): Promise<void> {
  await using store = await open(db, { compression: "none" });
  for (let i = 0; i < 200; i++) {
    await store.put(`key ${i}`, `value ${i}`.repeat(20));
  }
  await store.flush();
}

test("A compaction that meets damage exits with 3, too", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await filled(db);
  await filled(db);
  const table = readdirSync(db).find((name) => name.endsWith(".sst"))!;
  const bytes = readFileSync(path.join(db, table));
  bytes[100] = bytes[100]! ^ 255;
  writeFileSync(path.join(db, table), bytes);
  for (const words of [["compact"], ["recompress", "--compression", "none"]]) {
    const { code, err } = await run([db, ...words, "--yes"]);
    assert.equal(code, 3, `${words[0]}: ${err}`);
    assert.match(err, /^tinykvs: Cannot read .*\n {2}Restore a backup, or see what can be saved/);
  }
});

test("A directory that is no store, a file and nothing at all are wrong usage", async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at("empty"));
  writeFileSync(folder.at("file"), "");
  for (const name of ["empty", "file", "missing"]) {
    for (
      const words of [["scan"], ["get", "a"], ["put", "a", "1"], ["verify"], [
        "repair",
      ]]
    ) {
      const ran = await run([folder.at(name), ...words]);
      assert.equal(ran.code, 2, `${name} ${words[0]}: ${ran.err}`);
      assert.match(ran.err, /^tinykvs: [A-Z][^\n]+\n$/);
    }
  }
  assert.deepEqual(readdirSync(folder.path).sort(), ["empty", "file"]);
});

test("A damaged store exits with 3 and says what to do; repair shows, asks and saves", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await filled(db);
  const table = readdirSync(db).find((name) => name.endsWith(".sst"))!;
  const bytes = readFileSync(path.join(db, table));
  bytes[100] = bytes[100]! ^ 255;
  writeFileSync(path.join(db, table), bytes);
  const read = await run([db, "scan"]);
  assert.equal(read.code, 3, read.err);
  assert.match(
    read.err,
    /^tinykvs: .*\n {2}Restore a backup, or see what can be saved/,
  );
  const verified = await run([db, "verify"]);
  assert.equal(verified.code, 3);
  assert.ok(JSON.parse(verified.out.split("\n")[0]!).problem.length > 10);
  const shown = await run([db, "verify", "--no-color"], { terminal: true });
  assert.match(shown.out, /damaged .*\.sst, offset/);
  const dry = await run([db, "repair", "--dry-run"]);
  assert.equal(dry.code, 3);
  assert.equal(JSON.parse(dry.out).isSound, false);
  assert.equal((await run([db, "repair"])).code, 2);
  assert.deepEqual(readFileSync(path.join(db, table)), bytes);
  const repaired = await run([db, "repair", "--no-color"], {
    terminal: true,
    answers: ["y"],
  });
  assert.equal(repaired.code, 0, repaired.err);
  assert.match(repaired.out, /unknown:.*repaired: \d+ entries salvaged/s);
  assert.equal((await run([db, "verify"])).code, 0);
  assert.match(
    (await run([db, "repair"], { terminal: true })).out,
    /nothing to repair/,
  );
});

test("An error about a newer format exits with 5 and advises an upgrade", () => {
  const failure = describeFailure(
    new UnsupportedFormatError("/db/CURRENT", "9", "at most 2"),
  );
  assert.deepEqual([failure?.exitCode, failure?.advice], [
    5,
    "Install a newer tinykvs.",
  ]);
});

test("No permission and a full disk exit with 5, also if the background noticed", () => {
  const denied = new IoError(
    "open",
    "/db/CURRENT",
    "permission denied",
    "EACCES",
  );
  const full = new IoError(
    "write",
    "/db/000001.log",
    "no space left",
    "ENOSPC",
  );
  assert.equal(describeFailure(denied)?.exitCode, 5);
  assert.match(describeFailure(full)!.advice!, /Free some space/);
  assert.deepEqual(
    describeFailure(new BackgroundError("a flush", full)),
    describeFailure(full),
  );
});

test("Wrong usage exits with 2 and offers what was probably meant", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await filled(db);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      [db, "scna"],
      /There is no command "scna"\n {2}Did you mean: tinykvs .* scan\?/,
    ],
    [
      [db, "scan", "--limt", "5"],
      /There is no option --limt\n {2}Did you mean --limit\?/,
    ],
    [[db, "scan", "--limit"], /--limit needs a value/],
    [
      [db, "scan", "--limit", "many"],
      /--limit is "many", expected a whole number/,
    ],
    [
      [db, "get"],
      /get was given no argument\n {2}Usage: tinykvs STORE get KEY\.\.\./,
    ],
    [[db, "put", "a"], /put was given 1 argument/],
    [
      [db, "put", "a", "1", "--type", "number"],
      /--type is "number", expected auto/,
    ],
    [["get", "a"], /No store is given/],
    [
      [db, "load", "/no/such/file"],
      /Cannot use "\/no\/such\/file": it is not there/,
    ],
    [[db, "import", "thing.xyz"], /it is not there/],
  ];
  for (const [words, message] of cases) {
    const ran = await run(words);
    assert.match(ran.err, message);
    assert.ok(ran.code === 2 || ran.code === 5, `${ran.code}`);
    assert.equal(ran.out, "");
  }
});

test("The store may come from --store or TINYKVS_STORE, and numbers may be negative", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await filled(db);
  assert.equal((await run(["--store", db, "put", "n", "-5n"])).code, 0);
  const ran = await run(["get", "n"], { environment: { TINYKVS_STORE: db } });
  assert.match(ran.out, /"value":-5/);
  assert.equal((await run([db, "get", "--", "-n"])).code, 1);
});

test("Each command has a help with examples, and the program's help lists all", async () => {
  const { commands } = await import("../src/commands.ts");
  const all = (await run(["help"])).out;
  for (const { name, options } of commands) {
    assert.ok(all.includes(`  ${name} `), name);
    const help = await run(["help", name]);
    assert.equal(help.code, 0);
    assert.match(help.out, /\nExamples\n {2}tinykvs /);
    for (const option of Object.keys(options)) {
      assert.ok(help.out.includes(`--${option}`));
    }
    assert.equal((await run(["./db", name, "--help"])).out, help.out);
    for (const line of help.out.split("\n")) {
      assert.ok(line.length <= 110, line);
    }
  }
  assert.equal((await run([])).code, 2);
  assert.match((await run(["--version"])).out, /^tinykvs \d+\.\d+\.\d+\n$/);
});
