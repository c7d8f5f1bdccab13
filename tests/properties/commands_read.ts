/** Commands that read: single keys, several, and ranges in every form. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Value } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { anyKey } from "./commands_write.ts";
import { latin1 } from "./keys.ts";
import type { RangeChoice } from "./sorted_map.ts";
import { takeText } from "./values.ts";
import type { World } from "./world.ts";

const maybeKey: fc.Arbitrary<number | undefined> = fc.option(anyKey, { nil: undefined, freq: 2 });
/** `fc.option` with a `freq` of 1 would never make a key. */
const rarelyKey: fc.Arbitrary<number | undefined> = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 5 },
  { arbitrary: anyKey, weight: 1 },
);

/** Ranges with any combination of bounds, in both directions. */
export const anyRange: fc.Arbitrary<RangeChoice> = fc.record({
  prefix: rarelyKey,
  gte: maybeKey,
  gt: rarelyKey,
  lte: rarelyKey,
  lt: maybeKey,
  reverse: fc.boolean(),
  limit: fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 3 },
    { arbitrary: fc.nat(40), weight: 1 },
  ),
});

const typedNames = {
  bigint: "Int64",
  number: "Float64",
  boolean: "Bool",
  string: "String",
  bytes: "Bytes",
  record: "Map",
} as const;

/** One key. */
export const get: Command = command({
  name: "get",
  weight: 8,
  arguments: fc.record({
    key: anyKey,
    form: fc.constantFrom("get", "getSync", "has", "hasSync", "typed", "entry"),
  }),
  async run(world, { key, form }) {
    const { store } = world;
    const expected = world.expected(key);
    const given = world.key(key);
    switch (form) {
      case "get":
        return world.compare([takeText(await store.get(given))], [expected]);
      case "getSync":
        return world.compare([takeText(store.getSync(given))], [expected]);
      case "entry": {
        const entry = await store.getEntry(given);
        const time = world.model.timeOf(world.binary(key));
        assert.equal(entry?.expiresAt, time);
        return world.compare([takeText(entry?.value)], [expected]);
      }
      case "has":
        return world.compare([String(await store.has(given))], [String(expected !== "absent")]);
      case "hasSync":
        return world.compare([String(store.hasSync(given))], [String(expected !== "absent")]);
      default: {
        const type = expected.slice(0, expected.indexOf(" ")) as keyof typeof typedNames;
        const name = expected === "absent" ? "Int64" : typedNames[type];
        world.compare([takeText(await store[`get${name}`](given))], [expected]);
        if (expected === "absent") return;
        const wrong = name === "Bool" ? "Bytes" : "Bool";
        return await assert.rejects(store[`get${wrong}`](given), { code: "TYPE_MISMATCH" });
      }
    }
  },
});

/** Several keys as of one moment. */
export const getMany: Command = command({
  name: "getMany",
  weight: 2,
  arguments: fc.array(anyKey),
  async run(world, keys) {
    const expected = keys.map((key) => world.expected(key));
    const values = await world.store.getMany(keys.map((key) => world.key(key)));
    world.compare(values.map(takeText), expected);
  },
});

/** A whole range. */
export const scan: Command = command({
  name: "scan",
  weight: 8,
  arguments: fc.record({
    range: anyRange,
    form: fc.constantFrom(
      ...["entries async", "entries sync", "keys async", "keys sync", "values async"],
      ...["values sync", "nextMany", "toArray", "count", "visit", "bytes async", "bytes sync"],
    ),
  }),
  async run(world, { range, form }) {
    const { store } = world;
    const given = world.range(range);
    const expected = world.select(range).slice(0, range.limit);
    const keys = expected.map(([key]) => key);
    const values = expected.map(([, text]) => text);
    const both = expected.map(([key, text]) => key + text);
    const found: string[] = [];
    switch (form) {
      case "entries async":
        for await (const item of store.entries(given)) found.push(world.entryText(item));
        return world.compare(found, both);
      case "entries sync":
        for (const item of store.entries(given)) found.push(world.entryText(item));
        return world.compare(found, both);
      case "keys async":
        for await (const key of store.keys(given)) found.push(world.binaryOf(key));
        return world.compare(found, keys);
      case "keys sync":
        for (const key of store.keys(given)) found.push(world.binaryOf(key));
        return world.compare(found, keys);
      case "values async":
        for await (const value of store.values(given)) found.push(takeText(value));
        return world.compare(found, values);
      case "values sync":
        for (const value of store.values(given)) found.push(takeText(value));
        return world.compare(found, values);
      case "nextMany": {
        const cursor = store.entries(given);
        for (;;) {
          const items = await cursor.nextMany(7);
          for (const item of items) found.push(world.entryText(item));
          if (items.length < 7) break;
        }
        return world.compare(found, both);
      }
      case "toArray":
        return world.compare((await store.entries(given).toArray()).map(world.entryText), both);
      case "bytes async":
        for await (const [key, value] of store.entries({ ...given, keyEncoding: "bytes" })) {
          found.push(takeKey(key) + takeText(value));
        }
        return world.compare(found, both);
      case "bytes sync":
        for (const key of store.keys({ ...given, keyEncoding: "bytes" })) found.push(takeKey(key));
        return world.compare(found, keys);
      case "count":
        return world.compare([String(await store.count(given))], [String(expected.length)]);
      default:
        return await visit(world, range);
    }
  },
});

/** A key that was read as bytes, whatever the store's options say; the bytes are ours. */
function takeKey(key: Uint8Array): string {
  const binary = latin1(key);
  key.fill(0x55);
  return binary;
}

async function visit(world: World, { prefix, gte, lt, limit }: RangeChoice): Promise<void> {
  const range: RangeChoice = gte !== undefined && lt !== undefined
    ? { gte, lt, reverse: false }
    : { prefix: prefix ?? 0, reverse: false };
  const most = Math.max(1, limit ?? Infinity);
  const expected = world.select(range).slice(0, most).map(([key, text]) => key + text);
  const found: string[] = [];
  const visitor = (key: string | Uint8Array, value: Value): boolean | void => {
    found.push(world.entryText([key, value]));
    if (found.length >= most) return false;
  };
  if (range.prefix !== undefined) {
    await world.store.scanPrefix(world.key(range.prefix), visitor);
  } else {
    await world.store.scanRange(world.key(range.gte!), world.key(range.lt!), visitor);
  }
  world.compare(found, expected);
}
