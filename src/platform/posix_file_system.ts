/**
 * What the three disk adapters share: names, directories and the opening of files, over the
 * synchronous calls of `node:fs`. An adapter extends it where its runtime differs.
 *
 * Opening distrusts the directory. A new file is made with O_EXCL, which refuses a planted link. An
 * existing file must be a regular one by `lstat`, is opened without following links, and must then
 * have the same inode. Deno ignores O_NOFOLLOW and follows links out of the allowed directory; the
 * comparison of inodes catches that as well.
 *
 * Under Deno nothing here needs more than read and write permission for the directory, except a
 * relative path (it reads the working directory).
 */

import { IoError } from "../errors.ts";
import { lockDirectory, lockDirectorySync } from "./directory_lock.ts";
import type { FileHandle, FileLock, FileStatus, FileSystem } from "./file_system.ts";
import { pathOfFileUrl, requireFileUrl } from "./file_url.ts";
import { DescriptorHandle, ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { DEFAULT_DIRECTORY_MODE, DEFAULT_FILE_MODE, type FileModes } from "./posix_modes.ts";
import { lstat, requireRegularFile } from "./posix_status.ts";
import { isWindows as onWindows, nodeModule } from "./runtime.ts";

const fs = nodeModule("node:fs");
const nodePath = nodeModule("node:path");
const { fileURLToPath } = nodeModule("node:url") ?? {};

/** Removing a file of this size takes 0.1 ms. */
const LARGE_FILE_BYTES = 256 * 1024;

// Windows has none of these flags. O_NONBLOCK keeps a swapped-in FIFO from blocking.
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_DIRECTORY = 0 } =
  fs?.constants ?? {};
const OPEN_READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const OPEN_DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY;
const CREATE_FLAGS = O_RDWR | O_CREAT | O_EXCL;

/**
 * Makes a directory and the parents that it lacks. `mkdirSync` of Node does that, too, but tries
 * for ever if a parent takes no directories, as /proc does.
 */
function makeWithParents(path: string, mode: number): void {
  if (makeOne(path, mode)) return;
  const parent = nodePath.dirname(path);
  if (parent !== path) makeWithParents(parent, mode);
  fs.mkdirSync(path, { mode });
}

/** Makes a directory unless it is there; false if a parent is missing. */
function makeOne(path: string, mode: number): boolean {
  try {
    fs.mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if (osCodeOf(error) === "ENOENT") return false;
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) return true;
    throw error;
  }
}

/** The file system of the operating system. Stateless: instances with equal modes are the same. */
export class PosixFileSystem implements FileSystem {
  readonly name: string;
  readonly #closesInPool: boolean;
  readonly #fileMode: number;
  readonly #directoryMode: number;

  /**
   * Makes an adapter with the name of its runtime. `closesInPool` says whether the runtime closes
   * descriptors in a thread, even while a program does not let the event loop turn.
   */
  constructor(name: string, closesInPool: boolean, modes: FileModes = {}) {
    this.name = name;
    this.#closesInPool = closesInPool;
    this.#fileMode = modes.fileMode ?? DEFAULT_FILE_MODE;
    this.#directoryMode = modes.directoryMode ?? DEFAULT_DIRECTORY_MODE;
  }

  resolvePath(path: string | URL): string {
    const plain = typeof path === "string" ? path : pathOfUrl(path);
    if (plain === "" || plain.includes("\0")) {
      throw new TypeError(
        `Cannot resolve the path ${JSON.stringify(plain)}: it is empty or holds a NUL`,
      );
    }
    try {
      return nodePath.resolve(plain);
    } catch (error) {
      throw ioErrorFrom("resolve", plain, error);
    }
  }

  realPathSync(path: string): string {
    try {
      return fs.realpathSync(path);
    } catch (error) {
      // Deno may refuse to resolve a link whose target is outside of the allowed paths.
      if ((error as { name?: unknown } | null)?.name === "NotCapable") return path;
      throw ioErrorFrom("resolve", path, error);
    }
  }

  joinPath(directory: string, name: string): string {
    return nodePath.join(directory, name);
  }

  openReadSync(path: string): FileHandle {
    const expected = requireRegularFile("open", path);
    let descriptor: number;
    try {
      descriptor = fs.openSync(path, OPEN_READ_FLAGS);
    } catch (error) {
      throw ioErrorFrom("open", path, error);
    }
    try {
      const found = fs.fstatSync(descriptor);
      // On Windows the two calls give different inodes.
      if (!onWindows && (found.ino !== expected.ino || found.dev !== expected.dev)) {
        throw new IoError("open", path, "it was replaced while it was opened", "ESTALE");
      }
    } catch (error) {
      fs.closeSync(descriptor);
      throw ioErrorFrom("open", path, error);
    }
    return new DescriptorHandle(descriptor, path);
  }

  createSync(path: string): FileHandle {
    try {
      return new DescriptorHandle(fs.openSync(path, CREATE_FLAGS, this.#fileMode), path);
    } catch (error) {
      throw ioErrorFrom("create", path, error);
    }
  }

  renameSync(from: string, to: string): void {
    try {
      fs.renameSync(from, to);
    } catch (error) {
      throw ioErrorFrom("rename", from, error, `, on renaming it to "${to}"`);
    }
  }

  removeSync(path: string): void {
    const descriptor = this.#closesInPool ? openLarge(path) : undefined;
    try {
      fs.unlinkSync(path);
    } catch (error) {
      throw ioErrorFrom("remove", path, error);
    } finally {
      if (descriptor !== undefined) fs.close(descriptor, () => {});
    }
  }

  listSync(directory: string): string[] {
    try {
      return fs.readdirSync(directory);
    } catch (error) {
      throw ioErrorFrom("list", directory, error);
    }
  }

  statSync(path: string): FileStatus | undefined {
    const stats = lstat("stat", path);
    if (stats === undefined) return undefined;
    if (stats.isFile()) return { kind: "file", sizeBytes: stats.size };
    return { kind: stats.isDirectory() ? "directory" : "other", sizeBytes: 0 };
  }

  makeDirectorySync(path: string): void {
    try {
      makeWithParents(path, this.#directoryMode);
    } catch (error) {
      throw ioErrorFrom("make directory", path, error);
    }
  }

  syncDirectorySync(path: string): void {
    const descriptor = openDirectory(path);
    if (descriptor === undefined) return;
    try {
      fs.fsyncSync(descriptor);
    } catch (error) {
      if (!refusedByWindows(error)) throw ioErrorFrom("sync directory", path, error);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  syncDirectory(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const descriptor = openDirectory(path);
      if (descriptor === undefined) return resolve();
      fs.fsync(descriptor, (error) => {
        let failure: unknown = error && !refusedByWindows(error) ? error : undefined;
        try {
          fs.closeSync(descriptor);
        } catch (closeError) {
          failure ??= closeError;
        }
        if (failure === undefined) resolve();
        else reject(ioErrorFrom("sync directory", path, failure));
      });
    });
  }

  lockSync(directory: string): FileLock {
    return lockDirectorySync(directory, this.#fileMode);
  }

  lock(directory: string): Promise<FileLock> {
    return lockDirectory(directory, this.#fileMode);
  }
}

function pathOfUrl(url: URL): string {
  if (!onWindows) return pathOfFileUrl(url);
  requireFileUrl(url);
  return fileURLToPath(url.href);
}

/**
 * A descriptor of a file that takes long to remove, or undefined. While it is open, removing only
 * takes the name away, which is quick. The space is freed when the last descriptor is closed, in a
 * thread of the runtime's pool (docs/measurements/0015-write-amplification.md).
 */
function openLarge(path: string): number | undefined {
  try {
    const stats = lstat("remove", path);
    if (stats === undefined || !stats.isFile() || stats.size < LARGE_FILE_BYTES) return undefined;
    return fs.openSync(path, OPEN_READ_FLAGS);
  } catch {
    // Then removing takes longer. If something is wrong with the file, removing it will report
    // that.
    return undefined;
  }
}

/** A descriptor of the directory, or undefined if Windows gives none. */
function openDirectory(path: string): number | undefined {
  try {
    return fs.openSync(path, OPEN_DIRECTORY_FLAGS);
  } catch (error) {
    if (refusedByWindows(error)) return undefined;
    throw ioErrorFrom("sync directory", path, error);
  }
}

/** Windows has no sync of directories: its refusal is the best success that it can give. */
function refusedByWindows(error: unknown): boolean {
  if (!onWindows) return false;
  const code = osCodeOf(error);
  return code === "EPERM" || code === "EISDIR";
}
