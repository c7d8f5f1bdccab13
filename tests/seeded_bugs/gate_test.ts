/**
 * The gate of the seeded bugs itself: the list is complete, a change without an effect does not
 * count as a caught bug, nor does a run that ends for another reason, and the changes that are
 * listed as equivalent have no effect.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { applyEdit, type Bug, repeatCommand } from "./bug.ts";
import { equivalents, requiredItems, seededBugs } from "./catalogue.ts";
import { directed } from "./commands.ts";
import { judge, problemOfBaseline, type TestRun } from "./judge.ts";
import { type Outcome, outcomeOf } from "./reporter.ts";
import { BrokenTree } from "./runner.ts";
import { requireApplicable } from "./suite.ts";

/** A change of a comment. */
const harmless: Bug = {
  name: "harmless",
  item: "beyond the list",
  does: "says something else in a comment",
  edits: [{
    file: "src/store/state/range.ts",
    find: "/** A key as a bound. The bytes are a copy. */",
    replace: "/** A key as a bound. */",
  }],
  caughtBy: directed("tests/store/range_test.ts", /^resolveRange takes copies of the bytes/),
  symptom: /./,
};

/** A change that leaves no program. */
const broken: Bug = {
  ...harmless,
  edits: [{ ...harmless.edits[0]!, replace: "export const = ;" }],
};

async function reasonOf(bug: Bug): Promise<string> {
  const tree = new BrokenTree(true);
  try {
    const { verdict } = await tree.try(bug);
    return verdict.isCaught ? "it is caught" : verdict.reason;
  } finally {
    tree.dispose();
  }
}

test("Every bug of the reliability list is seeded, and has a unique name", () => {
  assert.equal(requiredItems.length, 30);
  const items = new Set(seededBugs.map(({ item }) => item));
  assert.deepEqual([...requiredItems.filter((item) => !items.has(item))], []);
  items.delete("beyond the list");
  assert.equal(items.size, requiredItems.length);
  for (const what of ["name", "does"] as const) {
    const all = [...seededBugs, ...equivalents].map((bug) => bug[what]);
    assert.deepEqual(all.filter((one, at) => all.indexOf(one) !== at), []);
  }
});

test("TINYKVS_BUG names a bug that exists", () => {
  const name = process.env["TINYKVS_BUG"];
  const isKnown = (wanted: string): boolean => seededBugs.some((bug) => bug.name === wanted);
  assert.ok(name === undefined || isKnown(name), `there is no bug "${name}"`);
  assert.ok(!isKnown(harmless.name));
});

test("A harmless change does not count as a caught bug", async () => {
  requireApplicable(harmless);
  assert.equal(await reasonOf(harmless), "every test passes");
});

test("A change that breaks the program does not count as a caught bug", async () => {
  requireApplicable(broken);
  assert.match(await reasonOf(broken), /fails, which is none of its tests|does not run/);
});

test("Tests that fail without the bug are distinguished from those that catch it", async () => {
  const missing = { ...harmless, caughtBy: directed("tests/store/range_test.ts", /^no such test/) };
  requireApplicable(missing);
  await assert.rejects(reasonOf(missing), /do not pass without it: no test has a title like/);
});

for (const { name, does, because, passes, ...change } of equivalents) {
  test(`A library that ${does} passes like one that does not`, async () => {
    const bug: Bug = { ...change, name, does, caughtBy: passes, symptom: /./ };
    assert.ok(because.length > 0);
    requireApplicable(bug);
    if (process.env["TINYKVS_BUG"] !== undefined) return;
    assert.equal(await reasonOf(bug), "every test passes", "it belongs among the bugs");
  });
}

test("applyEdit refuses text that is not there exactly once, and a change of nothing", () => {
  const edit = { file: "src/made_up.ts", find: "two();", replace: "three();" };
  assert.equal(applyEdit("one();two();", edit), "one();three();");
  assert.throws(() => applyEdit("one();", edit), /"two\(\);" is not in "src\/made_up.ts"/);
  assert.throws(() => applyEdit("two();two();", edit), /more than once/);
  assert.throws(() => applyEdit("a", { ...edit, find: "" }), /is not in/);
  assert.throws(() => applyEdit("two();", { ...edit, replace: edit.find }), /changes nothing/);
});

const title = "resolveRange takes copies of the bytes";
const passed: Outcome = { title, result: "passed" };
const failed: Outcome = {
  title,
  result: "failed",
  failureType: "testCodeFailure",
  errorName: "AssertionError",
  message: "AssertionError: write 3 is missing",
};
const ended: TestRun = { outcomes: [passed], code: 0, isTimedOut: false, seconds: 1, output: "" };
const bug: Bug = { ...harmless, symptom: /write \d is missing/ };

test("judge counts a failing assertion of the named test as a caught bug", () => {
  for (const baseline of [ended, undefined]) {
    const verdict = judge({ ...ended, outcomes: [failed], code: 1 }, baseline, bug);
    assert.deepEqual(verdict, { isCaught: true, title, message: failed.message });
  }
});

test("judge counts nothing else as a caught bug", () => {
  const reasonFor = (run: Partial<TestRun>, baseline: TestRun = ended): string => {
    const verdict = judge({ ...ended, code: 1, ...run }, baseline, bug);
    return verdict.isCaught ? "caught" : verdict.reason;
  };
  const failing = (how: Partial<Outcome>): string =>
    reasonFor({ outcomes: [{ ...failed, ...how }] });
  assert.match(reasonFor({ code: 0 }), /every test passes/);
  assert.match(reasonFor({ outcomes: [], code: 134 }), /ended with 134/);
  assert.match(reasonFor({ outcomes: [], code: null }), /ended with a signal/);
  assert.match(reasonFor({ outcomes: [failed], isTimedOut: true, seconds: 60 }), /more than 60 s/);
  assert.match(failing({ title: "another test" }), /none of its tests/);
  assert.match(reasonFor({ outcomes: [failed] }, { ...ended, outcomes: [] }), /none of its tests/);
  assert.match(failing({ failureType: "unhandledRejection" }), /was ended by unhandledRejection/);
  assert.match(failing({ message: "AssertionError: write 3 is late" }), /for another reason/);
  for (
    const slip of [
      "SyntaxError: Unexpected token",
      "ReferenceError: write 3 is missing is not defined",
      "TypeError: Cannot read properties of undefined, write 3 is missing",
      "Error: write 3 is missing\ncaused by TypeError: store.put is not a function",
      "Error [ERR_MODULE_NOT_FOUND]: write 3 is missing",
    ]
  ) {
    assert.match(failing({ message: slip }), /code that does not run/, slip);
  }
});

test("problemOfBaseline requires a whole run of passing tests with the right titles", () => {
  const problemOf = (run: Partial<TestRun>): string | undefined =>
    problemOfBaseline({ ...ended, ...run }, bug.caughtBy);
  assert.equal(problemOf({}), undefined);
  assert.match(problemOf({ isTimedOut: true })!, /too long/);
  assert.match(problemOf({ outcomes: [passed, failed], code: 1 })!, /write 3 is missing/);
  assert.match(problemOf({ code: 7 })!, /ended with 7/);
  assert.match(problemOf({ code: null })!, /a signal/);
  assert.match(problemOf({ outcomes: [] })!, /no test has a title/);
  assert.match(problemOf({ outcomes: [{ title: "x", result: "passed" }] })!, /no test has/);
  assert.match(problemOf({ outcomes: [{ title, result: "skipped" }] })!, /no test has/);
});

test("The reporter reports every end of a test, with the messages of all causes", () => {
  const cause = new TypeError("outer", { cause: new RangeError("inner") });
  const error = { failureType: "testCodeFailure", cause };
  assert.deepEqual(outcomeOf({ type: "test:fail", data: { name: "a", details: { error } } }), {
    title: "a",
    result: "failed",
    failureType: "testCodeFailure",
    errorName: "TypeError",
    message: "TypeError: outer\ncaused by RangeError: inner",
  });
  assert.equal(outcomeOf({ type: "test:pass", data: { name: "a" } })?.result, "passed");
  assert.equal(
    outcomeOf({ type: "test:pass", data: { name: "a", ["skip"]: true } })?.result,
    "skipped",
  );
  assert.equal(outcomeOf({ type: "test:start", data: { name: "a" } }), undefined);
});

test("The command that repeats a bug names it", () => {
  assert.match(
    repeatCommand("skip-wal-sync"),
    /^TINYKVS_BUG=skip-wal-sync npm test -- --runtime node/,
  );
});
