/** `import` and `export`: files of other programs come in, and what goes out comes back. */

import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { open, type Value } from "@tinykvs/core";
import { keyOfPath, pathOfKey } from "../src/convert/files.ts";
import { run } from "./support/cli.ts";
import { PROGRAM, start } from "./support/processes.ts";
import { randomKey, randomNumbers, randomValue } from "./support/random.ts";
import { temporaryFolder } from "./support/temporary.ts";

const SEED = 20261202;
const fixtures = path.join(
  path.dirname(fileURLToPath(import.meta.url)),
  "fixtures",
);

async function contentOf(path: string): Promise<[Uint8Array, Value][]> {
  await using store = await open(path, {
    readOnly: true,
    keyEncoding: "bytes",
  });
  return await store.entries().toArray();
}

async function valueOf(path: string, key: string): Promise<Value | undefined> {
  await using store = await open(path, { readOnly: true });
  return await store.get(key);
}

test("CSV, JSON lines and SQLite keep every type and any key on the way out and in", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    const next = randomNumbers(SEED);
    await using store = await open(db);
    const batch = store.batch();
    for (let i = 0; i < 300; i++) batch.put(randomKey(next), randomValue(next));
    await batch.write();
  }
  const expected = await contentOf(db);
  for (const name of ["a.csv", "a.ndjson", "a.csv.gz", "a.sqlite"]) {
    const written = await run([db, "export", folder.at(name)]);
    assert.equal(written.code, 0, written.err);
    const read = await run([
      folder.at(`from ${name}`),
      "import",
      folder.at(name),
    ]);
    assert.equal(read.code, 0, `${name}: ${read.err}`);
    assert.deepEqual(
      await contentOf(folder.at(`from ${name}`)),
      expected,
      `${name}, seed ${SEED}`,
    );
  }
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name.includes("partial")),
    [],
  );
});

test("A CSV of Debian becomes records, with its short rows only if that is allowed", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const file = path.join(fixtures, "debian.csv");
  const strict = await run([db, "import", file, "--key", "series"]);
  assert.deepEqual([strict.code, existsSync(db)], [3, false]);
  assert.match(strict.err, /Row at line 2: it has 6 columns, expected 8/);
  const ran = await run([
    db,
    "import",
    file,
    "--key",
    "series",
    "--allow-short",
  ]);
  assert.equal(JSON.parse(ran.out).loaded, 22);
  assert.deepEqual(await valueOf(db, "bookworm"), {
    version: 12,
    codename: "Bookworm",
    created: "2021-08-14",
    release: "2023-06-10",
    eol: "2026-07-11",
    "eol-lts": "2028-06-30",
    "eol-elts": "2033-06-30",
  });
});

test("A header says the types of the columns, and two columns are key and value", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const rows =
    'id,age:int,zip:string,ok:bool,raw:hex,more:json\na,30,01234,true,00ff,"{""x"":[1]}"\n';
  assert.equal(
    (await run([db, "import", "-", "--format", "csv"], { input: rows })).code,
    0,
  );
  assert.deepEqual(await valueOf(db, "a"), {
    age: 30,
    zip: "01234",
    ok: true,
    raw: Uint8Array.of(0, 255),
    more: { x: [1] },
  });
  const two = '\ufeffk;v\nint;30\nfloat;2.5\nzip;01234\nlong;99999999999999999999\ntext;a "b"\n';
  const ran = await run(
    [
      db,
      "import",
      "-",
      "--format",
      "csv",
      "--delimiter",
      ";",
      "--prefix",
      "two:",
      "--yes",
    ],
    { input: two },
  );
  assert.equal(ran.code, 3, "a quote in the middle of a cell is no CSV");
  const ok = await run(
    [
      db,
      "import",
      "-",
      "--format",
      "csv",
      "--delimiter",
      ";",
      "--prefix",
      "two:",
      "--yes",
    ],
    { input: two.replace('a "b"', '"a ""b"""') },
  );
  assert.equal(ok.code, 0, ok.err);
  const values = await Promise.all(
    ["int", "float", "zip", "long", "text"].map((name) => valueOf(db, `two:${name}`)),
  );
  assert.deepEqual(values, [
    30n,
    2.5,
    "01234",
    "99999999999999999999",
    'a "b"',
  ]);
});

test("A bad row in the middle changes nothing, and --keep-going leaves only it out", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await run([db, "put", "before", "1", "--create"]);
  const rows = ["id,age:int"];
  for (let i = 0; i < 1000; i++) rows.push(`k${i},${i === 700 ? "old" : i}`);
  writeFileSync(folder.at("a.csv"), rows.join("\n"));
  for (const words of [[folder.at("a.csv")], ["-", "--format", "csv"]]) {
    const ran = await run([db, "import", ...words, "--yes"], {
      input: rows.join("\n"),
    });
    assert.equal(ran.code, 3);
    assert.equal(
      ran.err,
      'tinykvs: Row at line 702: column "age": "old" is not an integer of 64 bits\n',
    );
    assert.equal((await contentOf(db)).length, 1);
  }
  const ran = await run([
    db,
    "import",
    folder.at("a.csv"),
    "--yes",
    "--keep-going",
  ]);
  assert.deepEqual([ran.code, (await contentOf(db)).length], [3, 1000]);
});

test("JSON lines of anybody are records by a field of theirs", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const input = '{"id":7,"name":"A","tags":["x",null]}\n\n{"id":"b","$ref":1}\n';
  const ran = await run([db, "import", "-", "-f", "ndjson", "--key", "id"], {
    input,
  });
  assert.equal(ran.code, 0, ran.err);
  assert.deepEqual(await valueOf(db, "7"), { name: "A", tags: ["x", null] });
  assert.deepEqual(await valueOf(db, "b"), { $ref: 1 });
  const long = '{"id":1234567890123456789,"ref":9007199254740993}\n';
  const wide = await run([db, "import", "-", "-f", "ndjson", "--key", "id", "--yes"], {
    input: long,
  });
  assert.equal(wide.code, 0, wide.err);
  assert.deepEqual(await valueOf(db, "1234567890123456789"), { ref: 9007199254740993n });
  const unsigned = await run([db, "import", "-", "-f", "ndjson", "--yes"], {
    input: '{"key":"a","value":18446744073709551615}\n',
  });
  assert.match(unsigned.err, /Line 1: .*does not fit into an int64/);
  const bad = await run([db, "import", "-", "-f", "ndjson", "--yes"], {
    input,
  });
  assert.match(bad.err, /Line 1: .*name the field of the key by --key/);
});

test("A SQLite file of Deno is read table by table", async () => {
  using folder = temporaryFolder();
  // SQLite may make files beside it.
  const file = folder.at("deno-cache.sqlite");
  copyFileSync(path.join(fixtures, "deno-cache.sqlite"), file);
  const choose = await run([folder.at("db"), "import", file]);
  assert.deepEqual([choose.code, existsSync(folder.at("db"))], [2, false]);
  assert.match(choose.err, /--all-tables: fastcheckcache, info/);
  assert.equal(
    (await run([folder.at("db"), "import", file, "--all-tables"])).code,
    0,
  );
  assert.equal(await valueOf(folder.at("db"), "info:CLI_VERSION"), "2.9.5");
  writeFileSync(
    folder.at("no.sqlite"),
    "this is no database, but it is long enough to be one",
  );
  const wrong = await run([folder.at("db"), "import", folder.at("no.sqlite")]);
  assert.equal(wrong.code, 3, wrong.err);
});

test("A directory of Google's LevelDB is read, and stays as it is", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const directory = path.join(fixtures, "leveldb");
  const before = readdirSync(directory);
  const ran = await run([db, "import", directory]);
  assert.equal(ran.code, 0, ran.err);
  assert.deepEqual(readdirSync(directory), before);
  const content = await contentOf(db);
  assert.equal(content.length, 68);
  assert.deepEqual(content[0], [
    Uint8Array.of(0, 255),
    Uint8Array.from({ length: 256 }, (_, index) => index),
  ]);
  assert.equal(
    await valueOf(db, "debian:bookworm"),
    "12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30",
  );
  assert.equal(await valueOf(db, "debian:series"), undefined);
  const exported = await run([
    db,
    "export",
    folder.at("out"),
    "--format",
    "leveldb",
  ]);
  assert.equal(exported.code, 0, exported.err);
  assert.equal(
    (await run([folder.at("again"), "import", folder.at("out")])).code,
    0,
  );
  assert.deepEqual(await contentOf(folder.at("again")), content);
});

test("A LevelDB of Minecraft, whose compression LevelDB does not know, is one sentence", async () => {
  using folder = temporaryFolder();
  const ran = await run([
    folder.at("db"),
    "import",
    path.join(fixtures, "leveldb-zlib"),
  ]);
  assert.deepEqual([ran.code, existsSync(folder.at("db"))], [3, false]);
  assert.match(
    ran.err,
    /^tinykvs: ".*" is no sound LevelDB: .*Corruption: bad block type\n$/,
  );
});

test("A tree of files becomes keys, and any key becomes a file inside the directory", async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at("tree/sub/deep"), { recursive: true });
  writeFileSync(folder.at("tree/a.txt"), "text");
  writeFileSync(folder.at("tree/sub/b.bin"), Uint8Array.of(0, 1, 255));
  writeFileSync(folder.at("tree/sub/deep/100%.txt"), "");
  const db = folder.at("db");
  assert.equal((await run([db, "import", folder.at("tree")])).code, 0);
  assert.equal(await valueOf(db, "a.txt"), "text");
  assert.deepEqual(await valueOf(db, "sub/b.bin"), Uint8Array.of(0, 1, 255));
  assert.equal(await valueOf(db, "sub/deep/100%.txt"), "");
  assert.equal((await run([db, "export", folder.at("out/")])).code, 0);
  assert.deepEqual(
    readFileSync(folder.at("out/sub/b.bin")),
    readFileSync(folder.at("tree/sub/b.bin")),
  );
  const next = randomNumbers(SEED);
  const keys: Uint8Array[] = [
    "../../etc/passwd",
    "/abs",
    "a//b",
    ".",
    "..",
    "",
    "a/../b",
    "nul\0",
    "100%25",
  ]
    .map((text) => new TextEncoder().encode(text));
  for (let i = 0; i < 500; i++) keys.push(randomKey(next));
  for (const key of keys) {
    const name = pathOfKey(key);
    const inside = path.relative("/top", path.join("/top", name));
    assert.ok(
      !inside.startsWith("..") && inside !== "" && inside === name,
      JSON.stringify(name),
    );
    assert.deepEqual(keyOfPath(name), key, JSON.stringify(name));
  }
});

test("Keys that cannot be files are named, and --keep-going leaves them out", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await run([db, "put", "a", "1", "--create"]);
  await run([db, "put", "a/b", "2"]);
  const ran = await run([db, "export", folder.at("out/")]);
  assert.deepEqual([ran.code, ran.out], [3, ""]);
  assert.match(ran.err, /The key a\/b cannot be a file: /);
  assert.equal(
    (await run([db, "export", folder.at("two/"), "--keep-going"])).code,
    3,
  );
});

/** Makes a database as a program on Deno does. */
const DENO_KV_PROGRAM = `
  const kv = await Deno.openKv(Deno.args[0]);
  await kv.set(["users", "alice"], { age: 30, tags: [1n, null] });
  await kv.set(["users", 1n, true, 2.5, new Uint8Array([1])], "text");
  await kv.set(["count"], new Deno.KvU64(7n));
  await kv.set(["set"], new Set([1]));
  await kv.set(["user"], { since: new Date(5) });
  kv.close();`;

test("Deno KV comes in on Deno as tuples of a sub, and is one sentence elsewhere", async () => {
  using folder = temporaryFolder();
  const [db, kv] = [folder.at("db"), folder.at("kv.db")];
  if (process.versions["deno"] === undefined) {
    const ran = await run([db, "import", kv, "--format", "denokv"]);
    assert.deepEqual([ran.code, existsSync(db)], [5, false]);
    assert.match(ran.err, /Only Deno can open a database of Deno KV/);
    return;
  }
  writeFileSync(folder.at("make.ts"), DENO_KV_PROGRAM);
  const deno = (...words: string[]) =>
    start(process.execPath, ["run", "-A", "--no-check", "--unstable-kv", ...words]).ended;
  assert.equal((await deno(folder.at("make.ts"), kv)).code, 0);
  const strict = await deno(PROGRAM, db, "import", kv, "-f", "denokv");
  assert.deepEqual([strict.code, existsSync(db)], [3, false]);
  assert.match(strict.err, /The key \[set\]: a store has no values of type Set/);
  assert.equal((await deno(PROGRAM, db, "import", kv, "-f", "denokv", "--keep-going")).code, 3);
  await using store = await open(db);
  assert.deepEqual(await store.sub("kv", { key: "tuple" }).entries().toArray(), [
    [["count"], 7n],
    [["user"], { since: new Date(5) }],
    [["users", "alice"], { age: 30, tags: [1n, null] }],
    [["users", 1n, true, 2.5, Uint8Array.of(1)], "text"],
  ]);
});

test("A store of the Go program just opens, and its dump makes the same store here", async () => {
  using folder = temporaryFolder();
  const stores = path.join(fixtures, "../../../../tests/fixtures/go");
  for (const name of ["v0.4.0-zstd", "v0.11.1-zstd"]) {
    const db = path.join(stores, name, "store");
    const before = readdirSync(db);
    const dump = await run([db, "dump"]);
    assert.equal(dump.code, 0, dump.err);
    assert.equal((await run([folder.at(name), "load", "-"], { input: dump.out })).code, 0);
    assert.deepEqual((await run([folder.at(name), "dump"])).out, dump.out);
    assert.ok(dump.out.split("\n").length > 4000);
    assert.deepEqual(readdirSync(db), before);
  }
});

test("Fields of records are columns of CSV, if they are asked for", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await run([
    db,
    "put",
    "u:1",
    '{"name": "A, B", "age": 3, "tags": [1]}',
    "--create",
  ]);
  await run([db, "put", "u:2", "text"]);
  const ran = await run([
    db,
    "export",
    "-",
    "-f",
    "csv",
    "--fields",
    "name,age,tags",
  ]);
  assert.equal(ran.out, 'key,name,age,tags\nu:1,"A, B",3,[1]\nu:2,,,\n');
});
