/**
 * A file system in the heap, for tests and for places without a disk. It keeps the contract of
 * file_system.ts with POSIX's error codes: rename replaces, a removed file can be read through the
 * handles that have it open, locks hold within the instance. It imports nothing of any runtime, has
 * no asynchronous calls (they could not be faster), and lists names in the order of their creation.
 *
 * A file is a map of fixed pages, made when they are first written: growing copies nothing, and
 * holes in a file take no memory.
 */

import { IoError, LockedError } from "../errors.ts";
import type { FileHandle, FileLock, FileStatus, FileSystem } from "./file_system.ts";
import { pathOfFileUrl } from "./file_url.ts";

const PAGE_BYTES = 32 * 1024;

/** The content of a file, separate from its names and handles. */
class MemoryFile {
  readonly pages = new Map<number, Uint8Array>();
  sizeBytes = 0;
}

/** A directory; its entries are in the order of their creation. */
class MemoryDirectory {
  readonly entries = new Map<string, MemoryFile | MemoryDirectory>();
  locked = false;
}

/**
 * Makes an empty file system in memory. It exists until nothing refers to it. A store that is
 * opened again on the same instance finds its data. Syncs do nothing.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * const fileSystem = memoryFileSystem();
 * await using store = await open("/db", { fileSystem });
 * await store.put("name", "Alice");
 * ```
 */
export function memoryFileSystem(): FileSystem {
  return new MemoryFileSystem();
}

class MemoryFileSystem implements FileSystem {
  readonly name = "memory";
  readonly #root = new MemoryDirectory();

  resolvePath(path: string | URL): string {
    const plain = typeof path === "string" ? path : pathOfFileUrl(path);
    if (plain === "" || plain.includes("\0")) {
      throw new TypeError(
        `Cannot resolve the path ${JSON.stringify(plain)}: it is empty or holds a NUL`,
      );
    }
    const names: string[] = [];
    for (const name of plain.split("/")) {
      if (name === "..") names.pop();
      else if (name !== "" && name !== ".") names.push(name);
    }
    return `/${names.join("/")}`;
  }

  joinPath(directory: string, name: string): string {
    return this.resolvePath(`${directory}/${name}`);
  }

  openReadSync(path: string): FileHandle {
    const found = this.#find("open", path);
    if (found === undefined) throw missing("open", path);
    if (found instanceof MemoryDirectory) {
      throw new IoError("open", path, "it is a directory, expected a regular file", "EISDIR");
    }
    return new MemoryHandle(path, found, false);
  }

  createSync(path: string): FileHandle {
    const [parent, name] = this.#parent("create", path);
    if (name === "" || parent.entries.has(name)) throw exists("create", path);
    const file = new MemoryFile();
    parent.entries.set(name, file);
    return new MemoryHandle(path, file, true);
  }

  renameSync(from: string, to: string): void {
    const [fromParent, fromName] = this.#parent("rename", from);
    const file = fromParent.entries.get(fromName);
    if (file === undefined) throw missing("rename", from);
    if (file instanceof MemoryDirectory) throw isDirectory("rename", from);
    const [toParent, toName] = this.#parent("rename", to);
    if (toName === "" || toParent.entries.get(toName) instanceof MemoryDirectory) {
      throw isDirectory("rename", from);
    }
    fromParent.entries.delete(fromName);
    toParent.entries.set(toName, file);
  }

  removeSync(path: string): void {
    const [parent, name] = this.#parent("remove", path);
    const found = parent.entries.get(name);
    if (name === "" || found instanceof MemoryDirectory) throw isDirectory("remove", path);
    if (found === undefined) throw missing("remove", path);
    parent.entries.delete(name);
  }

  listSync(directory: string): string[] {
    return [...this.#directory("list", directory).entries.keys()];
  }

  statSync(path: string): FileStatus | undefined {
    const found = this.#find("stat", path);
    if (found === undefined) return undefined;
    if (found instanceof MemoryDirectory) return { kind: "directory", sizeBytes: 0 };
    return { kind: "file", sizeBytes: found.sizeBytes };
  }

  makeDirectorySync(path: string): void {
    let directory = this.#root;
    const names = this.#names(path);
    for (const [depth, name] of names.entries()) {
      let next = directory.entries.get(name);
      if (next === undefined) {
        next = new MemoryDirectory();
        directory.entries.set(name, next);
      } else if (next instanceof MemoryFile) {
        const last = depth === names.length - 1;
        throw last ? exists("make directory", path) : notDirectory("make directory", path);
      }
      directory = next;
    }
  }

  syncDirectorySync(path: string): void {
    this.#directory("sync directory", path);
  }

  lockSync(path: string): FileLock {
    const directory = this.#directory("lock", path);
    if (directory.locked) throw new LockedError(path, "another handle of this memory file system");
    directory.locked = true;
    let released = false;
    return {
      // Directories are not removed or renamed here, and nobody else can reach our memory.
      verifySync(): void {},
      releaseSync(): void {
        if (released) return;
        released = true;
        directory.locked = false;
      },
    };
  }

  #names(path: string): string[] {
    const plain = this.resolvePath(path);
    return plain === "/" ? [] : plain.slice(1).split("/");
  }

  /** The file or directory at the path, or undefined if its last name is missing. */
  #find(operation: string, path: string): MemoryFile | MemoryDirectory | undefined {
    const [parent, name] = this.#parent(operation, path, true);
    if (parent === undefined) return undefined;
    return name === "" ? parent : parent.entries.get(name);
  }

  #directory(operation: string, path: string): MemoryDirectory {
    const found = this.#find(operation, path);
    if (found === undefined) throw missing(operation, path);
    if (found instanceof MemoryFile) throw notDirectory(operation, path);
    return found;
  }

  /** The directory that a path's last name belongs to; that name is "" for the root itself. */
  #parent(operation: string, path: string): [MemoryDirectory, string];
  #parent(operation: string, path: string, lenient: true): [MemoryDirectory | undefined, string];
  #parent(
    operation: string,
    path: string,
    lenient = false,
  ): [MemoryDirectory | undefined, string] {
    const names = this.#names(path);
    const last = names.pop() ?? "";
    let directory = this.#root;
    for (const name of names) {
      const next = directory.entries.get(name);
      if (next === undefined) {
        if (lenient) return [undefined, last];
        throw missing(operation, path);
      }
      if (next instanceof MemoryFile) throw notDirectory(operation, path);
      directory = next;
    }
    return [directory, last];
  }
}

class MemoryHandle implements FileHandle {
  readonly path: string;
  readonly #file: MemoryFile;
  readonly #writable: boolean;
  #closed = false;

  constructor(path: string, file: MemoryFile, writable: boolean) {
    this.path = path;
    this.#file = file;
    this.#writable = writable;
  }

  readSync(into: Uint8Array, offset: number, length: number, position: number): number {
    this.#check("read", into, offset, length, position);
    const { pages, sizeBytes } = this.#file;
    const count = Math.max(0, Math.min(length, sizeBytes - position));
    let done = 0;
    while (done < count) {
      const start = (position + done) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - start, count - done);
      const page = pages.get(Math.floor((position + done) / PAGE_BYTES));
      const at = offset + done;
      if (page === undefined) into.fill(0, at, at + part);
      else into.set(page.subarray(start, start + part), at);
      done += part;
    }
    return count;
  }

  writeSync(from: Uint8Array, offset: number, length: number, position: number): number {
    this.#check("write", from, offset, length, position);
    if (!this.#writable) throw this.#badHandle("write", "it is open for reading only");
    if (length === 0) return 0;
    const { pages } = this.#file;
    let done = 0;
    while (done < length) {
      const start = (position + done) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - start, length - done);
      const index = Math.floor((position + done) / PAGE_BYTES);
      let page = pages.get(index);
      if (page === undefined) pages.set(index, page = new Uint8Array(PAGE_BYTES));
      page.set(from.subarray(offset + done, offset + done + part), start);
      done += part;
    }
    this.#file.sizeBytes = Math.max(this.#file.sizeBytes, position + length);
    return length;
  }

  syncSync(): void {
    if (this.#closed) throw this.#badHandle("sync", "the handle is closed");
  }

  sizeSync(): number {
    if (this.#closed) throw this.#badHandle("stat", "the handle is closed");
    return this.#file.sizeBytes;
  }

  closeSync(): void {
    this.#closed = true;
  }

  #check(
    operation: string,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void {
    if (this.#closed) throw this.#badHandle(operation, "the handle is closed");
    const end = position + length;
    if (!Number.isSafeInteger(position) || position < 0 || !Number.isSafeInteger(end)) {
      throw new RangeError(
        `Cannot ${operation} "${this.path}": the position is ${position}, ` +
          `expected an integer from 0 to 2^53 - 1`,
      );
    }
    const room = bytes.length - offset;
    if (!(offset >= 0 && length >= 0 && length <= room)) {
      throw new RangeError(
        `Cannot ${operation} "${this.path}": ${length} bytes at offset ${offset} are not in ` +
          `a buffer of ${bytes.length} bytes`,
      );
    }
  }

  #badHandle(operation: string, reason: string): IoError {
    return new IoError(operation, this.path, reason, "EBADF");
  }
}

function missing(operation: string, path: string): IoError {
  return new IoError(operation, path, "no such file or directory (ENOENT)", "ENOENT");
}

function exists(operation: string, path: string): IoError {
  return new IoError(operation, path, "file already exists (EEXIST)", "EEXIST");
}

function isDirectory(operation: string, path: string): IoError {
  return new IoError(operation, path, "it is a directory (EISDIR)", "EISDIR");
}

function notDirectory(operation: string, path: string): IoError {
  return new IoError(operation, path, "not a directory (ENOTDIR)", "ENOTDIR");
}
