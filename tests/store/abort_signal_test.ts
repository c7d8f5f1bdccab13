// Values that are not signals, and signals of others: they are refused, or obeyed, at the call and
// not half-way.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as vm from "node:vm";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";

/** Every call that takes a signal. */
const calls: Readonly<Record<string, (store: EmbeddedStore, signal: AbortSignal) => unknown>> = {
  entries: (store, signal) => store.entries({ signal }),
  keys: (store, signal) => store.keys({ signal }),
  values: (store, signal) => store.values({ signal }),
  count: (store, signal) => store.count({ signal }),
  "snapshot.keys": (store, signal) => store.snapshot().keys({ signal }),
  "snapshot.count": (store, signal) => store.snapshot().count({ signal }),
  checkpoint: (store, signal) => store.checkpoint("/copy", { signal }),
};

test("A value that is not a signal is an error of another text, at the first step", async () => {
  const wrong: unknown[] = [
    {},
    null,
    true,
    "signal",
    [],
    { aborted: false },
    { aborted: "no", addEventListener() {} },
    new AbortController(),
    () => {},
  ];
  for (const [name, call] of Object.entries(calls)) {
    for (const signal of wrong) {
      await using store = await open("/db", { fileSystem: memoryFileSystem() });
      const attempt = Promise.resolve().then(() => call(store, signal as AbortSignal));
      const expected = { name: "TypeError", message: /"signal" is .+, expected an AbortSignal$/ };
      await assert.rejects(attempt, expected, `${name} with ${String(signal)}`);
      assert.equal(await store.count(), 0);
    }
  }
});

/** An imitation, with no reason and no `throwIfAborted`. */
function imitation(): { signal: AbortSignal; abort: () => void } {
  const signal = { aborted: false, addEventListener(): void {}, removeEventListener(): void {} };
  return {
    signal: signal as unknown as AbortSignal,
    abort: () => {
      signal.aborted = true;
    },
  };
}

test("A signal that only imitates AbortSignal is obeyed", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (const key of ["a", "b", "c"]) await store.put(key, 1);
  const { signal, abort } = imitation();
  assert.equal(await store.count({ signal }), 3);
  const cursor = store.keys({ signal });
  assert.deepEqual(await cursor.nextMany(1), ["a"]);
  abort();
  await assert.rejects(cursor.nextMany(1), { name: "AbortError" });
  await assert.rejects(store.count({ signal }), { name: "AbortError" });
  await assert.rejects(store.checkpoint("/copy", { signal }), { name: "AbortError" });
});

test("A signal of another realm is obeyed", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("a", 1);
  // The nearest to a foreign AbortSignal that every runtime has.
  const signal = vm.runInNewContext(
    "({ aborted: true, reason: new Error('from elsewhere'), addEventListener() {} })",
  ) as AbortSignal;
  await assert.rejects(store.count({ signal }), /from elsewhere/);
  assert.throws(() => [...store.keys({ signal })], /from elsewhere/);
});
