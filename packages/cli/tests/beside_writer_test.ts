/** Reading works while somebody writes; writing waits its turn. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

test("Every command that only reads works beside a writer, and sees what was durable", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await using writer = await open(db);
  await writer.put("a", 1n);
  const reading = [
    ["get", "a"],
    ["scan"],
    ["keys"],
    ["count"],
    ["verify"],
    ["dump"],
    ["export", folder.at("a.csv")],
    ["checkpoint", folder.at("copy")],
    ["destroy", "--dry-run"],
    ["delete-range", "--all", "--dry-run"],
    ["compact", "--dry-run"],
  ];
  for (const words of reading) {
    const ran = await run([db, ...words]);
    assert.deepEqual([ran.code, ran.err], [0, ""], words.join(" "));
  }
  await writer.put("b", 2n);
  assert.match((await run([db, "get", "b"])).out, /"value":2/);
  assert.match((await run([folder.at("copy"), "count", "--raw"])).out, /^1\n$/);
});

test("A command that writes exits with 4 while somebody has the store, and changes nothing", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await using writer = await open(db);
  await writer.put("a", 1n);
  const writing = [
    ["put", "b", "1"],
    ["delete", "a"],
    ["delete-range", "--all"],
    ["compact"],
    ["destroy"],
  ];
  for (const words of writing) {
    const ran = await run([db, ...words, "--yes"]);
    assert.equal(ran.code, 4, `${words.join(" ")}: ${ran.err}`);
    assert.match(ran.err, /is locked by .*\n {2}Reading works beside a writer/);
  }
  assert.deepEqual(await writer.keys().toArray(), ["a"]);
});

test("watch and scan --follow show what another handle writes and deletes", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await using writer = await open(db);
  await writer.put("k:1", 1n);
  await writer.put("other", 1n);
  let press = (): void => {};
  let stage = 0;
  const ran = await run([db, "scan", "k:", "--follow", "--interval", "0.05"], {
    onStart: (interrupt) => press = interrupt,
    onOutput: (text) => {
      const lines = text.trim().split("\n").length;
      // Each step waits for the line of the one before.
      if (lines > stage) {
        stage = lines;
        if (stage === 1) {
          void writer.batch().put("k:2", "new").put("other", 2n).write();
        } else if (stage === 2) void writer.batch().delete("k:1").write();
        else if (stage === 3) void writer.batch().put("k:2", "newer").write();
        else press();
      }
    },
  });
  assert.equal(ran.code, 0, ran.err);
  assert.deepEqual(ran.out.trim().split("\n").map((line) => JSON.parse(line)), [
    { key: "k:1", type: "int64", value: 1 },
    { change: "put", key: "k:2", type: "string", value: "new" },
    { change: "delete", key: "k:1" },
    { change: "put", key: "k:2", type: "string", value: "newer" },
  ]);
});

test("What destroys asks on a terminal, and needs --yes in a pipe", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  for (const key of ["s:1", "s:2", "t"]) {
    await run([db, "put", key, "1", "--create"]);
  }
  const piped = await run([db, "delete-range", "s:"]);
  assert.deepEqual([piped.code, piped.out], [2, ""]);
  assert.match(
    piped.err,
    /This deletes 2 keys of .*: keys with the prefix s:: nobody is here/,
  );
  const refused = await run([db, "delete-range", "s:"], {
    terminal: true,
    answers: [""],
  });
  assert.equal(refused.code, 2);
  assert.match(refused.err, /Go on\? \[y\/N\] .*Nothing was changed/s);
  // Ctrl-D is no answer, and echoes no line feed.
  const left = await run([db, "delete-range", "s:"], { terminal: true });
  assert.equal(left.code, 2);
  assert.match(left.err, /Go on\? \[y\/N\] \n.*Nothing was changed/);
  assert.equal((await run([db, "count", "--raw"])).out, "3\n");
  const dry = await run([db, "delete-range", "s:", "--dry-run"]);
  assert.deepEqual([dry.code, JSON.parse(dry.out)], [0, { wouldDelete: 2 }]);
  const done = await run([db, "delete-range", "s:"], {
    terminal: true,
    answers: ["y"],
  });
  assert.equal(done.code, 0);
  assert.equal((await run([db, "keys", "--raw"])).out, "t\n");
  assert.equal((await run([db, "delete-range"])).code, 2);
  assert.equal((await run([db, "destroy"])).code, 2);
  assert.equal((await run([db, "destroy", "--yes"])).code, 0);
  assert.equal((await run([db, "scan"])).code, 2);
  assert.ok(!existsSync(`${db}/CURRENT`));
});

test("A deleted range is one small write, however many keys it has, by the command and by SQL", async () => {
  using folder = temporaryFolder();
  for (
    const [name, words, rest] of [
      ["command", ["delete-range", "s:"], ["t"]],
      ["all", ["delete-range", "--all"], []],
      ["sql", ["sql", "DELETE FROM kv WHERE k LIKE 's:%'"], ["t"]],
      ["between", ["sql", "DELETE FROM kv WHERE k BETWEEN 's:' AND 's:~'"], [
        "t",
      ]],
    ] as const
  ) {
    const db = folder.at(name);
    {
      await using store = await open(db);
      const batch = store.batch().put("t", 1);
      for (let i = 0; i < 3000; i++) batch.put(`s:${i}`, i);
      await batch.write();
    }
    const before = bytesOf(db);
    const ran = await run([db, ...words, "--yes"]);
    assert.deepEqual(
      [ran.code, ran.err, JSON.parse(ran.out)],
      [0, "", { deleted: 3000 + 1 - rest.length }],
      name,
    );
    // 3000 deletions of keys would be more than 20 KB.
    assert.ok(
      bytesOf(db) - before < 2000,
      `${name}: ${before} B, then ${bytesOf(db)} B`,
    );
    await using store = await open(db, { readOnly: true });
    assert.deepEqual(await store.keys().toArray(), rest);
  }
});

function bytesOf(directory: string): number {
  return readdirSync(directory).reduce(
    (sum, name) => sum + statSync(path.join(directory, name)).size,
    0,
  );
}
