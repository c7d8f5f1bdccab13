/** The lossy set of the cache's ghosts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GhostTable } from "../../src/cache/ghost_table.ts";

test("GhostTable remembers a pair once", () => {
  const ghosts = new GhostTable();
  assert.equal(ghosts.delete(0, 0), false);
  ghosts.add(0, 0);
  ghosts.add(3, 7);
  assert.equal(ghosts.delete(7, 3), false);
  assert.equal(ghosts.delete(3, 7), true);
  assert.equal(ghosts.delete(3, 7), false);
  assert.equal(ghosts.delete(0, 0), true);
});

test("GhostTable remembers most of the last thousand pairs, and few of those long before them", () => {
  const ghosts = new GhostTable();
  const pairs = Array.from(
    { length: 40_000 },
    (_, n) => [5 + (n % 13), Math.floor(n / 13)] as const,
  );
  for (const [cacheId, slot] of pairs) ghosts.add(cacheId, slot);
  const found = (from: number, to: number): number =>
    pairs.slice(from, to).filter(([cacheId, slot]) => ghosts.delete(cacheId, slot)).length;
  const recent = found(39_000, 40_000);
  assert.ok(recent > 850, `${recent} of the last 1000`);
  const old = found(0, 10_000);
  assert.ok(old < 1000, `${old} of the first 10,000`);
});

test("GhostTable distinguishes owners whose numbers differ above 32 bits", () => {
  const ghosts = new GhostTable();
  ghosts.add(2 ** 32 + 1, 5);
  assert.equal(ghosts.delete(1, 5), false);
});
