/** Makes the garbage collector run. Only Bun lets a program do that without a flag. */

import assert from "node:assert/strict";

/**
 * Makes garbage until `isDone` says that the collector has told what is waited for, for some
 * rounds.
 */
export async function collectGarbage(isDone: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !isDone(); round++) {
    (globalThis as { Bun?: { gc(full: boolean): void } }).Bun?.gc(true);
    const garbage = Array.from({ length: 100 }, () => new Array<number>(20_000).fill(round));
    assert.equal(garbage.length, 100);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
