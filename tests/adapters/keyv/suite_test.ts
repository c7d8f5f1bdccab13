// Runs Keyv's own suite (of Keyv 5) with an adapter for each version of Keyv.

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

/** Differences of Keyv 6 from the suite of Keyv 5, with any adapter. */
const changes: Readonly<Record<string, RegExp>> = {
  // It reports for each key whether the key had a value.
  ".deleteMany([keys]) with nonexistent keys resolves to false": /found false,false,false/,
  // Its adapters have no option for a serializer.
  "value can be BigInt using other serializer/deserializer":
    /setting 'deserialize'|opts\.deserialize/,
};

let count = 0;
for (const [title, [Keyv, make]] of Object.entries(versions)) {
  // Every call makes an adapter. All of them share one handle of the directory.
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
  for (const path of ["/five", "/six"]) {
    await (await open(path, { fileSystem })).close();
  }
});
