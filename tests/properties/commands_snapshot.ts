/** Commands on snapshots: what they show must stay what it was, whatever happens to the store. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Command, command } from "./command.ts";
import { anyRange } from "./commands_read.ts";
import { anyKey } from "./commands_write.ts";
import { SortedMap } from "./sorted_map.ts";
import { takeText } from "./values.ts";
import type { World } from "./world.ts";

const MAX_SNAPSHOTS = 4;
const anySnapshot: fc.Arbitrary<number> = fc.nat(MAX_SNAPSHOTS - 1);

/** Takes a snapshot, and a copy of the map. */
export const openSnapshot: Command = command({
  name: "openSnapshot",
  weight: 2,
  arguments: fc.constant(null),
  run(world) {
    if (world.snapshots.length >= MAX_SNAPSHOTS) return;
    world.snapshots.push({
      snapshot: world.store.snapshot(),
      model: new SortedMap(world.model),
    });
  },
});

/** Reads from one. */
export const readSnapshot: Command = command({
  name: "readSnapshot",
  weight: 4,
  arguments: fc.record({
    at: anySnapshot,
    key: anyKey,
    range: anyRange,
    form: fc.constantFrom("get", "getSync", "getMany", "has", "sync", "async", "count"),
  }),
  async run(world, { at, key, range, form }) {
    const held = world.snapshots[at % Math.max(1, world.snapshots.length)];
    if (held === undefined) return;
    const { snapshot, model } = held;
    const given = world.key(key);
    const expected = model.get(world.binary(key)) ?? "absent";
    const found: string[] = [];
    const entries = model.select(range, world.binary).slice(0, range.limit);
    const both = entries.map(([key, text]) => key + text);
    switch (form) {
      case "get":
        return world.compare([takeText(await snapshot.get(given))], [expected]);
      case "getSync":
        return world.compare([takeText(snapshot.getSync(given))], [expected]);
      case "getMany":
        return world.compare((await snapshot.getMany([given])).map(takeText), [expected]);
      case "has":
        return world.compare([String(await snapshot.has(given))], [String(expected !== "absent")]);
      case "sync":
        for (const item of snapshot.entries(world.range(range))) found.push(world.entryText(item));
        return world.compare(found, both);
      case "async":
        for await (const item of snapshot.entries(world.range(range))) {
          found.push(world.entryText(item));
        }
        return world.compare(found, both);
      default: {
        const count = await snapshot.count(world.range(range));
        return world.compare([String(count)], [String(entries.length)]);
      }
    }
  },
});

/** Closes one. After that it reports that it is closed. */
export const closeSnapshot: Command = command({
  name: "closeSnapshot",
  weight: 1,
  arguments: anySnapshot,
  run(world, at) {
    const [held] = world.snapshots.splice(at % Math.max(1, world.snapshots.length), 1);
    if (held === undefined) return;
    held.snapshot.close();
    assert.throws(() => held.snapshot.getSync("a"), { code: "CLOSED" });
  },
});

/** The store was closed: its snapshots report that, and nothing else. */
export function endSnapshots(world: World): void {
  for (const { snapshot } of world.snapshots.splice(0)) {
    assert.throws(() => snapshot.getSync("a"), { code: "CLOSED" });
    assert.throws(() => snapshot.entries(), { code: "CLOSED" });
    snapshot.close();
  }
}
