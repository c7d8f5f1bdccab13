/** Large values lie apart from the tables: what the commands make of them. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { open, type Value } from "@tinykvs/core";
import { run } from "./support/cli.ts";
import { randomNumbers } from "./support/random.ts";
import { temporaryFolder } from "./support/temporary.ts";

const IMAGES = 30;
const IMAGE_BYTES = 20_000;

/** A store of large values and many small ones. */
async function makeStore(path: string): Promise<void> {
  await using store = await open(path, { walSync: "none" });
  const next = randomNumbers(7);
  for (let i = 0; i < IMAGES; i++) {
    await store.put(
      `img:${String(i).padStart(2, "0")}`,
      Uint8Array.from({ length: IMAGE_BYTES }, () => next() * 256),
    );
  }
  for (let i = 0; i < 300; i++) await store.put(`small:${i}`, i);
  await store.put("text:1", "a line of text\n".repeat(2000));
  await store.flush();
}

test("du, stats and info count large values where they belong", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  const du = await run([db, "du"]);
  const rows = du.out.trim().split("\n").map((line) => JSON.parse(line));
  const total = rows.reduce((sum, row) => sum + row.bytes, 0);
  assert.deepEqual(rows.slice(0, 1).map(({ key, entries }) => [key, entries]), [["img:", IMAGES]]);
  assert.ok(rows[0].bytes > 0.9 * total && rows[0].bytes <= total, du.out);
  assert.ok(total > IMAGES * IMAGE_BYTES * 0.9 && total < IMAGES * IMAGE_BYTES * 1.2, du.out);

  const stats = await run([db, "stats"], { terminal: true, environment: { NO_COLOR: "1" } });
  assert.match(stats.out, /\n {2}large values apart {2}6\d\d KB in 1 file, (100|9\d) % in use\n/);
  const info = await run([db, "info", "img:07"], {
    terminal: true,
    environment: { NO_COLOR: "1" },
  });
  assert.match(info.out, /│ L0 \d+\.sst │ bytes +│ 20\.0 KB │/);
  const compact = await run([db, "compact", "--dry-run"]);
  assert.ok(JSON.parse(compact.out).bytes > IMAGES * IMAGE_BYTES, compact.out);
});

test("du shows large values that none of the keys it looks at has, and those at the end of a prefix", async () => {
  using folder = temporaryFolder();
  const random = randomNumbers(7);
  const image = Uint8Array.from({ length: 200_000 }, () => random() * 256);
  for (
    const [name, row] of [["zz", "a:"], ["5", "(large values of other keys and of old versions)"]]
  ) {
    const db = folder.at(name!);
    {
      await using store = await open(db, { walSync: "none" });
      for (let i = 0; i < 2000; i++) store.putSync(`a:${String(i).padStart(4, "0")}`, i);
      for (let i = 0; i < 2000; i++) store.putSync(`b:${i}`, i);
      for (let i = 0; i < 10; i++) store.putSync(`a:1${name}${i}`, image);
      await store.compact();
    }
    const rows: { key?: string; rest?: string; bytes: number }[] = JSON.parse(
      (await run([db, "du", "--json"])).out,
    );
    const [largest] = rows.sort((a, b) => b.bytes - a.bytes);
    assert.equal(largest!.key ?? largest!.rest, row);
    assert.ok(largest!.bytes > 9 * image.length, JSON.stringify(rows));
  }
});

test("explain counts the large values that a scan reads, and none for keys", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  const read = async (...words: string[]): Promise<[number, number]> => {
    const { largeValues, largeValueBytes } = JSON.parse((await run([db, "explain", ...words])).out);
    return [largeValues, largeValueBytes];
  };
  const [values, bytes] = await read("img:");
  assert.equal(values, IMAGES);
  assert.ok(bytes >= IMAGES * IMAGE_BYTES && bytes < IMAGES * (IMAGE_BYTES + 100), `${bytes}`);
  assert.deepEqual(await read("img:", "--limit", "2"), [2, bytes / IMAGES * 2]);
  assert.deepEqual(await read("img:", "--keys-only"), [0, 0]);
  assert.deepEqual(await read("small:"), [0, 0]);
  const terminal = { terminal: true, environment: { NO_COLOR: "1" } };
  assert.match(
    (await run([db, "explain", "img:"], terminal)).out,
    /read 30 keys, \d+ blocks?, 30 large values of 600 KB, /,
  );
  assert.match(
    (await run([db, "sql", "EXPLAIN SELECT v FROM kv WHERE k = 'img:07'"], terminal)).out,
    /1 large value of 20\.0 KB/,
  );
});

test("verify counts the large values of a log that is kept for them", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  const { tables, logs, largeValues, bytes } = JSON.parse((await run([db, "verify"])).out);
  assert.deepEqual([tables, logs, largeValues], [1, 0, IMAGES + 1]);
  assert.ok(bytes > IMAGES * IMAGE_BYTES, `${bytes}`);
  const shown = await run([db, "verify"], { terminal: true, environment: { NO_COLOR: "1" } });
  assert.match(
    shown.out,
    /^sound: 1 table, 0 logs, 331 entries, 31 large values, 6\d\d KB checked$/m,
  );
});

test("A dump and a load keep large values, which lie apart again", async () => {
  using folder = temporaryFolder();
  const [db, copy, dump] = [folder.at("db"), folder.at("copy"), folder.at("dump.ndjson")];
  await makeStore(db);
  assert.equal((await run([db, "dump", dump])).code, 0);
  assert.equal((await run([copy, "load", dump])).code, 0);
  await using from = await open(db, { readOnly: true });
  await using to = await open(copy, { readOnly: true });
  const all = async (store: typeof from): Promise<[string, Value][]> =>
    await store.entries().toArray();
  assert.deepEqual(await all(to), await all(from));
  assert.ok(to.stats().values.usedBytes > IMAGES * IMAGE_BYTES * 0.9);
});

test("Damage of a large value is found by verify, named by repair, and leaves the others", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  // The largest file holds the values. One bit in its middle belongs to one of them.
  const [file] = readdirSync(db).sort((a, b) =>
    readFileSync(join(db, b)).length - readFileSync(join(db, a)).length
  );
  const content = readFileSync(join(db, file!));
  content[content.length >> 1]! ^= 1;
  writeFileSync(join(db, file!), content);
  const verify = await run([db, "verify"]);
  assert.equal(verify.code, 3);
  assert.ok(verify.out.includes(file!), verify.out);
  const plan = await run([db, "repair", "--dry-run"]);
  assert.equal(plan.code, 3);
  assert.equal((await run([db, "repair", "--yes"])).code, 0);
  assert.equal((await run([db, "verify"])).code, 0);
  const count = await run([db, "count", "img:"]);
  assert.equal(JSON.parse(count.out).count ?? JSON.parse(count.out), IMAGES - 1);
});

test("A terminal shows the beginning of large bytes, and --raw writes all of them", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  await makeStore(db);
  const shown = await run([db, "get", "img:00"], {
    terminal: true,
    environment: { NO_COLOR: "1" },
  });
  assert.match(
    shown.out,
    /\n000007f0 .*\n… 18\.0 KB more; --hex and --raw show all\nbytes, 20\.0 KB\n$/,
  );
  const raw = await run([db, "get", "img:00", "--raw"], { terminal: true });
  assert.ok(raw.bytes.length >= IMAGE_BYTES, `${raw.bytes.length} bytes`);
});
