/**
 * Commands that call the store from inside of it: from the body of a loop over a cursor, from a
 * visitor, and from a getter of a value that is being stored. The iteration must continue over the
 * state that it began with, and the calls must see and change the present one.
 */

import fc from "fast-check";
import type { Value } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { anyChange, anyKey, changeNow, startChange } from "./commands_write.ts";
import { takeText } from "./values.ts";
import type { World } from "./world.ts";

const anyAct = fc.record({
  /** At which item of the iteration. */
  at: fc.nat(12),
  what: fc.constantFrom("put", "later", "get", "scan", "flush", "compact", "getter"),
  change: anyChange,
});

type Act = typeof anyAct extends fc.Arbitrary<infer T> ? T : never;

/** Calls back into the store from an iteration. */
export const reenter: Command = command({
  name: "reenter",
  weight: 3,
  arguments: fc.record({
    range: anyRange,
    form: fc.constantFrom("sync", "async", "visit"),
    acts: fc.array(anyAct, { minLength: 1, maxLength: 6 }),
  }),
  async run(world, { range, form, acts }) {
    const expected = world.select(range).slice(0, range.limit).map(([key, text]) => key + text);
    const found: string[] = [];
    const onItem = (item: [string | Uint8Array, Value]): void => {
      for (const act of acts) if (act.at === found.length) perform(world, act);
      found.push(world.entryText(item));
    };
    if (form === "sync") {
      for (const item of world.store.entries(world.range(range))) onItem(item);
      return world.compare(found, expected);
    }
    if (form === "async") {
      for await (const item of world.store.entries(world.range(range))) {
        onItem(item);
        // One in the body of the loop is awaited, too.
        if (acts[0]?.at === found.length) {
          const wanted = world.expected(acts[0].change.key);
          const value = await world.store.get(world.key(acts[0].change.key));
          world.compare([takeText(value)], [wanted]);
        }
      }
      return world.compare(found, expected);
    }
    const prefix = range.prefix ?? 0;
    const all = world.select({ prefix, reverse: false }).map(([key, text]) => key + text);
    await world.store.scanPrefix(world.key(prefix), (key, value) => onItem([key, value]));
    world.compare(found, all);
  },
});

function perform(world: World, { what, change }: Act): void {
  const { store } = world;
  switch (what) {
    case "put":
      return changeNow(world, change);
    case "later":
      return world.later(startChange(world, change, "async"));
    case "get":
      return world.compare(
        [takeText(store.getSync(world.key(change.key)))],
        [world.expected(change.key)],
      );
    case "scan": {
      const found: string[] = [];
      for (const item of store.entries({ gte: world.key(change.key), limit: 5 })) {
        found.push(world.entryText(item));
      }
      const near = world.model.near(world.binary(change.key), false, 5);
      return world.compare(found, near.map(([key, text]) => key + text));
    }
    case "flush":
      return world.later(store.flush());
    case "compact":
      return world.later(store.compact());
    default:
      return putWithGetter(world, change.key, 5);
  }
}

/** Stores a record whose getter stores another one, which comes first. */
function putWithGetter(world: World, key: number, number: number): void {
  const inner = { key: key + 1, value: { kind: 5, seed: number } };
  const value = {
    get n(): number {
      changeNow(world, inner);
      return number;
    },
  };
  world.store.putSync(world.key(key), value);
  world.apply([[world.binary(key), `record {"n":${number}}`]], [key]);
  world.acknowledgeAll();
}

/** Calls back into the store from a getter. */
export const getter: Command = command({
  name: "getter",
  weight: 1,
  arguments: fc.record({ key: anyKey, number: fc.nat(99) }),
  run: (world, { key, number }) => putWithGetter(world, key, number),
});
