/**
 * Runs many histories; of one that fails it looks for the shortest part that still does, and says
 * in one line how to run that part again.
 *
 * TINYKVS_TEST_SCALE multiplies the number of histories, TINYKVS_SEED takes another seed, and
 * TINYKVS_HISTORY, a history as a failure prints it, is run alone.
 */

import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import { runtimeName } from "../../src/platform/natives.ts";
import type { Step } from "./command.ts";
import { histories, type History } from "./histories.ts";

const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
const MAX_SHRINK_RUNS = 3000;

/** The number of histories for this runtime: Node runs five times as many. */
export function historyCount(onNode: number): number {
  return Math.ceil((runtimeName === "node" ? onNode : onNode / 5) * scale);
}

/** Runs the histories; `file` is the test's path. Returns how many were run. */
export async function checkHistories(
  file: string,
  defaultSeed: number,
  count: number,
  run: (history: History) => Promise<void>,
): Promise<number> {
  const given = process.env["TINYKVS_HISTORY"];
  if (given !== undefined) {
    await run(JSON.parse(given));
    return 1;
  }
  const seed = Number(process.env["TINYKVS_SEED"] ?? defaultSeed);
  console.log(`${count} histories, seed ${seed}`);
  const property = fc.asyncProperty(histories, run);
  const details = await fc.check(property, { numRuns: count, seed, endOnFailure: true });
  if (!details.failed) return details.numRuns;
  const [history] = details.counterexample!;
  const { shortest, error, runs } = await shrink(history, run);
  const json = JSON.stringify(shortest).replaceAll("'", "\\u0027");
  const cause = error instanceof Error ? error.stack : String(error);
  assert.fail(
    `history ${details.numRuns} of seed ${seed} fails; ${history.steps.length} steps became ` +
      `${shortest.steps.length} in ${runs} runs. Repeat:\n` +
      `TINYKVS_HISTORY='${json}' node --test ${file}\n` +
      `${shortest.steps.map((step, at) => `  ${at} ${JSON.stringify(step)}`).join("\n")}\n${cause}`,
  );
}

/** What is left of a history that fails. */
export interface Shrunk {
  /** A part of the history that fails, of which no single step could be left out. */
  readonly shortest: History;
  /** How it fails. */
  readonly error: unknown;
  /** How many runs it took. */
  readonly runs: number;
}

/**
 * Leaves out steps as long as what remains still fails, large parts first, then makes arguments
 * smaller.
 */
export async function shrink(
  history: History,
  run: (history: History) => Promise<void>,
  maxRuns: number = MAX_SHRINK_RUNS,
): Promise<Shrunk> {
  let runs = 0;
  let shortest = history;
  let error: unknown = new Error("the history failed once, and not again");
  const fails = async (candidate: History): Promise<boolean> => {
    runs++;
    try {
      await run(candidate);
      return false;
    } catch (found) {
      error = found;
      shortest = candidate;
      return true;
    }
  };
  await fails(history);
  if (history.asyncFiles) await fails({ ...shortest, asyncFiles: false });
  for (let part = Math.ceil(history.steps.length / 2);; part = Math.ceil(part / 2)) {
    for (let at = 0; at < shortest.steps.length && runs < maxRuns;) {
      const steps = shortest.steps.toSpliced(at, part);
      if (!await fails({ ...shortest, steps })) at += part;
    }
    if (part === 1) break;
  }
  for (let at = 0; at < shortest.steps.length; at++) {
    for (let isSmaller = true; isSmaller && runs < maxRuns;) {
      isSmaller = false;
      for (const smaller of smallerSteps(shortest.steps[at]!)) {
        if (runs >= maxRuns) break;
        const steps = shortest.steps.with(at, smaller);
        if (await fails({ ...shortest, steps })) {
          isSmaller = true;
          break;
        }
      }
    }
  }
  return { shortest, error, runs };
}

/** The step with one of its numbers halved, or one of its lists shorter. */
function smallerSteps(step: Step): Step[] {
  return smaller(step.with).map((args) => ({ do: step.do, with: args }));
}

function smaller(value: unknown): unknown[] {
  if (Array.isArray(value)) {
    const shorter = value.map((_, at) => value.toSpliced(at, 1));
    return [
      ...shorter,
      ...value.flatMap((item, at) => smaller(item).map((s) => value.with(at, s))),
    ];
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, item]) =>
      smaller(item).map((small) => ({ ...value, [name]: small }))
    );
  }
  // Zero first; then half, for what has to be large enough.
  return typeof value === "number" && value > 1 ? [Math.floor(value / 2)] : [];
}
