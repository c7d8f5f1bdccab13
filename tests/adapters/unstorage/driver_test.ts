// Tests the driver for unstorage: compares it with unstorage's own driver in memory, and tests what
// it adds.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import { type FileSystem, memoryFileSystem, open } from "../../../mod.ts";
import byDefault, { tinykvsDriver } from "../../../unstorage.ts";
import { Random } from "../../support/random.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { load } from "../packages.ts";

interface Storage {
  hasItem(key: string): Promise<boolean>;
  getItem(key: string): Promise<unknown>;
  getItems(keys: string[]): Promise<{ key: string; value: unknown }[]>;
  getItemRaw(key: string): Promise<unknown>;
  setItem(
    key: string,
    value: unknown,
    options?: { ttl?: number },
  ): Promise<void>;
  setItems(
    items: { key: string; value: unknown }[],
    options?: { ttl?: number },
  ): Promise<void>;
  setItemRaw(
    key: string,
    value: unknown,
    options?: { ttl?: number },
  ): Promise<void>;
  removeItem(key: string, options?: { removeMeta?: boolean }): Promise<void>;
  getMeta(key: string): Promise<{ size?: number; ttl?: number; note?: string }>;
  setMeta(key: string, meta: object): Promise<void>;
  getKeys(base?: string, options?: { maxDepth?: number }): Promise<string[]>;
  clear(base?: string): Promise<void>;
  mount(base: string, driver: unknown): Storage;
  watch(
    listener: (event: string, key: string) => void,
  ): Promise<() => Promise<void>>;
  dispose(): Promise<void>;
}

const { createStorage, prefixStorage, snapshot, restoreSnapshot } = load<{
  createStorage(options: { driver: unknown }): Storage;
  prefixStorage(storage: Storage, base: string): Storage;
  snapshot(storage: Storage, base: string): Promise<Record<string, unknown>>;
  restoreSnapshot(
    storage: Storage,
    entries: Record<string, unknown>,
  ): Promise<void>;
}>("unstorage");
const memoryDriver = load<() => unknown>("unstorage/drivers/memory");

const SEED = 4;

/** The storages that must behave in the same way, each with a way to dispose of it. */
function storages(directory: string): Readonly<Record<string, Storage>> {
  return {
    "unstorage's memory": createStorage({ driver: memoryDriver() }),
    "in memory": createStorage({
      driver: tinykvsDriver({ path: "/db", fileSystem: memoryFileSystem() }),
    }),
    "on disk": createStorage({
      driver: tinykvsDriver({ path: join(directory, "db") }),
    }),
    "with a base": createStorage({
      driver: tinykvsDriver({
        path: "/db",
        base: "x:",
        fileSystem: memoryFileSystem(),
      }),
    }),
  };
}

/** Random calls, and the answer to each. */
async function play(storage: Storage, random: Random): Promise<unknown[]> {
  const key = (): string => `${random.pick(["a", "b", "s1:x", "s1:y", "s2:deep:er", "ä"])}_`;
  const value = (): unknown =>
    random.pick<unknown>([
      "text",
      "",
      0,
      1.5,
      true,
      false,
      null,
      { x: [1] },
      [],
      "123",
      "日本",
    ]);
  const answers: unknown[] = [];
  for (let i = 0; i < 400; i++) {
    const at = key();
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        await storage.setItem(at, value());
        break;
      case 3:
        await storage.setItems([{ key: at, value: value() }, {
          key: key(),
          value: value(),
        }]);
        break;
      case 4:
        await storage.removeItem(at, { removeMeta: true });
        break;
      case 5:
        answers.push(await storage.hasItem(at));
        break;
      case 6: {
        const items = await storage.getItems(["a_", "s1:x_", at]);
        answers.push(items.map(({ key, value }) => [key, value]));
        break;
      }
      case 7:
        answers.push(
          (await storage.getKeys(random.pick(["", "s1", "s2:deep"]))).sort(),
        );
        break;
      case 8:
        answers.push(
          (await storage.getKeys("", { maxDepth: random.below(3) })).sort(),
        );
        break;
      case 9: {
        const bytes = Uint8Array.of(1, random.below(256), 0, 255);
        await storage.setItemRaw(`raw:${at}`, bytes);
        const found = await storage.getItemRaw(`raw:${at}`) as Uint8Array;
        answers.push([...found], [...bytes]);
        break;
      }
      case 10:
        if (random.below(4) === 0) {
          await storage.clear(random.pick(["", "s1", "raw"]));
        }
        await storage.setMeta(at, { note: `of ${at}` });
        answers.push((await storage.getMeta(at)).note);
        break;
      default:
        answers.push(await storage.getItem(at));
    }
  }
  answers.push(await snapshot(storage, ""));
  return answers;
}

test(`Storages on a store answer as unstorage's own in memory, seed ${SEED}`, async () => {
  const temporary = temporaryDirectory("unstorage");
  try {
    const all = storages(temporary.path);
    const expected = await play(all["unstorage's memory"]!, new Random(SEED));
    assert.ok(expected.length > 200);
    for (const [name, storage] of Object.entries(all)) {
      if (name === "unstorage's memory") continue;
      assert.deepEqual(await play(storage, new Random(SEED)), expected, name);
      await storage.dispose();
    }
  } finally {
    temporary.dispose();
  }
});

async function withStorage(
  options: { ttl?: number; base?: string },
  body: (storage: Storage, fileSystem: FileSystem) => Promise<void>,
): Promise<void> {
  const fileSystem = memoryFileSystem();
  const storage = createStorage({
    driver: tinykvsDriver({ path: "/db", fileSystem, ...options }),
  });
  await body(storage, fileSystem);
  await storage.dispose();
}

test("An item that has ended is not shown by any call", async () => {
  await withStorage({}, async (storage) => {
    await storage.setItem("stays", "a", { ttl: 1_000 });
    await storage.setItem("for ever", "b");
    await storage.setItem("over", "c", { ttl: -1 });
    await storage.setItems([{ key: "over too", value: "d" }], { ttl: -1 });
    await storage.setItemRaw("raw", Uint8Array.of(1), { ttl: -1 });
    assert.deepEqual(await storage.getKeys(), ["for ever", "stays"]);
    assert.deepEqual(
      (await storage.getItems(["stays", "over"])).map(({ value }) => value),
      ["a", null],
    );
    for (const key of ["over", "over too", "raw"]) {
      assert.equal(await storage.hasItem(key), false);
      assert.equal(await storage.getItem(key), null);
      assert.equal(await storage.getItemRaw(key), null);
      assert.deepEqual({ ...await storage.getMeta(key) }, {});
    }
    const { ttl, size } = await storage.getMeta("stays");
    assert.ok(ttl! > 900 && ttl! <= 1_000 && size === 1);
    assert.equal((await storage.getMeta("for ever")).ttl, undefined);
  });
});

test("The driver's own ttl is for items that are given none", async () => {
  await withStorage({ ttl: -1 }, async (storage) => {
    await storage.setItem("over", "a");
    await storage.setItem("stays", "b", { ttl: 1_000 });
    assert.deepEqual(await storage.getKeys(), ["stays"]);
  });
});

test("Keys of several drivers in one store do not meet, and clear leaves those of others", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const storage = createStorage({
    driver: tinykvsDriver({ store, base: "root" }),
  });
  storage.mount("cache", tinykvsDriver({ store, base: "cache" }));
  await storage.setItem("a:b", 1);
  await storage.setItem("cache:a:b", 2);
  await prefixStorage(storage, "cache").setItem("c", 3);
  assert.deepEqual(await store.keys().toArray(), [
    "cache:a:b",
    "cache:c",
    "root:a:b",
  ]);
  assert.deepEqual((await storage.getKeys()).sort(), [
    "a:b",
    "cache:a:b",
    "cache:c",
  ]);
  await storage.clear("cache");
  assert.deepEqual(await store.keys().toArray(), ["root:a:b"]);
  await restoreSnapshot(storage, { "x": "1" });
  await storage.dispose();
  assert.equal(store.status, "open");
});

/** Lets all promises settle that wait for nothing but each other. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("Storages on one directory share it, and each one's watch sees the changes of all", async () => {
  const fileSystem = memoryFileSystem();
  const make = (): Storage => createStorage({ driver: byDefault({ path: "/db", fileSystem }) });
  const [one, other] = [make(), make()];
  const seen: string[] = [];
  const unwatch = await one.watch((event, key) => seen.push(`${event} ${key}`));
  await one.setItem("a", 1);
  await other.setItems([{ key: "b", value: 2 }, { key: "c:d", value: 3 }]);
  await one.setMeta("a", { note: "x" });
  await other.removeItem("a");
  await turn();
  assert.deepEqual(seen.splice(0), [
    "update a",
    "update b",
    "update c:d",
    "remove a",
  ]);
  await one.clear();
  await turn();
  assert.deepEqual(seen.splice(0), ["remove b", "remove c:d"]);
  await unwatch();
  await one.setItem("b", 2);
  assert.deepEqual(seen, []);
  assert.equal(await other.getItem("b"), 2);
  await one.dispose();
  assert.equal(await other.getItem("b"), 2);
  await other.dispose();
  await using store = await open("/db", { fileSystem });
  assert.equal(await store.get("b"), "2");
});

test("watch sees what anybody does to items of its base in the store, and nothing else", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const driver = tinykvsDriver({ store, base: "x" });
  const seen: string[] = [];
  const unwatch = await driver.watch((event, key) => seen.push(`${event} ${key}`));
  await store.put("y:a", 1);
  await store.put("x:a", 1);
  await store.put(Uint8Array.of(0x78, 0x3a, 0xff), "not text");
  await store.batch().put("x:b", 1).put("other", 1).delete("x:a").write();
  await store.deletePrefix("x:");
  await unwatch();
  await unwatch();
  await store.put("x:c", 1);
  assert.deepEqual(seen, ["update a", "update b", "remove a"]);
});

test("A watch goes on after more writes in one turn than it keeps, and ends with its driver", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const driver = tinykvsDriver({ store });
  const seen: string[] = [];
  await driver.watch((_, key) => seen.push(key));
  for (let i = 0; i < 10_500; i++) store.putSync(`burst ${i}`, i);
  // The watch has lagged. It notices in its next step, and starts again.
  await turn();
  await store.put("later", 1);
  await turn();
  assert.equal(seen.at(-1), "later");
  await driver.dispose();
  await store.put("after", 1);
  assert.equal(seen.at(-1), "later");
});

test("Raw items keep their type: bytes, an ArrayBuffer as bytes, records, numbers", async () => {
  await withStorage({}, async (storage) => {
    const record = { list: [1n, "x"] };
    for (const value of [Uint8Array.of(1, 2), record, 1.5, true, "text"]) {
      await storage.setItemRaw("raw", value);
      assert.deepEqual(await storage.getItemRaw("raw"), value);
    }
    await storage.setItemRaw("raw", Uint8Array.of(3).buffer);
    assert.deepEqual(await storage.getItemRaw("raw"), Uint8Array.of(3));
    await assert.rejects(storage.setItemRaw("raw", new Map()), TypeError);
  });
});

test("A driver does not see, and does not clear, items of a driver with a longer base", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const [a, ab] = ["a", "ab"].map((base) =>
    createStorage({ driver: tinykvsDriver({ store, base }) })
  );
  await a!.setItem("x", 1);
  await ab!.setItem("y", 2);
  assert.deepEqual(await a!.getKeys(), ["x"]);
  await a!.clear();
  assert.deepEqual([await a!.getKeys(), await ab!.getKeys()], [[], ["y"]]);
});

test("A driver needs a path or a store, and not both", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const expected = {
    name: "TypeError",
    message: /expected either a "path" or a "store"/,
  };
  assert.throws(() => tinykvsDriver({}), expected);
  assert.throws(() => tinykvsDriver({ path: "/db", store }), expected);
});
