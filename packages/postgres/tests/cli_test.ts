/** The command `tinykvs` moves a store to a table and back: `export` and `import`. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open, type Value } from "@tinykvs/core";
import { digestOf, openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

const PROGRAM = fileURLToPath(new URL("../../cli/tinykvs.ts", import.meta.url));

let server: Server;
let folder: string;

before(async () => {
  server = await startServer();
  folder = mkdtempSync(path.join(tmpdir(), "tinykvs-postgres-cli-"));
});

after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command in a process of its own, without a terminal. */
function tinykvs(
  ...words: string[]
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => out += data);
    child.stderr.on("data", (data) => err += data);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const far = Date.UTC(2100, 0, 1);
const values: readonly [string | Uint8Array, Value][] = [
  ["text", "öx\u0000"],
  ["int", 2n ** 62n],
  ["float", -0.5],
  ["bool", true],
  ["bytes", Uint8Array.of(0, 255)],
  ["record", { list: [1, 2n, null, "x"], bytes: Uint8Array.of(1) }],
  [Uint8Array.of(0xff, 0), "a key that is no text"],
];

test("A store goes to a table and comes back with every type and time of expiry", async () => {
  const from = path.join(folder, "from");
  {
    await using store = await open(from, { keyEncoding: "bytes" });
    for (const [key, value] of values) await store.put(key, value);
    await store.put("expires", 1, { expiresAt: far });
    const batch = store.batch();
    for (let i = 0; i < 3000; i++) batch.put(`many${String(i).padStart(4, "0")}`, i);
    await batch.write();
  }
  const dry = await tinykvs(from, "export", server.url, "--table", "moved", "--dry-run");
  assert.deepEqual([dry.code, dry.err], [0, ""]);
  const exported = await tinykvs(from, "export", server.url, "--table", "moved");
  assert.deepEqual([exported.code, exported.err], [0, ""]);
  const report = JSON.parse(exported.out);
  assert.deepEqual([report.entries, report.written, report.removed], [3008, 3008, 0]);
  {
    await using table = await openPostgres(clients.pg(server.url), { table: "moved" });
    await using store = await open(from, { readOnly: true, keyEncoding: "bytes" });
    assert.equal((await digestOf(store)).digest, (await digestOf(table)).digest);
    assert.equal((await table.getEntry("expires"))?.expiresAt, far);
    // Somebody else has written to it: to make it equal again must be agreed to.
    await table.put("extra", 1);
    await table.delete("many0007");
  }
  const refused = await tinykvs(from, "export", server.url, "--table", "moved");
  assert.equal(refused.code, 2);
  assert.match(refused.err, /The table has entries.*--yes/s);
  const again = await tinykvs(from, "export", server.url, "--table", "moved", "--yes");
  const { entries, written, removed } = JSON.parse(again.out);
  assert.deepEqual([entries, written, removed], [3008, 1, 1]);
  const back = path.join(folder, "back");
  const imported = await tinykvs(back, "import", server.url, "--table", "moved");
  assert.deepEqual([imported.code, imported.err], [0, ""]);
  assert.equal(JSON.parse(imported.out).loaded, 3008);
  await using store = await open(back, { readOnly: true, keyEncoding: "bytes" });
  assert.equal((await digestOf(store)).digest, report.digest);
  assert.equal((await store.getEntry("expires"))?.expiresAt, far);
});

test("A range of a store goes to the same range of a table, and the rest of the table stays", async () => {
  const from = path.join(folder, "parts");
  {
    await using store = await open(from);
    for (const key of ["a", "p:1", "p:2", "p:3", "z"]) await store.put(key, key);
  }
  {
    await using table = await openPostgres(clients.pg(server.url), { table: "parts" });
    await table.put("other", 1);
  }
  const all = [server.url, "--table", "parts"];
  const some = await tinykvs(from, "export", ...all, "--gte", "p:1", "--lt", "p:3");
  assert.deepEqual([some.code, some.err], [0, ""]);
  assert.equal(JSON.parse(some.out).entries, 2);
  const refused = await tinykvs(from, "export", ...all, "--prefix", "p:");
  assert.equal(refused.code, 2);
  assert.match(refused.err, /its keys with the prefix p:.*--yes/s);
  {
    await using table = await openPostgres(clients.pg(server.url), { table: "parts" });
    await table.delete("p:1");
    await table.put("p:9", 9);
    await table.put("q", 9);
  }
  const again = await tinykvs(from, "export", ...all, "--prefix", "p:", "--yes");
  const { entries, written, removed } = JSON.parse(again.out);
  assert.deepEqual([entries, written, removed], [3, 2, 1]);
  await using table = await openPostgres(clients.pg(server.url), { table: "parts" });
  assert.deepEqual(await table.keys().toArray(), ["other", "p:1", "p:2", "p:3", "q"]);
});

test("A server or a table that is not there is one sentence, which shows no password", async () => {
  const from = path.join(folder, "small");
  {
    await using store = await open(from);
    await store.put("a", 1);
  }
  const missing = await tinykvs(from, "import", server.url, "--table", "nowhere", "--yes");
  assert.equal(missing.code, 5, missing.err);
  assert.match(missing.err, /nowhere/);
  const wrong = `postgres://me:secret@127.0.0.1:1/app`;
  const away = await tinykvs(from, "export", wrong);
  assert.equal(away.code, 5, away.err);
  assert.match(away.err, /ECONNREFUSED/);
  const name = await tinykvs(from, "export", server.url, "--table", "a b");
  assert.equal(name.code, 2, name.err);
  for (const { out, err } of [missing, away, name]) {
    assert.equal(err.trim().split("\n").length <= 2, true, err);
    assert.doesNotMatch(out + err, /secret|at .*\.ts:/);
  }
});
