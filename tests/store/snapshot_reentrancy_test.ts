// Snapshots that are closed by the caller's own code while a call on them is taking its arguments.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClosedError,
  type EmbeddedSnapshot,
  type EmbeddedStore,
  memoryFileSystem,
  open,
} from "../../mod.ts";

/** A store with two tables, and a snapshot that shows the first one only. */
async function storeWithSnapshot(): Promise<{ store: EmbeddedStore; snapshot: EmbeddedSnapshot }> {
  const store = await open("/db", { fileSystem: memoryFileSystem(), blockCacheSizeBytes: 0 });
  await store.put("a", 1);
  await store.flush();
  const snapshot = store.snapshot();
  await store.put("b", 2);
  await store.flush();
  return { store, snapshot };
}

const uses: Readonly<Record<string, (snapshot: EmbeddedSnapshot) => unknown>> = {
  "a range's getter, of a cursor": (snapshot) => {
    const cursor = snapshot.keys({
      get limit() {
        snapshot.close();
        return 5;
      },
    });
    return [...cursor];
  },
  "a range's getter, of a count": (snapshot) =>
    snapshot.count({
      get limit() {
        snapshot.close();
        return 5;
      },
    }),
  "the keys of a getMany": (snapshot) => {
    const keys = {
      *[Symbol.iterator]() {
        yield "a";
        snapshot.close();
        yield "b";
      },
    };
    return snapshot.getMany(keys as unknown as string[]);
  },
};

for (const [name, use] of Object.entries(uses)) {
  test(`A snapshot that is closed by ${name} gives ClosedError and does not close a table early`, async () => {
    const { store, snapshot } = await storeWithSnapshot();
    const outcome = await Promise.resolve(snapshot).then(use).catch((error: unknown) => error);
    assert.deepEqual(await store.getMany(["a", "b"]), [1, 2]);
    await store.compact();
    assert.deepEqual([...store.keys()], ["a", "b"]);
    await store.close();
    assert.ok(outcome instanceof ClosedError, `${outcome}`);
  });
}
