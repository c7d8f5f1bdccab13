/**
 * File systems for tests of the whole store: copies of the files on one (the state that a killed
 * process leaves), and a wrapper that lets a test count calls, fail them, or make them
 * asynchronous.
 */

import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { readWholeFileSync, writeFullySync } from "../../src/platform/transfer.ts";

/** A new file system in memory that holds a copy of one directory: what a crash now would leave. */
export function crashCopy(fileSystem: FileSystem, directory: string): FileSystem {
  const copy = memoryFileSystem();
  copy.makeDirectorySync(directory);
  for (const name of fileSystem.listSync(directory)) {
    const path = fileSystem.joinPath(directory, name);
    if (fileSystem.statSync(path)?.kind !== "file") continue;
    const bytes = readWholeFileSync(fileSystem, path, 2 ** 30);
    const handle = copy.createSync(path);
    writeFullySync(handle, bytes, 0, bytes.length, 0);
    handle.closeSync();
  }
  return copy;
}

/** One call to a watched file system. */
export interface Call {
  /** What: "create", "write", "sync", "read", "rename", "remove", "syncDirectory". */
  readonly operation: string;
  /** On which path. */
  readonly path: string;
  /** Bytes of a read or write, else 0. */
  readonly length: number;
}

/**
 * A file system that calls `before` ahead of every operation on the one below; what `before` throws
 * is the operation's failure. With `gate`, reads and syncs are also offered asynchronously, and
 * finish when the promise that `gate` returns for them has resolved.
 */
export function watched(
  below: FileSystem,
  before: (call: Call) => void,
  gate?: (call: Call) => Promise<void>,
): FileSystem {
  const wrap = (handle: FileHandle): FileHandle => {
    const { path } = handle;
    const wrapped: FileHandle = {
      path,
      readSync(into, offset, length, position) {
        before({ operation: "read", path, length });
        return handle.readSync(into, offset, length, position);
      },
      writeSync(from, offset, length, position) {
        before({ operation: "write", path, length });
        return handle.writeSync(from, offset, length, position);
      },
      syncSync() {
        before({ operation: "sync", path, length: 0 });
        handle.syncSync();
      },
      sizeSync: () => handle.sizeSync(),
      closeSync: () => handle.closeSync(),
    };
    if (gate === undefined) return wrapped;
    // As the contract asks, a close waits for the calls that are under way.
    let underWay = 0;
    let isClosed = false;
    const during = async <T>(call: Call, finish: () => T): Promise<T> => {
      before(call);
      underWay++;
      try {
        await gate(call);
        return finish();
      } finally {
        if (--underWay === 0 && isClosed) handle.closeSync();
      }
    };
    return {
      ...wrapped,
      read: (into, offset, length, position) =>
        during(
          { operation: "read", path, length },
          () => handle.readSync(into, offset, length, position),
        ),
      sync: () => during({ operation: "sync", path, length: 0 }, () => handle.syncSync()),
      closeSync() {
        isClosed = true;
        if (underWay === 0) handle.closeSync();
      },
    };
  };
  const on = (operation: string, path: string): void => before({ operation, path, length: 0 });
  return {
    name: below.name,
    resolvePath: (path) => below.resolvePath(path),
    joinPath: (directory, name) => below.joinPath(directory, name),
    openReadSync(path) {
      on("openRead", path);
      return wrap(below.openReadSync(path));
    },
    createSync(path) {
      on("create", path);
      return wrap(below.createSync(path));
    },
    renameSync(from, to) {
      on("rename", to);
      below.renameSync(from, to);
    },
    removeSync(path) {
      on("remove", path);
      below.removeSync(path);
    },
    listSync: (directory) => below.listSync(directory),
    statSync: (path) => below.statSync(path),
    makeDirectorySync: (path) => below.makeDirectorySync(path),
    syncDirectorySync(path) {
      on("syncDirectory", path);
      below.syncDirectorySync(path);
    },
    lockSync: (directory) => below.lockSync(directory),
  };
}
