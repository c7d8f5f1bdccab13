// Runs abstract-level's own test suite on databases in memory.

import { test } from "node:test";
import { TinyLevel } from "../../../level.ts";
import { memoryFileSystem } from "../../../mod.ts";
import { requireSuite } from "./suite.ts";

test("abstract-level's own suite holds for databases in memory", async () => {
  let count = 0;
  await requireSuite({
    factory: (options) => {
      const own = { fileSystem: memoryFileSystem(), ...options };
      return new TinyLevel<unknown, unknown>(`/db-${count++}`, own);
    },
  });
});
