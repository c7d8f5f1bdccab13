// Slow: whole runs of other test runners. Those of npm are programs of Node and are tried under Node only;
// Deno and Bun try their own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeName } from "../../src/platform/natives.ts";
import { makeProject, type Outcome } from "./project.ts";

function inProject(withRunners: boolean, run: (project: ReturnType<typeof makeProject>) => void) {
  const project = makeProject(withRunners);
  try {
    run(project);
  } finally {
    project.dispose();
  }
}

function expectPassed({ status, output }: Outcome, summary: RegExp): void {
  assert.equal(status, 0, output);
  assert.match(output, summary);
}

if (runtimeName === "node") {
  test("Stores on disk do not open in Jest, or hang with its fake timers: node and jsdom", () => {
    inProject(true, (project) => {
      const args = ["--config", "jest.config.json", "--maxWorkers=2", "--watchman=false"];
      const options = "--experimental-vm-modules --no-warnings";
      expectPassed(project.run("jest", "jest", args, options), /^Tests: +16 passed, 16 total$/m);
    });
  });

  test("Stores on disk do not open in vitest, or hang with its fake timers: every pool", () => {
    inProject(true, (project) => {
      expectPassed(project.run("vitest", "vitest", ["run"]), /^ +Tests +24 passed \(24\)$/m);
    });
  });
}

if (runtimeName === "bun") {
  test("Waits hang with the fake timers of Bun's own test runner", () => {
    inProject(false, (project) => {
      expectPassed(project.run("bun", "bun", ["test"]), /^ 3 pass$/m);
    });
  });
} else {
  test("Waits hang with the mocked timers of node:test, or with replaced globals", () => {
    inProject(false, (project) => {
      if (runtimeName === "deno") {
        const args = ["test", "--allow-all", "--no-check", "clocks_test.mjs"];
        expectPassed(project.run("node", "deno", args), /^ok \| 3 passed/m);
      } else {
        expectPassed(project.run("node", "node", ["--test", "clocks_test.mjs"]), /^. pass 3$/m);
      }
    });
  });
}
