/** What the policy learns from the searches before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FilterPolicy } from "../../src/store/read/filter_policy.ts";

/** `h`: found in the last level, `a`: found above it, `m`: missed in the last level. */
function after(searches: string): string {
  const policy = new FilterPolicy();
  for (const search of searches) {
    if (search === "m") policy.noteAbsent();
    else policy.noteFound(search === "h");
  }
  if (policy.skipsFilter) return "no filter";
  return policy.triesBlockFirst ? "block first" : "filter first";
}

test("FilterPolicy begins without the filter, and one miss brings it back for sixteen hits", () => {
  assert.equal(after(""), "no filter");
  assert.equal(after("m"), "block first");
  assert.equal(after("m" + "h".repeat(15)), "block first");
  assert.equal(after("m" + "h".repeat(16)), "no filter");
});

test("Keys that are found above the last level say nothing about its filter", () => {
  assert.equal(after("m" + "a".repeat(100)), "block first");
  assert.equal(after("m" + "a".repeat(100) + "h".repeat(16)), "no filter");
});

test("FilterPolicy asks the filter first after four misses, and until hits outweigh them", () => {
  assert.equal(after("mmm"), "block first");
  assert.equal(after("mmmm"), "filter first");
  assert.equal(after("mmmmh"), "block first");
  assert.equal(after("m".repeat(50)), "filter first");
  assert.equal(after("m".repeat(50) + "h".repeat(8)), "filter first");
  assert.equal(after("m".repeat(50) + "h".repeat(9)), "block first");
});
