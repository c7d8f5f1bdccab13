/** `dump` and `load`: nothing is lost, damage is noticed, and a kill in the middle does no harm. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Buffer } from "node:buffer";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { open } from "@tinykvs/core";
import { dumpEntries, dumpPieces, entryLines } from "../src/dump/dump_format.ts";
import { writeMark } from "../src/load/marker.ts";
import { markOf } from "../src/commands/load.ts";
import { sourceOf } from "../src/io/input_file.ts";
import type { StoredEntry } from "../src/values/json_form.ts";
import { run } from "./support/cli.ts";
import { startCommand } from "./support/processes.ts";
import { randomKey, randomNumbers, randomValue } from "./support/random.ts";
import { temporaryFolder } from "./support/temporary.ts";

const SEED = 20261201;

async function fillRandomly(path: string, count: number): Promise<void> {
  const next = randomNumbers(SEED);
  await using store = await open(path);
  const batch = store.batch();
  for (let i = 0; i < count; i++) batch.put(randomKey(next), randomValue(next));
  await batch.write();
}

async function contentOf(path: string): Promise<unknown[]> {
  await using store = await open(path, {
    readOnly: true,
    keyEncoding: "bytes",
  });
  return await store.entries().toArray();
}

test("A dump holds every type and any key, and a load makes the same store of it", async () => {
  using folder = temporaryFolder();
  await fillRandomly(folder.at("db"), 1000);
  for (const name of ["a.ndjson", "a.ndjson.gz"]) {
    const file = folder.at(name);
    assert.equal((await run([folder.at("db"), "dump", file])).code, 0);
    const loaded = await run([folder.at(`from ${name}`), "load", file]);
    assert.equal(loaded.code, 0, loaded.err);
    assert.deepEqual(
      await contentOf(folder.at(`from ${name}`)),
      await contentOf(folder.at("db")),
    );
  }
  const [plain, packed] = ["a.ndjson", "a.ndjson.gz"].map((name) => readFileSync(folder.at(name)));
  assert.deepEqual(gunzipSync(packed!), plain);
  const piped = await run([folder.at("db"), "dump"]);
  assert.deepEqual(Buffer.from(piped.bytes), plain);
  assert.equal(
    (await run([folder.at("piped"), "load", "-"], { input: piped.bytes })).code,
    0,
  );
  assert.deepEqual(
    await contentOf(folder.at("piped")),
    await contentOf(folder.at("db")),
  );
});

test("A value that is too long for a line takes several, and comes back whole", async () => {
  const entries: StoredEntry[] = [
    {
      key: Uint8Array.of(1),
      value: "👍a".repeat(2000),
      expiresAt: 1_800_000_000_000,
    },
    {
      key: Uint8Array.of(2),
      value: Uint8Array.from({ length: 5000 }, (_, i) => i),
    },
    { key: Uint8Array.of(3), value: 3 },
  ];
  const lines = entries.flatMap((entry) => [...entryLines(entry, 1000)]);
  assert.ok(lines.length > 15);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(lines.map((line) => `${line}\n`).join(""));
  }
  const found: StoredEntry[] = [];
  for await (const group of dumpEntries(pieces(), fail, false)) {
    found.push(...group);
  }
  assert.deepEqual(found.map(asComparable), entries.map(asComparable));
});

function fail(error: Error): never {
  throw error;
}

function asComparable(entry: StoredEntry): unknown {
  const { key, value } = entry;
  return {
    ...entry,
    key: [...key],
    value: value instanceof Uint8Array ? [...value] : value,
  };
}

test("A dump and a load keep the times at which entries expire", async () => {
  using folder = temporaryFolder();
  const time = Date.now() + 1e9;
  const large = "x".repeat(3e5);
  {
    await using store = await open(folder.at("db"));
    const batch = store.batch();
    for (let i = 0; i < 2000; i++) {
      if (i % 3 === 0) batch.put(`k${i}`, i, { expiresAt: time + i });
      else batch.put(`k${i}`, i);
    }
    batch.put("large:1", large, { expiresAt: time }).put("large:2", large);
    await batch.write();
  }
  for (const [name, ...words] of [["dump"], ["export", "-f", "ndjson"]]) {
    const file = folder.at(name!);
    const written = await run([folder.at("db"), name!, file, ...words]);
    assert.deepEqual([written.code, written.err], [0, ""]);
    const loaded = await run([
      folder.at(`of ${name}`),
      name === "dump" ? "load" : "import",
      file,
      ...words,
    ]);
    assert.deepEqual([loaded.code, loaded.err], [0, ""]);
    assert.equal(JSON.parse(loaded.out).loaded, 2002);
    await using before = await open(folder.at("db"), { readOnly: true });
    await using after = await open(folder.at(`of ${name}`), { readOnly: true });
    const keys = await before.keys().toArray();
    assert.deepEqual(await after.keys().toArray(), keys);
    for (const key of keys) {
      assert.deepEqual(after.getEntrySync(key), before.getEntrySync(key), key);
    }
    assert.equal(after.getEntrySync("k3")?.expiresAt, time + 3);
  }
});

test("What has expired since the dump is left out, counted, and removes nothing", async () => {
  using folder = temporaryFolder();
  async function* batches(): AsyncGenerator<StoredEntry[]> {
    const entry = (key: string, expiresAt?: number): StoredEntry => ({
      key: Buffer.from(key),
      value: 1n,
      expiresAt,
    });
    yield [entry("a", 1_000_000), entry("b"), entry("c", 2_000_000), entry("d", 8e12)];
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of dumpPieces(batches(), () => {})) pieces.push(piece);
  const file = folder.at("d");
  const db = folder.at("db");
  writeFileSync(file, Buffer.concat(pieces));
  const dry = await run([db, "load", file, "--dry-run"]);
  assert.deepEqual(JSON.parse(dry.out), { wouldLoad: 2, expired: 2, problems: 0 });
  assert.equal((await run([db, "put", "a", "mine", "--create"])).code, 0);
  const ran = await run([db, "load", file, "--yes"], { terminal: true, columns: 200 });
  assert.equal(ran.code, 0);
  assert.match(ran.out, /^loaded 2 entries, left out 2 that expired/);
  await using store = await open(db, { readOnly: true });
  assert.deepEqual(await store.entries().toArray(), [["a", "mine"], ["b", 1n], ["d", 1n]]);
});

test("A time in a dump is milliseconds or ISO 8601, and another one is a bad line", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const line = (time: unknown): string =>
    `{"key":"a","type":"int64","value":1,"expiresAt":${JSON.stringify(time)}}\n`;
  for (const time of ["soon", 1.5, null, 9e15, true]) {
    const ran = await run([db, "import", "-", "-f", "ndjson"], { input: line(time) });
    assert.deepEqual([ran.code, existsSync(db)], [3, false], String(time));
    assert.match(ran.err, /Line 1: its expiresAt is neither milliseconds/);
  }
  for (const time of [4_070_908_800_000, "2099-01-01T00:00:00.000Z"]) {
    const input = line(time);
    assert.equal((await run([db, "import", "-", "-f", "ndjson", "--yes"], { input })).code, 0);
    await using store = await open(db, { readOnly: true });
    assert.equal(store.getEntrySync("a")?.expiresAt, 4_070_908_800_000);
  }
});

test("A dump that was cut off or changed anywhere is refused, and makes no store", async () => {
  using folder = temporaryFolder();
  await fillRandomly(folder.at("db"), 30);
  const { bytes } = await run([folder.at("db"), "dump"]);
  const next = randomNumbers(SEED);
  const target = folder.at("target");
  const inHeader = '{"tinykvsDump":'.length;
  const places = [inHeader, 3, ...Array.from({ length: 8 }, () => next() * (bytes.length - 1))];
  for (const place of places) {
    const at = Math.floor(place);
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ (1 << Math.floor(next() * 7));
    for (const input of [bytes.subarray(0, at), changed]) {
      writeFileSync(folder.at("d"), input);
      for (const words of [[folder.at("d")], ["-"]]) {
        const ran = await run([target, "load", ...words], { input });
        assert.equal(ran.code, 3, `byte ${at} of seed ${SEED}: ${ran.err}`);
        assert.equal(existsSync(target), false, `byte ${at} of seed ${SEED}`);
      }
    }
  }
});

test("--keep-going loads what is whole of a damaged dump, and says how much is not", async () => {
  using folder = temporaryFolder();
  await fillRandomly(folder.at("db"), 20);
  const lines = (await run([folder.at("db"), "dump"])).out.split("\n");
  lines[5] = "{damage";
  writeFileSync(folder.at("d"), lines.slice(0, -2).join("\n"));
  const ran = await run([
    folder.at("new"),
    "load",
    folder.at("d"),
    "--keep-going",
  ]);
  assert.equal(ran.code, 3);
  assert.match(ran.err, /Line 6 is no entry: it is not JSON/);
  assert.match(ran.err, /The dump ends early/);
  const { loaded, problems } = JSON.parse(ran.out);
  assert.equal(problems, 2);
  assert.equal((await contentOf(folder.at("new"))).length, loaded);
});

test("A load into a store with data asks first, and --dry-run only checks", async () => {
  using folder = temporaryFolder();
  await fillRandomly(folder.at("db"), 20);
  const file = folder.at("d");
  await run([folder.at("db"), "dump", file]);
  await run([folder.at("other"), "put", "mine", "1", "--create"]);
  const words = [folder.at("other"), "load", file];
  assert.equal((await run(words)).code, 2);
  assert.equal((await run(words, { terminal: true, answers: ["n"] })).code, 2);
  const dry = await run([...words, "--dry-run"]);
  assert.deepEqual([dry.code, JSON.parse(dry.out).wouldLoad > 10], [0, true]);
  assert.equal((await contentOf(folder.at("other"))).length, 1);
  assert.equal((await run(words, { terminal: true, answers: ["y"] })).code, 0);
  assert.ok((await contentOf(folder.at("other"))).length > 10);
  assert.equal((await run([...words, "--yes"])).code, 0);
});

test("A load goes on after what an earlier run of the same command has written", async () => {
  using folder = temporaryFolder();
  const target = folder.at("target");
  const file = folder.at("d");
  await fillRandomly(folder.at("db"), 400);
  await run([folder.at("db"), "dump", file]);
  const all = await contentOf(folder.at("db")) as [Uint8Array, never][];
  {
    await using store = await open(target);
    for (const [key, value] of all.slice(0, 150)) await store.put(key, value);
    await writeMark(
      target,
      (await markOf(await sourceOf(file, {} as never), file))!,
    );
  }
  const ran = await run([target, "load", file]);
  assert.equal(ran.code, 0, ran.err);
  const { loaded, skipped } = JSON.parse(ran.out);
  assert.deepEqual([loaded, skipped], [all.length - 150, 150]);
  assert.deepEqual(await contentOf(target), all);
  assert.ok(!readdirSync(target).includes("tinykvs-load.json"));
});

test("A load that is killed at any point is completed by the same command", async () => {
  using folder = temporaryFolder();
  const file = folder.at("d");
  {
    await using store = await open(folder.at("db"));
    for (let i = 0; i < 40; i++) await store.put(`k${i}`, noise(i, 50_000));
  }
  await run([folder.at("db"), "dump", file]);
  for (let round = 0; round < 3; round++) {
    const target = folder.at(`target${round}`);
    const child = startCommand([target, "load", file]);
    // Killed as soon as the first, the second, the third file of the store is there.
    while (
      child.isRunning() &&
      !(existsSync(target) && readdirSync(target).length > round * 2)
    ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await child.kill();
    const again = await run([target, "load", file]);
    assert.equal(again.code, 0, again.err);
    assert.deepEqual(await contentOf(target), await contentOf(folder.at("db")));
  }
});

function noise(seed: number, length: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => next() * 256);
}

test("Ctrl-C in a load keeps what is there, and the same command goes on", async () => {
  using folder = temporaryFolder();
  const file = folder.at("d");
  await fillRandomly(folder.at("db"), 50);
  await run([folder.at("db"), "dump", file]);
  const ran = await run([folder.at("new"), "load", file], {
    onStart: (interrupt) => interrupt(),
  });
  assert.equal(ran.code, 130, ran.err);
  assert.equal((await run([folder.at("new"), "load", file])).code, 0);
  assert.deepEqual(
    await contentOf(folder.at("new")),
    await contentOf(folder.at("db")),
  );
});

test("A dump to a file leaves no file if it fails, and asks before it replaces one", async () => {
  using folder = temporaryFolder();
  await fillRandomly(folder.at("db"), 50);
  const file = folder.at("d");
  writeFileSync(file, "mine");
  assert.equal((await run([folder.at("db"), "dump", file])).code, 2);
  assert.equal(readFileSync(file, "utf8"), "mine");
  const stopped = await run([folder.at("db"), "dump", folder.at("new")], {
    onStart: (interrupt) => interrupt(),
  });
  assert.equal(stopped.code, 130);
  assert.deepEqual(readdirSync(folder.path).sort(), ["d", "db"]);
  assert.equal((await run([folder.at("db"), "dump", file, "--yes"])).code, 0);
});

test(
  "A dump is written to a named pipe, which stays one, and never takes the place of a directory",
  {
    skip: process.platform === "win32" ? "no named pipes" : false,
  },
  async () => {
    using folder = temporaryFolder();
    const [db, pipe] = [folder.at("db"), folder.at("pipe")];
    await run([db, "put", "a", "1", "--create"]);
    execFileSync("mkfifo", [pipe]);
    for (const words of [["dump", pipe], ["export", pipe, "--format", "ndjson"]]) {
      const reading = readFile(pipe, "utf8");
      const ran = await run([db, ...words]);
      assert.equal(ran.code, 0, ran.err);
      assert.match(await reading, /\{"key":"a","type":"float64","value":1\}\n/);
      assert.ok(statSync(pipe).isFIFO());
    }
    for (
      const words of [["dump", db], ["export", db, "-f", "csv"], ["export", db, "-f", "sqlite"]]
    ) {
      const ran = await run([db, ...words, "--yes"]);
      assert.equal(ran.code, 2, ran.err);
      assert.match(ran.err, /is a directory/);
    }
    assert.equal((await run([db, "export", pipe, "-f", "sqlite", "--yes"])).code, 2);
    assert.equal((await run([db, "get", "a"])).code, 0);
  },
);
