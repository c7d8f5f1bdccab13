// Opening: options, paths, locks, and what a failed open leaves.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type FileSystem, memoryFileSystem, open, openSync, type Options } from "../../mod.ts";
import { resolveOptions } from "../../src/options.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { watched } from "./file_systems.ts";

/** Values of an option that are allowed, and values that are not. */
const limits: { [Name in keyof Options]-?: [good: unknown[], bad: unknown[]] } = {
  preset: [["default", "low-memory", "high-performance"], ["fast", "", 1, null]],
  createIfMissing: [[true, false], [1, "true", null]],
  errorIfExists: [[true, false], [0, "false", null]],
  readOnly: [[true, false], ["yes", 1, null]],
  shared: [[true, false], ["yes", 1, null]],
  lockTimeoutMs: [[0, 1, 2 ** 31 - 1], [-1, 0.5, 2 ** 31, NaN, Infinity, "5", null]],
  fileSystem: [[memoryFileSystem()], [null, {}, "memory", 1]],
  fileMode: [[0o600, 0o640, 0o777], [0o400, 0o177, 0o1600, 640, 0, -1, 384.5, "0640", null]],
  directoryMode: [[0o700, 0o750, 0o777], [0o600, 0o077, 0o1700, 750, 0, -1, "0750", null]],
  keyEncoding: [["utf8", "bytes"], ["utf-8", "", null]],
  int64: [["bigint", "number"], ["BigInt", null]],
  memtableSizeBytes: [[4096, 2 ** 20], [4095, 2 ** 30 + 1, 4096.5, "4096", 4096n, null]],
  blockCacheSizeBytes: [[0, 1, 2 ** 40], [-1, 0.5, 2 ** 53, Infinity, null]],
  blockSizeBytes: [[256, 64 * 2 ** 20], [255, 64 * 2 ** 20 + 1, null]],
  compression: [["zstd", "snappy", "none"], ["gzip", "", 0, null, false]],
  compressionLevel: [[-1, 1, 2, 3, 4], [0, -2, 5, 1.5, "1", null]],
  bloomFalsePositiveRate: [[false, 0.5, 1e-9, 0.999], [0, 1, -0.1, NaN, true, "0.01", null]],
  walSync: [["none", "interval", "batch", "write"], ["always", true, null]],
  walSyncIntervalMs: [[1, 2 ** 31 - 1], [0, 1.5, 2 ** 31, null]],
  verifyChecksums: [[true, false], [1, null]],
  l0CompactionTrigger: [[2, 1000], [1, 1001, 2.5, null]],
  levelSizeMultiplier: [[2, 100], [1, 101, null]],
  maxLevels: [[2, 7], [1, 8, null]],
  backgroundThread: [[true, false], [1, "worker", null]],
  flushOnClose: [[true, false], [1, "no", null]],
  largeValueBytes: [[false, 64, 2 ** 30], [true, 0, 63, 2 ** 30 + 1, 99.5, "8192", null]],
};

/** A file system that fails on the first use of it. */
const untouchable = new Proxy(memoryFileSystem(), {
  get(target, name) {
    const member: unknown = Reflect.get(target, name);
    if (typeof member !== "function") return member;
    return () => assert.fail(`${String(name)} was called`);
  },
});

test("Every option is accepted at its limits and refused beyond them, before the disk is touched", async () => {
  for (const [name, [good, bad]] of Object.entries(limits)) {
    for (const value of good) {
      // Their own store: these are for the file system of the runtime.
      if (name === "fileMode" || name === "directoryMode") {
        assert.equal(resolveOptions({ [name]: value })[name], value);
        continue;
      }
      const fileSystem = memoryFileSystem();
      openSync("/db", { fileSystem }).closeSync();
      if (name === "errorIfExists" && value === true) continue;
      const store = openSync("/db", { fileSystem, [name]: value });
      if (name !== "readOnly") store.putSync("a", 1);
      store.closeSync();
    }
    for (const value of bad) {
      const options = { fileSystem: untouchable, [name]: value } as Options;
      const expected = (error: unknown): boolean =>
        error instanceof RangeError && error.message.includes(`"${name}"`);
      assert.throws(() => openSync("/db", options), expected, `${name}: ${String(value)}`);
      await assert.rejects(open("/db", options), expected, `${name}: ${String(value)}`);
    }
  }
});

test("The largest memtable size is accepted", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), memtableSizeBytes: 2 ** 30 });
  store.putSync("a", 1);
  assert.equal(store.getSync("a"), 1);
  store.closeSync();
});

test("Options that are not an object, and unknown names, are TypeErrors", async () => {
  for (const options of [null, 5, "fast", true]) {
    await assert.rejects(open("/db", options as never), TypeError);
  }
  for (const name of ["memtableSize", "__proto__x", "constructor", "toString"]) {
    const options = { fileSystem: untouchable, [name]: 1 };
    await assert.rejects(open("/db", options as Options), {
      name: "TypeError",
      message: new RegExp(`"${name}"`),
    });
  }
});

test("Only own options count, and undefined counts as not given", async () => {
  const inherited = Object.create({ readOnly: true, unknown: 1 });
  const options = Object.assign(inherited, {
    fileSystem: memoryFileSystem(),
    memtableSizeBytes: undefined,
  });
  await using store = await open("/db", options);
  await store.put("a", 1);
  assert.equal(await store.get("a"), 1);
});

test("A path that is neither text nor a URL is a TypeError", async () => {
  for (const bad of [undefined, null, 5, {}, ""]) {
    await assert.rejects(open(bad as never, { fileSystem: memoryFileSystem() }), TypeError);
    assert.throws(() => openSync(bad as never, { fileSystem: memoryFileSystem() }), TypeError);
  }
  await assert.rejects(open(new URL("https://localhost/db")), TypeError);
});

test("A missing store is created with its parents, or refused if the caller asks for that", async () => {
  const directory = temporaryDirectory("open");
  try {
    const missing = path.join(directory.path, "some", "where");
    for (const options of [{ createIfMissing: false }, { readOnly: true }]) {
      await assert.rejects(open(missing, options), { code: "NOT_A_STORE" });
      assert.throws(() => openSync(missing, options), { code: "NOT_A_STORE" });
      assert.deepEqual(fs.readdirSync(directory.path), []);
    }
    const store = await open(missing);
    assert.equal(store.path, missing);
    assert.equal(store.status, "open");
    await store.close();
    assert.equal(store.status, "closed");
    await (await open(missing, { createIfMissing: false })).close();
  } finally {
    directory.dispose();
  }
});

test("An existing store is refused if the caller asks for a new one", async () => {
  const fileSystem = memoryFileSystem();
  const create: Options = { fileSystem, errorIfExists: true };
  openSync("/db", create).closeSync();
  assert.throws(() => openSync("/db", create), { code: "ALREADY_EXISTS" });
  await assert.rejects(open("/db", create), { code: "ALREADY_EXISTS" });
  // The refusal gave the lock back.
  openSync("/db", { fileSystem }).closeSync();
});

test("A directory without a store is left as it was if none may be created", async () => {
  const directory = temporaryDirectory("open");
  try {
    fs.writeFileSync(path.join(directory.path, "letter.txt"), "Dear reader");
    for (const options of [{ createIfMissing: false }, { readOnly: true }]) {
      await assert.rejects(open(directory.path, options), { code: "NOT_A_STORE" });
      assert.throws(() => openSync(directory.path, options), { code: "NOT_A_STORE" });
      assert.deepEqual(fs.readdirSync(directory.path), ["letter.txt"]);
    }
  } finally {
    directory.dispose();
  }
});

test("Files of others in the directory stay as they are", async () => {
  const directory = temporaryDirectory("open");
  try {
    const names = ["letter.txt", "000001.txt", "x.sst", "1.sst.bak", ".hidden", "MANIFEST", "wal"];
    for (const name of names) fs.writeFileSync(path.join(directory.path, name), name);
    fs.mkdirSync(path.join(directory.path, "folder"));
    for (let i = 0; i < 3; i++) {
      await using store = await open(directory.path, { memtableSizeBytes: 4096 });
      for (let n = 0; n < 100; n++) await store.put(`key ${n}`, "x".repeat(100));
      await store.compact();
    }
    for (const name of names) {
      assert.equal(fs.readFileSync(path.join(directory.path, name), "utf8"), name);
    }
    assert.ok(fs.existsSync(path.join(directory.path, "folder")));
  } finally {
    directory.dispose();
  }
});

test("A path that is not a directory is refused and stays", async () => {
  const directory = temporaryDirectory("open");
  try {
    const file = path.join(directory.path, "file");
    fs.writeFileSync(file, "content");
    await assert.rejects(open(file), { code: "NOT_A_STORE", message: /it is a file/ });
    assert.throws(() => openSync(file), { code: "NOT_A_STORE" });
    assert.equal(fs.readFileSync(file, "utf8"), "content");
    await assert.rejects(open(path.join(file, "below")));
  } finally {
    directory.dispose();
  }
});

test("The files of a store that has lost CURRENT are refused and stay", async () => {
  const fileSystem = memoryFileSystem();
  const store = openSync("/db", { fileSystem });
  store.putSync("a", 1);
  store.closeSync();
  fileSystem.removeSync("/db/CURRENT");
  const before = fileSystem.listSync("/db").sort();
  await assert.rejects(open("/db", { fileSystem }), { code: "CORRUPTION", message: /CURRENT/ });
  assert.deepEqual(fileSystem.listSync("/db").sort(), before);
});

test("A file: URL with escapes names the same store as its path", async () => {
  const directory = temporaryDirectory("open");
  try {
    const target = path.join(directory.path, "a b#c%d é");
    await using store = await open(pathToFileURL(target));
    assert.equal(store.path, target);
    await assert.rejects(open(target), { code: "LOCKED" });
    assert.deepEqual(fs.readdirSync(directory.path), ["a b#c%d é"]);
  } finally {
    directory.dispose();
  }
});

test("A relative path is made absolute at once", async () => {
  const directory = temporaryDirectory("open");
  try {
    const target = path.join(directory.path, "store");
    await using store = await open(path.relative(process.cwd(), target));
    assert.equal(store.path, target);
    await store.put("a", 1);
    assert.ok(fs.existsSync(path.join(target, "CURRENT")));
  } finally {
    directory.dispose();
  }
});

test("The directory and its files are private under any umask", async () => {
  if (process.platform === "win32") return assert.ok(true, "Windows has no modes");
  const directory = temporaryDirectory("open");
  const umask = process.umask(0);
  try {
    const target = path.join(directory.path, "store");
    await using store = await open(target);
    for (let i = 0; i < 10; i++) await store.put(`key ${i}`, "x".repeat(100));
    await store.flush();
    await store.put("a", 1);
    const modeOf = (name: string): number => fs.statSync(path.join(target, name)).mode & 0o777;
    assert.equal(modeOf("."), 0o700);
    const names = fs.readdirSync(target);
    assert.ok(names.some((name) => name.endsWith(".sst")));
    assert.ok(names.some((name) => name.endsWith(".wal")));
    for (const name of names) assert.equal(modeOf(name), 0o600, name);
  } finally {
    process.umask(umask);
    directory.dispose();
  }
});

test("A second open of the same directory is a LockedError that names the holder", async () => {
  const directory = temporaryDirectory("open");
  try {
    await using store = await open(directory.path);
    await store.put("a", 1);
    const expected = { name: "LockedError", code: "LOCKED", message: new RegExp(`${process.pid}`) };
    await assert.rejects(open(directory.path), expected);
    await assert.rejects(open(`${directory.path}/../${path.basename(directory.path)}/`), expected);
    assert.throws(() => openSync(directory.path), expected);
    await store.close();
    openSync(directory.path).closeSync();
  } finally {
    directory.dispose();
  }
});

test("An open that waits for the lock gets the store when its holder closes it", async () => {
  const fileSystem = memoryFileSystem();
  const holder = await open("/db", { fileSystem });
  await holder.put("a", 1);
  const waiting = open("/db", { fileSystem, lockTimeoutMs: 60_000 });
  await holder.close();
  await using store = await waiting;
  assert.equal(await store.get("a"), 1);
});

test("An open that waits for the lock gives up with a LockedError", async () => {
  const fileSystem = memoryFileSystem();
  let tries = 0;
  const below = watched(fileSystem, () => {});
  const counting: FileSystem = {
    ...below,
    lockSync(directory) {
      tries++;
      return below.lockSync(directory);
    },
  };
  await using holder = await open("/db", { fileSystem });
  assert.equal(holder.status, "open");
  await assert.rejects(open("/db", { fileSystem: counting, lockTimeoutMs: 50 }), {
    code: "LOCKED",
  });
  assert.ok(tries >= 2, `${tries} tries`);
  tries = 0;
  assert.throws(() => openSync("/db", { fileSystem: counting, lockTimeoutMs: 50 }), {
    code: "LOCKED",
  });
  assert.ok(tries >= 2, `${tries} tries`);
});

test("A process that does nothing but wait for the lock stays alive until it has it", async () => {
  const directory = temporaryDirectory("open");
  try {
    const holder = await open(directory.path);
    await holder.put("a", "from the holder");
    const script = fileURLToPath(new URL("open_child.ts", import.meta.url));
    const { command, args } = runtimeCommand(runtimeName, script, [directory.path]);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "close");
    let output = "";
    for await (const chunk of child.stdout) {
      output += String(chunk);
      // It has found the store locked; from now on it waits.
      if (output === "locked\n") await holder.close();
    }
    assert.equal(output, "locked\nfrom the holder\n");
    assert.deepEqual(await exited, [0, null]);
    await holder.close();
  } finally {
    directory.dispose();
  }
});

test("A read-only store answers reads and refuses writes, and leaves its files alone", async () => {
  const directory = temporaryDirectory("open");
  try {
    const killed = memoryFileSystem();
    const writing = openSync("/db", { fileSystem: killed });
    writing.putSync("in a table", 1);
    await writing.flush();
    writing.putSync("in the log", 2);
    for (const name of killed.listSync("/db")) {
      const handle = killed.openReadSync(`/db/${name}`);
      const bytes = new Uint8Array(handle.sizeSync());
      handle.readSync(bytes, 0, bytes.length, 0);
      fs.writeFileSync(path.join(directory.path, name), bytes);
    }
    writing.closeSync();
    const content = (): Record<string, string> =>
      Object.fromEntries(
        fs.readdirSync(directory.path).filter((name) => !name.startsWith("LOCK")).sort().map((
          name,
        ) => [name, fs.readFileSync(path.join(directory.path, name), "latin1")]),
      );
    const before = content();
    const store = await open(directory.path, { readOnly: true });
    assert.equal(await store.get("in a table"), 1);
    assert.equal(store.getSync("in the log"), 2);
    assert.equal(await store.count(), 2);
    const refused = { code: "READ_ONLY" };
    await assert.rejects(store.put("a", 1), refused);
    await assert.rejects(store.delete("a"), refused);
    await assert.rejects(store.write([{ type: "put", key: "a", value: 1 }]), refused);
    await assert.rejects(store.write([]), refused);
    await assert.rejects(store.batch().put("a", 1).write(), refused);
    assert.throws(() => store.putSync("a", 1), refused);
    assert.throws(() => store.deleteSync("a"), refused);
    await assert.rejects(store.flush(), refused);
    await assert.rejects(store.compact(), refused);
    await assert.rejects(store.sync(), refused);
    await store.close();
    assert.deepEqual(content(), before);
  } finally {
    directory.dispose();
  }
});

test("An open that fails releases the lock", async () => {
  const fileSystem = memoryFileSystem();
  openSync("/db", { fileSystem }).closeSync();
  const [manifest] = fileSystem.listSync("/db").filter((name) => name.startsWith("MANIFEST"));
  fileSystem.removeSync(`/db/${manifest}`);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(open("/db", { fileSystem }), { code: "CORRUPTION" });
    assert.throws(() => openSync("/db", { fileSystem }), { code: "CORRUPTION" });
  }
});
