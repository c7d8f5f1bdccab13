// Tests the adapters for Keyv on their own: times, namespaces, sharing, and what the store holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TinyKeyv, TinyKeyv5 } from "../../../keyv.ts";
import { ClosedError, memoryFileSystem, open, StoreError } from "../../../mod.ts";
import { load } from "../packages.ts";

interface Keyv {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  clear(): Promise<void>;
  disconnect(): Promise<void>;
  on(event: string, listener: (error: Error) => void): void;
  iterator(): AsyncGenerator<[string, unknown]>;
}
type KeyvClass = new (options: Record<string, unknown>) => Keyv;

const { Keyv: Keyv6, detectKeyvStorage } = load<
  {
    Keyv: KeyvClass;
    detectKeyvStorage: (adapter: unknown) => { compatible: boolean };
  }
>("keyv6");
const { Keyv: Keyv5 } = load<{ Keyv: KeyvClass }>("keyv");

/** A time far in the future, and one long ago. */
const LATER = 8_000_000_000_000;
const BEFORE = 1_000;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("A value that has ended is not shown, and the store knows its time", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const adapter = new TinyKeyv(store);
  await adapter.set("stays", "a", LATER);
  await adapter.set("for ever", "b");
  await adapter.setMany([
    { key: "over", value: "x", expires: BEFORE },
    { key: "too", value: ["x"], expires: BEFORE },
    { key: "later", value: ["x"], expires: LATER },
  ]);
  await adapter.set("replaced", "x", LATER);
  await adapter.set("replaced", "y");
  assert.equal((await store.getEntry("stays"))?.expiresAt, LATER);
  assert.equal((await store.getEntry("later"))?.expiresAt, LATER);
  assert.equal((await store.getEntry("replaced"))?.expiresAt, undefined);
  assert.equal(await adapter.get("over"), undefined);
  assert.deepEqual(await adapter.getMany(["stays", "over", "later"]), ["a", undefined, ["x"]]);
  assert.equal(await adapter.has("too"), false);
  assert.deepEqual(await adapter.hasMany(["for ever", "too"]), [true, false]);
  assert.equal(await adapter.delete("over"), false);
  assert.deepEqual(await collect(adapter.iterator()), [
    ["for ever", "b"],
    ["later", ["x"]],
    ["replaced", "y"],
    ["stays", "a"],
  ]);
  assert.equal(await store.count(), 4);
  assert.deepEqual(await adapter.deleteMany(["stays", "none", "for ever"]), [
    true,
    false,
    true,
  ]);
});

test("A value that was put anew while an ended one was being removed stays", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const adapter = new TinyKeyv(store);
  await adapter.set("key", "old", BEFORE);
  await Promise.all([adapter.get("key"), adapter.set("key", "new")]);
  assert.equal(await adapter.get("key"), "new");
});

test("Namespaces and a prefix keep keys apart, and those of others in the store", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("theirs", 1);
  const make = (): TinyKeyv => new TinyKeyv(store, { prefix: "cache/" });
  const [a, b, all] = [make(), make(), make()];
  a.namespace = "a";
  b.namespace = "b";
  await a.set("key", "of a");
  await b.set("key", "of b");
  assert.deepEqual(await store.keys().toArray(), [
    "cache/a::key",
    "cache/b::key",
    "theirs",
  ]);
  assert.deepEqual([await a.get("key"), await b.get("key")], ["of a", "of b"]);
  assert.deepEqual(await collect(a.iterator()), [["key", "of a"]]);
  await a.clear();
  assert.deepEqual([await a.get("key"), await b.get("key")], [
    undefined,
    "of b",
  ]);
  await all.clear();
  assert.deepEqual(await store.keys().toArray(), ["theirs"]);
  await all.disconnect();
  assert.equal(store.status, "open");
});

test("A namespace with a colon in its name is not part of another one", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const [a, b] = [new TinyKeyv(store), new TinyKeyv(store)];
  a.namespace = "a";
  b.namespace = "a:b";
  await a.set("b:k", 1);
  await b.set("k", 2);
  assert.deepEqual([await a.get("b:k"), await b.get("k")], [1, 2]);
  await a.clear();
  assert.equal(await b.get("k"), 2);
});

test("Several Keyvs on one directory share a handle; the last one closes it", async () => {
  const fileSystem = memoryFileSystem();
  const first = new Keyv6({
    store: new TinyKeyv("/db", { fileSystem }),
    namespace: "one",
  });
  const second = new Keyv6({
    store: new TinyKeyv("/db", { fileSystem }),
    namespace: "two",
  });
  await Promise.all([first.set("key", 1), second.set("key", 2)]);
  await first.disconnect();
  assert.equal(await second.get("key"), 2);
  await assert.rejects(open("/db", { fileSystem }), { code: "LOCKED" });
  await second.disconnect();
  await using store = await open("/db", { fileSystem });
  assert.deepEqual(await store.keys().toArray(), ["one::key", "two::key"]);
});

test("Keyv 6 takes the adapter as one of its own, with times as points of time", async () => {
  const adapter = new TinyKeyv("/db", { fileSystem: memoryFileSystem() });
  assert.equal(detectKeyvStorage(adapter).compatible, true);
  const keyv = new Keyv6({ store: adapter, namespace: "n" });
  assert.equal((keyv as Keyv & { store: unknown }).store, adapter);
  const raw = new Keyv6({
    store: adapter,
    serialization: false,
    checkExpired: false,
  });
  const record = { nested: [1n, Uint8Array.of(1)] };
  await raw.set("record", record, 60_000);
  assert.deepEqual(await raw.get("record"), record);
  await keyv.disconnect();
});

test("What a user stores that looks like our own form comes back as it was", async () => {
  const adapter = new TinyKeyv("/db", { fileSystem: memoryFileSystem() });
  const own = ["tinykvs value 1", "x"];
  for (
    const value of [own, [], null, 0, "", false, { a: 1 }, Uint8Array.of(1, 2)]
  ) {
    await adapter.set("key", value);
    assert.deepEqual(await adapter.get("key"), value);
    await adapter.set("key", value, LATER);
    assert.deepEqual(await adapter.get("key"), value);
  }
  await adapter.disconnect();
});

test("What can't be stored, or where, rejects; Keyv emits it; a later try may succeed", async () => {
  const fileSystem = memoryFileSystem();
  const holder = await open("/db", { fileSystem });
  const adapter = new TinyKeyv5("/db", { fileSystem });
  await assert.rejects(adapter.get("key"), StoreError);
  await holder.close();
  assert.equal(await adapter.get("key"), undefined);
  const keyv = new Keyv5({ store: adapter });
  const errors: Error[] = [];
  keyv.on("error", (error) => errors.push(error));
  await keyv.set("k".repeat(70_000), 1);
  assert.match(errors[0]!.message, /Cannot encode key/);
  await assert.rejects(adapter.set("key", new Map()), TypeError);
  await adapter.disconnect();
  await adapter.disconnect();
  await assert.rejects(adapter.get("key"), ClosedError);
});

test("With Keyv 5 an iterator shows what has not ended, and a time to live of 0 is none", async () => {
  const adapter = new TinyKeyv5("/db", { fileSystem: memoryFileSystem() });
  await adapter.setMany([{ key: "n:a", value: "1" }, {
    key: "m:b",
    value: "2",
    ttl: 60_000,
  }]);
  await adapter.set("n:c", "3", 0);
  assert.deepEqual(await collect(adapter.iterator("n")), [["n:a", "1"], [
    "n:c",
    "3",
  ]]);
  assert.equal(await adapter.delete("n:none"), false);
  assert.equal(await adapter.deleteMany(["n:a", "n:none"]), true);
  adapter.namespace = "n";
  await adapter.clear();
  assert.deepEqual(await adapter.getMany(["n:c", "m:b"]), [undefined, "2"]);
  await adapter.disconnect();
});
