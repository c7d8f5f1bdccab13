/** Transactions in histories: one at a time, which also reads its own writes. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { EmbeddedTransaction } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { anyChange, type Change, mapChange, spoil, timeOf } from "./commands_write.ts";
import { type RangeChoice, SortedMap } from "./sorted_map.ts";
import { makeValue, takeText } from "./values.ts";
import type { World } from "./world.ts";

/** The error of a body that must leave nothing. */
class GivenUp extends Error {
  override readonly name: string = "GivenUp";
}

/**
 * Some changes, then a scan and a get that must show them, and then the commit, or an error that
 * undoes them.
 */
export const transaction: Command = command({
  name: "transaction",
  weight: 6,
  arguments: fc.record({
    changes: fc.array(anyChange, { maxLength: 24 }),
    range: anyRange,
    isSync: fc.boolean(),
    isGivenUp: fc.boolean(),
  }),
  async run(world, { changes, range, isSync, isGivenUp }) {
    const { store } = world;
    const body = (tx: EmbeddedTransaction): void => {
      for (const change of changes) write(world, tx, change);
      const model = new SortedMap(world.model);
      model.apply(changes.map((change) => mapChange(world, change)));
      readBack(world, tx, changes, range, model);
      if (isGivenUp) throw new GivenUp();
    };
    try {
      if (isSync) store.transactionSync(body);
      else await store.transaction(body);
      assert.ok(!isGivenUp, "a body that throws has committed");
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      return;
    }
    world.apply(
      changes.map((change) => mapChange(world, change)),
      changes.map(({ key }) => key),
    );
    world.acknowledgeAll();
  },
});

function write(world: World, tx: EmbeddedTransaction, change: Change): void {
  const key = world.key(change.key);
  const value = change.value === undefined ? undefined : makeValue(change.value);
  if (value === undefined) tx.deleteSync(key);
  else tx.putSync(key, value, timeOf(world, change));
  spoil(key, value);
}

function readBack(
  world: World,
  tx: EmbeddedTransaction,
  changes: readonly Change[],
  range: RangeChoice,
  model: SortedMap,
): void {
  for (const { key } of changes) {
    const expected = model.get(world.binary(key)) ?? "absent";
    world.compare([takeText(tx.getSync(world.key(key)))], [expected]);
  }
  const entries = model.select(range, world.binary).slice(0, range.limit);
  const found: string[] = [];
  for (const item of tx.entries(world.range(range))) found.push(world.entryText(item));
  world.compare(found, entries.map(([key, text]) => key + text));
  assert.equal(tx.countSync(world.range(range)), entries.length);
}
