// Read-only handles: what they leave alone, what they keep, and what they report if they can't.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import {
  type EmbeddedStore,
  type FileSystem,
  IoError,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  StoreError,
} from "../../mod.ts";
import { MAX_PINNED_TABLES } from "../../src/store/state/pinned_files.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { contentOf, DIRECTORY } from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SMALL: Options = {
  compression: "none",
  memtableSizeBytes: 4096,
  blockCacheSizeBytes: 0,
  l0CompactionTrigger: 2,
};

function tablesOf(store: EmbeddedStore): number {
  return store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
}

/** Puts `count` keys with values of `generation`, and flushes what is full. */
function fill(store: EmbeddedStore, count: number, generation: number): void {
  for (let n = 0; n < count; n++) store.putSync(`key ${n}`, `${generation}`.padEnd(100, "."));
}

function expected(count: number, generation: number): Record<string, unknown> {
  const keys = Array.from({ length: count }, (_, n) => `key ${n}`);
  return Object.fromEntries(keys.sort().map((key) => [key, `${generation}`.padEnd(100, ".")]));
}

/** Names, sizes, times and content of everything in a directory, and of the directory itself. */
function picture(directory: string): string[] {
  const times = (file: string): string => {
    const { mtimeNs, ctimeNs, size, mode, ino } = fs.statSync(file, { bigint: true });
    return `${mtimeNs} ${ctimeNs} ${size} ${mode} ${ino}`;
  };
  const lines = fs.readdirSync(directory).sort().map((name) => {
    const file = path.join(directory, name);
    const hash = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
    return `${name} ${times(file)} ${hash}`;
  });
  return [`. ${times(directory)}`, ...lines];
}

test("A read-only open on disk leaves every byte, name and time as it was", async () => {
  const temporary = temporaryDirectory("reading");
  try {
    const closed = path.join(temporary.path, "closed");
    const killed = path.join(temporary.path, "killed");
    const writer = openSync(closed, SMALL);
    fill(writer, 200, 1);
    await writer.compact();
    fill(writer, 20, 2);
    // The writer has the files of a killed one; LOCK stays where it is.
    fs.mkdirSync(killed);
    for (const name of fs.readdirSync(closed).filter((found) => !found.startsWith("LOCK"))) {
      fs.copyFileSync(path.join(closed, name), path.join(killed, name));
    }
    await writer.close();
    for (const directory of [closed, killed]) {
      fs.rmSync(path.join(directory, "LOCK"), { force: true });
      const before = picture(directory);
      const readers = [
        openSync(directory, { readOnly: true }),
        ...await Promise.all([1, 2, 3].map(() => open(directory, { readOnly: true }))),
      ];
      for (const reader of readers) {
        assert.deepEqual(contentOf(reader), { ...expected(200, 1), ...expected(20, 2) });
        assert.equal(await reader.count(), 200);
      }
      for (const reader of readers) await reader.close();
      assert.deepEqual(picture(directory), before);
      assert.ok(!fs.existsSync(path.join(directory, "LOCK")));
    }
  } finally {
    temporary.dispose();
  }
});

test("A store on a read-only disk can be read", () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(writer, 100, 1);
  const disk = fileSystem.clone();
  writer.closeSync();
  const readonly = new Set(["open", "read", "stat", "list"]);
  disk.before = (operation, name) => {
    if (!readonly.has(operation)) throw refused(operation, name, "EROFS");
  };
  const reader = openSync(DIRECTORY, { fileSystem: disk, readOnly: true });
  assert.deepEqual(contentOf(reader), expected(100, 1));
  reader.closeSync();
  assert.equal(disk.openHandles, 0);
});

test("Readers in the writer's own process do not refuse each other, nor the writer", async () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  const readers: { store: EmbeddedStore; generation: number }[] = [];
  for (let generation = 1; generation <= 12; generation++) {
    fill(writer, 60, generation);
    const store = generation % 2 === 0
      ? openSync(DIRECTORY, { fileSystem, readOnly: true, blockCacheSizeBytes: 0 })
      : await open(DIRECTORY, { fileSystem, readOnly: true, blockCacheSizeBytes: 0 });
    readers.push({ store, generation });
    if (generation % 4 === 0) await writer.compact();
  }
  const names = fileSystem.listSync(DIRECTORY);
  const versions = tablesOf(writer);
  assert.equal(names.filter((name) => name.endsWith(".sst")).length, versions, "nothing is kept");
  for (const { store, generation } of readers) {
    assert.deepEqual(contentOf(store), expected(60, generation));
    for (let n = 0; n < 60; n += 7) {
      assert.equal(await store.get(`key ${n}`), `${generation}`.padEnd(100, "."));
    }
    assert.ok(store.stats().openFiles <= tablesOf(store));
    await store.close();
  }
  await writer.close();
  assert.equal(fileSystem.openHandles, 0);
});

test("A writer may open, recover and close beside an earlier reader", async () => {
  const fileSystem = new CloneableFileSystem();
  const first = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(first, 100, 1);
  const killed = fileSystem.clone();
  first.closeSync();
  await using reader = await open(DIRECTORY, { fileSystem: killed, readOnly: true });
  for (let generation = 2; generation < 5; generation++) {
    const writer = openSync(DIRECTORY, { ...SMALL, fileSystem: killed });
    fill(writer, 100, generation);
    await writer.compact();
    writer.closeSync();
  }
  assert.deepEqual(contentOf(reader), expected(100, 1));
});

test("A checkpoint of a read-only store has the files that the writer has deleted since", async () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(writer, 100, 1);
  const reader = openSync(DIRECTORY, { ...SMALL, fileSystem, readOnly: true });
  fill(writer, 100, 2);
  await writer.compact();
  await reader.checkpoint("/copy");
  await reader.checkpoint("/go", { format: "go-v0.4" });
  await reader.close();
  await writer.close();
  for (const place of ["/copy", "/go"]) {
    const copy = openSync(place, { ...SMALL, fileSystem, readOnly: true });
    assert.deepEqual(contentOf(copy), expected(100, 1));
    copy.closeSync();
  }
  assert.equal(fileSystem.openHandles, 0);
});

/** A store of more tables than are pinned, in level 0, and some in the level below. */
async function manyTables(): Promise<{ fileSystem: CloneableFileSystem; writer: EmbeddedStore }> {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, l0CompactionTrigger: 1000, fileSystem });
  for (let n = 0; tablesOf(writer) <= MAX_PINNED_TABLES + 40; n++) {
    writer.putSync(`key ${String(n).padStart(6, "0")}`, `${n}`.padEnd(4200, "."));
    // So that tables overlap, and a compaction can't just move them.
    writer.putSync("first", n);
  }
  await writer.flush();
  return { fileSystem, writer };
}

test("If a reader has more tables than it keeps open, the error for a removed one names it", async () => {
  const { fileSystem, writer } = await manyTables();
  const before = fileSystem.openHandles;
  const reader = openSync(DIRECTORY, { fileSystem, readOnly: true, blockCacheSizeBytes: 0 });
  assert.equal(fileSystem.openHandles - before, MAX_PINNED_TABLES);
  assert.equal(reader.stats().openFiles, MAX_PINNED_TABLES);
  const keys = await writer.count();
  // Keys go up with the tables, and level 0 is pinned from its newest table on.
  await writer.compact();
  const oldest = "key 000000";
  const last = keys - 2;
  const newest = `key ${String(last).padStart(6, "0")}`;
  assert.equal(await reader.get(newest), `${last}`.padEnd(4200, "."));
  const gone = (error: unknown): boolean => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, "SNAPSHOT_GONE");
    assert.match(error.message, /\.sst": a writer has removed it since .* open it again/);
    return true;
  };
  await assert.rejects(reader.get(oldest), gone);
  assert.throws(() => reader.getSync(oldest), gone);
  await assert.rejects(reader.count(), gone);
  await assert.rejects(reader.checkpoint("/copy"), gone);
  assert.equal(await reader.get(newest), `${last}`.padEnd(4200, "."));
  await reader.close();
  await using again = await open(DIRECTORY, { fileSystem, readOnly: true });
  assert.equal(await again.count(), keys);
  await writer.close();
});

test("A reader that gets few descriptors keeps some free, and reads everything", async () => {
  const { fileSystem, writer } = await manyTables();
  const keys = await writer.count();
  await writer.close();
  fileSystem.before = (operation, name) => {
    if (operation === "open" && fileSystem.openHandles >= 100) {
      throw new IoError("open", name, "none is left", "EMFILE");
    }
  };
  await using reader = await open(DIRECTORY, {
    fileSystem,
    readOnly: true,
    blockCacheSizeBytes: 0,
  });
  assert.ok(fileSystem.openHandles >= 60 && fileSystem.openHandles <= 80, "a quarter is left");
  assert.equal(await reader.count(), keys);
  for (let n = 0; n < keys - 1; n += 5) {
    assert.equal(
      await reader.get(`key ${String(n).padStart(6, "0")}`),
      `${n}`.padEnd(4200, "."),
    );
  }
});

test("A reader gives up with a typed error if a writer changes the store during every try", async () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(writer, 100, 1);
  const manifestOf = (directory: string): string =>
    Object.entries(fileSystem.dump(directory)).filter(([name]) => name.startsWith("MANIFEST"))
      .join();
  let tries = 0;
  const busy = withList(fileSystem, (directory) => {
    tries++;
    const before = manifestOf(directory);
    // Until there is a flush, and with it an edit.
    while (manifestOf(directory) === before) fill(writer, 60, 2);
    return fileSystem.listSync(directory);
  });
  const expectedError = (error: unknown): boolean => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, "SNAPSHOT_GONE");
    assert.match(error.message, /a writer has changed it during each of 100 tries; open it again/);
    return true;
  };
  assert.throws(
    () => openSync(DIRECTORY, { fileSystem: busy, readOnly: true }),
    expectedError,
  );
  assert.equal(tries, 100);
  await assert.rejects(open(DIRECTORY, { fileSystem: busy, readOnly: true }), expectedError);
  writer.closeSync();
  assert.equal(fileSystem.openHandles, 0);
});

/** `inner` with another way to list a directory. */
function withList(inner: FileSystem, listSync: (directory: string) => string[]): FileSystem {
  return {
    name: inner.name,
    resolvePath: (place) => inner.resolvePath(place),
    joinPath: (directory, name) => inner.joinPath(directory, name),
    openReadSync: (file) => inner.openReadSync(file),
    createSync: (file) => inner.createSync(file),
    renameSync: (from, to) => inner.renameSync(from, to),
    removeSync: (file) => inner.removeSync(file),
    listSync,
    statSync: (file) => inner.statSync(file),
    makeDirectorySync: (directory) => inner.makeDirectorySync(directory),
    syncDirectorySync: (directory) => inner.syncDirectorySync(directory),
    lockSync: (directory) => inner.lockSync(directory),
  };
}

test("CURRENT may be replaced again and again while it is opened", () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(writer, 10, 1);
  let replaced = 0;
  fileSystem.before = (operation, name) => {
    if (operation === "open" && name.endsWith("/CURRENT") && replaced < 7) {
      replaced++;
      throw new IoError("open", name, "it was replaced while it was opened", "ESTALE");
    }
  };
  const reader = openSync(DIRECTORY, { fileSystem, readOnly: true });
  assert.equal(replaced, 7);
  assert.deepEqual(contentOf(reader), expected(10, 1));
  reader.closeSync();
  writer.closeSync();
});

test("A read-only open reports damage after it was found twice", async () => {
  const fileSystem = new CloneableFileSystem();
  const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
  fill(writer, 300, 1);
  await writer.close();
  const [table] = fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"));
  fileSystem.removeSync(`${DIRECTORY}/${table}`);
  let lists = 0;
  fileSystem.before = (operation) => {
    if (operation === "list") lists++;
  };
  const missing = { code: "CORRUPTION", message: new RegExp(`"${table}" is missing`) };
  assert.throws(() => openSync(DIRECTORY, { fileSystem, readOnly: true }), missing);
  assert.equal(lists, 2);
  await assert.rejects(open(DIRECTORY, { fileSystem, readOnly: true }), missing);
  assert.equal(fileSystem.openHandles, 0);
});

test("An unfinished checkpoint is not a store to a reader, at every step of it", async () => {
  for (const format of ["tinykvs", "go-v0.4"] as const) {
    const fileSystem = new CloneableFileSystem();
    const writer = openSync(DIRECTORY, { ...SMALL, fileSystem });
    fill(writer, 60, 1);
    const met = { refused: 0, read: 0 };
    let isReading = false;
    fileSystem.after = (_operation, name) => {
      if (isReading || !name.startsWith("/copy")) return;
      isReading = true;
      try {
        const reader = openSync("/copy", { fileSystem, readOnly: true });
        assert.deepEqual(contentOf(reader), expected(60, 1));
        reader.closeSync();
        met.read++;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "NOT_A_STORE") throw error;
        assert.equal(met.read, 0, "it was whole before");
        met.refused++;
      } finally {
        isReading = false;
      }
    };
    await writer.checkpoint("/copy", { format });
    assert.ok(met.refused > 5 && met.read > 0, JSON.stringify(met));
    fileSystem.after = undefined;
    await writer.close();
  }
});

test("A watch of a read-only handle is refused, since it would show nothing", async () => {
  const fileSystem = memoryFileSystem();
  await (await open("/db", { fileSystem })).close();
  await using store = await open("/db", { fileSystem, readOnly: true });
  assert.throws(() => store.watch(), { code: "READ_ONLY", message: /^Cannot watch "\/db"/ });
  assert.throws(() => store.sub("part").watch(), { code: "READ_ONLY" });
});

test("A read-only handle takes no lock, makes no store, and can't be shared", async () => {
  const fileSystem = memoryFileSystem();
  const readOnly = { fileSystem, readOnly: true };
  await assert.rejects(open("/db", readOnly), { code: "NOT_A_STORE" });
  fileSystem.makeDirectorySync("/db");
  await assert.rejects(open("/db", readOnly), { code: "NOT_A_STORE" });
  assert.deepEqual(fileSystem.listSync("/db"), []);
  openSync("/db", { fileSystem }).closeSync();
  await assert.rejects(open("/db", { ...readOnly, errorIfExists: true }), {
    code: "ALREADY_EXISTS",
  });
  await assert.rejects(open("/db", { ...readOnly, shared: true }), {
    name: "TypeError",
    message: /"readOnly" and "shared" exclude each other/,
  });
  assert.throws(() => openSync("/db", { ...readOnly, shared: true }), TypeError);
});
