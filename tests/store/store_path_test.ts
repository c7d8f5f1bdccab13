// What may name the place of a store: in `open`, `openSync` and `checkpoint`, on disk and in
// memory.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as vm from "node:vm";
import { memoryFileSystem, open, openSync } from "../../mod.ts";
import { requirePath } from "../../src/store/recovery/store_path.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Runs `body` in its own working directory, where a wrong path would make something. */
async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = temporaryDirectory("path");
  const before = process.cwd();
  process.chdir(directory.path);
  try {
    await body(directory.path);
  } finally {
    process.chdir(before);
    directory.dispose();
  }
}

/** Places that are refused, and what the error must say. */
const refusals: readonly [place: unknown, message: RegExp][] = [
  ["file:db", /the path "file:db" begins as a file: URL, expected "file:\/\/\/\.\.\." or/],
  ["file:", /begins as a file: URL/],
  ["FILE:db", /begins as a file: URL/],
  ["file:\\\\x", /begins as a file: URL/],
  ["file://host/db", /it names the host "host"/],
  ["file://host/../db", /it names the host "host"/],
  ["file://[/db", /the URL "file:\/\/\[\/db" can't be parsed/],
  ["file:///a%2Fb", /a name in it holds a slash/],
  ["file:///a%2fb", /a name in it holds a slash/],
  ["file:///a%zz", /an escape in it is not UTF-8 text/],
  ["file:///a%ff", /an escape in it is not UTF-8 text/],
  ["file:///a%00b", /it is empty or holds a NUL/],
  ["file:///db?mode=ro", /it has the query "\?mode=ro"/],
  ["file:///db#1", /it has the fragment "#1", .*"#" in a name is "%23"/],
  ["http://localhost/db", /is a URL, expected a path or a file: URL/],
  ["https://localhost/db", /is a URL/],
  ["jsr://x", /is a URL/],
  ["postgres+tls://x", /is a URL/],
  [":memory:", /memoryFileSystem\(\)/],
  ["", /it is empty or holds a NUL/],
  ["a\0b", /it is empty or holds a NUL/],
  ["a\ud800", /a lone surrogate/],
  [undefined, /the path is undefined, expected a string or a file: URL/],
  [null, /the path is null/],
  [5, /the path is number/],
  [{}, /the path is object/],
  [["./db"], /the path is object/],
  [new Uint8Array(3), /the path is object/],
  [{ href: 1, protocol: "file:" }, /the path is object/],
  [{ href: "nothing", protocol: "file:" }, /can't be parsed/],
  [{ href: "http://x/", protocol: "file:" }, /the URL is "http:\/\/x\/", expected a file: URL/],
  [new URL("https://localhost/db"), /expected a file: URL/],
  [new URL("data:text/plain,db"), /expected a file: URL/],
  [new URL("file://host/db"), /it names the host "host"/],
  [new URL("file:///db?x"), /it has the query "\?x"/],
];

test("open refuses an address as a path, and makes nothing", async () => {
  await inDirectory(async (directory) => {
    const fileSystem = memoryFileSystem();
    await using store = await open("/store", { fileSystem });
    for (const [place, message] of refusals) {
      const expected = (error: unknown): boolean => {
        assert.ok(error instanceof TypeError, `${String(place)}: ${String(error)}`);
        assert.match(error.message, message);
        return true;
      };
      for (const options of [{}, { fileSystem }, { readOnly: true }]) {
        await assert.rejects(open(place as string, options), expected);
        assert.throws(() => openSync(place as string, options), expected);
      }
      await assert.rejects(store.checkpoint(place as string), expected);
    }
    assert.deepEqual(fs.readdirSync(directory), []);
    assert.deepEqual(fileSystem.listSync("/"), ["store"]);
  });
});

test("A file: URL as text means the directory that it names, and makes none named file:", async () => {
  await inDirectory(async (directory) => {
    const target = path.join(directory, "a b#c%d é");
    const { href } = pathToFileURL(target);
    for (const place of [href, href.replace("file:", "FILE:"), href.replace("file://", "file:")]) {
      await using store = await open(place);
      assert.equal(store.path, target);
      await store.put("name", "Alice");
      await store.checkpoint(`${href}-copy`);
      const copy = openSync(`${href}-copy`);
      assert.equal(copy.path, `${target}-copy`);
      assert.equal(copy.getSync("name"), "Alice");
      copy.closeSync();
      fs.rmSync(`${target}-copy`, { recursive: true });
    }
    assert.deepEqual(fs.readdirSync(directory), ["a b#c%d é"]);
  });
});

test("A URL of another realm, or an object that looks like one, counts as a URL", async () => {
  const fileSystem = memoryFileSystem();
  const href = "file:///some%20where/db";
  const foreign = vm.runInNewContext("({ href, protocol })", { href, protocol: "file:" });
  assert.ok(!(foreign instanceof URL));
  await using store = await open(foreign as URL, { fileSystem });
  assert.equal(store.path, "/some where/db");
  const own = requirePath(foreign, "test");
  assert.ok(own instanceof URL);
  assert.equal(own.href, href);
});

test("Names with colons, percent signs and backslashes are plain names", async () => {
  await inDirectory(async (directory) => {
    const names = ["./file:db", "backup:2024", "a%20b", "what?", "x#y", "http:db"];
    // On Windows they are something else, or can't be.
    if (process.platform !== "win32") names.push("C:\\db", "back\\slash");
    for (const name of names) {
      await using store = await open(name);
      assert.equal(store.path, path.join(directory, name));
    }
    const found = fs.readdirSync(directory).sort();
    assert.deepEqual(found, names.map((name) => name.replace("./", "")).sort());
  });
});

test("A relative path is resolved at the call, even if the process changes its directory later", async () => {
  await inDirectory(async (directory) => {
    fs.mkdirSync("elsewhere");
    const store = await open("./db", { memtableSizeBytes: 4096 });
    process.chdir("elsewhere");
    for (let i = 0; i < 200; i++) await store.put(`key ${i}`, "x".repeat(100));
    await store.compact();
    await store.checkpoint("copy");
    await store.close();
    assert.deepEqual(fs.readdirSync("."), ["copy"]);
    assert.deepEqual(fs.readdirSync(directory).sort(), ["db", "elsewhere"]);
    process.chdir(directory);
    for (const place of ["db", "elsewhere/copy"]) {
      await using again = await open(place, { createIfMissing: false });
      assert.equal(await again.count(), 200);
    }
  });
});
