// Runs the programs of the documents that import other packages. tests/examples/ runs those that
// import only the library.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkExample,
  type ExampleNeeds,
  foreignExamplesOf,
  readDocument,
} from "../support/documents.ts";
import { addressOf, load } from "./packages.ts";

interface Database {
  batch(
    operations: { type: "put"; key: string; value: string }[],
  ): Promise<void>;
  close(): Promise<void>;
}

/** A LevelDB database with 2,501 entries, for the program that copies one. */
async function makeLevelDb(directory: string): Promise<void> {
  const { ClassicLevel } = load<
    { ClassicLevel: new (location: string) => Database }
  >(
    "classic-level",
  );
  const db = new ClassicLevel(join(directory, "mydb-leveldb"));
  const keys = Array.from({ length: 2_500 }, (_, i) => `key ${i}`);
  await db.batch(
    ["name", ...keys].map((key) => ({ type: "put", key, value: "Alice" })),
  );
  await db.close();
}

const documents: Readonly<Record<string, readonly ExampleNeeds[]>> = {
  "docs/LEVEL.md": [{
    packages: { "classic-level": addressOf("classic-level") },
    prepare: makeLevelDb,
  }],
  "docs/API.md": [
    { packages: { keyv: addressOf("keyv6") } },
    { packages: { unstorage: addressOf("unstorage") } },
  ],
};

for (const [document, needs] of Object.entries(documents)) {
  const examples = foreignExamplesOf(readDocument(document));
  test(`${document} has its programs with other packages`, () => {
    assert.equal(examples.length, needs.length);
  });
  for (const [at, code] of examples.entries()) {
    test(`Program ${at + 1} with other packages of ${document} prints what its comments say`, async () => {
      await checkExample(code, `foreign_${at}`, needs[at]);
    });
  }
}
