/** Declares the tests of Keyv's own suite, which use vitest, as tests of node:test. */

import assert from "node:assert/strict";
import { test } from "node:test";

/** The argument of a test of the suite. */
interface Context {
  readonly expect: Expect;
}

type Body = (context: Context) => void | Promise<void>;
type Hook = () => void | Promise<void>;

/** The part of vitest that the suite uses. */
export interface SuiteTest {
  it(name: string, body: Body): void;
  beforeEach(hook: Hook): void;
  afterEach(hook: Hook): void;
}

interface Matchers {
  readonly not: { toBe(expected: unknown): void };
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toBeTruthy(): void;
  toBeFalsy(): void;
  toBeNull(): void;
  toBeUndefined(): void;
  toBeDefined(): void;
}

interface Expect {
  (actual: unknown): Matchers;
  assertions(count: number): void;
}

/**
 * Declares a part of the suite, with its own hooks. `expected` gives, by the name of a test, a text
 * of the error that it must throw. The error shows that the other version of Keyv behaves as
 * documented.
 */
export function declare(
  title: string,
  part: (test: SuiteTest) => void,
  expected: Readonly<Record<string, RegExp>> = {},
): number {
  const before: Hook[] = [];
  const after: Hook[] = [];
  const tests: [string, Body][] = [];
  part({
    it: (name, body) => void tests.push([name, body]),
    beforeEach: (hook) => void before.push(hook),
    afterEach: (hook) => void after.push(hook),
  });
  for (const [name, body] of tests) {
    test(`${title}: ${name}`, async () => {
      for (const hook of before) await hook();
      const { expect, done } = counted();
      const run = async (): Promise<void> => {
        await body({ expect });
        done();
      };
      if (expected[name] === undefined) await run();
      else await assert.rejects(run(), expected[name]);
      for (const hook of after) await hook();
    });
  }
  return tests.length;
}

/** Matchers, and a check of the number of their calls. */
function counted(): { expect: Expect; done: () => void } {
  let count = 0;
  let planned: number | undefined;
  const expect = (actual: unknown): Matchers => {
    count++;
    return {
      not: { toBe: (expected) => assert.notEqual(actual, expected) },
      toBe: (expected) => assert.equal(actual, expected),
      toEqual: (expected) => assert.deepEqual(actual, expected),
      toBeTruthy: () => assert.ok(actual, `found ${String(actual)}`),
      toBeFalsy: () => assert.ok(!actual, `found ${String(actual)}`),
      toBeNull: () => assert.equal(actual, null),
      toBeUndefined: () => assert.equal(actual, undefined),
      toBeDefined: () => assert.notEqual(actual, undefined),
    };
  };
  return {
    expect: Object.assign(expect, {
      assertions: (count: number) => void (planned = count),
    }),
    done: () => assert.equal(count, planned ?? count, "assertions"),
  };
}
