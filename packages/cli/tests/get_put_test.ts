/** `get` and `put`: every type goes in and comes out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

test("A literal is stored as its type, and shown as the same literal on a terminal", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const literals = [
    "30n",
    "-9223372036854775808n",
    "2.5",
    "-0",
    "NaN",
    "-Infinity",
    "true",
    `"with \\"quotes\\""`,
    "x'00ff'",
    `{"a": [1, 2n, x'00', null, ext(5, x'01')], "b": {}}`,
    `{"at": date(2026-11-30T20:40:00.123Z)}`,
  ];
  for (const [index, literal] of literals.entries()) {
    const put = await run([db, "put", `k${index}`, literal, "--create"]);
    assert.deepEqual([put.code, put.err], [0, ""], literal);
    const got = await run([db, "get", `k${index}`], { terminal: true });
    // deno-lint-ignore no-control-regex
    const plain = got.out.replaceAll(/\x1b\[\d+m/g, "");
    assert.equal(plain.split("  ")[0], literal);
  }
});

test("Other text is a string, and --raw shows its bytes alone", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  assert.equal((await run([db, "put", "name", "Alice B", "--create"])).code, 0);
  assert.equal((await run([db, "get", "name", "--raw"])).out, "Alice B");
  assert.equal(
    (await run([db, "get", "name"])).out,
    `{"key":"name","type":"string","value":"Alice B"}\n`,
  );
});

test("put KEY - stores what standard input holds, as bytes or as text of a type", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 256);
  assert.equal(
    (await run([db, "put", "b", "-", "--create"], { input: bytes })).code,
    0,
  );
  assert.deepEqual(
    new Uint8Array((await run([db, "get", "b", "--raw"])).bytes),
    bytes,
  );
  assert.equal(
    (await run([db, "put", "n", "-", "--type", "int"], { input: "42\n" })).code,
    0,
  );
  assert.match((await run([db, "get", "n"])).out, /"type":"int64","value":42/);
});

test("A missing key exits with 1, a directory that is no store with 2, a bad literal with 2", async () => {
  using folder = temporaryFolder();
  const db = folder.at("db");
  assert.equal((await run([db, "get", "a"])).code, 2);
  assert.equal((await run([db, "put", "a", "{", "--create"])).code, 2);
  assert.equal((await run([db, "put", "a", "1", "--create"])).code, 0);
  const missing = await run([db, "get", "b"]);
  assert.deepEqual([missing.code, missing.err], [1, "tinykvs: Not found: b\n"]);
});
