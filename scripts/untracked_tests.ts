/**
 * Loaded by test processes of Node before the tests: `node --import ./scripts/untracked_tests.ts`.
 *
 * The test runner of Node watches every promise by an async hook, so that it can name the test to
 * which an error belongs that nobody caught. With it, an `await` takes about 14 µs of CPU time,
 * without it less than one. Without it, such an error ends the file with exit code 1, which counts
 * as a failure, too (`judge` in scripts/test_file.ts).
 *
 * Hooks of anybody else stay. If another version of Node does this in another way, nothing changes
 * but the time. `node --test` loads its runner before this file, so test files are run without it.
 */

import { createHook } from "node:async_hooks";

interface AsyncHook {
  enable(): this;
}

const prototype = Object.getPrototypeOf(createHook({})) as AsyncHook;
const { enable } = prototype;
prototype.enable = function <T extends AsyncHook>(this: T): T {
  const isOfTests = new Error().stack?.includes("node:internal/test_runner/") === true;
  return isOfTests ? this : enable.call(this) as T;
};
