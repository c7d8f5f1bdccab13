// Slow: a whole run of another test runner. Jest is a program of Node and is tried under Node only;
// Deno and Bun try their own runners.

import { test } from "node:test";
import { runtimeName } from "../../src/platform/natives.ts";
import { expectPassed, inProject } from "./project.ts";

test("In Jest, or a runtime's own runner, stores do not open, or hang with fake timers", () => {
  inProject(runtimeName === "node", (project) => {
    if (runtimeName === "bun") {
      return expectPassed(project.run("bun", "bun", ["test"]), /^ 3 pass$/m);
    }
    if (runtimeName === "deno") {
      const args = ["test", "--allow-all", "--no-check", "clocks_test.mjs"];
      return expectPassed(project.run("node", "deno", args), /^ok \| 3 passed/m);
    }
    const args = ["--config", "jest.config.json", "--maxWorkers=2", "--watchman=false"];
    const options = "--experimental-vm-modules --no-warnings";
    expectPassed(project.run("jest", "jest", args, options), /^Tests: +16 passed, 16 total$/m);
  });
});
