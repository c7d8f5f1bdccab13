// Every call that reads or writes has a synchronous form, and that does the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClosedError,
  type EmbeddedReader,
  type EmbeddedStore,
  type EmbeddedWriter,
  memoryFileSystem,
  open,
  openSync,
  StoreError,
  TypeMismatchError,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { watched } from "./file_systems.ts";

type Both = EmbeddedReader & EmbeddedWriter;
type Call = (...given: unknown[]) => unknown;

/** Calls without a synchronous form, because their result is not a promise. */
const WITHOUT_TWIN: ReadonlySet<string> = new Set([
  ...["entries", "keys", "values", "batch", "sub", "in", "snapshot", "watch", "approximateSize"],
  ...["tables", "stats", "addEventListener", "removeEventListener", "writable", "getStream"],
]);

/**
 * Calls that only have an asynchronous form: loops over a cursor are the synchronous ones, and
 * streams have none.
 */
const ONLY_ASYNC: ReadonlySet<string> = new Set(["scanPrefix", "scanRange", "putStream"]);

/** Members that are not part of the API, and `close` of parts, which does no work. */
const INTERNAL: ReadonlySet<string> = new Set([
  ...["constructor", "getStored", "requireOpen", "operationsOf", "changeOf"],
]);

function callsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function") names.add(name);
    }
  }
  return [...names];
}

function withoutTwin(object: object): string[] {
  const names = callsOf(object);
  return names.filter((name) =>
    !name.endsWith("Sync") && !names.includes(`${name}Sync`) && !WITHOUT_TWIN.has(name) &&
    !ONLY_ASYNC.has(name) && !INTERNAL.has(name)
  );
}

test("Every call that returns a promise has a synchronous form", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const sub = store.sub("s");
  assert.deepEqual(withoutTwin(store), []);
  assert.deepEqual(withoutTwin(store.snapshot()), ["close"]); // is synchronous itself
  assert.deepEqual(withoutTwin(sub), ["close"]); // ends the handle only
  assert.deepEqual(withoutTwin(sub.snapshot()), ["close"]);
  assert.deepEqual(withoutTwin(sub.in(store.snapshot())), []);
  store.transactionSync((tx) => {
    assert.deepEqual(withoutTwin(tx), []);
    assert.deepEqual(withoutTwin(tx.sub("s")), []);
    assert.deepEqual(withoutTwin(sub.in(tx)), []);
  });
});

const TYPES = ["String", "Int64", "Float64", "Bool", "Bytes", "Json", "Map"] as const;
const VALUES: Readonly<Record<(typeof TYPES)[number], unknown>> = {
  String: "text",
  Int64: 7n,
  Float64: 1.5,
  Bool: true,
  Bytes: Uint8Array.of(1, 2),
  Json: { a: [1, null] },
  Map: { b: 2n },
};

/** Runs the test on a store, on subs of it, and on transactions of both. */
async function onEach(
  body: (target: Both, name: string) => Promise<void>,
): Promise<void> {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await body(store, "store");
  await body(store.sub("a"), "sub");
  await body(store.sub("b").in(store) as Both, "sub in the store");
  await store.transaction((tx) => body(tx, "transaction"));
  await store.transaction((tx) => body(tx.sub("c"), "sub in a transaction"));
}

test("The typed calls do the same in both forms, on stores, subs and transactions", async () => {
  await onEach(async (target, name) => {
    const calls = target as unknown as Record<string, Call>;
    for (const type of TYPES) calls[`put${type}Sync`]!(type, VALUES[type], { ttlMs: 60_000 });
    for (const type of TYPES) {
      assert.deepEqual(calls[`get${type}Sync`]!(type), VALUES[type], `${name} ${type}`);
      assert.deepEqual(await calls[`get${type}`]!(type), VALUES[type], `${name} ${type}`);
      assert.equal(typeof target.getEntrySync(type)?.expiresAt, "number", `${name} ${type}`);
      assert.equal(calls[`get${type}Sync`]!("missing"), undefined);
      await calls[`put${type}`]!(`${type} too`, VALUES[type]);
      assert.deepEqual(target.getSync(`${type} too`), target.getSync(type), `${name} ${type}`);

      const other = type === "Bool" ? "String" : "Bool";
      const wrong = VALUES[other];
      if (type !== "Json") {
        assert.throws(() => calls[`put${type}Sync`]!("refused", wrong), TypeError, name);
      }
      assert.throws(() => calls[`get${type}Sync`]!(other), TypeMismatchError, `${name} ${type}`);
      assert.throws(() => calls[`put${type}Sync`]!("refused", VALUES[type], {}, 1), TypeError);
    }
    assert.throws(() => target.putJsonSync("refused", { a: [NaN] }), /value\.a\[0\]/);
    assert.equal(target.putInt64Sync("n", 5), undefined);
    assert.equal(target.getInt64Sync("n"), 5n);
    assert.equal(target.hasSync("refused"), false, name);
  });
});

test("Typed reads of snapshots show what was there, and none reads after the close", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const sub = store.sub("s");
  for (const target of [store, sub]) target.putStringSync("k", "old");
  const snapshots = [store.snapshot(), sub.snapshot()];
  for (const target of [store, sub]) target.putInt64Sync("k", 1);
  for (const snapshot of snapshots) {
    assert.equal(snapshot.getStringSync("k"), "old");
    assert.throws(() => snapshot.getInt64Sync("k"), TypeMismatchError);
    snapshot.close();
    assert.throws(() => snapshot.getStringSync("k"), ClosedError);
  }
});

test("An int64 is a bigint for getInt64Sync, also if the store reads it as a number", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), int64: "number" });
  store.putInt64Sync("k", 2n ** 60n);
  assert.equal(store.getInt64Sync("k"), 2n ** 60n);
  assert.throws(() => store.getSync("k"), TypeMismatchError);
  store.sub("s").putInt64Sync("k", 3);
  assert.equal(store.sub("s").getInt64Sync("k"), 3n);
  assert.equal(store.sub("s").getSync("k"), 3 as never);
  store.closeSync();
});

test("The typed reads of a sub with its own values judge by those", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const sub = store.sub("s", { key: "tuple", value: "json" });
  sub.putStringSync(["a", 1], "text");
  assert.equal(sub.getStringSync(["a", 1]), "text");
  sub.putSync(["a", 2], 5);
  assert.equal(sub.getFloat64Sync(["a", 2]), 5);
  assert.throws(() => sub.getStringSync(["a", 2]), TypeMismatchError);
});

/** A file system in memory that counts the syncs of logs. */
function noting(): { fileSystem: FileSystem; syncs: () => number } {
  let syncs = 0;
  const fileSystem = watched(memoryFileSystem(), ({ operation, path }) => {
    if (operation === "sync" && path.endsWith(".wal")) syncs++;
  });
  return { fileSystem, syncs: () => syncs };
}

test("syncSync makes what was written before durable, and a store without a log has nothing to do", () => {
  const { fileSystem, syncs } = noting();
  const store = openSync("/db", { fileSystem, walSync: "none" });
  store.syncSync();
  assert.equal(syncs(), 0);
  store.putSync("a", 1);
  void store.put("b", 2);
  const before = syncs();
  store.syncSync();
  assert.equal(syncs(), before + 1);
  assert.throws(() => store.syncSync(...[1] as unknown as []), TypeError);
  store.closeSync();
  assert.throws(() => store.syncSync(), ClosedError);
  const reader = openSync("/db", { fileSystem, readOnly: true });
  assert.throws(() => reader.syncSync(), StoreError);
  reader.closeSync();
});

async function contentOf(store: EmbeddedStore): Promise<unknown> {
  return await store.entries().toArray();
}

test("checkpointSync writes what checkpoint does, and refuses the same", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  for (let i = 0; i < 100; i++) store.putSync(`k${i}`, i);
  store.flushSync();
  for (let i = 0; i < 50; i++) store.deleteSync(`k${i}`);
  store.checkpointSync("/copy");
  store.checkpointSync("/go", { format: "go-v0.4" });
  await store.checkpoint("/other");
  const contents = await Promise.all(["/copy", "/go", "/other"].map(async (directory) => {
    await using copy = await open(directory, { fileSystem, createIfMissing: false });
    return await contentOf(copy);
  }));
  for (const content of contents) assert.deepEqual(content, await contentOf(store));

  assert.throws(
    () => store.checkpointSync("/copy"),
    (error) => error instanceof StoreError && error.code === "ALREADY_EXISTS",
  );
  assert.throws(() => store.checkpointSync("/new", { format: "tar" as "tinykvs" }), RangeError);
  assert.throws(() => store.checkpointSync("/new", { signal: AbortSignal.abort("enough") }));
  assert.throws(() => store.checkpointSync("/new", {}, ...[1] as unknown as []), TypeError);
  // A record that Go v0.4 can't read: what was made is removed.
  store.putMapSync("record", {});
  assert.throws(
    () => store.checkpointSync("/new", { format: "go-v0.4" }),
    (error) => error instanceof StoreError && error.code === "TYPE_MISMATCH",
  );
  store.checkpointSync("/new");
});

test("A sub takes batches, snapshots and transactions of subs with other keys", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const users = store.sub("users");
  const logins = store.sub("logins", { key: "tuple", value: "json" });
  const batch = logins.batch().put(["alice", 1], true);
  users.in(batch).put("alice", "Alice");
  batch.writeSync();
  assert.equal(users.getSync("alice"), "Alice");
  assert.equal(users.in(logins.snapshot()).getSync("alice"), "Alice");
  await logins.transaction(async (tx) => {
    users.in(tx).putSync("bob", "Bob");
    await tx.put(["bob", 2], true);
  });
  assert.equal(users.in(logins).getSync("bob"), "Bob");
  assert.equal(logins.countSync(), 2);
});
