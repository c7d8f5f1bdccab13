/** Commands that delete ranges: alone, in batches and in transactions. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { DeletedRange, EmbeddedTransaction } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { anyChange, anyKey, type Change, mapChange, spoil, timeOf } from "./commands_write.ts";
import { BULK_KEYS, BULK_START } from "./keys.ts";
import { type MapChange, type RangeChoice, SortedMap } from "./sorted_map.ts";
import { makeValue, takeText } from "./values.ts";
import type { World } from "./world.ts";

/** Bounds of a deletion. */
type Bounds = Pick<RangeChoice, "prefix" | "gte" | "gt" | "lte" | "lt">;

/** A step of a batch: a change of one key, or the deletion of a range. */
type Step = Change | { readonly range: Bounds };

const bulkRange: fc.Arbitrary<Bounds> = fc.record({
  from: fc.nat(BULK_KEYS - 1),
  count: fc.nat(60),
}).map(({ from, count }) => ({
  gte: BULK_START + from,
  lt: BULK_START + Math.min(BULK_KEYS - 1, from + count),
}));

/** Ranges to delete: mostly a part of the bulk keys, rarely a half or all of the store. */
const anyBounds: fc.Arbitrary<Bounds> = fc.oneof(
  { arbitrary: bulkRange, weight: 12 },
  { arbitrary: fc.record({ gte: anyKey, lt: anyKey }), weight: 4 },
  { arbitrary: fc.record({ gt: anyKey, lte: anyKey }), weight: 3 },
  { arbitrary: fc.record({ prefix: anyKey }), weight: 3 },
  { arbitrary: fc.record({ gt: anyKey }), weight: 1 },
  { arbitrary: fc.record({ lt: anyKey }), weight: 1 },
  { arbitrary: fc.constant({}), weight: 1 },
);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: anyChange, weight: 3 },
  { arbitrary: fc.record({ range: anyBounds }), weight: 1 },
);

/** The bounds in the form of the store. */
function boundsOf(world: World, bounds: Bounds): DeletedRange {
  const { prefix, gte, gt, lte, lt } = world.range({ ...bounds, reverse: false });
  const range: DeletedRange = {};
  for (const [name, bound] of Object.entries({ prefix, gte, gt, lte, lt })) {
    if (bound !== undefined) range[name as keyof DeletedRange] = bound;
  }
  return range;
}

/** What the steps do to the map, and the keys that they touch. */
function changesOf(
  world: World,
  steps: readonly Step[],
): { changes: MapChange[]; touched: number[] } {
  const model = new SortedMap(world.model);
  const changes: MapChange[] = [];
  const touched: number[] = [];
  for (const step of steps) {
    const made: MapChange[] = "range" in step
      ? model.select({ ...step.range, reverse: false }, world.binary).map(([key]) => [
        key,
        undefined,
      ])
      : [mapChange(world, step)];
    if ("range" in step) {
      for (const key of Object.values(step.range)) if (key !== undefined) touched.push(key);
    } else touched.push(step.key);
    model.apply(made);
    changes.push(...made);
  }
  return { changes, touched };
}

/** A deletion of a range. */
export const deleteRange: Command = command({
  name: "deleteRange",
  weight: 5,
  comparesAll: true,
  arguments: fc.record({
    range: anyBounds,
    form: fc.constantFrom("sync", "async", "later", "write"),
  }),
  async run(world, { range, form }) {
    const { store } = world;
    const given = boundsOf(world, range);
    const prefix = Object.keys(given).join() === "prefix" ? given.prefix : undefined;
    let done: Promise<void> | undefined;
    if (form === "sync") {
      if (prefix !== undefined) store.deletePrefixSync(prefix);
      else if (Object.keys(given).length === 0) store.clearSync();
      else store.deleteRangeSync(given);
    } else if (form === "write") done = store.write([{ type: "deleteRange", range: given }]);
    else if (prefix !== undefined) done = store.deletePrefix(prefix);
    else if (Object.keys(given).length === 0) done = store.clear();
    else done = store.deleteRange(given);
    for (const bound of Object.values(given)) spoil(bound, undefined);
    const { changes, touched } = changesOf(world, [{ range }]);
    world.apply(changes, touched);
    if (done !== undefined) {
      world.later(done);
      if (form === "later") return;
      await done;
    }
    world.acknowledgeAll();
  },
});

/** A batch with deletions of ranges between changes of keys. */
export const rangeBatch: Command = command({
  name: "rangeBatch",
  weight: 3,
  arguments: fc.record({ steps: fc.array(anyStep, { maxLength: 10 }), isSync: fc.boolean() }),
  async run(world, { steps, isSync }) {
    const batch = world.store.batch();
    for (const step of steps) {
      if ("range" in step) {
        batch.deleteRange(boundsOf(world, step.range));
        continue;
      }
      const key = world.key(step.key);
      if (step.value === undefined) batch.delete(key);
      else batch.put(key, makeValue(step.value), timeOf(world, step));
    }
    const done = isSync ? world.store.writeSync(batch) : batch.write();
    const { changes, touched } = changesOf(world, steps);
    world.apply(changes, touched);
    if (done !== undefined) {
      world.later(done);
      await done;
    }
    world.acknowledgeAll();
  },
});

/** A transaction that deletes ranges, and reads what it has left. */
export const rangeTransaction: Command = command({
  name: "rangeTransaction",
  weight: 3,
  arguments: fc.record({
    steps: fc.array(anyStep, { maxLength: 24 }),
    range: anyRange,
    isSync: fc.boolean(),
  }),
  async run(world, { steps, range, isSync }) {
    const { changes, touched } = changesOf(world, steps);
    const body = (tx: EmbeddedTransaction): void => {
      for (const step of steps) {
        if ("range" in step) tx.deleteRangeSync(boundsOf(world, step.range));
        else if (step.value === undefined) tx.deleteSync(world.key(step.key));
        else tx.putSync(world.key(step.key), makeValue(step.value), timeOf(world, step));
      }
      const model = new SortedMap(world.model);
      model.apply(changes);
      for (const key of touched) {
        const expected = model.get(world.binary(key)) ?? "absent";
        world.compare([takeText(tx.getSync(world.key(key)))], [expected]);
      }
      const entries = model.select(range, world.binary).slice(0, range.limit);
      const found = Array.from(tx.entries(world.range(range)), world.entryText);
      world.compare(found, entries.map(([key, text]) => key + text));
      assert.equal(tx.countSync(world.range(range)), entries.length);
    };
    if (isSync) world.store.transactionSync(body);
    else await world.store.transaction(body);
    world.apply(changes, touched);
    world.acknowledgeAll();
  },
});
