// The library in one realm, objects and errors of another, and two copies of it. Contexts of
// `node:vm` replace the realms of test runners; tests/ecosystem/ runs real ones.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, runInContext, runInNewContext } from "node:vm";
import * as library from "../../mod.ts";
import { Extension, memoryFileSystem, open, openSync } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";

type Library = typeof library & typeof import("../ecosystem/life.ts");

const repository = fileURLToPath(new URL("../..", import.meta.url));
let program: string | undefined;

/**
 * A copy of the library that lives in its own realm, with those globals of a runtime that are not
 * intrinsics.
 */
function libraryOfAnotherRealm(): Library {
  program ??= spawnSync(path.join(repository, "node_modules", ".bin", "esbuild"), [
    path.join(repository, "tests/ecosystem/library.ts"),
    "--bundle",
    "--platform=node",
    "--format=cjs",
  ], { encoding: "utf8", maxBuffer: 1 << 26 }).stdout;
  const module = { exports: {} as Library };
  const context = createContext({ module, process, URL, AbortController });
  const run = runInContext(
    `(function (require, module, exports) { globalThis.Error.realm = "other"; ${program}\n})`,
    context,
  );
  run(createRequire(import.meta.url), module, module.exports);
  return module.exports;
}

/** The value of an expression in a new realm. */
function foreign<T>(expression: string): T {
  return runInNewContext(`(${expression})`) as T;
}

test("In a separate realm no store opens, because errors of the system are not instances of its Error", async () => {
  const { wholeLife, waitsThatEnd } = libraryOfAnotherRealm();
  const directory = temporaryDirectory("realm");
  try {
    await wholeLife(path.join(directory.path, "store"));
    await waitsThatEnd(path.join(directory.path, "waits"));
  } finally {
    directory.dispose();
  }
});

test("Keys, values, operations, ranges and options of another realm are refused or stored differently", async () => {
  const store = await open("/db", { ...foreign<object>("{}"), fileSystem: memoryFileSystem() });
  const record = `{ bytes: Uint8Array.of(1, 2), list: [1, { deep: "x" }], big: 5n, none: null,
    bare: Object.assign(Object.create(null), { a: 1 }) }`;
  await store.put("record", foreign("" + record));
  await store.put(foreign("Uint8Array.of(107)"), foreign("Uint8Array.of(7, 8)"));
  await store.write(foreign(`[{ type: "put", key: "op", value: [1, [2]] }]`));
  assert.deepEqual(await store.get("record"), {
    bytes: Uint8Array.of(1, 2),
    list: [1, { deep: "x" }],
    big: 5n,
    none: null,
    bare: { a: 1 },
  });
  assert.deepEqual(await store.get("k"), Uint8Array.of(7, 8));
  assert.deepEqual(await store.get("op"), [1, [2]]);
  assert.deepEqual([...store.keys(foreign(`{ prefix: "re" }`))], ["record"]);
  for (const [expression, found] of [["new Date()", "Date"], ["new Map()", "Map"]]) {
    await assert.rejects(store.put("x", foreign(expression!)), {
      name: "TypeError",
      message: new RegExp(`an instance of ${found}`),
    });
  }
  await assert.rejects(store.put("x", foreign(`[() => 1]`)), TypeError);
  await store.close();
});

test("A path that is a URL object of another class is refused", async () => {
  const directory = temporaryDirectory("url");
  try {
    const { href, protocol, pathname } = new URL(`file://${directory.path}/store`);
    class OtherUrl {
      readonly href = href;
      readonly protocol = protocol;
      readonly pathname = pathname;
    }
    const store = await open(new OtherUrl() as unknown as URL);
    assert.equal(store.path, path.join(directory.path, "store"));
    await store.close();
    await assert.rejects(open(foreign("{ href: 1 }")), TypeError);
    await assert.rejects(open(foreign("new Date()")), TypeError);
  } finally {
    directory.dispose();
  }
});

test("Two copies of the library do not know each other's errors, batches, extensions and file systems", async () => {
  const other = libraryOfAnotherRealm();
  assert.notEqual(other.StoreError, library.StoreError);
  const fileSystem = other.memoryFileSystem();
  const store = await open("/db", { fileSystem });
  const refused = await open("/db", { fileSystem, lockTimeoutMs: 5 }).catch((error) => error);
  assert.ok(refused instanceof library.LockedError && refused instanceof other.LockedError);
  assert.ok(refused instanceof library.StoreError && !(refused instanceof library.IoError));
  class Own extends library.LockedError {}
  assert.ok(!(refused instanceof Own) && new Own("/x", "me") instanceof other.LockedError);
  assert.ok(!(new Error("x") instanceof library.StoreError));
  assert.ok(!(null as unknown instanceof library.StoreError));

  const elsewhere = other.openSync("/other", { fileSystem: other.memoryFileSystem() });
  const batch = elsewhere.batch().put("a", 1).put("b", { c: [2] }).delete("d");
  store.putSync("d", 1);
  await store.write(batch);
  await assert.rejects(store.write(batch), { code: "CLOSED" });
  assert.deepEqual(await store.getMany(["a", "b", "d"]), [1, { c: [2] }, undefined]);
  // The memory of a batch of ours is kept for the next one; not of that one.
  await store.batch().put("e", 5).write();
  assert.equal(await store.get("e"), 5);
  await store.put("extension", { it: new other.Extension(3, Uint8Array.of(4)) });
  const { it } = await store.get("extension") as { it: Extension };
  assert.deepEqual(it, new Extension(3, Uint8Array.of(4)));
  elsewhere.closeSync();
  await store.close();
});

test("A batch of a version with another form of batches is a TypeError that says so, and is not read as an array", async () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  const key = Symbol.for("@tinykvs/core batch form");
  const made = { [key]: 1, length: 1, sizeBytes: 5, finish: () => assert.fail("it was used") };
  await assert.rejects(store.write(made as never), {
    name: "TypeError",
    message: /made by another version of @tinykvs\/core, in form 1, expected form 3/,
  });
  store.closeSync();
});
