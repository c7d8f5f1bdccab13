/** `sql`: the subset, what it answers, and what it says of the rest. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { splitStatements } from "../src/sql/sql_text.ts";
import { run } from "./support/cli.ts";
import { makeStore } from "./support/stores.ts";
import { temporaryFolder } from "./support/temporary.ts";

const people = [
  ["user:1", {
    name: "Alice",
    age: 30,
    address: { city: "Bonn" },
    "odd name": 1,
    active: true,
  }],
  ["user:2", {
    name: "Bob",
    age: 9,
    address: { city: "Köln" },
    firstName: "Robert",
  }],
  ["user:3", { name: "Carol", age: 40n }],
  ["user:4", "only text"],
  ["n:1", 5n],
  ["n:2", 2.5],
  [Uint8Array.of(20, 0, 7), "bytes"],
] as const;

/** The rows of a statement, as objects. */
async function rows(db: string, sql: string): Promise<unknown[]> {
  const { code, out, err } = await run([db, "sql", sql, "--json"]);
  assert.deepEqual([code, err], [0, ""], sql);
  return JSON.parse(out);
}

async function keys(db: string, where: string): Promise<unknown[]> {
  const found = await rows(db, `SELECT k FROM kv WHERE ${where}`);
  return found.map((row) => (row as { k: string }).k);
}

test("SELECT shows keys, values, fields at any depth, and NULL for a missing field", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  assert.deepEqual(await rows(db, "select * from kv where k = 'n:1'"), [{
    k: "n:1",
    v: 5,
  }]);
  assert.deepEqual(
    await rows(
      db,
      "SELECT v.name, v.address.city FROM kv WHERE k LIKE 'user:%' LIMIT 4",
    ),
    [
      { k: "user:1", name: "Alice", "address.city": "Bonn" },
      { k: "user:2", name: "Bob", "address.city": "Köln" },
      { k: "user:3", name: "Carol", "address.city": null },
      { k: "user:4", name: null, "address.city": null },
    ],
  );
  // Names keep their case, and may be quoted as in MySQL and in standard SQL.
  assert.deepEqual(
    await rows(
      db,
      "select k, v.firstName, v.`address.city` as town from kv where k = 'user:2'",
    ),
    [{ k: "user:2", firstName: "Robert", town: "Köln" }],
  );
  assert.deepEqual(
    await rows(db, `select v."odd name" as n from kv where k = 'user:1'`),
    [
      { k: "user:1", n: 1 },
    ],
  );
  const box = await run(
    [db, "sql", "SELECT v.age FROM kv WHERE k = 'user:3'"],
    {
      terminal: true,
      environment: { NO_COLOR: "1" },
    },
  );
  assert.match(box.out, /│ user:3 │ 40n │\n/);
  assert.match(box.out, /\(1 row\) read 1 key, 1 block, /);
});

test("WHERE finds by key and by value, with the kinds of SQL", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const cases: readonly (readonly [where: string, keys: readonly string[]])[] = [
    ["k = 'user:1'", ["user:1"]],
    ["'user:1' = k", ["user:1"]],
    ["k IN ('user:3', 'n:1', 'none')", ["n:1", "user:3"]],
    ["k = 'user:3' OR k = 'n:1'", ["n:1", "user:3"]],
    ["k LIKE 'n:%'", ["n:1", "n:2"]],
    ["k LIKE 'n:1'", ["n:1"]],
    ["k LIKE '0x1400%'", ["\u0014\u0000\u0007"]],
    ["k STARTS WITH 'n:'", ["n:1", "n:2"]],
    ["k STARTS WITH x'14' || byte(0)", ["\u0014\u0000\u0007"]],
    ["k STARTS WITH byte(0x14)", ["\u0014\u0000\u0007"]],
    ["k BETWEEN 'n:2' AND 'user:1'", ["n:2", "user:1"]],
    ["k > 'n:1' AND k <= 'user:1'", ["n:2", "user:1"]],
    ["k LIKE 'user:%' AND k > 'user:2'", ["user:3", "user:4"]],
    ["k LIKE 'user:%' AND k LIKE 'user:1%'", ["user:1"]],
    ["k NOT LIKE 'user:%' AND k > x'20'", ["n:1", "n:2"]],
    // Numbers are compared as numbers, and not as text: 9 is less than 30.
    ["v.age > 10", ["user:1", "user:3"]],
    ["v.age > '10'", ["user:1", "user:3"]],
    ["v.age = 40", ["user:3"]],
    ["v.age BETWEEN 9 AND 30", ["user:1", "user:2"]],
    ["v.age IN (9, 40)", ["user:2", "user:3"]],
    ["v.name LIKE 'C%'", ["user:3"]],
    ["v.address.city = 'Köln'", ["user:2"]],
    ["v.active", ["user:1"]],
    ["v.active = true", ["user:1"]],
    ["v = 'only text'", ["user:4"]],
    ["v > 2.4", ["n:1", "n:2"]],
    // What is NULL is neither equal nor unequal.
    ["v.age != 9", ["user:1", "user:3"]],
    ["NOT v.age = 9", ["user:1", "user:3"]],
    ["v.name IS NOT NULL AND v.address IS NULL", ["user:3"]],
    ["v.age = 9 OR v.name = 'Carol'", ["user:2", "user:3"]],
    ["k LIKE 'user:%' AND NOT (v.age < 35 OR v.age IS NULL)", ["user:3"]],
    ["k = 'it''s'", []],
  ];
  for (const [where, expected] of cases) {
    assert.deepEqual(await keys(db, where), expected, where);
  }
});

test("Dates in records are compared with texts of ISO 8601, and sorted", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, [
    ["a", { at: new Date("2026-11-30T20:40:00.123Z") }],
    ["b", { at: new Date(-5) }],
    ["c", { at: "2026" }],
  ]);
  assert.deepEqual(await keys(db, "v.at > '2026-11-30'"), ["a"]);
  assert.deepEqual(await keys(db, "v.at < '2026-11-30 21:40:00+01:00'"), ["b", "c"]);
  assert.deepEqual(await keys(db, "v.at = '2026-11-30T20:40:00.123Z'"), ["a"]);
  assert.deepEqual(await keys(db, "v.at >= 'no time'"), []);
  assert.deepEqual(await rows(db, "SELECT k, v.at FROM kv ORDER BY v.at"), [
    { k: "c", at: "2026" },
    { k: "b", at: { $date: "1969-12-31T23:59:59.995Z" } },
    { k: "a", at: { $date: "2026-11-30T20:40:00.123Z" } },
  ]);
});

test("ORDER BY, LIMIT, OFFSET and aggregates", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const order = async (sql: string): Promise<unknown[]> =>
    (await rows(db, `SELECT k FROM kv WHERE k LIKE 'user:%' ${sql}`)).map((
      row,
    ) => (row as { k: string }).k.slice(5)).map(Number);
  assert.deepEqual(await order("ORDER BY k DESC"), [4, 3, 2, 1]);
  assert.deepEqual(await order("ORDER BY k DESC LIMIT 2 OFFSET 1"), [3, 2]);
  assert.deepEqual(await order("ORDER BY v.age DESC"), [3, 1, 2, 4]);
  assert.deepEqual(await order("ORDER BY v.age LIMIT 2"), [4, 2]);
  assert.deepEqual(await order("ORDER BY v.age LIMIT 2 OFFSET 3"), [3]);
  assert.deepEqual(await order("LIMIT 0"), []);
  assert.deepEqual(
    await rows(
      db,
      "SELECT count(), count(v.age), sum(v.age), avg(v.age), min(v.name), max(v.age) FROM kv",
    ),
    [{
      "count()": 7,
      "count(v.age)": 3,
      "sum(v.age)": 79,
      "avg(v.age)": 79 / 3,
      "min(v.name)": "Alice",
      "max(v.age)": 40,
    }],
  );
  assert.deepEqual(
    await rows(db, "SELECT sum(v), max(k) FROM kv WHERE k LIKE 'n:%'"),
    [
      { "sum(v)": 7.5, "max(k)": "n:2" },
    ],
  );
  assert.deepEqual(
    await rows(db, "SELECT sum(v.x), count(*) FROM kv WHERE k = 'none'"),
    [
      { "sum(v.x)": null, "count()": 0 },
    ],
  );
});

test("INSERT, UPDATE and DELETE change what they say, with types, in one batch", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const done = async (sql: string, ...options: string[]): Promise<string> => {
    const { code, out, err } = await run([db, "sql", sql, ...options]);
    assert.deepEqual([code, err], [0, ""], sql);
    return out;
  };
  assert.equal(
    await done(
      `INSERT INTO kv (v, k) VALUES (9223372036854775807, 'big'), ('{"a": [1, 2n]}', 'r')`,
    ),
    `{"inserted":2}\n`,
  );
  await done(
    `insert into kv values ('t', '{"a": 1}'::text), ('h', x'00ff'), ('f', -1e3), (7, 7)`,
  );
  assert.equal(
    await done("UPDATE kv SET v = false WHERE k IN ('n:1', 'none')"),
    `{"updated":1}\n`,
  );
  assert.equal(
    await done(
      "DELETE FROM kv WHERE k LIKE 'user:%' AND v.age < 35",
      "--dry-run",
    ),
    `{"wouldDelete":2}\n`,
  );
  assert.equal(
    await done("DELETE FROM kv WHERE k LIKE 'user:%' AND v.age < 35", "--yes"),
    `{"deleted":2}\n`,
  );
  await using store = await open(db, { readOnly: true });
  assert.deepEqual(
    await store.getMany([
      "big",
      "r",
      "t",
      "h",
      "f",
      "7",
      "n:1",
      "none",
      "user:1",
      "user:3",
    ]),
    [
      9223372036854775807n,
      { a: [1, 2n] },
      `{"a": 1}`,
      Uint8Array.of(0, 255),
      -1000,
      7n,
      false,
      undefined,
      undefined,
      { name: "Carol", age: 40n },
    ],
  );
});

test("A range is not deleted without a yes, and a wrong second statement stops the first", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const unasked = await run([db, "sql", "DELETE FROM kv WHERE k > ''"]);
  assert.equal(unasked.code, 2);
  assert.match(unasked.err, /This deletes 7 keys of /);
  const wrong = await run([
    db,
    "sql",
    "INSERT INTO kv VALUES ('a', 1); SELECT nothing FROM kv",
  ]);
  assert.equal(wrong.code, 2);
  assert.deepEqual(await keys(db, "k = 'a'"), []);
  assert.deepEqual(await rows(db, "SELECT count(*) FROM kv"), [{
    "count()": 7,
  }]);
});

test("What is outside of the subset is an error that says what is possible", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const cases: readonly (readonly [sql: string, error: RegExp])[] = [
    [
      "SELECT * FROM kv GROUP BY k",
      /no GROUP BY\n.*SELECT, INSERT, UPDATE and DELETE/,
    ],
    ["SELECT DISTINCT k FROM kv", /no DISTINCT/],
    ["SELECT * FROM kv JOIN kv ON true", /no JOIN/],
    ["SELECT * FROM (SELECT 1) x", /no query in a query/],
    ["SELECT * FROM users", /no table users\n.*kv/],
    ["SELECT name FROM kv", /no column name\n.*v\.name/],
    ["SELECT lower(k) FROM kv", /no function lower.*\n.*count, sum/],
    ["SELECT k, count(*) FROM kv", /k stands beside count\(\)/],
    [
      "SELECT * FROM kv WHERE k LIKE '%a'",
      /no pattern '%a'\n.*one % at its end/,
    ],
    [
      "SELECT * FROM kv WHERE v.a + 1 > 2",
      /no condition on operator \+\n.*BETWEEN/,
    ],
    [`SELECT * FROM kv WHERE k = "a"`, /no column a/],
    ["SELECT * FROM kv WHERE k = v.name || 'x'", /v\.name is a name/],
    ["SELECT * FROM kv LIMIT 'x'", /LIMIT takes a whole number/],
    ["SELECT * FROM kv WHERE k = x'0'", /x'0' is not a pair/],
    ["SELECT * FROM kv WHERE k = byte(256)", /from 0 to 255/],
    ["INSERT INTO kv VALUES ('a')", /Row 1 has 1 values/],
    ["INSERT INTO kv VALUES ('a', NULL)", /NULL cannot be stored/],
    [
      "INSERT INTO kv VALUES ('a', 9223372036854775808)",
      /does not fit into an int64/,
    ],
    ["INSERT INTO kv VALUES ('a', 1) ON CONFLICT DO NOTHING", /no ON CONFLICT/],
    ["UPDATE kv SET k = 'b' WHERE k = 'a'", /UPDATE sets k\n.*whole values/],
    ["UPDATE kv SET v = 1", /UPDATE has no WHERE/],
    ["DELETE FROM kv", /DELETE has no WHERE/],
    ["DROP TABLE kv", /no DROP TABLE/],
    ["WITH x AS (SELECT 1) SELECT * FROM x", /no WITH/],
    ["SELECT * FROM kv WHERE", /ends too early/],
    ["SELECT * FRM kv", /wrong at "kv", character 14/],
    [
      "SELECT v.firstName FROM kv WHERE k STARTS WITH 'a' ! 'b'",
      /wrong at "! 'b'", character 52/,
    ],
  ];
  for (const [sql, error] of cases) {
    const { code, out, err } = await run([db, "sql", sql]);
    assert.deepEqual([code, out], [2, ""], sql);
    assert.match(err, error, sql);
  }
});

test("EXPLAIN tells which keys are read, what is sorted, and what that cost", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db, people);
  const { out } = await run([
    db,
    "sql",
    "EXPLAIN SELECT v.name FROM kv WHERE k LIKE 'user:%' AND v.age > 9 ORDER BY v.age DESC",
    "--json",
  ]);
  const { steps, rows, entries, tablesUsed } = JSON.parse(out);
  assert.deepEqual(steps, [
    "scan keys with the prefix user:",
    "check the rest of WHERE for each of them",
    "sort by v.age descending",
  ]);
  assert.deepEqual([rows, entries, tablesUsed], [2, 4, 1]);
  const point = await run([
    db,
    "sql",
    "EXPLAIN SELECT k FROM kv WHERE k = 'zz'",
    "--json",
  ]);
  const found = JSON.parse(point.out);
  assert.deepEqual(found.steps, ["look up the key zz", "read no values"]);
  assert.deepEqual([found.rows, found.tablesUsed, found.tablesSkipped], [
    0,
    0,
    1,
  ]);
});

test("Statements end at semicolons outside of texts, names and comments", () => {
  const parts = splitStatements(
    `select ';' from kv; -- a; comment\nselect "a;b" /* ; */; ; select \`x;\` from kv`,
  );
  assert.deepEqual(parts.map(({ isEnded }) => isEnded), [true, true, false]);
  assert.equal(parts[0]!.text, "select ';' from kv");
  assert.match(parts[1]!.text, /^-- a; comment\nselect "a;b"/);
});
