// Shared handles: one store for everybody who opens it in a process, counted, and what callers are
// told who don't share.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import {
  BackgroundError,
  ClosedError,
  type EmbeddedStore,
  type FileSystem,
  LockedError,
  memoryFileSystem,
  open,
  openSync,
  type Options,
} from "../../mod.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { DIRECTORY } from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** A file system that counts what is locked, and who is counted. */
function sharedOptions(): Options & { readonly fileSystem: CloneableFileSystem } {
  return { shared: true, fileSystem: new CloneableFileSystem() };
}

function isFree(fileSystem: FileSystem): boolean {
  try {
    openSync(DIRECTORY, { fileSystem }).closeSync();
    return true;
  } catch (error) {
    assert.ok(error instanceof LockedError, String(error));
    return false;
  }
}

test("Shared handles are one store, which is closed with the last of them", async () => {
  const options = sharedOptions();
  const first = await open(DIRECTORY, options);
  const second = openSync(DIRECTORY, options);
  const third = await open(DIRECTORY, options);
  assert.notEqual(first, second);
  await first.put("a", 1);
  second.putSync("b", 2);
  assert.deepEqual([...third.keys()], ["a", "b"]);
  assert.equal(third.path, first.path);
  await first.close();
  await first.close();
  third.closeSync();
  third.closeSync();
  assert.equal(isFree(options.fileSystem), false);
  assert.deepEqual([first.status, second.status, third.status], ["closed", "open", "closed"]);
  await second.put("c", 3);
  assert.equal(await second.count(), 3);
  await second.close();
  assert.equal(isFree(options.fileSystem), true);
  assert.equal(options.fileSystem.openHandles, 0);
});

test("A closed handle is closed, even if its store is still open", async () => {
  const options = sharedOptions();
  const other = await open(DIRECTORY, options);
  const store = await open(DIRECTORY, options);
  await other.put("a", 1);
  const batch = store.batch().put("b", 2);
  const batchOfSub = store.sub("s").batch().put("b", 2);
  const closing = store.close();
  assert.equal(store.status, "closing");
  assert.throws(() => store.closeSync(), ClosedError);
  await assert.rejects(store.get("a"), ClosedError);
  await closing;
  assert.equal(store.status, "closed");
  assert.equal(store.path, other.path);
  const calls: readonly (() => unknown)[] = [
    () => store.get("a"),
    () => store.getMany(["a"]),
    () => store.has("a"),
    () => store.put("a", 2),
    () => store.delete("a"),
    () => store.write([{ type: "put", key: "a", value: 2 }]),
    () => batch.write(),
    () => batchOfSub.write(),
    () => store.batch().put("a", 2).write(),
    () => store.count(),
    () => store.flush(),
    () => store.sync(),
    () => store.compact(),
    () => store.checkpoint("/copy"),
    () => store.scanPrefix("a", () => {}),
    () => store.getString("a"),
    () => store.putString("a", "2"),
  ];
  for (const call of calls) {
    await assert.rejects(async () => await call(), ClosedError, String(call));
  }
  const syncCalls: readonly (() => unknown)[] = [
    () => store.getSync("a"),
    () => store.hasSync("a"),
    () => store.putSync("a", 2),
    () => store.deleteSync("a"),
    () => store.writeSync([]),
    () => batch.writeSync(),
    () => batchOfSub.writeSync(),
    () => store.entries(),
    () => store.keys(),
    () => store.values(),
    () => store.snapshot(),
    () => store.stats(),
  ];
  for (const call of syncCalls) assert.throws(call, ClosedError, String(call));
  assert.deepEqual(await other.entries().toArray(), [["a", 1]]);
  await other.close();
});

test("Cursors, snapshots and writes of a closed handle continue", async () => {
  const options = { ...sharedOptions(), walSync: "none" as const };
  const other = await open(DIRECTORY, options);
  const store = await open(DIRECTORY, options);
  for (let i = 0; i < 10; i++) store.putSync(`key ${i}`, i);
  const cursor = store.keys();
  const snapshot = store.snapshot();
  assert.deepEqual(await cursor.nextMany(2), ["key 0", "key 1"]);
  const written = store.put("key 3", "late");
  const synced: string[] = [];
  options.fileSystem.after = (operation, name) => {
    if (operation === "sync") synced.push(name);
  };
  await store.close();
  // As with any close, what the handle wrote is durable now.
  assert.ok(synced.some((name) => name.endsWith(".wal")), synced.join());
  await written;
  assert.equal((await cursor.toArray()).length, 8);
  assert.equal(snapshot.getSync("key 3"), 3);
  assert.equal(await other.get("key 3"), "late");
  await other.close();
  await assert.rejects(snapshot.get("key 3"), ClosedError);
});

test("Opens at the same time share one opening, and each is counted", async () => {
  const options = sharedOptions();
  let locks = 0;
  options.fileSystem.before = (operation) => {
    if (operation === "lock") locks++;
  };
  const stores = await Promise.all(Array.from({ length: 5 }, () => open(DIRECTORY, options)));
  assert.equal(locks, 1);
  await Promise.all(stores.slice(1).map((store) => store.close()));
  await stores[0]!.put("a", 1);
  await stores[0]!.close();
  assert.equal(isFree(options.fileSystem), true);
});

test("An opening that fails fails for all who wait for it, and counts nobody", async () => {
  const options = sharedOptions();
  let isBroken = true;
  options.fileSystem.before = (operation, name) => {
    if (isBroken && operation === "create") throw refused(operation, name, "ENOSPC");
  };
  const results = await Promise.allSettled(
    Array.from({ length: 3 }, () => open(DIRECTORY, options)),
  );
  for (const result of results) {
    assert.equal(result.status, "rejected");
    assert.equal((result as PromiseRejectedResult).reason.osCode, "ENOSPC");
  }
  assert.throws(() => openSync(DIRECTORY, options), { osCode: "ENOSPC" });
  isBroken = false;
  const store = await open(DIRECTORY, options);
  await store.put("a", 1);
  await store.close();
  assert.equal(isFree(options.fileSystem), true);
});

test("A shared open while the last handle is being closed opens the store again", async () => {
  const options = sharedOptions();
  const first = await open(DIRECTORY, options);
  await first.put("a", 1);
  const closing = first.close();
  const busy = { code: "LOCKED", message: /this process, which is closing it asynchronously/ };
  assert.throws(() => openSync(DIRECTORY, options), busy);
  const [second, third] = await Promise.all([open(DIRECTORY, options), open(DIRECTORY, options)]);
  await closing;
  assert.equal(second.getSync("a"), 1);
  await second.close();
  assert.equal(await third.get("a"), 1);
  await third.close();
  assert.equal(isFree(options.fileSystem), true);
});

test("A synchronous open can't wait for an asynchronous one, and says so", async () => {
  const options = sharedOptions();
  const opening = open(DIRECTORY, options);
  const busy = { code: "LOCKED", message: /this process, which is opening it asynchronously/ };
  assert.throws(() => openSync(DIRECTORY, options), busy);
  const store = await opening;
  openSync(DIRECTORY, options).closeSync();
  await store.close();
  assert.equal(isFree(options.fileSystem), true);
});

test("Options that disagree with those of the open store are TypeErrors that name them", async () => {
  const options = sharedOptions();
  await using store = await open(DIRECTORY, { ...options, walSync: "none" });
  for (
    const [name, value] of [
      ["walSync", undefined],
      ["walSync", "write"],
      ["memtableSizeBytes", 8192],
      ["keyEncoding", "bytes"],
      ["int64", "number"],
      ["compression", "snappy"],
      ["bloomFalsePositiveRate", false],
      ["verifyChecksums", false],
      ["preset", "low-memory"],
    ] as const
  ) {
    const others = { ...options, walSync: "none", [name]: value } as Options;
    const named = name === "preset" ? /"\w+" is \w+/ : new RegExp(`"${name}" is `);
    const expected = (error: unknown): boolean => {
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, /^Cannot share "\/db": .*, and the store is open with /);
      assert.match(error.message, named);
      return true;
    };
    await assert.rejects(open(DIRECTORY, others), expected);
    assert.throws(() => openSync(DIRECTORY, others), expected);
  }
  // These are about the call.
  const call = { ...options, walSync: "none", createIfMissing: false, lockTimeoutMs: 7 } as const;
  await (await open(DIRECTORY, call)).close();
  await assert.rejects(open(DIRECTORY, { ...call, errorIfExists: true }), {
    code: "ALREADY_EXISTS",
  });
  await store.put("a", 1);
});

test("LockedError says that this process has the store, and how to share it", async () => {
  const disk = temporaryDirectory("shared");
  try {
    for (const fileSystem of [undefined, memoryFileSystem()]) {
      const place = fileSystem === undefined ? disk.path : "/db";
      const plain: Options = fileSystem === undefined ? {} : { fileSystem };
      const shared = { ...plain, shared: true };
      const attempt = async (options: Options, message: RegExp): Promise<void> => {
        const expected = (error: unknown): boolean => {
          assert.ok(error instanceof LockedError, String(error));
          assert.match(error.message, /it is locked by this process[ ,]/);
          assert.match(error.holder, /^this process/);
          assert.match(error.message, message);
          return true;
        };
        await assert.rejects(open(place, options), expected);
        assert.throws(() => openSync(place, options), expected);
      };
      const alone = await open(place, plain);
      await attempt(plain, /; close that handle, or open it every time with \{ shared: true \}$/);
      await attempt(shared, /; that handle was opened without \{ shared: true \}$/);
      await alone.close();
      const one = await open(place, shared);
      await attempt(plain, /; that handle is shared: open this one with \{ shared: true \}, too$/);
      await one.close();
      await (await open(place, plain)).close();
    }
  } finally {
    disk.dispose();
  }
});

test("Shared opens that wait for a handle that is not shared get the store together", async () => {
  const options = { ...sharedOptions(), lockTimeoutMs: 60_000 };
  const alone = await open(DIRECTORY, { fileSystem: options.fileSystem });
  const waiting = Promise.all([open(DIRECTORY, options), open(DIRECTORY, options)]);
  await alone.put("a", 1);
  await alone.close();
  const [one, other] = await waiting;
  assert.equal(one.getSync("a"), 1);
  await one.close();
  await other.put("a", 2);
  await other.close();
  assert.equal(isFree(options.fileSystem), true);
});

test("The next shared open opens a failed store again", async () => {
  for (const isSync of [false, true]) {
    const options = sharedOptions();
    const again = async (): Promise<EmbeddedStore> =>
      isSync ? openSync(DIRECTORY, options) : await open(DIRECTORY, options);
    const first = await again();
    const second = await again();
    await first.put("a", 1);
    let isBroken = true;
    options.fileSystem.before = (operation, name) => {
      if (isBroken && operation === "write") throw refused(operation, name, "EIO");
    };
    await assert.rejects(first.put("b", 2));
    await assert.rejects(second.put("b", 2), BackgroundError);
    isBroken = false;
    const third = await again();
    assert.equal(await third.get("a"), 1);
    await third.put("b", 3);
    await assert.rejects(second.get("a"), ClosedError);
    // The old handles tell that their store had failed, and do not count for the new one.
    await assert.rejects(first.close(), BackgroundError);
    assert.throws(() => second.closeSync(), BackgroundError);
    await third.put("c", 4);
    assert.equal(isFree(options.fileSystem), false);
    await third.close();
    assert.equal(isFree(options.fileSystem), true);
    assert.equal(options.fileSystem.openHandles, 0);
  }
});

test("A directory is the same store by every name that it has", async () => {
  const directory = temporaryDirectory("shared");
  try {
    const real = path.join(directory.path, "real");
    const link = path.join(directory.path, "link");
    fs.mkdirSync(real);
    fs.symlinkSync(real, link);
    const first = await open(real, { shared: true });
    const second = await open(`${link}/../link/.`, { shared: true });
    await first.put("a", 1);
    assert.equal(await second.get("a"), 1);
    await first.close();
    await second.put("b", 2);
    await second.close();
    // Others are other stores.
    await using one = await open(path.join(directory.path, "one"), { shared: true });
    await using two = await open(path.join(directory.path, "two"), { shared: true });
    await one.put("a", 1);
    assert.equal(await two.get("a"), undefined);
    const inMemory = { shared: true, fileSystem: memoryFileSystem() };
    await using three = await open(path.join(directory.path, "one"), inMemory);
    assert.equal(await three.get("a"), undefined);
  } finally {
    directory.dispose();
  }
});
