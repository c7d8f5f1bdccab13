// Slow: a whole run of another test runner. vitest is a program of Node and is tried under Node
// only; Deno and Bun start Node's own runner, with its mocked timers, instead.

import { test } from "node:test";
import { runtimeName } from "../../src/platform/natives.ts";
import { expectPassed, inProject } from "./project.ts";

test("In Vitest with any pool, or in node:test, stores do not open, or hang with fake timers", () => {
  inProject(runtimeName === "node", (project) => {
    if (runtimeName !== "node") {
      return expectPassed(
        project.run("node", "node", ["--test", "clocks_test.mjs"]),
        /^. pass 3$/m,
      );
    }
    expectPassed(project.run("vitest", "vitest", ["run"]), /^ +Tests +24 passed \(24\)$/m);
  });
});
