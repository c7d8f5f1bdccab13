import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError } from "../../src/errors.ts";
import { MAX_FILE_NUMBER } from "../../src/version/file_names.ts";
import { FileNumbers, sharedFileNumber } from "../../src/version/file_numbers.ts";

test("Two holders of a counter never take the same number", () => {
  const counter = sharedFileNumber(5);
  const here = new FileNumbers("/db", counter);
  const there = new FileNumbers("/db", counter);
  assert.deepEqual([here.take(), there.take(), here.take()], [5, 6, 7]);
  there.reserve(9);
  here.reserve(2);
  assert.equal(here.next, 10);
  assert.deepEqual([there.take(), here.take()], [10, 11]);
});

test("Numbers end at the largest one, even if a file has it", () => {
  const numbers = new FileNumbers("/db", sharedFileNumber(MAX_FILE_NUMBER - 1));
  assert.equal(numbers.take(), MAX_FILE_NUMBER - 1);
  assert.throws(() => numbers.take(), IoError);
  numbers.reserve(MAX_FILE_NUMBER);
  assert.throws(() => numbers.take(), IoError);
  assert.equal(numbers.next, MAX_FILE_NUMBER);
});
