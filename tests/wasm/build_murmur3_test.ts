/** The committed kernel is what its source compiles to. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { murmur3ModuleText } from "../../wasm/build_murmur3.ts";

test("The committed MurmurHash3 module is the compiled source, byte for byte", async () => {
  const committed = readFileSync(
    new URL("../../src/bytes/murmur3_wasm.ts", import.meta.url),
    "utf8",
  );
  assert.equal(await murmur3ModuleText(), committed, "run: node wasm/build_murmur3.ts");
});
