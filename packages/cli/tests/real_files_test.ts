/**
 * Imports of files that no one of this project wrote: packages/cli/tests/fixtures/README.md lists
 * them. What the store then has is compared with the original, which is read by something else.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { open, type Value } from "@tinykvs/core";
import { run } from "./support/cli.ts";
import { PROGRAM, start } from "./support/processes.ts";
import { temporaryFolder } from "./support/temporary.ts";

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));

/** The stations of Deutsche Bahn: a record a line. */
const STATIONS = require.resolve("db-stations/full.ndjson");
/** The folder of the package unstorage. */
const UNSTORAGE = path.dirname(path.dirname(require.resolve("unstorage")));

const UNSTORAGE_PROGRAM = path.join(here, "unstorage_child.ts");
/** Only Deno opens a database of Deno KV; on the other runtimes the one of the clone does it. */
const DENO = process.versions["deno"] === undefined
  ? path.join(here, "../../../node_modules/.bin/deno")
  : process.execPath;

function stations(): Record<string, unknown>[] {
  return readFileSync(STATIONS, "utf8").trim().split("\n").map((line) => JSON.parse(line));
}

async function imported(words: readonly string[]): Promise<number> {
  const { code, out, err } = await run(words);
  assert.deepEqual([code, err], [0, ""]);
  return JSON.parse(out).loaded;
}

async function contentOf(db: string): Promise<Map<string, Value>> {
  await using store = await open(db, { readOnly: true });
  return new Map(await store.entries().toArray());
}

test("The stations of Deutsche Bahn come in as JSON lines, and go out as they were", async () => {
  using folder = temporaryFolder();
  const [db, out] = [folder.at("db"), folder.at("out.ndjson")];
  const expected = stations();
  assert.equal(expected.length, 5388);
  assert.equal(
    await imported([db, "import", STATIONS, "--key", "id"]),
    expected.length,
  );
  const content = await contentOf(db);
  assert.equal(content.size, expected.length);
  for (const { id, ...station } of expected) {
    assert.deepEqual(content.get(id as string), station, id as string);
  }
  assert.equal((await run([db, "export", out])).code, 0);
  assert.equal(
    await imported([folder.at("again"), "import", out]),
    expected.length,
  );
  assert.deepEqual(await contentOf(folder.at("again")), content);
  // The same numbers by SQL as by the lines themselves.
  const berlin = expected.filter(({ name }) => (name as string).startsWith("Berlin"));
  const counted = await run([
    ...[db, "sql"],
    "SELECT count() AS n, max(v.weight) AS most FROM kv WHERE v.name LIKE 'Berlin%'",
  ]);
  assert.deepEqual(JSON.parse(counted.out), {
    n: berlin.length,
    most: Math.max(...berlin.map(({ weight }) => Number(weight))),
  });
});

/** The digest of each file below a directory, by its path with "/". */
function digests(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  const entries = readdirSync(directory, {
    recursive: true,
    withFileTypes: true,
  });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(directory, file).replaceAll(path.sep, "/");
    found.set(
      name,
      createHash("sha256").update(readFileSync(file)).digest("hex"),
    );
  }
  return found;
}

test("The folder of an npm package comes in and goes out, file by file", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const expected = digests(UNSTORAGE);
  assert.ok(expected.size > 50, `${expected.size} files`);
  assert.equal(await imported([db, "import", UNSTORAGE]), expected.size);
  const content = await contentOf(db);
  const kept = [...content].map(([key, value]) => {
    const digest = createHash("sha256").update(value as string | Uint8Array)
      .digest("hex");
    return [key, digest] as const;
  });
  assert.deepEqual(new Map(kept), new Map([...expected].sort()));
  assert.equal((await run([db, "export", folder.at("out/")])).code, 0);
  assert.deepEqual(digests(folder.at("out")), expected);
});

test("A Deno KV database that unstorage wrote comes in with every key and value", async () => {
  using folder = temporaryFolder();
  const [db, kv] = [folder.at("db"), folder.at("kv.db")];
  const deno = async (...words: string[]): Promise<string> => {
    const flags = ["run", "-A", "--no-check", "--unstable-kv"];
    const { code, out, err } = await start(DENO, [...flags, ...words]).ended;
    assert.equal(code, 0, err);
    return out.toString();
  };
  await deno(UNSTORAGE_PROGRAM, "write", kv, STATIONS);
  await deno(PROGRAM, db, "import", kv, "--format", "denokv");
  const expected = JSON.parse(await deno(UNSTORAGE_PROGRAM, "read", kv));
  assert.equal(Object.keys(expected).length, 1000);
  await using store = await open(db, { readOnly: true });
  const content = await store.sub("kv", { key: "tuple" }).entries().toArray();
  const found = content.map(([key, value]) => {
    assert.equal(key[0], "stations");
    return [key.slice(1).join(":"), value];
  });
  assert.deepEqual(Object.fromEntries(found), expected);
  for (const { id, ...station } of stations().slice(0, 500)) {
    assert.deepEqual(expected[`record:${id}`], station);
  }
});

test("A LevelDB of 2012, of a table and a log, has what the program that made it put last", async () => {
  using folder = temporaryFolder();
  const directory = path.join(here, "fixtures/leveldb-2012");
  const before = digests(directory);
  assert.equal(await imported([folder.at("db"), "import", directory]), 2);
  const expected = new Map([["foo", "five"], ["quux", "six"]]);
  assert.deepEqual(await contentOf(folder.at("db")), expected);
  assert.deepEqual(digests(directory), before);
});
