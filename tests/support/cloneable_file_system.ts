/**
 * A small file system in memory for tests that damage, copy and compare whole directories.
 *
 * It can be cloned in a few microseconds (a file's bytes are shared until somebody writes), tells
 * every operation that changes something to `after`, asks `before` whether an operation may happen,
 * and counts open handles. Directories are flat names; paths are as in the memory file system.
 */

import { crc32 } from "../../src/bytes/crc32.ts";
import { IoError, LockedError } from "../../src/errors.ts";
import type {
  FileHandle,
  FileLock,
  FileStatus,
  FileSystem,
} from "../../src/platform/file_system.ts";

interface File {
  bytes: Uint8Array;
  sizeBytes: number;
  /** Whether another file system may hold the same `bytes`. */
  isShared: boolean;
}

/** The report of an operation: its name and the path, or for a rename the new path. */
export type OperationObserver = (operation: string, path: string) => void;

/** The file system. */
export class CloneableFileSystem implements FileSystem {
  readonly name = "cloneable";
  /** Called before every operation; what it throws is what the caller gets. */
  before: OperationObserver | undefined;
  /** Called after every operation that changes files, names, or what is durable. */
  after: OperationObserver | undefined;
  /** Number of handles that are open. */
  openHandles = 0;
  readonly #files = new Map<string, File>();
  readonly #directories = new Set<string>(["/"]);
  readonly #locks = new Set<string>();

  /** A copy of all files and directories as they are now, without locks and observers. */
  clone(): CloneableFileSystem {
    const copy = new CloneableFileSystem();
    for (const directory of this.#directories) copy.#directories.add(directory);
    for (const [path, file] of this.#files) {
      file.isShared = true;
      copy.#files.set(path, { ...file });
    }
    return copy;
  }

  /** A copy of a file's content. */
  content(path: string): Uint8Array {
    const file = this.#file("read", path);
    return file.bytes.slice(0, file.sizeBytes);
  }

  /** Makes or replaces a file. */
  setContent(path: string, bytes: Uint8Array): void {
    this.#files.set(path, { bytes: bytes.slice(), sizeBytes: bytes.length, isShared: false });
  }

  /** Every file of a directory with length and checksum, for comparisons. */
  dump(directory: string): Record<string, string> {
    const dumped: Record<string, string> = {};
    for (const name of this.listSync(directory).sort()) {
      const path = this.joinPath(directory, name);
      dumped[name] = this.statSync(path)!.kind === "directory"
        ? "directory"
        : digestOf(this.content(path));
    }
    return dumped;
  }

  resolvePath(path: string | URL): string {
    const names: string[] = [];
    for (const name of (typeof path === "string" ? path : path.pathname).split("/")) {
      if (name === "..") names.pop();
      else if (name !== "" && name !== ".") names.push(name);
    }
    return `/${names.join("/")}`;
  }

  joinPath(directory: string, name: string): string {
    return this.resolvePath(`${directory}/${name}`);
  }

  openReadSync(path: string): FileHandle {
    this.before?.("open", path);
    return this.#handle(path, this.#file("open", path), false);
  }

  createSync(path: string): FileHandle {
    this.before?.("create", path);
    if (this.#files.has(path) || this.#directories.has(path)) {
      throw refused("create", path, "EEXIST");
    }
    const file: File = { bytes: new Uint8Array(256), sizeBytes: 0, isShared: false };
    this.#files.set(path, file);
    this.after?.("create", path);
    return this.#handle(path, file, true);
  }

  renameSync(from: string, to: string): void {
    this.before?.("rename", to);
    const file = this.#file("rename", from);
    if (this.#directories.has(to)) throw refused("rename", to, "EISDIR");
    this.#files.delete(from);
    this.#files.set(to, file);
    this.after?.("rename", to);
  }

  removeSync(path: string): void {
    this.before?.("remove", path);
    this.#file("remove", path);
    this.#files.delete(path);
    this.after?.("remove", path);
  }

  listSync(directory: string): string[] {
    this.before?.("list", directory);
    if (!this.#directories.has(directory)) throw refused("list", directory, "ENOENT");
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const names: string[] = [];
    for (const path of [...this.#files.keys(), ...this.#directories]) {
      const name = path.slice(prefix.length);
      if (path.startsWith(prefix) && name !== "" && !name.includes("/")) names.push(name);
    }
    return names;
  }

  statSync(path: string): FileStatus | undefined {
    this.before?.("stat", path);
    if (this.#directories.has(path)) return { kind: "directory", sizeBytes: 0 };
    const file = this.#files.get(path);
    return file === undefined ? undefined : { kind: "file", sizeBytes: file.sizeBytes };
  }

  makeDirectorySync(path: string): void {
    this.before?.("make directory", path);
    let made = "";
    for (const name of path.split("/").filter((part) => part !== "")) {
      made += `/${name}`;
      if (this.#files.has(made)) throw refused("make directory", made, "EEXIST");
      this.#directories.add(made);
    }
    this.after?.("make directory", path);
  }

  syncDirectorySync(path: string): void {
    this.before?.("sync directory", path);
    if (!this.#directories.has(path)) throw refused("sync directory", path, "ENOENT");
    this.after?.("sync directory", path);
  }

  lockSync(directory: string): FileLock {
    this.before?.("lock", directory);
    if (this.#locks.has(directory)) throw new LockedError(directory, "another handle");
    this.#locks.add(directory);
    return {
      verifySync: () => {},
      releaseSync: () => void this.#locks.delete(directory),
    };
  }

  #file(operation: string, path: string): File {
    const file = this.#files.get(path);
    if (file !== undefined) return file;
    throw refused(operation, path, this.#directories.has(path) ? "EISDIR" : "ENOENT");
  }

  #handle(path: string, file: File, isWritable: boolean): FileHandle {
    let isClosed = false;
    const check = (operation: string): void => {
      if (isClosed) throw refused(operation, path, "EBADF");
      this.before?.(operation, path);
    };
    this.openHandles++;
    return {
      path,
      readSync: (into, offset, length, position) => {
        check("read");
        const count = Math.max(0, Math.min(length, file.sizeBytes - position));
        into.set(file.bytes.subarray(position, position + count), offset);
        return count;
      },
      writeSync: (from, offset, length, position) => {
        check("write");
        if (!isWritable) throw refused("write", path, "EBADF");
        const end = position + length;
        if (file.isShared || end > file.bytes.length) {
          const grown = new Uint8Array(Math.max(end, file.bytes.length * 2));
          grown.set(file.bytes.subarray(0, file.sizeBytes));
          file.bytes = grown;
          file.isShared = false;
        }
        file.bytes.set(from.subarray(offset, offset + length), position);
        file.sizeBytes = Math.max(file.sizeBytes, end);
        this.after?.("write", path);
        return length;
      },
      syncSync: () => {
        check("sync");
        this.after?.("sync", path);
      },
      sizeSync: () => {
        if (isClosed) throw refused("stat", path, "EBADF");
        return file.sizeBytes;
      },
      closeSync: () => {
        if (!isClosed) this.openHandles--;
        isClosed = true;
      },
    };
  }
}

function digestOf(content: Uint8Array): string {
  const view = new DataView(content.buffer);
  return `${content.length} bytes, CRC-32 ${crc32(content, view, 0, content.length)}`;
}

/** The error of an operation that the file system refuses. */
export function refused(operation: string, path: string, code: string): IoError {
  return new IoError(operation, path, `refused (${code})`, code);
}
