/** `ls`, `du`, `info`, `stats`, `explain` and `recompress`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, type Value } from "@tinykvs/core";
import { Histogram, sizeOfValue } from "../src/looking/sizes.ts";
import { bar } from "../src/text/bars.ts";
import { widthOf } from "../src/text/width.ts";
import { run } from "./support/cli.ts";
import { makeStore } from "./support/stores.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** 400 entries of user:, 200 of log/, 2 without a part. */
function entries(): [string, Value][] {
  const made: [string, Value][] = [];
  for (let i = 0; i < 200; i++) {
    made.push([`user:${100 + i % 4}:a${i}`, `${i}`.padEnd(40, "y")]);
    made.push([`user:${100 + i % 4}:b${i}`, BigInt(i)]);
    made.push([`log/${i % 2}/${i}`, "x".repeat(20)]);
  }
  return [...made, ["alone", true], ["pi", 3.14]];
}

interface Row {
  readonly key?: string;
  readonly rest?: string;
  readonly depth: number;
  readonly keys: number;
  readonly entries: number;
  readonly bytes: number;
}

async function rowsOf(words: readonly string[]): Promise<Row[]> {
  const { code, out, err } = await run([...words, "--json"]);
  assert.deepEqual([code, err], [0, ""]);
  return JSON.parse(out);
}

test("ls counts keys and bytes by prefixes, to any depth, below any prefix", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const all = entries();
  await makeStore(db, all);
  const expected = (prefix: string): [number, number] => {
    const inside = all.filter(([key]) => key.startsWith(prefix));
    return [
      inside.length,
      inside.reduce(
        (sum, [key, value]) => sum + key.length + sizeOfValue(value),
        0,
      ),
    ];
  };
  const names = (rows: readonly Row[]): unknown[] => rows.map(({ key, depth }) => [key, depth]);
  const top = await rowsOf([db, "ls"]);
  assert.deepEqual(names(top), [["alone", 1], ["log/", 1], ["pi", 1], [
    "user:",
    1,
  ]]);
  for (const { key, keys, bytes } of top) {
    assert.deepEqual([keys, bytes], expected(key!), key);
  }
  const deep = await rowsOf([db, "ls", "--depth", "2"]);
  assert.deepEqual(names(deep).slice(0, 4), [["alone", 1], ["log/", 1], [
    "log/0/",
    2,
  ], [
    "log/1/",
    2,
  ]]);
  for (const { key, keys, bytes } of deep) {
    assert.deepEqual([keys, bytes], expected(key!), key);
  }
  const below = await rowsOf([db, "ls", "user:", "-d", "1"]);
  assert.deepEqual(below.map(({ key }) => key), [
    "user:100:",
    "user:101:",
    "user:102:",
    "user:103:",
  ]);
  assert.deepEqual((await rowsOf([db, "ls", "--separator", ":"])).length, 203);
  assert.deepEqual(
    (await rowsOf([db, "ls", "--bytes", "1"])).map(({ key }) => key),
    [
      "a",
      "l",
      "p",
      "u",
    ],
  );
});

test("ls leaves out what is beyond its limit, and counts it", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  for (const depth of ["1", "2", "3"]) {
    const rows = await rowsOf([db, "ls", "--limit", "2", "--depth", depth]);
    const top = rows.filter((row) => row.depth === 1);
    assert.deepEqual(top.map(({ key, rest }) => key ?? rest), [
      "alone",
      "log/",
      "... 401 more",
    ]);
    assert.equal(top.reduce((sum, { keys }) => sum + keys, 0), 602);
  }
});

test("du has the prefixes by size, from the indexes, and loses nothing", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  const rows = await rowsOf([db, "du", "--depth", "2"]);
  const top = rows.filter(({ depth }) => depth === 1);
  assert.deepEqual(top.map(({ key }) => key), ["user:", "log/", undefined]);
  const [user, log, rest] = top as [Row, Row, Row];
  assert.ok(
    user.bytes > log.bytes && Math.abs(user.entries - 400) < 80,
    JSON.stringify(top),
  );
  await using store = await open(db, { readOnly: true });
  const whole = store.approximateSize();
  assert.equal(user.bytes + log.bytes + rest.bytes, whole.bytes);
  assert.equal(rows.filter(({ depth }) => depth === 2).length, 6);
});

test("info tells where each version is, and exits with 1 for a deleted key", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  {
    await using store = await open(db, { flushOnClose: false });
    await store.put("pi", 3n);
    await store.flush();
    await store.delete("pi");
  }
  const { code, out } = await run([db, "info", "pi"]);
  assert.equal(code, 1);
  const places = out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(places.map(({ place, type }) => [place, type]), [
    ["memtable", "tombstone"],
    ["table", "int64"],
    ["table", "float64"],
  ]);
  const shown = await run([db, "info", "user:100:a0"], {
    terminal: true,
    environment: { NO_COLOR: "1" },
  });
  assert.equal(shown.code, 0);
  assert.match(
    shown.out,
    /│ L\d \d+\.sst │ string │ +46 B │ \d+ of \d+, [\d.]+ K?B\s*│/,
  );
  assert.match(shown.out, /1 version; searched 1 table of 2/);
  const none = await run([db, "info", "zzz"]);
  assert.deepEqual([none.code, none.out], [1, ""]);
});

test("stats draws levels and sizes within the width, and gives the numbers to programs", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  for (const columns of [80, 200]) {
    const { code, out } = await run([db, "stats"], {
      terminal: true,
      columns,
      environment: { NO_COLOR: "1" },
    });
    assert.equal(code, 0);
    const lines = out.split("\n");
    // The first line is the path, as long as it is.
    for (const line of lines.slice(1)) {
      assert.ok(widthOf(line) <= columns, line);
    }
    assert.ok(
      lines.some((line) => /L1 █+ .*1 table, 602 entries$/.test(line)),
      out,
    );
    assert.ok(lines.some((line) => /32 B to 63 B █+.* 33 %$/.test(line)), out);
    assert.ok(lines.some((line) => /int64 █+.* 33 %$/.test(line)), out);
  }
  const { out } = await run([db, "stats", "--json"]);
  const found = JSON.parse(out);
  assert.equal(found.sampledEntries, 602);
  assert.deepEqual(found.types, {
    bool: 1,
    string: 400,
    int64: 200,
    float64: 1,
  });
  assert.equal(
    found.valueSizes.reduce(
      (sum: number, { count }: { count: number }) => sum + count,
      0,
    ),
    602,
  );
  assert.equal(found.levels.length > 1, true);
  const small = await run([db, "stats", "--json", "--sample", "0"]);
  assert.equal("sampledEntries" in JSON.parse(small.out), false);
});

test("explain counts what a scan reads, and which tables it skips", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  {
    await using store = await open(db);
    await store.delete("user:100:a0");
    await store.flush();
    await store.put("zzz", 1n);
    await store.flush();
  }
  const { out } = await run([db, "explain", "user:", "--json"]);
  const found = JSON.parse(out);
  assert.equal(found.entries, 399);
  assert.equal(found.tombstones, 1);
  assert.ok(found.blocksRead > 5 && found.cacheHits === 0, out);
  assert.deepEqual([found.tablesUsed, found.tablesSkipped], [2, 1]);
  const few = JSON.parse(
    (await run([db, "explain", "user:", "-n", "1", "--json"])).out,
  );
  assert.ok(few.blocksRead < found.blocksRead);
});

test("recompress --sample measures codecs, and changes nothing; without it rewrites", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, entries());
  const { code, out } = await run([db, "recompress", "--sample", "--json"]);
  assert.equal(code, 0);
  const rows: { codec: string; blockSizeBytes: number; bytes: number }[] = JSON
    .parse(out);
  assert.equal(rows.length, 21);
  const bytesOf = (codec: string): number =>
    rows.find((row) => row.codec === codec && row.blockSizeBytes === 65536)!
      .bytes;
  assert.ok(bytesOf("zstd 3") < bytesOf("none") / 2, out);
  const sizeOf = async (): Promise<number> => {
    await using store = await open(db, { readOnly: true });
    return store.tables().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  };
  const before = await sizeOf();
  const done = await run([db, "recompress", "--compression", "none"]);
  assert.deepEqual([done.code, done.err], [0, ""]);
  assert.ok(await sizeOf() > 2 * before, `${before} and ${await sizeOf()}`);
  assert.equal((await run([db, "recompress"])).code, 2);
});

test("A histogram has powers of two, and a bar has eighths", () => {
  const histogram = new Histogram();
  for (const size of [0, 1, 2, 3, 4, 7, 8, 1000]) histogram.add(size);
  const filled = histogram.classes().filter(({ count }) => count > 0);
  assert.deepEqual(filled.map(({ from, to, count }) => [from, to, count]), [
    [0, 0, 1],
    [1, 1, 1],
    [2, 3, 2],
    [4, 7, 2],
    [8, 15, 1],
    [512, 1023, 1],
  ]);
  assert.deepEqual([
    bar(0, 10),
    bar(0.001, 10),
    bar(0.25, 4),
    bar(1, 3),
    bar(7, 3),
  ], [
    "",
    "▏",
    "█",
    "███",
    "███",
  ]);
});

test("What looks into a store fits a terminal of 40 columns", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, [...entries(), [
    "日本語:1",
    "wide 文字 in a value that does not fit".repeat(3),
  ]]);
  for (const words of [["ls"], ["du"], ["stats"], ["explain"], ["scan"]]) {
    const { code, out } = await run([db, ...words], {
      terminal: true,
      columns: 40,
      environment: { NO_COLOR: "1" },
    });
    assert.equal(code, 0);
    // A line of prose may wrap; a picture may not.
    for (const line of out.split("\n").filter((line) => /[│┌├└█▏░]/.test(line))) {
      const shown = line.slice(line.lastIndexOf("\r") + 1);
      assert.ok(widthOf(shown) <= 40, `${words[0]}: ${shown}`);
    }
  }
});
