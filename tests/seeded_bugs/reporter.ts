/**
 * A reporter for `node --test`: one line of JSON for every test that ended, for runner.ts to read.
 * The run ends with the first failure, since one is enough to catch a bug.
 */

import { writeSync } from "node:fs";
import process from "node:process";

/** Starts every line, so that it can be distinguished from what the tests print. */
export const OUTCOME_MARK = "seeded bug outcome: ";

/** How one test ended. */
export interface Outcome {
  /** Title of the test. */
  readonly title: string;
  /** How it ended. */
  readonly result: "passed" | "failed" | "skipped";
  /** The kind of failure by Node: "testCodeFailure" if the test's own code threw. */
  readonly failureType?: string;
  /** Class of the error, or what else was thrown. */
  readonly errorName?: string;
  /** Its message with those of its causes. */
  readonly message?: string;
}

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly skip?: string | boolean;
    readonly details?: { readonly error?: { failureType?: string; cause?: unknown } };
  };
}

/** The outcome that an event of the runner tells, or undefined for another kind of event. */
export function outcomeOf({ type, data }: TestEvent): Outcome | undefined {
  if (type === "test:pass") {
    const isSkipped = data.skip !== undefined && data.skip !== false;
    return { title: data.name, result: isSkipped ? "skipped" : "passed" };
  }
  if (type !== "test:fail") return undefined;
  const { failureType = "unknown", cause } = data.details?.error ?? {};
  return {
    title: data.name,
    result: "failed",
    failureType,
    errorName: cause instanceof Error ? cause.name : typeof cause,
    message: messagesOf(cause),
  };
}

function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}\ncaused by ${messagesOf(error.cause)}`;
}

/** The reporter. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const outcome = outcomeOf(event);
    if (outcome === undefined) continue;
    writeSync(1, `\n${OUTCOME_MARK}${JSON.stringify(outcome)}\n`);
    if (outcome.result === "failed") process.exit(1);
  }
  yield "";
}
