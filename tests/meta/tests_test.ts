/**
 * Guards the tests: each of them runs, on all three runtimes alike, without waiting for real time,
 * and lies where its subject does.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/processes.ts";
import { testFiles } from "../../scripts/source_files.ts";
import { blankNonCode, importsOf, lineOf, readSource } from "./source_text.ts";

/** Folders under tests/ that mirror no folder of src/, and what they hold instead. */
const foldersOfTheirOwn: Readonly<Record<string, string>> = {
  contracts: "suites that every implementation of an interface runs",
  ecosystem: "other test runners, whose fake clocks a store must outlive",
  fuzz: "every decoder on random, damaged and hostile bytes",
  faults: "crashes, failing I/O and damaged files under the whole store",
  interop: "files that the Go TinyKVS wrote, and processes of different runtimes",
  meta: "the project itself",
  seeded_bugs: "bugs that the other tests must catch",
  properties: "seeded models of the whole store",
  support: "tests of the helpers that tests share",
  wasm: "mirrors wasm/",
  examples: "mirrors examples/",
  bench: "mirrors bench/",
};

/** A pattern that test code may not contain, and why. */
interface Rule {
  readonly pattern: RegExp;
  readonly problem: string;
}

const rules: readonly Rule[] = [
  { pattern: /\.(?:only|skip|todo)\s*\(/g, problem: "leaves tests out" },
  { pattern: /\b(?:only|skip|todo)\s*:\s*(?!undefined)/g, problem: "leaves tests out" },
  {
    pattern: /\b(?:t|ctx|context)\.test\s*\(|\bawait\s+test\s*\(/g,
    problem: "nests tests, which the runtimes count differently",
  },
  {
    pattern: /(?<![\w$.])(?:setTimeout|setInterval|Atomics\s*\.\s*wait|Bun\s*\.\s*sleep\w*)\b/g,
    problem: "waits for real time: drive the injected scheduler instead",
  },
  {
    // A Date with a time of its own, and the class by itself, do not read the clock.
    pattern:
      /(?<![\w$.])(?<!\b(?:instanceof|extends|as) )(?:Date\b(?!\.prototype)(?!(?<=\bnew Date)\([^)])|performance\b|Math\s*\.\s*random\b)/g,
    problem: "reads the clock or unseeded randomness: inject them instead",
  },
  {
    pattern: /\b(?:systemScheduler\s*\.\s*nowMs|cpuUsage|hrtime)\b/g,
    problem: "judges by time, which is up to the machine: count turns, calls or work instead",
  },
  {
    pattern: /\btimeout\s*:\s*(?:\d{1,2}_?)?\d{1,3}(?:_?000)?\b(?!_?\d)(?<!600_?000)/g,
    problem: "has a deadline of less than ten minutes: a busy machine misses it",
  },
];

/** Exceptions: `file` may break the rules whose problem starts with `rule`, for `reason`. */
const exceptions: readonly { file: string; rule: string; reason: string }[] = [
  {
    file: "tests/platform/system_scheduler_test.ts",
    rule: "waits for real time",
    reason: "it tests the real scheduler, whose timers do not keep a process alive",
  },
  {
    file: "tests/fuzz/fuzz_corpus_test.ts",
    rule: "judges by time",
    reason: "processor time tells quadratic work from proportional, by a factor of thousands",
  },
  {
    file: "tests/platform/system_scheduler_test.ts",
    rule: "judges by time",
    reason:
      "its clock must go forward, and a sleep may not end early: no machine is too slow for that",
  },
  {
    file: "tests/adapters/keyv/suite_test.ts",
    rule: "imports more than test",
    reason:
      "its tests share adapters, which have to be closed after the last of them; that is no test",
  },
  {
    file: "tests/platform/real_timers_test.ts",
    rule: "waits for real time",
    reason: "it tests the real timers, which do not keep a process alive",
  },
];

const modulesThatSleep = ["node:timers/promises", "timers/promises"];

/** What is wrong with the text of a test file, in words. */
function problemsOf(file: string, source: string): string[] {
  const code = blankNonCode(source);
  const problems: string[] = [];
  const report = (index: number, problem: string): void => {
    const excused = exceptions.some((one) => one.file === file && problem.startsWith(one.rule));
    if (!excused) problems.push(`${file}:${lineOf(source, index)}: ${problem}`);
  };
  for (const { pattern, problem } of rules) {
    for (const match of code.matchAll(pattern)) report(match.index, problem);
  }
  const specifiers = importsOf(source).map((found) => found.specifier ?? "");
  for (const name of modulesThatSleep) {
    if (specifiers.includes(name)) report(0, `waits for real time: imports "${name}"`);
  }
  for (const match of code.matchAll(/import\s*\{([^}]*)\}\s*from\s*"\s*"/g)) {
    const end = match.index + match[0].length;
    if (!source.slice(match.index, end).endsWith(`"node:test"`)) continue;
    if (match[1]!.trim() !== "test") {
      report(match.index, `imports more than test from "node:test", which counts differ on`);
    }
  }
  const helped = specifiers.some((name) =>
    /\/(?:support|contracts)\//.test(name) || name.startsWith("./")
  );
  if (!specifiers.includes("node:assert/strict") && !helped) {
    report(0, "asserts nothing: it imports neither node:assert/strict nor a helper of the tests");
  }
  return problems;
}

/** Titles of the tests in a source that are plain string literals. */
function titlesOf(source: string): string[] {
  const code = blankNonCode(source);
  return [...code.matchAll(/(?<![\w$.])test\s*\(\s*(?=")/g)].map((match) => {
    const start = match.index + match[0].length + 1;
    return source.slice(start, code.indexOf('"', start));
  });
}

/** Whether a test file lies in a folder that mirrors src/, or in one with its own purpose. */
function isWellPlaced(file: string, exists: (path: string) => boolean): boolean {
  const inside = file.slice("tests/".length);
  const folder = path.posix.dirname(inside);
  if (folder === ".") {
    const name = inside.replace(/_test\.ts$/, ".ts");
    return exists(`src/${name}`) || exists(name);
  }
  return exists(`src/${folder}`) || Object.hasOwn(foldersOfTheirOwn, folder.split("/")[0]!);
}

test("Every test file lies where its subject does", () => {
  const files = testFiles();
  assert.ok(files.length >= 5, `found only ${files.length} test files`);
  const misplaced = files.filter((file) =>
    !isWellPlaced(file, (subject) => existsSync(path.join(root, subject)))
  );
  assert.deepEqual(misplaced, []);
});

test("No test is left out, nested, or waits for real time", () => {
  assert.deepEqual(testFiles().flatMap((file) => problemsOf(file, readSource(file))), []);
});

test("Test titles are sentences and differ within a file", () => {
  const problems: string[] = [];
  for (const file of testFiles()) {
    const titles = titlesOf(readSource(file));
    for (const [index, title] of titles.entries()) {
      if (title.split(" ").length < 3) problems.push(`${file}: "${title}" is not a sentence`);
      if (titles.indexOf(title) !== index) problems.push(`${file}: "${title}" is there twice`);
    }
  }
  assert.deepEqual(problems, []);
});

test("Every exception names a file that exists", () => {
  for (const { file } of exceptions) assert.ok(testFiles().includes(file), file);
});

test("The check of test code finds made-up violations of every kind", () => {
  const head = `import assert from "node:assert/strict";\nimport { test } from "node:test";\n`;
  const bad = [
    `test.only("a b c", () => {});`,
    `test.skip("a b c", () => {});`,
    `test("a b c", { skip: true }, () => {});`,
    `test("a b c", async (t) => { await t.test("inner", () => {}); });`,
    `test("a b c", async () => { await test("inner", () => {}); });`,
    `test("a b c", () => new Promise((resolve) => setTimeout(resolve, 10)));`,
    `import { setTimeout as delay } from "node:timers/promises";`,
    `import { describe } from "node:test";`,
    `const now = Date.now();`,
    `const now = new Date();`,
    `const now = new Date;`,
    `const now = Date();`,
    `const now = Date(0);`,
    `const Clock = Date;`,
    `const seed = Math.random();`,
    `const now = performance.now();`,
    `const now = systemScheduler.nowMs();`,
    `const used = process.cpuUsage();`,
    `spawnSync("node", [], { timeout: 60_000 });`,
    `spawnSync("node", [], { timeout: 5000 });`,
  ];
  for (const source of bad) {
    assert.notDeepEqual(problemsOf("tests/made_up_test.ts", head + source), [], source);
  }
  assert.notDeepEqual(problemsOf("tests/made_up_test.ts", `import { test } from "node:test";`), []);
  const good =
    `${head}test("Regular expressions may test()", () => { assert.ok(/a/.test("a")); });` +
    `spawnSync("node", [], { timeout: 600_000 });` +
    `assert.ok(new Date(0) instanceof Date && Date.prototype.getTime !== undefined);`;
  assert.deepEqual(problemsOf("tests/made_up_test.ts", good), []);
});

test("The check of places finds a test without a subject", () => {
  const exists = (subject: string): boolean =>
    ["src/wal", "src/errors.ts", "mod.ts"].includes(subject);
  assert.equal(isWellPlaced("tests/wal/log_reader_test.ts", exists), true);
  assert.equal(isWellPlaced("tests/errors_test.ts", exists), true);
  assert.equal(isWellPlaced("tests/mod_test.ts", exists), true);
  assert.equal(isWellPlaced("tests/faults/crash_test.ts", exists), true);
  assert.equal(isWellPlaced("tests/journal/log_test.ts", exists), false);
  assert.equal(isWellPlaced("tests/misc_test.ts", exists), false);
});
