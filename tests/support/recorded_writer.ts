/**
 * The steps of a writer in a directory, recorded one by one, and played back under a reader: so
 * every operation of an open can have any number of the writer's operations before it.
 *
 * A write is played back in pieces, as another process may see it: in order if it makes a file
 * longer, in any order if it replaces bytes (a log that was extended with zeros).
 */

import type { FileHandle, FileLock, FileSystem } from "../../src/platform/file_system.ts";
import type { CloneableFileSystem } from "./cloneable_file_system.ts";
import type { Random } from "./random.ts";

/** One step: a change of files or names, or what the writer's caller knew at that time. */
type Step =
  | { kind: "create"; file: number; path: string }
  | { kind: "write"; file: number; position: number; bytes: Uint8Array }
  | { kind: "rename"; from: string; to: string }
  | { kind: "remove"; path: string }
  | { kind: "make directory"; path: string }
  | { kind: "sync" }
  | { kind: "issued"; write: number }
  | { kind: "acknowledged"; write: number };

/** The steps of a writer. */
export class RecordedWriter {
  /** What was there before the first step. */
  readonly start: CloneableFileSystem;
  /** The writer's own file system; a kill is to open the store once more on a new one. */
  fileSystem: FileSystem;
  readonly #live: CloneableFileSystem;
  readonly #steps: Step[] = [];
  readonly #random: Random;
  #files = 0;

  /** Records what happens to a copy of `start`. */
  constructor(start: CloneableFileSystem, random: Random) {
    this.start = start;
    this.#live = start.clone();
    this.#random = random;
    this.fileSystem = this.#recording();
  }

  /** Number of steps. */
  get length(): number {
    return this.#steps.length;
  }

  /**
   * The writer's process is killed: its locks are gone, and what it does from now on is not seen.
   */
  kill(): void {
    this.fileSystem = this.#recording();
  }

  /** A write (numbered from 1) is about to be made. */
  issued(write: number): void {
    this.#steps.push({ kind: "issued", write });
  }

  /** A write was acknowledged. */
  acknowledged(write: number): void {
    this.#steps.push({ kind: "acknowledged", write });
  }

  /** Plays the steps from the start. */
  play(): Playback {
    return new Playback(this.start.clone(), this.#steps);
  }

  #recording(): FileSystem {
    const live = this.#live;
    let isLocked = false;
    const isDead = (): boolean => this.fileSystem !== fileSystem;
    const record = (step: Step): void => void this.#steps.push(step);
    const require = (): void => {
      if (isDead()) throw new Error("the writer was killed");
    };
    const fileSystem: FileSystem = {
      name: "recording",
      resolvePath: (path) => live.resolvePath(path),
      joinPath: (directory, name) => live.joinPath(directory, name),
      openReadSync: (path) => live.openReadSync(path),
      createSync: (path) => {
        require();
        const handle = live.createSync(path);
        const file = this.#files++;
        record({ kind: "create", file, path });
        return this.#recordingHandle(handle, file, require);
      },
      renameSync: (from, to) => {
        require();
        live.renameSync(from, to);
        record({ kind: "rename", from, to });
      },
      removeSync: (path) => {
        require();
        live.removeSync(path);
        record({ kind: "remove", path });
      },
      listSync: (directory) => this.#shuffled(live.listSync(directory)),
      statSync: (path) => live.statSync(path),
      makeDirectorySync: (path) => {
        require();
        live.makeDirectorySync(path);
        record({ kind: "make directory", path });
      },
      syncDirectorySync: () => record({ kind: "sync" }),
      lockSync: (): FileLock => {
        if (isLocked) throw new Error("the writer locks its directory twice");
        isLocked = true;
        return { releaseSync: () => void (isLocked = false), verifySync: require };
      },
    };
    return fileSystem;
  }

  #recordingHandle(handle: FileHandle, file: number, require: () => void): FileHandle {
    return {
      path: handle.path,
      readSync: (into, offset, length, position) => handle.readSync(into, offset, length, position),
      writeSync: (from, offset, length, position) => {
        require();
        const size = handle.sizeSync();
        const count = handle.writeSync(from, offset, length, position);
        const bytes = from.slice(offset, offset + count);
        this.#steps.push(...this.#pieces(file, position, bytes, size));
        return count;
      },
      syncSync: () => void this.#steps.push({ kind: "sync" }),
      sizeSync: () => handle.sizeSync(),
      closeSync: () => handle.closeSync(),
    };
  }

  /** No system promises an order, and a recovery deletes files in that of its list. */
  #shuffled(names: string[]): string[] {
    for (let i = names.length - 1; i > 0; i--) {
      const other = this.#random.below(i + 1);
      [names[i], names[other]] = [names[other]!, names[i]!];
    }
    return names;
  }

  #pieces(file: number, position: number, bytes: Uint8Array, size: number): Step[] {
    const random = this.#random;
    const cuts = new Set([0, bytes.length]);
    if (bytes.length > 1) {
      for (let i = random.below(4); i > 0; i--) cuts.add(random.below(bytes.length));
    }
    const at = [...cuts].sort((a, b) => a - b);
    const pieces = at.slice(1).map((end, index): Step => ({
      kind: "write",
      file,
      position: position + at[index]!,
      bytes: bytes.subarray(at[index]!, end),
    }));
    const isOver = position + bytes.length <= size;
    if (isOver && random.below(2) === 0) pieces.reverse();
    return pieces;
  }
}

/** A directory that a recorded writer works in. */
export class Playback {
  /** What a reader sees. It changes by `advance` only. */
  readonly fileSystem: CloneableFileSystem;
  /** Number of steps done. */
  position = 0;
  /** The last write that was issued so far; 0 for none. */
  issued = 0;
  /** The last write that was acknowledged so far; 0 for none. */
  acknowledged = 0;
  readonly #steps: readonly Step[];
  readonly #handles = new Map<number, FileHandle>();

  /** Starts before the first step. */
  constructor(fileSystem: CloneableFileSystem, steps: readonly Step[]) {
    this.fileSystem = fileSystem;
    this.#steps = steps;
  }

  /** The positions after each removal of a file, in order. */
  get removals(): number[] {
    return this.#steps.flatMap((step, at) => step.kind === "remove" ? [at + 1] : []);
  }

  /**
   * The positions between two removals of files, each with the position before the preceding
   * rename: there a recovery has put a new manifest in force, and has deleted some of the obsolete
   * files.
   */
  get halfDeleted(): { readonly start: number; readonly end: number }[] {
    const found: { start: number; end: number }[] = [];
    let start = 0;
    for (const [at, { kind }] of this.#steps.entries()) {
      if (kind === "rename") start = at;
      if (kind === "remove" && this.#steps[at + 1]?.kind === "remove") {
        found.push({ start, end: at + 1 });
      }
    }
    return found;
  }

  /** Whether all steps are done. */
  get isOver(): boolean {
    return this.position === this.#steps.length;
  }

  /** Does the next steps, as far as there are any. The file system's observers are not told. */
  advance(count: number): void {
    const { fileSystem } = this;
    const { before, after } = fileSystem;
    fileSystem.before = undefined;
    fileSystem.after = undefined;
    for (let i = 0; i < count && !this.isOver; i++) this.#step(this.#steps[this.position++]!);
    fileSystem.before = before;
    fileSystem.after = after;
  }

  #step(step: Step): void {
    const { fileSystem } = this;
    switch (step.kind) {
      case "create":
        this.#handles.set(step.file, fileSystem.createSync(step.path));
        break;
      case "write": {
        const { bytes, position } = step;
        this.#handles.get(step.file)!.writeSync(bytes, 0, bytes.length, position);
        break;
      }
      case "rename":
        fileSystem.renameSync(step.from, step.to);
        break;
      case "remove":
        fileSystem.removeSync(step.path);
        break;
      case "make directory":
        fileSystem.makeDirectorySync(step.path);
        break;
      case "issued":
        this.issued = step.write;
        break;
      case "acknowledged":
        this.acknowledged = step.write;
        break;
      case "sync":
        break;
    }
  }
}
