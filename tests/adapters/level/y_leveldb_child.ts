/**
 * Runs y-leveldb's own tests, from its package, with TinyLevel instead of `level`. Ends with their
 * exit code. The argument is an empty directory for their databases.
 */

import { createRequire } from "node:module";
import process from "node:process";
import { TinyLevel } from "../../../level.ts";

const requirePackage = createRequire(
  new URL("../package.json", import.meta.url),
);
const tests = requirePackage.resolve("y-leveldb/package.json").replace(
  "package.json",
  "dist/test.cjs",
);
const requireOfTests = createRequire(tests);
const level = requireOfTests.resolve("level");
requireOfTests(level);
requireOfTests.cache[level]!.exports = { Level: TinyLevel };
process.chdir(process.argv[2]!);
requireOfTests(tests);
