/**
 * Cursors that are dropped without being closed give back the memory of the blocks that they stand
 * on.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { collectGarbage } from "../support/garbage.ts";
import { countPins } from "../support/pins.ts";

/** In its own function: values on the stack are not garbage. */
async function openSome(store: EmbeddedStore): Promise<void> {
  for (let n = 0; n < 20; n++) {
    const controller = new AbortController();
    const cursor = store.entries({ gte: `key${n}`, signal: controller.signal });
    // What is kept to give the blocks back must not lead to the cursor, not even through its
    // signal.
    controller.signal.addEventListener("abort", () => void cursor.close());
    const iterator = cursor[Symbol.iterator]();
    for (let i = 0; i < 3; i++) assert.equal(iterator.next().done, false);
    await store.entries({ gte: `key${n}` }).nextMany(3);
  }
}

test("A cursor that is garbage gives its blocks back, even if a listener of its signal refers to it", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem, blockSizeBytes: 512, walSync: "none" });
  for (let n = 0; n < 1000; n++) store.putSync(`key${n}`, "x".repeat(50));
  await store.compact();
  const pins = countPins();
  await openSome(store);
  assert.ok(pins.value >= 40, `${pins.value} pins`);
  await collectGarbage(() => pins.value === 0);
  assert.equal(pins.value, 0);
});
