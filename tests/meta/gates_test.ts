/** The gates themselves: what the test runner and the package check make of bad news. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { checkPublishedFiles } from "../../scripts/checks.ts";
import { cpuSecondsIn } from "../../scripts/cpu_time.ts";
import { Figures } from "../../scripts/figures.ts";
import { installationProblem } from "../../scripts/installed.ts";
import { parseJunit } from "../../scripts/junit.ts";
import { root } from "../../scripts/processes.ts";
import { testFiles } from "../../scripts/source_files.ts";
import { filesOf, isForNode, runtimesIn, scopes, suiteOf } from "../../scripts/suites.ts";
import { judge } from "../../scripts/test_file.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { readSource } from "./source_text.ts";

const nodeReport = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="a > b" time="0.1" classname="test" file="/a_test.ts"/>
	<testcase name="says &amp;quot;no&amp;quot;" time="0.1" classname="test" failure="boom">
		<failure type="testCodeFailure" message="boom">
[Error: boom] { &lt;testcase> }
		</failure>
	</testcase>
	<testcase name="later" time="0.1" classname="test"><skipped type="skipped" message="true"/></testcase>
	<!-- tests 3 -->
</testsuites>
`;

const denoReport = `<testsuites name="deno test" tests="2" failures="1" errors="0" time="0.013">
    <testsuite name="./a_test.ts" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="fine" classname="./a_test.ts" time="0.001" line="3" col="1">
        </testcase>
        <testcase name="says &quot;no&quot;" classname="./a_test.ts" time="0.004" line="4" col="1">
            <failure message="Uncaught Error: boom">Error: boom</failure>
        </testcase>
    </testsuite>
</testsuites>
`;

const bunReport = `<testsuites name="bun test" tests="1" assertions="0" failures="0" skipped="0">
  <testsuite name="a_test.ts" file="a_test.ts" tests="1">
    <testcase name="fine" classname="" time="0.1" file="a_test.ts" line="3" assertions="0" />
  </testsuite>
</testsuites>
`;

const ended = { code: 0, signal: undefined, timedOut: false, seconds: 1 };

test("parseJunit counts outcomes in the dialects of the three runtimes", () => {
  assert.deepEqual(parseJunit(nodeReport), {
    passed: 1,
    failed: 1,
    skipped: 1,
    failedNames: [`says "no"`],
  });
  assert.deepEqual(parseJunit(denoReport), {
    passed: 1,
    failed: 1,
    skipped: 0,
    failedNames: [`says "no"`],
  });
  assert.deepEqual(parseJunit(bunReport), { passed: 1, failed: 0, skipped: 0, failedNames: [] });
});

test("parseJunit refuses a report that was cut off or whose total is another", () => {
  assert.throws(() => parseJunit(bunReport.slice(0, -20)), /does not end with/);
  assert.throws(() => parseJunit(""), /does not end with/);
  assert.throws(() => parseJunit(bunReport.replace(`tests="1"`, `tests="2"`)), /states 2, found 1/);
});

test("cpuSecondsIn adds up the process and its children, whatever the program is called", () => {
  const fields = "S 1 7 7 0 -1 4194560 900 40 0 0 125 25 300 50 20 0 11 0 9000 1024 300";
  for (const name of ["node", "a (b) c", ") S 1 2"]) {
    assert.equal(cpuSecondsIn(`4321 (${name}) ${fields}\n`), 5);
  }
});

test("judge passes a clean run and counts failing tests once", () => {
  assert.deepEqual(judge(ended, bunReport), { ...parseJunit(bunReport), problem: undefined });
  const failing = judge({ ...ended, code: 1 }, denoReport);
  assert.equal(failing.failed, 1);
  assert.equal(failing.problem, undefined);
});

test("judge counts a crash, a time-out, a missing and an empty report as failed", () => {
  const failedOf = (result: Parameters<typeof judge>[0], xml: string | undefined): number =>
    judge(result, xml).failed;
  assert.equal(failedOf({ ...ended, code: undefined, signal: "SIGSEGV" }, undefined), 1);
  assert.equal(
    failedOf({ ...ended, code: undefined, signal: "SIGKILL", timedOut: true }, bunReport),
    1,
  );
  assert.equal(failedOf({ ...ended, code: 1 }, bunReport), 1);
  assert.equal(failedOf(ended, undefined), 1);
  assert.equal(failedOf(ended, `<testsuites tests="0"></testsuites>`), 1);
  // Tests failed, and the process died of something else on top.
  assert.equal(failedOf({ ...ended, code: 134 }, denoReport), 2);
});

test("checkPublishedFiles reports what is missing from the package and what has no place in it", () => {
  const list = (files: string[]): string =>
    files.map((file) => `   ${pathToFileURL(`${root}/${file}`)} (1.05KB)\n`).join("");
  const good = ["mod.ts", "src/wal/log.ts", "wasm/generated/zstd.ts", "docs/FORMAT.md"];
  assert.deepEqual(checkPublishedFiles(list(good), good), []);
  assert.deepEqual(checkPublishedFiles(list(["mod.ts"]), ["mod.ts", "wasm/generated/zstd.ts"]), [
    'The package lacks "wasm/generated/zstd.ts"',
  ]);
  for (const file of ["tests/a_test.ts", "bench/b.ts", "scripts/test.ts", "src/notes.md", "a.ts"]) {
    assert.equal(checkPublishedFiles(list([...good, file]), good).length, 1, file);
  }
});

test("Figures of several files add up for each runtime, and a shortfall is named", () => {
  const figures = new Figures();
  figures.collect("node", "noise\nfigure: crash states = 99999\nfigure: kills = 60\r\n");
  figures.collect("node", "figure: crash states = 1\n    figure: crash states = 5 (indented)\n");
  figures.collect("bun", "figure: crash states = 25000\n");
  const problems = figures.problems();
  assert.ok(!problems.some((text) => text.startsWith("crash states on node")), String(problems));
  assert.ok(!problems.some((text) => text.startsWith("crash states on bun")));
  assert.ok(!problems.some((text) => text.startsWith("kills on node")));
  assert.ok(problems.includes("crash states on deno: 0, expected at least 25000"));
  assert.ok(
    figures.lines().some((line) => /^crash states +node 100000, deno 0, bun 25000$/.test(line)),
  );
});

test("A figure without a target is a problem", () => {
  const figures = new Figures();
  figures.collect("node", "figure: heads scratched = 3\n");
  assert.ok(figures.problems().includes('the figure "heads scratched" has no target'));
});

test("node_modules that are older than the lock file are named, with what to do", () => {
  const { path: directory, dispose } = temporaryDirectory("installed");
  try {
    const lock = {
      packages: {
        "": { dependencies: { one: "1.0.0" }, devDependencies: { two: "^2.0.0" } },
        "node_modules/one": { version: "1.0.0" },
        "node_modules/two": { version: "2.1.0" },
      },
    };
    writeFileSync(path.join(directory, "package-lock.json"), JSON.stringify(lock));
    const install = (name: string, version: string): void => {
      const folder = path.join(directory, "node_modules", name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, "package.json"), JSON.stringify({ version }));
    };
    install("one", "1.0.0");
    const asked = `"two", and package-lock.json asks for 2.1.0: run "npm ci"`;
    assert.equal(installationProblem(directory), `node_modules has no ${asked}`);
    install("two", "2.0.0");
    assert.equal(installationProblem(directory), `node_modules has 2.0.0 ${asked}`);
    install("two", "2.1.0");
    assert.equal(installationProblem(directory), undefined);
  } finally {
    dispose();
  }
});

test("Every figure that a test reports has a target", () => {
  const figures = new Figures();
  for (const file of testFiles()) {
    for (const [, name] of readSource(file).matchAll(/\breportFigure\(\s*"([^"]+)"/g)) {
      figures.collect("node", `figure: ${name} = 1\n`);
    }
  }
  assert.ok(figures.lines().length > 10);
  assert.deepEqual(figures.problems().filter((text) => text.includes("has no target")), []);
});

test("A file that reports a figure belongs to the fault programme, which adds them up", () => {
  const reporting = testFiles().filter((file) => /\breportFigure\(/.test(readSource(file)));
  assert.ok(reporting.length > 10);
  for (const file of reporting) assert.equal(suiteOf(file), "faults", file);
});

test("Every test file is in one suite, no suite is empty, and the commands run each file on all runtimes, or on Node if one is enough", () => {
  const [quick, slow, faults] = [filesOf("quick"), filesOf("slow"), filesOf("faults")];
  assert.deepEqual([...quick, ...slow, ...faults].sort(), testFiles());
  assert.ok(quick.length > 100 && slow.length > 5 && faults.length > 30);
  for (const file of testFiles()) {
    const ran = ["quick", "runtimes", "faults"].flatMap((name) => runtimesIn(scopes[name]!, file));
    assert.deepEqual(ran.sort(), isForNode(file) ? ["node"] : ["bun", "deno", "node"], file);
  }
  const alone = testFiles().filter(isForNode);
  assert.ok(alone.length > 10 && alone.length < testFiles().length / 8, `${alone.length}`);
});
