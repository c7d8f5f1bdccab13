// Keyv's own suite, of Keyv 5, with an adapter for each version of Keyv.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { TinyKeyv, TinyKeyv5 } from "../../../keyv.ts";
import { memoryFileSystem, open } from "../../../mod.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { load } from "../packages.ts";
import { declare, type SuiteTest } from "./suite.ts";

type Adapter = TinyKeyv | TinyKeyv5;
type Part = (test: SuiteTest, Keyv: unknown, store: () => Adapter) => void;

const parts = [
  "keyvApiTests",
  "keyvValueTests",
  "keyvNamespaceTest",
  "keyvIteratorTests",
] as const;
const suite = load<Record<typeof parts[number], Part>>("@keyv/test-suite");
const keyv5 = load<{ Keyv: unknown }>("keyv").Keyv;
const keyv6 = load<{ Keyv: unknown }>("keyv6").Keyv;

const temporary = temporaryDirectory("keyv-suite");
const adapters: Adapter[] = [];
const fileSystem = memoryFileSystem();
const versions: Readonly<Record<string, [unknown, () => Adapter]>> = {
  "Keyv 5 in memory": [keyv5, () => new TinyKeyv5("/five", { fileSystem })],
  "Keyv 5 on disk": [keyv5, () => new TinyKeyv5(join(temporary.path, "five"))],
  "Keyv 6 in memory": [keyv6, () => new TinyKeyv("/six", { fileSystem })],
  "Keyv 6 on disk": [keyv6, () => new TinyKeyv(join(temporary.path, "six"))],
};

/** What Keyv 6 does otherwise than the suite of Keyv 5 has it, with whatever adapter. */
const changes: Readonly<Record<string, RegExp>> = {
  // It says for each key whether it was there.
  ".deleteMany([keys]) with nonexistent keys resolves to false": /found false,false,false/,
  // Its adapters have no options that a serializer is set by.
  "value can be BigInt using other serializer/deserializer":
    /setting 'deserialize'|opts\.deserialize/,
};

let count = 0;
for (const [title, [Keyv, make]] of Object.entries(versions)) {
  // Every call makes an adapter: they share one handle on the directory.
  const store = (): Adapter => {
    const adapter = make();
    adapters.push(adapter);
    return adapter;
  };
  for (const part of parts) {
    const expected = Keyv === keyv6 ? changes : {};
    count += declare(
      `${title}, ${part}`,
      (test) => suite[part](test, Keyv, store),
      expected,
    );
  }
}

test("Keyv's suite is whole, 42 tests four times, and the last adapter closes the store", async () => {
  assert.equal(count, 4 * 42);
  for (const adapter of adapters) await adapter.disconnect();
  temporary.dispose();
  for (const path of ["/five", "/six"]) await (await open(path, { fileSystem })).close();
});
