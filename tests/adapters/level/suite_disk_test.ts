// Runs abstract-level's own test suite on databases on disk.

import { join } from "node:path";
import { test } from "node:test";
import { TinyLevel } from "../../../level.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { requireSuite } from "./suite.ts";

test("abstract-level's own suite holds for databases on disk", async () => {
  const temporary = temporaryDirectory("level-suite");
  let count = 0;
  try {
    await requireSuite({
      factory: (options) =>
        new TinyLevel<unknown, unknown>(
          join(temporary.path, `db-${count++}`),
          options,
        ),
    });
  } finally {
    temporary.dispose();
  }
});
