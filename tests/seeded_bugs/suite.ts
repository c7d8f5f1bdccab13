/**
 * Registers one test for every bug of a list, on Node alone: a second and third run of the same
 * children would prove nothing.
 *
 * All tests that catch bugs belong to the gate, which also runs them without a bug. So they run
 * here without a bug only if a person tries a single one, by `TINYKVS_BUG`.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { applyEdit, type Bug, layers, repeatCommand } from "./bug.ts";
import { BrokenTree, repository } from "./runner.ts";

/** Registers the tests of a list of bugs, and one at the end that states how many were caught. */
export function testBugs(theme: string, bugs: readonly Bug[]): void {
  const only = process.env["TINYKVS_BUG"];
  let tree: BrokenTree | undefined;
  let caught = 0;
  for (const bug of bugs) {
    test(`A library that ${bug.does} is caught by ${layers[bug.caughtBy.layer]}`, async () => {
      requireApplicable(bug);
      if ((only ?? bug.name) !== bug.name) return;
      if (tree === undefined) {
        const made = tree = new BrokenTree(only !== undefined);
        // However the process ends, as long as it ends by itself.
        process.once("exit", () => made.dispose());
      }
      const { verdict, seconds } = await tree.try(bug);
      assert.ok(
        verdict.isCaught,
        `bug "${bug.name}" is not caught: ${verdict.isCaught ? "" : verdict.reason}\n` +
          `repeat: ${repeatCommand(bug.name)}`,
      );
      caught++;
      console.log(
        `seeded bug ${bug.name}: caught by ${bug.caughtBy.layer} in ${seconds.toFixed(1)} s: ` +
          `${verdict.title}: ${verdict.message.split("\n")[0]}`,
      );
    });
  }
  test(`Every bug of ${theme} that was seeded is caught`, () => {
    if (only !== undefined) return;
    assert.equal(caught, bugs.length);
    reportFigure("seeded bugs caught", caught);
  });
}

/** @throws {Error} an edit of the bug does not apply to the sources as they are */
export function requireApplicable(bug: Bug): void {
  const sources = new Map<string, string>();
  for (const edit of bug.edits) {
    assert.match(edit.file, /^src\/.+\.ts$/, `bug "${bug.name}" is in no source of the library`);
    const source = sources.get(edit.file) ??
      readFileSync(path.join(repository, edit.file), "utf8");
    sources.set(edit.file, applyEdit(source, edit));
  }
}
