// Scans that jump over what earlier ones have found to be dead: how little they walk, and that they
// never jump over a key that lives.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedSnapshot,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  type Range,
} from "../../mod.ts";
import { DeadRanges } from "../../src/store/state/dead_ranges.ts";
import { boundKey } from "../../src/store/state/range.ts";
import type { Random } from "../support/random.ts";
import { withSeed, withSeedAsync } from "../support/seeded.ts";

/** What a scan may walk over for each entry that is taken, as a mean. */
const PER_POP = 8;

function keyOf(n: number): string {
  return `job ${String(n).padStart(8, "0")}`;
}

function fill(store: EmbeddedStore, from: number, to: number): void {
  const batch = store.batch();
  for (let i = from; i < to; i++) batch.put(keyOf(i), i);
  store.writeSync(batch);
}

function first(store: EmbeddedStore, range: Range = {}): string | undefined {
  const [key] = store.keys({ ...range, limit: 1 });
  return key as string | undefined;
}

function requireFew(store: EmbeddedStore, pops: number, what: string): void {
  const { tombstones } = store.stats().scan;
  console.log(`${what}: ${pops} taken, ${tombstones} tombstones walked over`);
  assert.ok(tombstones <= PER_POP * pops, `${what}: ${tombstones} tombstones for ${pops} pops`);
}

test("Taking the first entry again and again does not walk over all deleted ones", () => {
  for (const reverse of [false, true]) {
    for (const count of [4000, 16_000]) {
      const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
      fill(store, 0, count);
      let pops = 0;
      for (
        let key = first(store, { reverse });
        key !== undefined;
        key = first(store, { reverse })
      ) {
        assert.equal(key, keyOf(reverse ? count - 1 - pops : pops));
        store.deleteSync(key);
        pops++;
      }
      assert.equal(pops, count);
      requireFew(store, count, `${count}, ${reverse ? "reverse" : "forward"}`);
      store.closeSync();
    }
  }
});

test("Reading a queue that grows at its end does not walk over its deleted head", async () => {
  // Small memtables, so that flushes and compactions come in between.
  await using store = await open("/db", {
    fileSystem: memoryFileSystem(),
    walSync: "none",
    memtableSizeBytes: 65536,
  });
  let head = 0;
  let tail = 0;
  for (let round = 0; round < 6000; round++) {
    const pending = [store.put(keyOf(tail++), "x"), store.put(keyOf(tail++), "x")];
    for (let taken = 0; taken < (round < 3000 ? 1 : 3); taken++) {
      for await (const key of store.keys({ prefix: "job ", limit: 1 })) {
        assert.equal(key, keyOf(head++));
        pending.push(store.delete(key));
      }
    }
    await Promise.all(pending);
  }
  assert.equal(head, tail);
  requireFew(store, head, "queue");
});

test("Nor does reading several queues, or one after an entry that stays", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  const queues = ["a ", "b ", "c ", "d "];
  const batch = store.batch();
  for (const queue of queues) {
    batch.put(`${queue}0 stays`, true);
    for (let i = 0; i < 2000; i++) batch.put(queue + keyOf(i), i);
  }
  store.writeSync(batch);
  for (let i = 0; i < 2000; i++) {
    for (const queue of queues) {
      const [, key] = store.keys({ prefix: queue, limit: 2 });
      assert.equal(key, queue + keyOf(i));
      store.deleteSync(key!);
    }
  }
  // A dead stretch after an entry is found after some of it was walked over, up to a run.
  const { tombstones } = store.stats().scan;
  assert.ok(tombstones <= 64 * 8000, `${tombstones} tombstones`);
  store.closeSync();
});

test("Reading a stack of new keys does not walk over the deleted ones", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  store.putSync("job", "the end");
  const pops = 4000;
  for (let i = 0; i < pops; i++) {
    const key = `a ${String(99_999 - i)}`;
    store.putSync(key, i);
    assert.equal(first(store), key);
    store.deleteSync(key);
    assert.equal(first(store), "job");
  }
  requireFew(store, 2 * pops, "stack");
  store.closeSync();
});

test("A put into a skipped stretch is seen, forward and in reverse, alone and in a batch", () => {
  for (const reverse of [false, true]) {
    for (const at of [0, 1, 50, 98, 99]) {
      const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
      fill(store, 0, 100);
      for (let i = 0; i < 100; i++) store.deleteSync(keyOf(i));
      for (let i = 0; i < 2; i++) assert.equal(first(store, { reverse }), undefined);
      if (at === 50) store.writeSync([{ type: "put", key: keyOf(at), value: 1 }]);
      else store.putSync(keyOf(at), 1);
      assert.equal(first(store, { reverse }), keyOf(at));
      assert.equal(first(store, { reverse: !reverse }), keyOf(at));
      store.deleteSync(keyOf(at));
      assert.equal(first(store, { reverse }), undefined);
      store.closeSync();
    }
  }
});

test("A snapshot from before a stretch was deleted does not skip it", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  fill(store, 0, 100);
  using snapshot = store.snapshot();
  const cursor = store.keys();
  for (let i = 0; i < 100; i++) store.deleteSync(keyOf(i));
  assert.equal(first(store), undefined);
  assert.equal([...snapshot.keys()].length, 100);
  assert.equal([...cursor].length, 100);
  store.closeSync();
});

test("A put while a scan waits for a block in the middle of a stretch is seen by the next scan", async () => {
  const fileSystem = memoryFileSystem();
  const options: Options = {
    fileSystem,
    walSync: "none",
    compression: "none",
    blockCacheSizeBytes: 0,
    l0CompactionTrigger: 100,
    backgroundThread: false,
  };
  const filling = await open("/db", options);
  const count = 1000;
  for (let i = 0; i < count; i++) filling.putSync(keyOf(i), "x".repeat(1000));
  await filling.flush();
  for (let i = 0; i < count; i++) filling.deleteSync(keyOf(i));
  await filling.close();
  await using store = await open("/db", options);
  for (let round = 0; round < 60; round++) {
    const reverse = round % 2 === 0;
    const at = round * 331 % count;
    let isDone = false;
    const all = store.keys({ reverse }).toArray().finally(() => isDone = true);
    // The walk waits for a read of 128 KiB every 120 entries or so.
    for (let turn = 0; turn < round && !isDone; turn++) await Promise.resolve();
    store.putSync(keyOf(at), 1);
    assert.deepEqual(await all, []);
    assert.equal(first(store, { reverse }), keyOf(at), `round ${round}`);
    assert.equal(first(store, { reverse: !reverse }), keyOf(at), `round ${round}`);
    store.deleteSync(keyOf(at));
    // Everything has to be walked over again the next time.
    for (let i = 0; i < 40; i++) store.putSync(keyOf(i * 25), 1);
    for (let i = 0; i < 40; i++) store.deleteSync(keyOf(i * 25));
  }
});

test("DeadRanges never say that a live key is dead", () => {
  let hits = 0;
  for (let seed = 1; seed <= 100; seed++) {
    withSeed(seed, (random) => {
      let sequence = 0;
      const ranges = new DeadRanges(() => sequence);
      /** Since when each key is dead, or undefined while it lives. */
      const deadSince: (number | undefined)[] = Array.from({ length: 100 }, () => 0);
      const key = (n: number) => boundKey(String(n).padStart(3, "0"));
      const keyAfter = (n: number) => n >= 100 ? undefined : key(n);
      const walks: { walk: ReturnType<DeadRanges["begin"]>; at: number; state: boolean[] }[] = [];
      for (let step = 0; step < 200; step++) {
        const n = random.below(100);
        const what = random.below(10);
        if (what < 2) {
          const { view, bytes } = key(n);
          ranges.notePut(view, 0, bytes.length);
          deadSince[n] = undefined;
          sequence++;
        } else if (what < 5) {
          sequence++;
          for (let i = n; i < Math.min(100, n + 10); i++) deadSince[i] ??= sequence;
        } else if (what < 7) {
          const reverse = random.below(2) === 0;
          const from = reverse ? keyAfter(n + 1) : key(n);
          const walk = ranges.begin(from, reverse, sequence);
          walks.push({ walk, at: n, state: deadSince.map((since) => since !== undefined) });
        } else if (what < 9 && walks.length > 0) {
          const [{ walk, at, state }] = walks.splice(random.below(walks.length), 1) as [
            typeof walks[number],
          ];
          let to = at;
          if (walk!.reverse) {
            while (to >= 0 && state[to]) to--;
            ranges.end(walk!, key(to + 1), 0);
          } else {
            while (to < 100 && state[to]) to++;
            ranges.end(walk!, keyAfter(to), 0);
          }
        }
        const { view, bytes } = key(n);
        const asOf = Math.max(0, sequence - random.below(3));
        const range = ranges.holding(view, 0, bytes.length, asOf, 0);
        if (range === undefined) continue;
        hits++;
        for (let i = 0; i < 100; i++) {
          const text = String(i).padStart(3, "0");
          const { lower, upper } = range;
          const isInside = text >= String.fromCharCode(...lower.bytes) &&
            (upper === undefined || text < String.fromCharCode(...upper.bytes));
          if (isInside) {
            assert.ok((deadSince[i] ?? Infinity) <= asOf, `step ${step}: ${text} lives`);
          }
        }
      }
    });
  }
  assert.ok(hits > 500, `only ${hits} stretches were looked at`);
});

const sets: readonly Options[] = [
  { walSync: "none" },
  { walSync: "none", memtableSizeBytes: 4096, blockSizeBytes: 256, compression: "none" },
  { walSync: "none", memtableSizeBytes: 8192, blockCacheSizeBytes: 0, l0CompactionTrigger: 2 },
];

test("Scans that skip stretches show what a sorted map shows, beside writes, snapshots and paused cursors", async () => {
  for (let seed = 1; seed <= 15; seed++) {
    await withSeedAsync(seed, async (random) => {
      const options = { ...sets[seed % sets.length]!, fileSystem: memoryFileSystem() };
      const store = await open("/db", options);
      const model = new Map<string, number>();
      const views: { reader: EmbeddedStore | EmbeddedSnapshot; state: Map<string, number> }[] = [];
      const pending: Promise<void>[] = [];
      for (let step = 0; step < 250; step++) {
        write(store, model, random, step, pending);
        if (random.below(20) === 0) {
          if (views.length > 2) (views.shift()!.reader as EmbeddedSnapshot).close();
          views.push({ reader: store.snapshot(), state: new Map(model) });
        }
        const { reader, state } = random.below(4) === 0 && views.length > 0
          ? random.pick(views)
          : { reader: store, state: model };
        const range = randomRange(random);
        const expected = expectedOf(state, range);
        const what = `step ${step}: ${JSON.stringify(range)}`;
        const way = random.below(4);
        if (way === 0) {
          assert.equal(await reader.count(range), expected.length, what);
        } else if (way === 1) {
          // Others write while it is open.
          const cursor = reader.keys(range);
          const found: (string | Uint8Array)[] = [];
          for await (const key of cursor) {
            found.push(key);
            write(store, model, random, step, pending);
          }
          assert.deepEqual(found, expected, what);
        } else if (way === 2) {
          // Others write while it loads.
          const all = reader.keys(range).toArray();
          for (let i = 0; i < 3; i++) write(store, model, random, step, pending);
          assert.deepEqual(await all, expected, what);
        } else {
          assert.deepEqual([...reader.keys(range)], expected, what);
        }
        if (random.below(40) === 0) pending.push(store.flush());
        if (random.below(80) === 0) await store.compact();
        if (random.below(10) === 0) await Promise.all(pending.splice(0));
      }
      await Promise.all(pending);
      for (const { reader } of views) (reader as EmbeddedSnapshot).close();
      await store.close();
    });
  }
});

/**
 * Mostly deletes of many adjacent keys, so that there are stretches to skip, and some puts into
 * them.
 */
function write(
  store: EmbeddedStore,
  model: Map<string, number>,
  random: Random,
  step: number,
  pending: Promise<void>[],
): void {
  const n = random.below(300);
  const what = random.below(8);
  if (what < 2) {
    model.set(keyOf(n), step);
    pending.push(store.put(keyOf(n), step));
  } else if (what < 4) {
    const batch = store.batch();
    for (let i = n; i < n + 40; i++) {
      const isPut = random.below(10) === 0;
      if (isPut) {
        model.set(keyOf(i), step);
        batch.put(keyOf(i), step);
      } else {
        model.delete(keyOf(i));
        batch.delete(keyOf(i));
      }
    }
    pending.push(batch.write());
  } else if (what < 5) {
    model.delete(keyOf(n));
    pending.push(store.delete(keyOf(n)));
  }
}

function randomRange(random: Random): Range {
  const range: Range = { reverse: random.below(2) === 0 };
  if (random.below(2) === 0) range.gte = keyOf(random.below(320));
  if (random.below(2) === 0) range.lt = keyOf(random.below(320));
  if (random.below(2) === 0) range.limit = 1 + random.below(3);
  return range;
}

function expectedOf(state: Map<string, number>, range: Range): string[] {
  const keys = [...state.keys()].sort().filter((key) =>
    (range.gte === undefined || key >= String(range.gte)) &&
    (range.lt === undefined || key < String(range.lt))
  );
  if (range.reverse) keys.reverse();
  return keys.slice(0, range.limit ?? Infinity);
}
