/** Commands that write: single changes in every form, batches, and many puts in a row. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { EmbeddedStore, Key, PutTime, Value } from "../../mod.ts";
import { type Command, command } from "./command.ts";
import { BULK_KEYS, BULK_START, keyCount } from "./keys.ts";
import type { MapChange } from "./sorted_map.ts";
import { bytesOf, makeValue, textOf, type ValueChoice, valueMakers } from "./values.ts";
import type { World } from "./world.ts";

/** One change of one key; `value` undefined is a delete. */
export interface Change {
  /** Index into the pool of keys. */
  readonly key: number;
  /** The new value. */
  readonly value?: ValueChoice | undefined;
  /** How long it is to live, in milliseconds. */
  readonly ttlMs?: number | undefined;
}

/** Keys of the pool, the odd ones more often. */
export const anyKey: fc.Arbitrary<number> = fc.oneof(
  { arbitrary: fc.nat(BULK_START - 1), weight: 3 },
  { arbitrary: fc.nat(keyCount - 1), weight: 2 },
);

/** Values of every kind. */
export const anyValue: fc.Arbitrary<ValueChoice> = fc.record({
  // The two kinds of large values are rarer.
  kind: fc.oneof(
    { arbitrary: fc.nat(valueMakers.length - 3), weight: 9 },
    { arbitrary: fc.nat(valueMakers.length - 1), weight: 1 },
  ),
  seed: fc.nat(999),
});

/** Times to live, and none. */
export const anyTtl: fc.Arbitrary<number | undefined> = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 2 },
  { arbitrary: fc.constantFrom(1, 10, 100, 1000, 20_000, 1_000_000), weight: 1 },
);

/** Puts and deletes. */
export const anyChange: fc.Arbitrary<Change> = fc.record({
  key: anyKey,
  value: fc.option(anyValue, { nil: undefined, freq: 3 }),
  ttlMs: anyTtl,
});

/** The time of a change in one of the forms that a caller may use. */
export function timeOf(world: World, { key, ttlMs }: Change): PutTime | undefined {
  if (ttlMs === undefined) return undefined;
  const expiresAt = world.nowMs + ttlMs;
  return [{ ttlMs }, { expiresAt }, { expiresAt: new Date(expiresAt) }][key % 3];
}

/** A change as the model knows it. */
export function mapChange(world: World, { key, value, ttlMs }: Change): MapChange {
  if (value === undefined) return [world.binary(key), undefined];
  const change = [world.binary(key), textOf(makeValue(value))] as const;
  return ttlMs === undefined ? change : [...change, world.nowMs + ttlMs];
}

/** Buffers that were handed in are the caller's again. */
export function spoil(key: Key, value: Value | undefined): void {
  if (typeof key !== "string") key.fill(0x55);
  if (value instanceof Uint8Array) value.fill(0x55);
}

/** Issues a change asynchronously; the promise is the caller's. */
export function startChange(world: World, change: Change, form: string): Promise<void> {
  const { store } = world;
  const key = world.key(change.key);
  const value = change.value === undefined ? undefined : makeValue(change.value);
  const sync = form === "durable" ? { sync: true } : undefined;
  const time = timeOf(world, change);
  const options = sync === undefined ? time : { ...sync, ...time };
  const done = value === undefined
    ? store.delete(key, sync)
    : form === "typed"
    ? putTyped(store, key, value, time)
    : form === "stream" && value instanceof Uint8Array
    ? store.putStream(key, streamOf(value.slice()), time)
    : store.put(key, value, options);
  spoil(key, value);
  world.apply([mapChange(world, change)], [change.key]);
  return done;
}

/** Makes a change synchronously. */
export function changeNow(world: World, change: Change): void {
  const { store } = world;
  const key = world.key(change.key);
  const value = change.value === undefined ? undefined : makeValue(change.value);
  if (value === undefined) store.deleteSync(key);
  else store.putSync(key, value, timeOf(world, change));
  spoil(key, value);
  world.apply([mapChange(world, change)], [change.key]);
  world.acknowledgeAll();
}

/** The bytes in three chunks. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const length = Math.ceil(bytes.length / 3);
  return new ReadableStream({
    start(controller): void {
      for (let at = 0; at < bytes.length; at += length) {
        controller.enqueue(bytes.subarray(at, at + length));
      }
      controller.close();
    },
  });
}

/** What a stream of the key's value gives, if it is bytes. */
async function requireStream(world: World, change: Change): Promise<void> {
  const value = change.value === undefined ? undefined : makeValue(change.value);
  if (!(value instanceof Uint8Array) || change.ttlMs !== undefined) return;
  const stream = world.store.getStream(world.key(change.key));
  const found = new Uint8Array(await new Response(stream).arrayBuffer());
  assert.equal(textOf(found), textOf(value), "a stream of the value");
}

function putTyped(
  store: EmbeddedStore,
  key: Key,
  value: Value,
  time: PutTime | undefined,
): Promise<void> {
  switch (typeof value) {
    case "string":
      return store.putString(key, value, time);
    case "bigint":
      return store.putInt64(key, value, time);
    case "number":
      return store.putFloat64(key, value, time);
    case "boolean":
      return store.putBool(key, value, time);
    default:
      return value instanceof Uint8Array
        ? store.putBytes(key, value, time)
        : store.putMap(key, value, time);
  }
}

/** A single change. */
export const change: Command = command({
  name: "change",
  weight: 14,
  arguments: fc.record({
    change: anyChange,
    form: fc.constantFrom("sync", "async", "later", "typed", "durable", "stream"),
  }),
  async run(world, { change, form }) {
    if (form === "sync") return changeNow(world, change);
    const done = startChange(world, change, form);
    world.later(done);
    if (form === "later") return;
    await done;
    world.acknowledgeAll();
    if (form === "stream") await requireStream(world, change);
  },
});

/** Several changes that are one. */
export const batch: Command = command({
  name: "batch",
  weight: 5,
  arguments: fc.record({
    changes: fc.array(anyChange, { maxLength: 12 }),
    form: fc.constantFrom("sync", "array", "chain", "later"),
  }),
  async run(world, { changes, form }) {
    const { store } = world;
    const times = changes.map((change) => timeOf(world, change));
    const operations = changes.map(({ key, value }, at) =>
      value === undefined
        ? { type: "delete" as const, key: world.key(key) }
        : { type: "put" as const, key: world.key(key), value: makeValue(value), ...times[at] }
    );
    let done: Promise<void> | undefined;
    if (form === "sync") {
      store.writeSync(operations);
    } else if (form === "chain") {
      const batch = store.batch();
      for (const [at, operation] of operations.entries()) {
        if (operation.type === "put") batch.put(operation.key, operation.value, times[at]);
        else batch.delete(operation.key);
      }
      done = batch.write();
    } else {
      done = store.write(operations);
    }
    for (const operation of operations) {
      spoil(operation.key, operation.type === "put" ? operation.value : undefined);
    }
    world.apply(
      changes.map((change) => mapChange(world, change)),
      changes.map(({ key }) => key),
    );
    if (done !== undefined) {
      world.later(done);
      if (form === "later") return;
      await done;
    }
    world.acknowledgeAll();
  },
});

/** A single change that depends on what is there. */
export const conditional: Command = command({
  name: "conditional",
  weight: 5,
  arguments: fc.record({
    key: anyKey,
    value: anyValue,
    kind: fc.constantFrom("create", "replace", "replaceOther", "delete", "update", "drop"),
    isSync: fc.boolean(),
    ttlMs: anyTtl,
  }),
  async run(world, { key: index, value: choice, kind, isSync, ttlMs }) {
    const { store } = world;
    const time = timeOf(world, { key: index, ttlMs });
    const kept = kind === "update" ? world.model.timeOf(world.binary(index)) : undefined;
    const expiresAt = ttlMs === undefined ? kept : world.nowMs + ttlMs;
    const before = world.model.get(world.binary(index));
    const key = world.key(index);
    const value = makeValue(choice);
    const after = textOf(makeValue(choice));
    let result: boolean | Promise<boolean>;
    let expected: boolean;
    let change: Value | undefined = value;
    if (kind === "create") {
      expected = before === undefined;
      result = isSync
        ? store.putIfNotExistsSync(key, value, time)
        : store.putIfNotExists(key, value, time);
    } else if (kind === "delete") {
      expected = before !== undefined;
      change = undefined;
      result = isSync ? store.deleteIfExistsSync(key) : store.deleteIfExists(key);
    } else if (kind === "update" || kind === "drop") {
      expected = true;
      if (kind === "drop") change = undefined;
      const replace = (old: Value | undefined): Value | undefined => {
        assert.equal(old === undefined ? undefined : textOf(old), before);
        return change;
      };
      result = isSync
        ? (store.updateSync(key, replace, time), true)
        : store.update(key, replace, time).then(() => true);
    } else {
      // What is there now, or most likely something else.
      const found = kind === "replace" ? store.getSync(key) : undefined;
      const old = found ?? makeValue({ ...choice, seed: choice.seed + 1 });
      expected = before !== undefined && before === textOf(old);
      result = isSync
        ? store.putIfEqualsSync(key, value, old, time)
        : store.putIfEquals(key, value, old, time);
    }
    const isDelete = change === undefined;
    // The value of `update` is asked for later.
    if (!isSync) spoil(key, kind === "update" ? undefined : value);
    assert.equal(await result, expected, kind);
    if (!expected || isDelete && before === undefined) return;
    const text = isDelete ? undefined : after;
    const changed = [world.binary(index), text] as const;
    world.apply([expiresAt === undefined ? changed : [...changed, expiresAt]], [index]);
    world.acknowledgeAll();
  },
});

/** Many puts of bulk keys: what fills memtables and levels. */
export const fill: Command = command({
  name: "fill",
  weight: 5,
  arguments: fc.record({
    from: fc.nat(BULK_KEYS - 1),
    count: fc.integer({ min: 1, max: 60 }),
    stride: fc.constantFrom(1, 3, 7, 159),
    bytes: fc.constantFrom(0, 10, 100, 100, 400),
    seed: fc.nat(999),
    ttlMs: anyTtl,
  }),
  run(world, { from, count, stride, bytes, seed, ttlMs }) {
    for (let i = 0; i < count; i++) {
      const key = BULK_START + (from + i * stride) % BULK_KEYS;
      const value = bytesOf(seed + i, bytes);
      world.store.putSync(world.key(key), value, timeOf(world, { key, ttlMs }));
      const changed = [world.binary(key), textOf(value)] as const;
      world.apply([ttlMs === undefined ? changed : [...changed, world.nowMs + ttlMs]], [key]);
    }
    world.acknowledgeAll();
  },
});

/** Deletes of many bulk keys, which leave tombstones in every level. */
export const erase: Command = command({
  name: "erase",
  weight: 2,
  arguments: fc.record({
    from: fc.nat(BULK_KEYS - 1),
    count: fc.integer({ min: 1, max: 40 }),
    stride: fc.constantFrom(1, 3, 7),
  }),
  run(world, { from, count, stride }) {
    const keys: number[] = [];
    for (let i = 0; i < count; i++) keys.push(BULK_START + (from + i * stride) % BULK_KEYS);
    world.store.writeSync(keys.map((key) => ({ type: "delete", key: world.key(key) })));
    world.apply(keys.map((key) => [world.binary(key), undefined]), keys);
    world.acknowledgeAll();
  },
});
