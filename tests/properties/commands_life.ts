/**
 * Commands on the store as a whole: flush, compaction, reopening, crashes, and closing amid calls.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Key, StoreError } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { BULK_KEYS, BULK_START } from "./keys.ts";
import { anyChange, anyKey, startChange } from "./commands_write.ts";
import { endSnapshots } from "./commands_snapshot.ts";
import { HistoryFileSystem, hop, settled } from "./environment.ts";
import { inspectLevels } from "./inspection.ts";
import { optionSets } from "./option_sets.ts";
import { SortedMap } from "./sorted_map.ts";
import { takeText, textOf } from "./values.ts";
import { DIRECTORY, type World } from "./world.ts";

const anySet = fc.nat(optionSets.length - 1);
const anyForm = fc.constantFrom<("async" | "sync")[]>("async", "sync");
const maybeKey = fc.option(anyKey, { nil: undefined, freq: 2 });

/** Writes the memtable to a table. */
export const flush: Command = command({
  name: "flush",
  weight: 3,
  arguments: fc.boolean(),
  comparesAll: true,
  async run(world, isAwaited) {
    const done = world.store.flush();
    world.later(done);
    if (!isAwaited) return;
    await done;
    await world.settle();
  },
});

/** A table for each of many keys in order, as many short runs leave them: small neighbours. */
export const runs: Command = command({
  name: "runs",
  weight: 1,
  arguments: fc.record({
    from: fc.nat(BULK_KEYS - 1),
    count: fc.integer({ min: 8, max: 40 }),
    isPut: fc.constantFrom(true, true, false),
  }),
  comparesAll: true,
  async run(world, { from, count, isPut }) {
    for (let i = 0; i < Math.min(count, BULK_KEYS - from); i++) {
      const key = BULK_START + from + i;
      if (isPut) world.store.putSync(world.key(key), i);
      else world.store.deleteSync(world.key(key));
      world.apply([[world.binary(key), isPut ? textOf(i) : undefined]], [key]);
      world.acknowledgeAll();
      await world.store.flush();
      await hop(10);
    }
    await world.settle();
  },
});

/** Makes everything durable. */
export const sync: Command = command({
  name: "sync",
  weight: 2,
  arguments: fc.constant(null),
  async run(world) {
    await world.store.sync();
    await world.settle();
  },
});

/** Verifies everything while it may change, and asks for its size. */
export const verify: Command = command({
  name: "verify",
  weight: 1,
  arguments: fc.record({ form: anyForm, isAwaited: fc.boolean() }),
  async run(world, { form, isAwaited }) {
    const { entries } = world.store.approximateSize();
    assert.ok(entries >= world.model.size, `${entries} entries, the map has ${world.model.size}`);
    if (form === "sync") {
      assert.deepEqual(world.store.verifySync().problems, []);
      return;
    }
    const done = world.store.verify().then(
      ({ problems }) => assert.deepEqual(problems, []),
      // The history may close the store, or kill it, in the meantime.
      (error) => assert.ok(error instanceof StoreError && error.code === "CLOSED", String(error)),
    );
    if (isAwaited) await done;
    else world.later(done);
  },
});

/** Lets time pass and the background work. */
export const wait: Command = command({
  name: "wait",
  weight: 3,
  arguments: fc.record({
    hops: fc.nat(100),
    passedMs: fc.constantFrom(0, 1, 1000, 100_000),
    pauses: fc.constantFrom(0, 0, 10, 150),
  }),
  async run(world, { hops, passedMs, pauses }) {
    world.pass(passedMs);
    await hop(hops);
    // An idle store works between pauses.
    for (let i = 0; i < pauses; i++) {
      world.pass(10);
      await hop(10);
    }
  },
});

/** Lets time pass and nothing else happen, so that values expire. */
export const tick: Command = command({
  name: "tick",
  weight: 4,
  arguments: fc.constantFrom(1, 9, 90, 1000, 10_000),
  comparesAll: true,
  run(world, durationMs) {
    world.pass(durationMs);
  },
});

/** Merges a range, and leaves nothing deleted in it. */
export const compact: Command = command({
  name: "compact",
  weight: 2,
  arguments: fc.record({ start: maybeKey, end: maybeKey, isAwaited: fc.boolean() }),
  comparesAll: true,
  async run(world, { start, end, isAwaited }) {
    const range: { start?: Key; end?: Key } = {};
    if (start !== undefined) range.start = world.key(start);
    if (end !== undefined) range.end = world.key(end);
    const done = world.store.compact(range);
    world.later(done);
    if (!isAwaited) return;
    await done;
    await world.settle();
  },
});

/** Closes in good order and opens again, perhaps with other options. */
export const reopen: Command = command({
  name: "reopen",
  weight: 2,
  arguments: fc.record({ options: anySet, form: anyForm, keepsCursors: fc.boolean() }),
  comparesAll: true,
  async run(world, { options, form, keepsCursors }) {
    if (!keepsCursors) await dropCursors(world);
    const left = world.cursors.splice(0);
    if (form === "sync") {
      // A compaction under way is given up, and its callers are told.
      const underWay = world.abandon();
      world.store.closeSync();
      await allAnswered(underWay);
      world.acknowledgeAll();
    } else {
      const underWay = world.abandon();
      await settled(world.store.close(), "close");
      await allAnswered(underWay);
      world.acknowledgeAll();
    }
    assert.equal(world.files.openHandles, 0, "open files after close");
    endSnapshots(world);
    await world.open(options, form);
    if (form === "sync") inspectLevels(world, { isQuiet: true });
    // A cursor that is still open when its store is closed reports that, and nothing else.
    for (const { cursor, isClosed } of left) {
      if (!isClosed) await assert.rejects(cursor.nextMany(1), { code: "CLOSED" });
    }
  },
});

/** Goes on with a copy of the files as they are now, as after a kill. */
export const crash: Command = command({
  name: "crash",
  weight: 2,
  arguments: fc.record({ options: anySet, form: anyForm, hops: fc.nat(30) }),
  comparesAll: true,
  async run(world, { options, form, hops }) {
    // The options decide which part of a write under way is kept. If answers are compared, nothing
    // is.
    if (world.options.isFixed) await world.settle();
    await hop(hops);
    const killed = world.store;
    const underWay = world.abandon();
    world.files = new HistoryFileSystem(
      world.random,
      world.options.asyncFiles,
      world.files,
      DIRECTORY,
    );
    await dropCursors(world);
    await settled(killed.close(), "close of the store that was left alone");
    await settled(Promise.all(underWay), "a call under way at the crash");
    endSnapshots(world);
    await world.open(options, form);
    if (form === "sync") inspectLevels(world, { isQuiet: true });
    const found = new SortedMap();
    for (const [key, value] of world.store.entries()) {
      found.apply([[world.binaryOf(key), takeText(value)]]);
    }
    world.recover(found);
  },
});

const anyCall = fc.record({
  what: fc.constantFrom(
    ...["change", "change", "change", "get", "getMany", "scan", "count", "visit", "pull"],
    ...["flush", "compact", "sync"],
  ),
  change: anyChange,
  range: anyRange,
});

type Call = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

/**
 * Closes the store while calls are under way. Writes that were accepted must be kept, reads give
 * what they should or a ClosedError, later calls a ClosedError, and everything settles.
 */
export const close: Command = command({
  name: "close",
  weight: 2,
  arguments: fc.record({
    calls: fc.array(anyCall, { minLength: 1, maxLength: 8 }),
    hops: fc.nat(30),
    options: anySet,
    form: anyForm,
  }),
  comparesAll: true,
  async run(world, { calls, hops, options, form }) {
    const { store } = world;
    const answers = Promise.allSettled(calls.map((call) => answerOf(world, call)));
    await hop(hops);
    const closing = form === "sync" ? Promise.resolve(store.closeSync()) : store.close();
    const late = [store.put("a", 1), store.delete("a"), store.get("a"), store.flush()].map(
      (call) => assert.rejects(call, { code: "CLOSED" }),
    );
    const again = form === "sync" ? store.closeSync() : store.close();
    await settled(closing, "close");
    await again;
    for (const outcome of await settled(answers, "a call under way at close")) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    await settled(Promise.all(late), "a call after close");
    assert.throws(() => store.putSync("a", 1), { code: "CLOSED" });
    assert.throws(() => store.entries(), { code: "CLOSED" });
    await allAnswered(world.abandon());
    world.acknowledgeAll();
    world.cursors.length = 0;
    assert.equal(world.files.openHandles, 0, "open files after close");
    endSnapshots(world);
    await world.open(options, form);
  },
});

/** Starts a call; the promise resolves when it has answered as it may while the store is closed. */
function answerOf(world: World, { what, change, range }: Call): Promise<void> {
  const { store } = world;
  const expected = world.expected(change.key);
  const entries = world.select(range).slice(0, range.limit).map(([key, text]) => key + text);
  switch (what) {
    case "change":
      // It was accepted, so it has to succeed.
      return startChange(world, change, "async");
    case "get":
      return closedOr(store.get(world.key(change.key)), (value) => {
        assert.equal(takeText(value), expected);
      });
    case "getMany":
      return closedOr(store.getMany([world.key(change.key)]), ([value]) => {
        assert.equal(takeText(value), expected);
      });
    case "scan":
      return closedOr(store.entries(world.range(range)).toArray(), (items) => {
        assert.deepEqual(items.map(world.entryText), entries);
      });
    case "count":
      return closedOr(store.count(world.range(range)), (count) => {
        assert.equal(count, entries.length);
      });
    case "visit": {
      const all = world.select({ gte: change.key, reverse: false });
      let seen = 0;
      const visiting = store.scanRange(world.key(change.key), new Uint8Array(3).fill(255), () => {
        seen++;
      });
      const before = all.filter(([key]) => key < "\xff\xff\xff").length;
      return closedOr(visiting, () => assert.equal(seen, before));
    }
    case "pull": {
      const held = world.held(change.key);
      if (held === undefined) return Promise.resolve();
      return closedOr(held.cursor.nextMany(10), (items) => {
        for (const item of items) assert.ok(world.entryText(item).length > 0);
      });
    }
    case "flush":
      return closedOr(store.flush(), () => {});
    case "sync":
      return closedOr(store.sync(), () => {});
    default:
      return closedOr(store.compact(), () => {});
  }
}

/** A call that gives its answer, or says that the store was closed. */
async function closedOr<T>(call: Promise<T>, check: (answer: T) => void): Promise<void> {
  let answer: T;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof StoreError && error.code === "CLOSED") return;
    throw error;
  }
  check(answer);
}

/**
 * Waits for calls that were under way at a close: they succeed, or say that the store was closed.
 */
async function allAnswered(calls: Promise<PromiseSettledResult<void>>[]): Promise<void> {
  for (const outcome of await settled(Promise.all(calls), "a call under way at close")) {
    if (outcome.status === "rejected") {
      await closedOr(Promise.reject(outcome.reason), () => {});
    }
  }
}

async function dropCursors(world: World): Promise<void> {
  for (const { cursor } of world.cursors.splice(0)) await cursor.close();
}
