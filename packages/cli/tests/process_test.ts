/** The command as a process: pipes that close, disks that are full, Ctrl-C, and one file. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "@tinykvs/core";
import { PROGRAM, runtimeArguments, start, startCommand } from "./support/processes.ts";
import { temporaryFolder } from "./support/temporary.ts";

const folderOfPackage = path.dirname(PROGRAM);
const BUN = fileURLToPath(
  new URL("../../../node_modules/.bin/bun", import.meta.url),
);

/** Fills a store with text that does not compress. */
async function fill(db: string, count: number): Promise<void> {
  await using store = await open(db, { compression: "none" });
  const batch = store.batch();
  let state = 1;
  for (let i = 0; i < count; i++) {
    const value = new Uint8Array(1000);
    for (let at = 0; at < value.length; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      value[at] = state >>> 24;
    }
    batch.put(`key ${i}`, value);
  }
  await batch.write();
}

/** A line of bash that runs the command: COMMAND stands for it. */
function bash(
  line: string,
  db: string,
): { code: number | null; out: string; err: string } {
  const command = [process.execPath, ...runtimeArguments(PROGRAM), db]
    .map((word) => `'${word}'`).join(" ");
  const { status, stdout, stderr } = spawnSync("bash", [
    "-c",
    line.replaceAll("COMMAND", command),
  ], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { code: status, out: stdout, err: stderr };
}

test("A reader that goes away ends a scan without an error", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await fill(db, 2000);
  const ran = bash("COMMAND scan | head -n 1; exit ${PIPESTATUS[0]}", db);
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.match(ran.out, /^\{"key":"key 0"/);
});

test("A full disk ends a dump with 5 and one sentence", async () => {
  if (!existsSync("/dev/full")) return;
  using folder = temporaryFolder();
  const db = folder.at("db");
  await fill(db, 10);
  const ran = bash("COMMAND dump > /dev/full", db);
  assert.equal(ran.code, 5, ran.err);
  assert.match(
    ran.err,
    /^tinykvs: [^\n]*(?:ENOSPC|no space|disk is full)[^\n]*\n(?: {2}.*\n)?$/i,
  );
});

test("A load that the system stops in the middle leaves no store that it made", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await fill(db, 3000);
  assert.equal(bash(`COMMAND dump ${folder.at("d")}`, db).code, 0);
  const target = folder.at("target");
  // No file may grow beyond 1 MB: a write in the middle of the load fails, as on a full disk.
  const ran = bash(
    `trap '' XFSZ; ulimit -f 1000; COMMAND load ${folder.at("d")}`,
    target,
  );
  assert.equal(ran.code, 5, ran.err);
  assert.match(
    ran.err,
    /^tinykvs: Cannot write [^\n]+EFBIG[^\n]+\n(?: {2}.*\n)?$/,
  );
  assert.equal(existsSync(target), false);
  assert.equal(bash(`COMMAND load ${folder.at("d")}`, target).code, 0);
});

test("Ctrl-C ends a watch with 0", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await fill(db, 1);
  const line = "COMMAND scan --follow --interval 0.05 > OUT & PID=$!; " +
    'until [ -s OUT ]; do sleep 0.05; done; kill -INT "$PID"; wait "$PID"';
  const ran = bash(line.replaceAll("OUT", folder.at("out")), db);
  assert.deepEqual([ran.code, ran.err], [0, ""]);
});

test("One compiled file reads and writes, in an empty folder, what this runtime wrote", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db);
    await store.put("user:1", { name: "Alice" });
    await store.flush();
    await store.put("age", 30n);
  }
  const file = folder.at("alone/tinykvs");
  const built = await start(BUN, ["run", "compile", "--outfile", file], {
    directory: folderOfPackage,
  }).ended;
  assert.equal(built.code, 0, built.err);
  assert.deepEqual(readdirSync(folder.at("alone")), ["tinykvs"]);
  const alone = (...words: string[]) =>
    start(file, words, {
      directory: folder.at("alone"),
      environment: { PATH: "/nowhere" },
    }).ended;
  const scan = await alone(db, "scan");
  assert.equal(
    scan.out.toString(),
    '{"key":"age","type":"int64","value":30}\n' +
      '{"key":"user:1","type":"record","value":{"name":"Alice"}}\n',
  );
  assert.equal((await alone(db, "put", "new", "x'00ff'")).code, 0);
  assert.equal((await alone(db, "export", "a.sqlite")).code, 0);
  assert.equal((await alone("copy", "import", "a.sqlite")).code, 0);
  assert.equal((await alone("copy", "verify")).code, 0);
  const level = await alone(db, "export", "level", "--format", "leveldb");
  assert.equal(level.code, 5);
  assert.match(level.err, /needs the package classic-level/);
  await using store = await open(db);
  assert.deepEqual(await store.get("new"), Uint8Array.of(0, 255));
});

test("A process gets its words, its standard input and its exit code from the shell", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const words = [db, "put", "long", "-", "--type", "string", "--create"];
  assert.equal((await startCommand(words, "日本語\n").ended).code, 0);
  const got = await startCommand([db, "get", "long", "--raw"]).ended;
  assert.equal(got.out.toString(), "日本語\n");
  assert.equal((await startCommand([db, "get", "none"]).ended).code, 1);
});
