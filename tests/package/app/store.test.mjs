// Vitest and Jest define `test` and `expect` as globals here.
import * as library from "@tinykvs/core";
import { check } from "./check.mjs";

test("the installed package works in this test runner", async () => {
  const { mkdtempSync } = await import("node:fs");
  const directory = mkdtempSync("stores-");
  expect(await check(library, directory)).toMatch(/^zstd 8000 Alice .*memory true$/);
}, 120_000);
