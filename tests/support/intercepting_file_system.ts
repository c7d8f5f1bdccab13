/**
 * Puts a hook before every operation of a file system, synchronous and asynchronous ones alike, and
 * counts the open handles. The test decides what the hook does: end the process at the n-th
 * operation, refuse bytes beyond a quota, or delay an asynchronous call as a slow disk would.
 */

import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";

/** What an operation is called, as in `IoError.operation`. */
export type InterceptedName =
  | "open"
  | "create"
  | "read"
  | "write"
  | "sync"
  | "rename"
  | "remove"
  | "sync directory";

/** The hooks; every one may be left out. */
export interface Interceptor {
  /** Before an operation. If it throws, the operation is not done. Length is 0 if there is none. */
  before?(operation: InterceptedName, path: string, length: number): void;
  /** How many of `length` bytes a write at `position` may take, at least 1; may throw. */
  allowWrite?(path: string, length: number, position: number): number;
  /**
   * What an asynchronous call waits for before its effect. With it, every call has an asynchronous
   * twin.
   */
  delay?(operation: InterceptedName, path: string, length: number): Promise<void>;
  /** After a synchronous operation: a slow disk would have held the thread meanwhile. */
  charge?(operation: InterceptedName, path: string, length: number): void;
}

/** A file system with hooks. */
export interface InterceptingFileSystem extends FileSystem {
  /** Handles that are open just now. */
  readonly handles: { open: number };
}

async function readLater(
  this: FileHandle,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  return await this.readSync(into, offset, length, position);
}

async function syncLater(this: FileHandle): Promise<void> {
  await this.syncSync();
}

async function syncDirectoryLater(this: FileSystem, path: string): Promise<void> {
  await this.syncDirectorySync(path);
}

/** Wraps `inner`. */
export function interceptingFileSystem(
  inner: FileSystem,
  hooks: Interceptor,
): InterceptingFileSystem {
  const handles = { open: 0 };
  const perform = <T>(
    operation: InterceptedName,
    path: string,
    length: number,
    effect: () => T,
  ): T => {
    hooks.before?.(operation, path, length);
    const result = effect();
    hooks.charge?.(operation, path, length);
    return result;
  };
  const performAsync = async <T>(
    operation: InterceptedName,
    path: string,
    length: number,
    effect: () => Promise<T>,
  ): Promise<T> => {
    hooks.before?.(operation, path, length);
    if (hooks.delay !== undefined) await hooks.delay(operation, path, length);
    return await effect();
  };
  const wrap = (handle: FileHandle): FileHandle => {
    const { path } = handle;
    let isOpen = true;
    let inFlight = 0;
    handles.open++;
    /** The descriptor may go only when nothing that was held up needs it any more. */
    const closeWhenIdle = (): void => {
      if (!isOpen && inFlight === 0) handle.closeSync();
    };
    const start = async <T>(
      operation: InterceptedName,
      length: number,
      effect: () => Promise<T>,
    ): Promise<T> => {
      inFlight++;
      try {
        return await performAsync(operation, path, length, effect);
      } finally {
        inFlight--;
        closeWhenIdle();
      }
    };
    const isSlow = hooks.delay !== undefined;
    const read = handle.read ?? (isSlow ? readLater : undefined);
    const sync = handle.sync ?? (isSlow ? syncLater : undefined);
    return {
      path,
      readSync: (into, offset, length, position) =>
        perform("read", path, length, () => handle.readSync(into, offset, length, position)),
      ...(read !== undefined && {
        read: (into: Uint8Array, offset: number, length: number, position: number) =>
          start("read", length, () => read.call(handle, into, offset, length, position)),
      }),
      writeSync: (from, offset, length, position) =>
        perform("write", path, length, () => {
          const allowed = hooks.allowWrite?.(path, length, position) ?? length;
          return handle.writeSync(from, offset, allowed, position);
        }),
      syncSync: () => perform("sync", path, 0, () => handle.syncSync()),
      ...(sync !== undefined && { sync: () => start("sync", 0, () => sync.call(handle)) }),
      sizeSync: () => handle.sizeSync(),
      closeSync: () => {
        if (!isOpen) return;
        isOpen = false;
        handles.open--;
        closeWhenIdle();
      },
    };
  };
  const syncDirectory = inner.syncDirectory ??
    (hooks.delay === undefined ? undefined : syncDirectoryLater);
  return {
    name: `intercepted ${inner.name}`,
    handles,
    resolvePath: (path) => inner.resolvePath(path),
    joinPath: (directory, name) => inner.joinPath(directory, name),
    openReadSync: (path) => perform("open", path, 0, () => wrap(inner.openReadSync(path))),
    createSync: (path) => perform("create", path, 0, () => wrap(inner.createSync(path))),
    renameSync: (from, to) => perform("rename", to, 0, () => inner.renameSync(from, to)),
    removeSync: (path) => perform("remove", path, 0, () => inner.removeSync(path)),
    listSync: (directory) => inner.listSync(directory),
    statSync: (path) => inner.statSync(path),
    makeDirectorySync: (path) => inner.makeDirectorySync(path),
    syncDirectorySync: (path) =>
      perform("sync directory", path, 0, () => inner.syncDirectorySync(path)),
    ...(syncDirectory !== undefined && {
      syncDirectory: (path: string) =>
        performAsync("sync directory", path, 0, () => syncDirectory.call(inner, path)),
    }),
    lockSync: (directory) => inner.lockSync(directory),
  };
}
