// Every kind of write there is goes through the log: what a kill leaves has it, and so has what
// comes of that after another kill. A method that is added to the store must be put into one of the
// lists here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EmbeddedStore, memoryFileSystem, open, type Options } from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { crashCopy } from "./file_systems.ts";

/** One use of each method that writes, and what it leaves under the key "k". */
const writes: Readonly<
  Record<string, {
    run: (store: EmbeddedStore) => Promise<unknown> | unknown;
    /** What is there then, if "older" was there, and if nothing was. */
    leaves: unknown;
    leavesOverNothing?: unknown;
  }>
> = {
  put: { run: (store) => store.put("k", "by put"), leaves: "by put" },
  putSync: { run: (store) => store.putSync("k", "by putSync"), leaves: "by putSync" },
  delete: { run: (store) => store.delete("k"), leaves: undefined },
  deleteSync: { run: (store) => store.deleteSync("k"), leaves: undefined },
  deleteIfExists: { run: (store) => store.deleteIfExists("k"), leaves: undefined },
  deleteIfExistsSync: { run: (store) => store.deleteIfExistsSync("k"), leaves: undefined },
  deleteRange: { run: (store) => store.deleteRange({ gte: "j", lt: "l" }), leaves: undefined },
  deleteRangeSync: { run: (store) => store.deleteRangeSync({ gte: "k" }), leaves: undefined },
  deletePrefix: { run: (store) => store.deletePrefix("k"), leaves: undefined },
  deletePrefixSync: { run: (store) => store.deletePrefixSync(""), leaves: undefined },
  clear: { run: (store) => store.clear(), leaves: undefined },
  clearSync: { run: (store) => store.clearSync(), leaves: undefined },
  putIfNotExists: {
    run: (store) => store.putIfNotExists("k", "new"),
    leaves: "older",
    leavesOverNothing: "new",
  },
  putIfNotExistsSync: {
    run: (store) => store.putIfNotExistsSync("k", "new"),
    leaves: "older",
    leavesOverNothing: "new",
  },
  putIfEquals: {
    run: (store) => store.putIfEquals("k", "newer", "older"),
    leaves: "newer",
    leavesOverNothing: undefined,
  },
  putIfEqualsSync: {
    run: (store) => store.putIfEqualsSync("k", "newer", "older"),
    leaves: "newer",
    leavesOverNothing: undefined,
  },
  increment: {
    run: (store) => store.increment("k", 2).catch(() => {}),
    leaves: "older",
    leavesOverNothing: 2n,
  },
  incrementSync: {
    run(store) {
      if (!store.hasSync("k")) store.incrementSync("k");
      else assert.throws(() => store.incrementSync("k"), { code: "TYPE_MISMATCH" });
    },
    leaves: "older",
    leavesOverNothing: 1n,
  },
  update: {
    run: (store) => store.update("k", (old) => `${old as string}!`),
    leaves: "older!",
    leavesOverNothing: "undefined!",
  },
  updateSync: {
    run: (store) => store.updateSync("k", (old) => old === undefined ? 5 : undefined),
    leaves: undefined,
    leavesOverNothing: 5,
  },
  write: { run: (store) => store.write([{ type: "put", key: "k", value: 1 }]), leaves: 1 },
  writeSync: { run: (store) => store.writeSync([{ type: "delete", key: "k" }]), leaves: undefined },
  batch: { run: (store) => store.batch().delete("k").put("k", 2).write(), leaves: 2 },
  transaction: {
    run: (store) =>
      store.transaction(async (tx) => await tx.put("k", [String(await tx.get("k")), "read"])),
    leaves: ["older", "read"],
    leavesOverNothing: ["undefined", "read"],
  },
  transactionSync: {
    run: (store) => store.transactionSync((tx) => tx.deleteIfExistsSync("k")),
    leaves: undefined,
  },
  writable: {
    async run(store) {
      const stream = store.writable().getWriter();
      await stream.write(["k", "by writable"]);
      await stream.close();
    },
    leaves: "by writable",
  },
  putStream: {
    run: (store) => store.putStream("k", new Blob([new Uint8Array(1_200_000)]).stream()),
    leaves: new Uint8Array(1_200_000),
  },
  putString: { run: (store) => store.putString("k", "text"), leaves: "text" },
  putInt64: { run: (store) => store.putInt64("k", 5n), leaves: 5n },
  putFloat64: { run: (store) => store.putFloat64("k", 0.5), leaves: 0.5 },
  putBool: { run: (store) => store.putBool("k", true), leaves: true },
  putBytes: { run: (store) => store.putBytes("k", Uint8Array.of(7)), leaves: Uint8Array.of(7) },
  putJson: { run: (store) => store.putJson("k", [1]), leaves: "[1]" },
  putMap: { run: (store) => store.putMap("k", { a: 1 }), leaves: { a: 1 } },
  putStringSync: { run: (store) => store.putStringSync("k", "text"), leaves: "text" },
  putInt64Sync: { run: (store) => store.putInt64Sync("k", 5n), leaves: 5n },
  putFloat64Sync: { run: (store) => store.putFloat64Sync("k", 0.5), leaves: 0.5 },
  putBoolSync: { run: (store) => store.putBoolSync("k", true), leaves: true },
  putBytesSync: {
    run: (store) => store.putBytesSync("k", Uint8Array.of(7)),
    leaves: Uint8Array.of(7),
  },
  putJsonSync: { run: (store) => store.putJsonSync("k", [1]), leaves: "[1]" },
  putMapSync: { run: (store) => store.putMapSync("k", { a: 1 }), leaves: { a: 1 } },
};

/** Methods and properties that write nothing of the user's. */
const others = [
  ...["constructor", "path", "status", "close", "closeSync", "flush", "sync", "compact", "stats"],
  ...["flushSync", "compactSync", "syncSync", "checkpointSync"],
  ...["getStringSync", "getInt64Sync", "getFloat64Sync", "getBoolSync", "getBytesSync"],
  ...["getJsonSync", "getMapSync"],
  ...[
    "getEntry",
    "getEntrySync",
    "getManySync",
    "hasMany",
    "hasManySync",
    "countSync",
    "getStored",
  ],
  ...["get", "getSync", "getMany", "has", "hasSync", "count", "entries", "keys", "values"],
  ...["getString", "getInt64", "getFloat64", "getBool", "getBytes", "getJson", "getMap"],
  ...["scanPrefix", "scanRange", "snapshot", "checkpoint", "watch"],
  ...["sub", "approximateSize", "verify", "verifySync", "tables", "locate", "locateSync"],
  ...["addEventListener", "removeEventListener", "getStream"],
];

const options: Options = { memtableSizeBytes: 4096, blockSizeBytes: 256, compression: "none" };

test("Every method of the store is known to write or not to write", () => {
  const methods: string[] = [];
  let prototype: object = EmbeddedStore.prototype;
  for (; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype) as object) {
    methods.push(...Object.getOwnPropertyNames(prototype));
  }
  for (const name of Object.keys(writes)) assert.ok(methods.includes(name), name);
  const known = new Set([...Object.keys(writes), ...others]);
  assert.deepEqual(methods.filter((name) => !known.has(name)), []);
});

test("Every kind of write is in the log and in tables, over every state of its key", async () => {
  for (const [name, kind] of Object.entries(writes)) {
    for (const before of ["nothing", "in a table", "in the memtable", "deleted"]) {
      const what = `${name} over ${before}`;
      const isOverNothing = before === "nothing" || before === "deleted";
      const leaves = isOverNothing && Object.hasOwn(kind, "leavesOverNothing")
        ? kind.leavesOverNothing
        : kind.leaves;
      let fileSystem: FileSystem = memoryFileSystem();
      const store = await open("/db", { ...options, fileSystem });
      if (before !== "nothing") await store.put("k", "older");
      if (before === "in a table") await store.flush();
      if (before === "deleted") await store.delete("k");
      await kind.run(store);
      assert.deepEqual(await store.get("k"), leaves, what);
      for (const round of [1, 2]) {
        fileSystem = crashCopy(fileSystem, "/db");
        const recovered = await open("/db", { ...options, fileSystem });
        assert.deepEqual(await recovered.get("k"), leaves, `${what}, ${round}. crash`);
        await recovered.put("other", round);
        if (round === 2) {
          await recovered.compact();
          assert.deepEqual(await recovered.get("k"), leaves, `${what}, compacted`);
        }
      }
      await store.close();
      const again = await open("/db", { ...options, fileSystem: crashCopy(fileSystem, "/db") });
      assert.deepEqual(await again.get("k"), leaves, `${what}, after all`);
      await again.close();
    }
  }
});

test("2,000 writes, each with its own sync, are all there after a kill, in logs of many windows", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem, walSync: "write" });
  // About 600 KB: more than eighteen blocks of 32 KiB, in which the Go program lost most of them.
  for (let i = 0; i < 2000; i++) store.putSync(`key ${i}`, `${i} ${"x".repeat(300)}`);
  for (const part of [1, 2]) {
    const recovered = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
    assert.equal(await recovered.count(), 1000 + 1000 * part);
    for (let i = 0; i < 1000 + 1000 * part; i++) {
      assert.equal(recovered.getSync(`key ${i}`), `${i} ${"x".repeat(300)}`);
    }
    await recovered.close();
    for (let i = 2000; i < 3000; i++) store.putSync(`key ${i}`, `${i} ${"x".repeat(300)}`);
  }
  await store.close();
});
