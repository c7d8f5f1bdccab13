/**
 * What every FileSystem adapter must do, as tests. An adapter's test file calls
 * `fileSystemContract` once; `make` gives a fresh file system and an empty existing directory.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError, LockedError } from "../../src/errors.ts";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import { readFully, readFullySync, writeFullySync } from "../../src/platform/transfer.ts";

/** A file system under test, and an empty directory on it. */
export interface FileSystemUnderTest {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  dispose(): void;
}

/** Registers the contract's tests for the adapter `name`. */
export function fileSystemContract(name: string, make: () => FileSystemUnderTest): void {
  function contract(
    behaviour: string,
    body: (fileSystem: FileSystem, at: (file: string) => string, directory: string) => unknown,
  ): void {
    test(`${name} file system ${behaviour}`, async () => {
      const { fileSystem, directory, dispose } = make();
      try {
        await body(fileSystem, (file) => fileSystem.joinPath(directory, file), directory);
      } finally {
        dispose();
      }
    });
  }

  contract("reads back what was written, by position", (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    writeFullySync(handle, bytes(1, 2, 3, 4, 5), 0, 5, 0);
    writeFullySync(handle, bytes(0, 9, 8, 0), 1, 2, 2);
    const into = new Uint8Array(7).fill(0xee);
    readFullySync(handle, into, 1, 5, 0);
    assert.deepEqual(into, bytes(0xee, 1, 2, 9, 8, 5, 0xee));
    assert.equal(handle.sizeSync(), 5);
    handle.closeSync();
    const again = fileSystem.openReadSync(at("a"));
    assert.equal(again.path, at("a"));
    readFullySync(again, into, 0, 3, 1);
    assert.deepEqual(into.subarray(0, 3), bytes(2, 9, 8));
    again.closeSync();
  });

  contract("answers reads past the end with a short count or 0", async (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    writeFullySync(handle, bytes(1, 2, 3), 0, 3, 0);
    const into = new Uint8Array(8).fill(0xee);
    assert.equal(handle.readSync(into, 0, 8, 1), 2);
    assert.deepEqual(into.subarray(0, 3), bytes(2, 3, 0xee));
    assert.equal(handle.readSync(into, 0, 8, 3), 0);
    assert.equal(handle.readSync(into, 0, 8, 2 ** 40), 0);
    assert.equal(handle.readSync(into, 0, 0, 0), 0);
    if (handle.read !== undefined) {
      assert.equal(await handle.read(into, 0, 8, 2), 1);
      assert.equal(await handle.read(into, 0, 8, 3), 0);
    }
    handle.closeSync();
  });

  contract("fills a gap before a write with zeros", (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    writeFullySync(handle, bytes(7), 0, 1, 100_000);
    assert.equal(handle.sizeSync(), 100_001);
    const into = new Uint8Array(100_001).fill(0xee);
    readFullySync(handle, into, 0, into.length, 0);
    assert.equal(into[100_000], 7);
    assert.ok(into.subarray(0, 100_000).every((byte) => byte === 0));
    handle.closeSync();
  });

  contract("keeps offsets beyond 2^32 apart from small ones", async (fileSystem, at) => {
    const far = 2 ** 32 + 1;
    const handle = fileSystem.createSync(at("sparse"));
    writeFullySync(handle, bytes(1, 1, 1, 1), 0, 4, 0);
    writeFullySync(handle, bytes(5, 6, 7), 0, 3, far);
    assert.equal(handle.sizeSync(), far + 3);
    const into = new Uint8Array(4);
    readFullySync(handle, into, 0, 3, far);
    assert.deepEqual(into, bytes(5, 6, 7, 0));
    await readFully(handle, into, 1, 2, far + 1);
    assert.deepEqual(into, bytes(5, 6, 7, 0));
    readFullySync(handle, into, 0, 4, 0);
    assert.deepEqual(into, bytes(1, 1, 1, 1));
    handle.closeSync();
  });

  contract("refuses positions that are no offset and moves nothing", (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    for (const position of [-1, 0.5, NaN, 2 ** 53]) {
      assert.throws(() => handle.writeSync(bytes(1), 0, 1, position), RangeError);
      assert.throws(() => handle.readSync(new Uint8Array(1), 0, 1, position), RangeError);
    }
    assert.throws(() => handle.readSync(new Uint8Array(4), 2, 3, 0), RangeError);
    assert.throws(() => handle.writeSync(new Uint8Array(4), 2, 3, 0), RangeError);
    assert.equal(handle.sizeSync(), 0);
    handle.closeSync();
  });

  contract("gives whole transfers through handles that fall short at random", async (fs, at) => {
    for (let seed = 1; seed <= 20; seed++) {
      const content = new Uint8Array(5_000).map((_, index) => (index * seed) & 0xff);
      const path = at(`short-${seed}`);
      const created = shortHandle(fs.createSync(path), seed);
      const into = new Uint8Array(content.length);
      const hint = `seed ${seed}; the loop over seeds in file_system_contract.ts repeats it`;
      writeFullySync(created, content, 0, content.length, 0);
      assert.equal(created.sizeSync(), content.length, hint);
      readFullySync(created, into, 0, content.length, 0);
      assert.deepEqual(into, content, hint);
      into.fill(0);
      await readFully(created, into, 0, content.length, 0);
      assert.deepEqual(into, content, hint);
      created.closeSync();
    }
  });

  contract("says how much it found when a whole read meets the end", async (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    writeFullySync(handle, bytes(1, 2, 3), 0, 3, 0);
    const expected = {
      name: "IoError",
      operation: "read",
      path: at("a"),
      osCode: "EOF",
      message: `Cannot read "${
        at("a")
      }": found 2 of 9 bytes at offset 1 before the end of the file`,
    };
    assert.throws(() => readFullySync(handle, new Uint8Array(9), 0, 9, 1), expected);
    await assert.rejects(readFully(handle, new Uint8Array(9), 0, 9, 1), expected);
    handle.closeSync();
  });

  contract("creates exclusively and leaves what exists alone", (fileSystem, at) => {
    const first = fileSystem.createSync(at("a"));
    writeFullySync(first, bytes(1), 0, 1, 0);
    first.closeSync();
    fails(() => fileSystem.createSync(at("a")), "create", at("a"), "EEXIST");
    assert.deepEqual(fileSystem.statSync(at("a")), { kind: "file", sizeBytes: 1 });
  });

  contract("renames over an existing file", (fileSystem, at, directory) => {
    put(fileSystem, at("a"), bytes(1, 1));
    put(fileSystem, at("b"), bytes(2, 2, 2));
    fileSystem.renameSync(at("a"), at("b"));
    assert.deepEqual(fileSystem.listSync(directory), ["b"]);
    assert.deepEqual(content(fileSystem, at("b")), bytes(1, 1));
    fails(() => fileSystem.renameSync(at("a"), at("b")), "rename", at("a"), "ENOENT");
    fileSystem.makeDirectorySync(at("d"));
    fails(() => fileSystem.renameSync(at("b"), at("d")), "rename", at("b"), "EISDIR");
  });

  contract("keeps a removed or replaced file alive in its open handles", (fileSystem, at) => {
    put(fileSystem, at("a"), bytes(1, 2, 3));
    const old = fileSystem.openReadSync(at("a"));
    put(fileSystem, at("new"), bytes(9));
    fileSystem.renameSync(at("new"), at("a"));
    const replaced = fileSystem.openReadSync(at("a"));
    fileSystem.removeSync(at("a"));
    assert.equal(fileSystem.statSync(at("a")), undefined);
    const into = new Uint8Array(3);
    readFullySync(old, into, 0, 3, 0);
    assert.deepEqual(into, bytes(1, 2, 3));
    readFullySync(replaced, into, 0, 1, 0);
    assert.equal(into[0], 9);
    old.closeSync();
    replaced.closeSync();
  });

  contract("removes files, and only files", (fileSystem, at) => {
    put(fileSystem, at("a"), bytes(1));
    fileSystem.removeSync(at("a"));
    fails(() => fileSystem.removeSync(at("a")), "remove", at("a"), "ENOENT");
    fileSystem.makeDirectorySync(at("empty"));
    assert.throws(() => fileSystem.removeSync(at("empty")), IoError);
    assert.equal(fileSystem.statSync(at("empty"))?.kind, "directory");
  });

  contract("lists and tells kinds", (fileSystem, at, directory) => {
    assert.deepEqual(fileSystem.listSync(directory), []);
    put(fileSystem, at("b"), bytes(1, 2));
    put(fileSystem, at("a"), bytes());
    fileSystem.makeDirectorySync(at("d"));
    assert.deepEqual(fileSystem.listSync(directory).sort(), ["a", "b", "d"]);
    assert.deepEqual(fileSystem.statSync(at("b")), { kind: "file", sizeBytes: 2 });
    assert.deepEqual(fileSystem.statSync(at("a")), { kind: "file", sizeBytes: 0 });
    assert.deepEqual(fileSystem.statSync(at("d")), { kind: "directory", sizeBytes: 0 });
    assert.equal(fileSystem.statSync(at("nothing")), undefined);
    fails(() => fileSystem.listSync(at("nothing")), "list", at("nothing"), "ENOENT");
    fails(() => fileSystem.listSync(at("a")), "list", at("a"), "ENOTDIR");
  });

  contract("makes directories with their parents, again and again", (fileSystem, at) => {
    const deep = fileSystem.joinPath(fileSystem.joinPath(at("x"), "y"), "z");
    fileSystem.makeDirectorySync(deep);
    fileSystem.makeDirectorySync(deep);
    assert.equal(fileSystem.statSync(deep)?.kind, "directory");
    put(fileSystem, at("file"), bytes(1));
    fails(() => fileSystem.makeDirectorySync(at("file")), "make directory", at("file"), "EEXIST");
    const below = fileSystem.joinPath(at("file"), "below");
    fails(() => fileSystem.makeDirectorySync(below), "make directory", below, "ENOTDIR");
  });

  contract("syncs files and directories", async (fileSystem, at, directory) => {
    const handle = fileSystem.createSync(at("a"));
    writeFullySync(handle, bytes(1), 0, 1, 0);
    handle.syncSync();
    await handle.sync?.();
    handle.closeSync();
    fileSystem.syncDirectorySync(directory);
    await fileSystem.syncDirectory?.(directory);
    const absent = at("absent");
    fails(() => fileSystem.syncDirectorySync(absent), "sync directory", absent, "ENOENT");
    fails(() => fileSystem.syncDirectorySync(at("a")), "sync directory", at("a"), "ENOTDIR");
    if (fileSystem.syncDirectory !== undefined) {
      await assert.rejects(fileSystem.syncDirectory(absent), {
        name: "IoError",
        operation: "sync directory",
        path: absent,
        osCode: "ENOENT",
      });
    }
  });

  contract("refuses to open what is missing or no regular file", (fileSystem, at) => {
    fails(() => fileSystem.openReadSync(at("a")), "open", at("a"), "ENOENT");
    fileSystem.makeDirectorySync(at("d"));
    fails(() => fileSystem.openReadSync(at("d")), "open", at("d"), "EISDIR", /it is a directory/);
    put(fileSystem, at("a"), bytes(1));
    const below = fileSystem.joinPath(at("a"), "below");
    fails(() => fileSystem.openReadSync(below), "open", below, "ENOTDIR");
    fails(() => fileSystem.statSync(below), "stat", below, "ENOTDIR");
    fails(() => fileSystem.createSync(below), "create", below, "ENOTDIR");
    const orphan = fileSystem.joinPath(at("no-such-directory"), "a");
    fails(() => fileSystem.createSync(orphan), "create", orphan, "ENOENT");
    assert.equal(fileSystem.statSync(orphan), undefined);
  });

  contract("refuses to write through a handle that is open for reading", (fileSystem, at) => {
    put(fileSystem, at("a"), bytes(1));
    const handle = fileSystem.openReadSync(at("a"));
    fails(() => handle.writeSync(bytes(2), 0, 1, 0), "write", at("a"), "EBADF");
    handle.closeSync();
    assert.deepEqual(content(fileSystem, at("a")), bytes(1));
  });

  contract("answers every use of a closed handle with EBADF", async (fileSystem, at) => {
    const handle = fileSystem.createSync(at("a"));
    handle.closeSync();
    handle.closeSync();
    const into = new Uint8Array(1);
    fails(() => handle.readSync(into, 0, 1, 0), "read", at("a"), "EBADF");
    fails(() => handle.writeSync(into, 0, 1, 0), "write", at("a"), "EBADF");
    fails(() => handle.syncSync(), "sync", at("a"), "EBADF");
    fails(() => handle.sizeSync(), "stat", at("a"), "EBADF");
    if (handle.read !== undefined) {
      await assert.rejects(handle.read(into, 0, 1, 0), { operation: "read", osCode: "EBADF" });
    }
    if (handle.sync !== undefined) {
      await assert.rejects(handle.sync(), { operation: "sync", osCode: "EBADF" });
    }
  });

  contract("finishes the calls in flight on a handle that is closed", async (fileSystem, at) => {
    const reader = fileSystem.createSync(at("old"));
    writeFullySync(reader, new Uint8Array(64 * 1024).fill(1), 0, 64 * 1024, 0);
    const buffers = Array.from({ length: 32 }, () => new Uint8Array(1024));
    const calls = buffers.map((buffer, index) => reader.read?.(buffer, 0, 1024, index * 1024));
    const sync = reader.sync?.();
    reader.closeSync();
    // A file opened now would be given the descriptor if it were free.
    const other = fileSystem.createSync(at("other"));
    writeFullySync(other, new Uint8Array(64 * 1024).fill(2), 0, 64 * 1024, 0);
    for (const [index, call] of calls.entries()) {
      if (call === undefined) continue;
      assert.equal(await call, 1024);
      assert.ok(buffers[index]!.every((byte) => byte === 1), `read ${index} hit another file`);
    }
    await sync;
    fails(() => reader.sizeSync(), "stat", at("old"), "EBADF");
    assert.equal(other.sizeSync(), 64 * 1024);
    other.closeSync();
  });

  contract("locks a directory once, whatever its spelling", (fileSystem, at, directory) => {
    const lock = fileSystem.lockSync(directory);
    for (const path of [directory, fileSystem.joinPath(directory, ".")]) {
      assert.throws(() => fileSystem.lockSync(path), (error) => {
        assert.ok(error instanceof LockedError);
        assert.equal(error.path, path);
        assert.notEqual(error.holder, "");
        return true;
      });
    }
    fileSystem.makeDirectorySync(at("other"));
    const other = fileSystem.lockSync(at("other"));
    lock.verifySync();
    lock.releaseSync();
    lock.releaseSync();
    // A sync that ends late must not report success after the next holder has come.
    lock.verifySync();
    const again = fileSystem.lockSync(directory);
    lock.releaseSync();
    assert.throws(() => fileSystem.lockSync(directory), LockedError);
    again.releaseSync();
    other.releaseSync();
    const absent = at("absent");
    fails(() => fileSystem.lockSync(absent), "lock", absent, "ENOENT");
  });

  contract("resolves paths and file URLs to absolute plain paths", (fileSystem, _at, directory) => {
    assert.equal(fileSystem.resolvePath(`${directory}/a/../b//c/.`), `${directory}/b/c`);
    assert.equal(fileSystem.resolvePath(new URL("file:///a%20b/c")), "/a b/c");
    assert.ok(fileSystem.resolvePath("relative").endsWith("/relative"));
    assert.ok(fileSystem.resolvePath("relative").startsWith("/"));
    assert.throws(() => fileSystem.resolvePath(new URL("https://example.com/a")), TypeError);
    assert.throws(() => fileSystem.resolvePath(""), TypeError);
    assert.throws(() => fileSystem.resolvePath("/a\0b"), TypeError);
  });
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function put(fileSystem: FileSystem, path: string, from: Uint8Array): void {
  const handle = fileSystem.createSync(path);
  writeFullySync(handle, from, 0, from.length, 0);
  handle.closeSync();
}

function content(fileSystem: FileSystem, path: string): Uint8Array {
  const handle = fileSystem.openReadSync(path);
  const into = new Uint8Array(handle.sizeSync());
  readFullySync(handle, into, 0, into.length, 0);
  handle.closeSync();
  return into;
}

/** Asserts that `action` throws an IoError with these fields, whose message names the path. */
function fails(
  action: () => unknown,
  operation: string,
  path: string,
  osCode: string,
  message?: RegExp,
): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof IoError, `not an IoError: ${error}`);
    assert.equal(error.operation, operation);
    assert.equal(error.path, path);
    assert.equal(error.osCode, osCode);
    assert.ok(error.message.startsWith(`Cannot ${operation} "${path}": `), error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

/** A handle that transfers a random part of the requested bytes, at least one. */
function shortHandle(handle: FileHandle, seed: number): FileHandle {
  let state = seed * 2654435761 >>> 0;
  const part = (length: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + (state >>> 8) % Math.min(length, 700);
  };
  const short: FileHandle = {
    path: handle.path,
    readSync: (into, offset, length, position) =>
      handle.readSync(into, offset, part(length), position),
    writeSync: (from, offset, length, position) =>
      handle.writeSync(from, offset, part(length), position),
    syncSync: () => handle.syncSync(),
    sizeSync: () => handle.sizeSync(),
    closeSync: () => handle.closeSync(),
  };
  if (handle.read !== undefined) {
    const read = handle.read.bind(handle);
    short.read = (into, offset, length, position) => read(into, offset, part(length), position);
  }
  return short;
}
