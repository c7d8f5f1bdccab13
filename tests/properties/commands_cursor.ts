/** Commands on cursors that stay open while the store is written to, flushed and compacted. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Value } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { anyKey } from "./commands_write.ts";
import { SortedMap } from "./sorted_map.ts";
import type { HeldCursor, World } from "./world.ts";

const MAX_CURSORS = 6;
const anyCursor: fc.Arbitrary<number> = fc.nat(MAX_CURSORS - 1);

/** Opens a cursor; from then on it is a snapshot. */
export const openCursor: Command = command({
  name: "openCursor",
  weight: 4,
  arguments: anyRange,
  run(world, range) {
    if (world.cursors.length >= MAX_CURSORS) return;
    world.cursors.push({
      cursor: world.store.entries(world.range(range)),
      range,
      entries: world.select(range),
      at: 0,
      remaining: range.limit ?? Infinity,
      isEnded: false,
      isLooped: false,
      isClosed: false,
    });
  },
});

/** Takes items. */
export const pull: Command = command({
  name: "pull",
  weight: 8,
  arguments: fc.record({
    cursor: anyCursor,
    count: fc.integer({ min: 1, max: 30 }),
    form: fc.constantFrom("sync", "async", "many"),
  }),
  async run(world, { cursor, count, form }) {
    const held = world.held(cursor);
    if (held !== undefined) await pullFrom(world, held, count, form);
  },
});

/** Moves to a key, forwards or backwards. */
export const seek: Command = command({
  name: "seek",
  weight: 3,
  arguments: fc.record({ cursor: anyCursor, key: anyKey }),
  run(world, { cursor, key }) {
    const held = world.held(cursor);
    if (held === undefined) return;
    if (held.isClosed) {
      assert.throws(() => held.cursor.seek(world.key(key)), { code: "CLOSED" });
      return;
    }
    held.cursor.seek(world.key(key));
    const wanted = world.binary(key);
    held.isEnded = false;
    const probe = new SortedMap();
    probe.apply([[wanted, ""]]);
    if (probe.select(held.range, (index) => world.binary(index)).length === 0) {
      // Outside the range.
      held.at = held.entries.length;
      return;
    }
    const at = held.entries.findIndex(([entry]) =>
      held.range.reverse ? entry <= wanted : entry >= wanted
    );
    held.at = at < 0 ? held.entries.length : at;
  },
});

/** Closes one. */
export const closeCursor: Command = command({
  name: "closeCursor",
  weight: 1,
  arguments: anyCursor,
  async run(world, cursor) {
    const [held] = world.cursors.splice(cursor % Math.max(1, world.cursors.length), 1);
    await held?.cursor.close();
  },
});

/**
 * Takes items from a held cursor and compares them. The end closes a cursor that a loop goes
 * through, one that an asynchronous loop has gone through ever since.
 */
export async function pullFrom(
  world: World,
  held: HeldCursor,
  count: number,
  form: string,
): Promise<void> {
  const items: [string | Uint8Array, Value][] = [];
  if (form === "sync") {
    const iterator = held.cursor[Symbol.iterator]();
    while (items.length < count) {
      const { done, value } = iterator.next();
      if (done) break;
      items.push(value);
    }
  } else if (form === "many") {
    items.push(...await held.cursor.nextMany(count));
  } else {
    // Calls that overlap.
    const iterator = held.cursor[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: count }, () => iterator.next()));
    for (const { done, value } of results) if (!done) items.push(value);
  }
  const room = Math.min(count, held.remaining);
  const expected = held.isEnded ? [] : held.entries.slice(held.at, held.at + room);
  held.at += expected.length;
  held.remaining -= expected.length;
  if (form === "async") held.isLooped = true;
  if (expected.length < count) {
    held.isEnded = true;
    if (held.isLooped || form === "sync") held.isClosed = true;
  }
  world.compare(items.map(world.entryText), expected.map(([key, text]) => key + text));
}

/** Takes all that is left in every cursor. */
export async function drainCursors(world: World): Promise<void> {
  for (const held of world.cursors) {
    while (!held.isEnded) await pullFrom(world, held, 50, "many");
  }
}
