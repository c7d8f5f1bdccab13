/**
 * Files that stay readable although their names may be removed. A read-only store keeps them,
 * because the writer beside it does not know of it and deletes what it does not need itself.
 *
 * A pinned file has one descriptor, and every open of its path gets a view of that. If there are
 * more tables than descriptors, the rest are opened by name when they are read; if one has been
 * removed by then, the error says so. File numbers are never used again, so a name never means
 * another file.
 */

import { IoError, StoreError } from "../../errors.ts";
import type { FileHandle, FileSystem } from "../../platform/file_system.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";

/** Half of what many systems give a process by default. */
export const MAX_PINNED_TABLES = 512;

/** A set of pinned files, and a file system that reads them. */
export class PinnedFiles {
  /** The file system below, with pinned files. */
  readonly fileSystem: FileSystem;
  readonly #below: FileSystem;
  readonly #pinned = new Map<string, Pin>();
  #storeId: number | undefined;
  #isSealed = false;

  /** Starts without files. */
  constructor(below: FileSystem) {
    this.#below = below;
    this.fileSystem = readingFrom(below, (path) => this.#open(path));
  }

  /** Number of files that are pinned. */
  get count(): number {
    return this.#pinned.size;
  }

  /** Unpins all files that are not among `paths`, and all files if they belong to another store. */
  keepOnly(storeId: number | undefined, paths: ReadonlySet<string>): void {
    const isSame = this.#storeId === storeId;
    this.#storeId = storeId;
    for (const path of [...this.#pinned.keys()]) {
      if (!isSame || !paths.has(path)) this.unpin(path);
    }
  }

  /** Pins a file. @throws {IoError} it can't be opened */
  pin(path: string): void {
    if (this.#pinned.has(path)) return;
    this.#pinned.set(path, new Pin(this.#below.openReadSync(path)));
  }

  /**
   * Pins tables, the most important ones first, as far as descriptors reach. If the system gives no
   * more, a quarter is given back, so that the others can be read.
   *
   * @throws {IoError} one can't be opened for another reason
   */
  pinTables(paths: readonly string[]): void {
    const wanted = paths.slice(0, MAX_PINNED_TABLES);
    try {
      for (const path of wanted) this.pin(path);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error;
      const pinned = wanted.filter((path) => this.#pinned.has(path));
      for (const path of pinned.slice(Math.floor(pinned.length * 3 / 4))) this.unpin(path);
    }
  }

  /** Unpins a file. */
  unpin(path: string): void {
    const pin = this.#pinned.get(path);
    this.#pinned.delete(path);
    pin?.handle.closeSync();
  }

  /** Everything that is needed was there: a file that is missing from now on was removed since. */
  seal(): void {
    this.#isSealed = true;
  }

  /** Unpins everything. */
  close(): void {
    for (const path of [...this.#pinned.keys()]) this.unpin(path);
  }

  #open(path: string): FileHandle {
    const pin = this.#pinned.get(path);
    if (pin !== undefined) return pin.view;
    try {
      return this.#below.openReadSync(path);
    } catch (error) {
      if (!this.#isSealed || !(error instanceof IoError) || error.osCode !== "ENOENT") throw error;
      throw new StoreError(
        "SNAPSHOT_GONE",
        `Cannot read "${path}": a writer has removed it since the store was opened read-only, ` +
          "which had more tables than it could keep open; open it again",
        { cause: error },
      );
    }
  }
}

/** A descriptor, and the handle for everybody who opens its path. */
class Pin {
  readonly handle: FileHandle;
  readonly view: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
    const { read } = handle;
    this.view = {
      path: handle.path,
      staysOpen: true,
      readSync: (into, offset, length, position) => handle.readSync(into, offset, length, position),
      ...(read !== undefined && {
        read: (into: Uint8Array, offset: number, length: number, position: number) =>
          read.call(handle, into, offset, length, position),
      }),
      writeSync: (from, offset, length, position) =>
        handle.writeSync(from, offset, length, position),
      syncSync: () => handle.syncSync(),
      sizeSync: () => handle.sizeSync(),
      // It is one of several handles, and the file stays pinned.
      closeSync: () => {},
    };
  }
}

/** `below`, with another way to open files for reading. */
function readingFrom(below: FileSystem, openReadSync: (path: string) => FileHandle): FileSystem {
  return {
    name: below.name,
    resolvePath: (path) => below.resolvePath(path),
    ...(below.realPathSync !== undefined && {
      realPathSync: (path: string) => below.realPathSync!(path),
    }),
    joinPath: (directory, name) => below.joinPath(directory, name),
    openReadSync,
    createSync: (path) => below.createSync(path),
    renameSync: (from, to) => below.renameSync(from, to),
    removeSync: (path) => below.removeSync(path),
    listSync: (directory) => below.listSync(directory),
    statSync: (path) => below.statSync(path),
    makeDirectorySync: (path) => below.makeDirectorySync(path),
    syncDirectorySync: (path) => below.syncDirectorySync(path),
    ...(below.syncDirectory !== undefined && {
      syncDirectory: (path: string) => below.syncDirectory!(path),
    }),
    lockSync: (directory) => below.lockSync(directory),
  };
}
