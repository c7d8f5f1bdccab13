/** Values that expire: how they are put and shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "@tinykvs/core";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** 2099-01-01 in UTC. */
const TIME = 4_070_908_800_000;
const PLAIN = { NO_COLOR: "1" };

test("put --ttl and --expires-at give a value its time, and a put without them removes it", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const timeAfter = async (
    ...options: string[]
  ): Promise<number | undefined> => {
    const ran = await run([db, "put", "k", "1", "--create", ...options]);
    assert.deepEqual([ran.code, ran.err], [0, ""], options.join(" "));
    await using store = await open(db, { readOnly: true });
    return store.getEntrySync("k")!.expiresAt;
  };
  for (
    const [ttl, ms] of [
      ["90000", 90_000],
      ["90000ms", 90_000],
      ["90s", 90_000],
      ["10m", 600_000],
      ["1.5h", 5_400_000],
      ["7d", 604_800_000],
    ] as const
  ) {
    const before = Date.now();
    const time = await timeAfter("--ttl", ttl);
    assert.ok(
      before + ms <= time! && time! <= Date.now() + ms,
      `${ttl}: ${time! - before}`,
    );
  }
  assert.equal(await timeAfter(), undefined);
  for (
    const text of [
      String(TIME),
      "2099-01-01",
      "2099-01-01T00:00:00Z",
      "2099-01-01 01:00+01:00",
      "2099-01-01T00:00:00.000Z",
    ]
  ) {
    assert.equal(await timeAfter("--expires-at", text), TIME, text);
  }
  assert.equal(
    await timeAfter("--expires-at", "2099-01-01T12:30"),
    new Date(2099, 0, 1, 12, 30).getTime(),
  );
});

test("A bad time is a usage error, and nothing is written", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  assert.equal((await run([db, "put", "k", "1", "--create"])).code, 0);
  const bad: [options: string[], error: RegExp][] = [
    ...["", "0", "0s", "-5", "10 m", "10min", "soon", "1e3", "Infinity"].map((
      text,
    ): [string[], RegExp] => [
      [`--ttl=${text}`],
      /--ttl is ".*", expected milliseconds, or a number with a unit/,
    ]),
    [["--ttl", "99999999999999999"], /before the year 275760/],
    ...[
      "",
      "soon",
      "-1",
      "1.5",
      "2099-13-01",
      "2099-01-01T25:00",
      "99999999999999999",
    ].map(
      (
        text,
      ): [string[], RegExp] => [
        [`--expires-at=${text}`],
        /--expires-at is ".*", expected milliseconds since 1970 or a time such as/,
      ],
    ),
    [["--expires-at", "2001-01-01"], /which is over: 2001-01-01 00:00:00Z/],
    // Seconds in place of milliseconds.
    [["--expires-at", "1800000000"], /which is over: 1970-01-21 20:00:00Z/],
    [["--ttl", "10m", "--expires-at", "2099-01-01"], /choose one/],
  ];
  for (const [options, error] of bad) {
    const ran = await run([db, "put", "k", "2", ...options]);
    assert.deepEqual([ran.code, ran.out], [2, ""], options.join(" "));
    assert.match(ran.err, error);
  }
  assert.match((await run([db, "get", "k"])).out, /"value":1/);
});

test("get, scan and info show when a value expires, as a time to people and as ms in JSON", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db);
    await store.put("a", "x", { expiresAt: TIME });
    await store.put("b", "y");
  }
  const json = async (...words: string[]): Promise<unknown> => {
    const { out } = await run([db, ...words, "--json"]);
    return JSON.parse(out);
  };
  const text = async (...words: string[]): Promise<string> =>
    (await run([db, ...words], { terminal: true, environment: PLAIN })).out;
  const a = { key: "a", type: "string", value: "x", expiresAt: TIME };
  const b = { key: "b", type: "string", value: "y" };
  assert.deepEqual(await json("get", "a", "b", "a"), [a, b, a]);
  assert.deepEqual(await json("scan"), [a, b]);
  assert.deepEqual(await json("scan", "--reverse", "--limit", "1"), [b]);
  const [place] = await json("info", "a") as { expiresAt: number }[];
  assert.equal(place!.expiresAt, TIME);
  assert.ok(!("expiresAt" in (await json("info", "b") as object[])[0]!));

  assert.ok((await text("get", "a")).includes(`"x"  string, 1 B, expires 2099-01-01 00:00:00Z\n`));
  assert.ok((await text("info", "a")).includes(`a  "x"  expires 2099-01-01 00:00:00Z\n`));
  const scanned = await text("scan");
  assert.ok(scanned.includes(`│ key │ type   │ value │ expires              │`));
  assert.ok(scanned.includes(`│ a   │ string │ "x"   │ 2099-01-01 00:00:00Z │`));
  assert.ok(scanned.includes(`│ b   │ string │ "y"   │                      │`));
  assert.doesNotMatch(await text("scan", "b"), /expires/);
  assert.equal((await run([db, "scan", "--raw"])).out, "a\tx\nb\ty\n");
});

test("info says that a value is there and is not seen, because it has expired", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db, { flushOnClose: false });
    await store.put("a", "x", { ttlMs: 1 });
    while (await store.has("a")) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const ran = await run([db, "info", "a"], {
    terminal: true,
    environment: PLAIN,
  });
  assert.equal(ran.code, 1);
  assert.ok(ran.out.includes(`a  no value: it has expired, or its range was deleted\n`));
  assert.equal((await run([db, "get", "a"])).code, 1);
});

test("An UPDATE by SQL keeps the time at which an entry expires, and an INSERT removes it", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  {
    await using store = await open(db);
    await store.put("s:1", 1n, { expiresAt: TIME });
    await store.put("s:2", 1n);
    await store.put("s:3", 1n, { expiresAt: TIME });
  }
  for (
    const statement of [
      "UPDATE kv SET v = 2 WHERE k LIKE 's:%'",
      "UPDATE kv SET v = 3 WHERE k = 's:1'",
      "INSERT INTO kv VALUES ('s:3', 4)",
    ]
  ) {
    const ran = await run([db, "sql", statement, "--yes"]);
    assert.deepEqual([ran.code, ran.err], [0, ""], statement);
  }
  await using store = await open(db, { readOnly: true });
  const entries = ["s:1", "s:2", "s:3"].map((key) => store.getEntrySync(key));
  assert.deepEqual(entries, [
    { key: "s:1", value: 3n, expiresAt: TIME },
    { key: "s:2", value: 2n },
    { key: "s:3", value: 4n },
  ]);
});
