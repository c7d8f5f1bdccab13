// Tests that the library recognises and refuses a directory of LevelDB, and changes nothing in it.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TinyLevel } from "../../../level.ts";
import { open, openSync, StoreError } from "../../../mod.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { load } from "../packages.ts";

interface Database {
  open(): Promise<void>;
  put(key: string, value: string): Promise<void>;
  get(key: string): Promise<string>;
  close(): Promise<void>;
}

const { ClassicLevel } = load<
  { ClassicLevel: new (location: string) => Database }
>(
  "classic-level",
);

/** All files of a directory with their contents. */
function filesOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory).sort().map((
      name,
    ) => [name, readFileSync(join(directory, name), "hex")]),
  );
}

async function requireRefused(directory: string, text: RegExp): Promise<void> {
  const before = filesOf(directory);
  const isRefusal = (error: unknown): boolean => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.code, "NOT_A_STORE");
    assert.match(error.message, text);
    return true;
  };
  for (
    const options of [{}, { readOnly: true }, { createIfMissing: false }, {
      shared: true,
    }]
  ) {
    await assert.rejects(open(directory, options), isRefusal);
    assert.throws(() => openSync(directory, options), isRefusal);
  }
  const level: { cause?: unknown } = await new TinyLevel(directory).open().then(
    () => ({}),
    (error) => error,
  );
  assert.ok(isRefusal(level.cause));
  assert.deepEqual(filesOf(directory), before);
}

test("A LevelDB database is refused, with what to do, and goes on as one", async () => {
  const temporary = temporaryDirectory("leveldb");
  const directory = join(temporary.path, "db");
  try {
    for (let session = 0; session < 2; session++) {
      const db = new ClassicLevel(directory);
      await db.open();
      await db.put("key", "value");
      await db.close();
      await requireRefused(
        directory,
        /holds a LevelDB database; .*: npx @tinykvs\/cli \.\/new-store import "/,
      );
    }
    const db = new ClassicLevel(directory);
    assert.equal(await db.get("key"), "value");
    await db.close();
  } finally {
    temporary.dispose();
  }
});

test("A RocksDB database is refused by its own name", async () => {
  const temporary = temporaryDirectory("rocksdb");
  try {
    mkdirSync(join(temporary.path, "db"));
    writeFileSync(join(temporary.path, "db", "CURRENT"), "MANIFEST-000005\n");
    writeFileSync(join(temporary.path, "db", "LOCK"), "");
    for (const name of ["IDENTITY", "OPTIONS-000007"]) {
      writeFileSync(join(temporary.path, "db", name), "x");
      await requireRefused(
        join(temporary.path, "db"),
        /holds a RocksDB database/,
      );
      rmSync(join(temporary.path, "db", name));
    }
  } finally {
    temporary.dispose();
  }
});

test("A CURRENT that is neither ours nor LevelDB's is damage", async () => {
  const temporary = temporaryDirectory("current");
  try {
    for (
      const text of [
        "",
        "MANIFEST-000005",
        "MANIFEST-5\n",
        "MANIFEST-000005\nx",
        "tinykvs 1\n",
      ]
    ) {
      writeFileSync(join(temporary.path, "CURRENT"), text);
      await assert.rejects(open(temporary.path), { code: "CORRUPTION" });
    }
  } finally {
    temporary.dispose();
  }
});
