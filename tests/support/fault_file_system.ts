/**
 * A file system in memory that knows what a power loss would leave, and that fails on demand.
 *
 * Every file has live content (what reads show), durable content, and the ordered writes between
 * the two; every directory has live names, durable names, and the ordered changes between them. A
 * sync of a file makes its content durable and not its name; a sync of a directory makes names
 * durable and no content. `crash(kind, seed)` makes a state that a crash at this moment may leave;
 * states share all bytes with the original, so that thousands of them cost little.
 *
 *     process      the process was killed: live content and names, still only pending
 *     strict       durable content, durable names
 *     all          everything that was issued
 *     prefix       of every object's pending operations the first ones, the last write cut at any byte
 *     torn         everything but for the end of the last pending write, cut at the byte `seed`
 *     sector-512   every sector of pending writes kept or dropped by itself; dropped ones past the
 *     sector-4096  durable size read as zeros or as garbage
 *     size-first   new sizes, old content, zeros after it
 *     stale        new sizes, and in blocks that are new to a file the content of deleted files, or of files
 *                  that an earlier crash took: ext4 with data=writeback, ext2 and FAT may leave that
 *     reorder      any subset of the pending changes of names, in order
 *     names-late   all content, durable names
 *     names-early  durable content, all names
 *
 * Renames are atomic in all of them. Reads and writes fall short at random, lists come in random
 * order. With a queue of calls, reads and syncs are offered asynchronously too: their effect comes
 * when the queue picks it, and their promise settles when it picks that. `onOperation` is told of
 * every operation before and after its effect, between the sectors of a write and, where it is
 * asynchronous, before it settles; `faultFor` may make an operation fail. Uses that no correct
 * engine makes (a read through a closed handle, opening a file after it was removed) are noted in
 * `violations`.
 *
 * With the profile "windows" a directory can't be synced (the call succeeds and does nothing), a
 * sync of a file makes all names durable that were changed before it, as the journal of NTFS does,
 * names are lost from the last one backwards only, new blocks read as zeros until they are written,
 * and a file that is open can be neither removed nor replaced (EBUSY).
 */

import { LockedError, LockLostError } from "../../src/errors.ts";
import type {
  FileHandle,
  FileLock,
  FileStatus,
  FileSystem,
} from "../../src/platform/file_system.ts";
import { type Content, File } from "./fault_content.ts";
import { type HandleOwner, openHandle, refused } from "./fault_handle.ts";
import { contentsIn, crashDirectory, type CrashKind, crashPlan } from "./fault_crash_states.ts";
import type {
  CallQueue,
  Fault,
  Operation,
  OperationEvent,
  OperationName,
} from "./fault_operations.ts";
import { copyDirectory, Directory, type Node, treeKey } from "./fault_tree.ts";
import { Random } from "./random.ts";

export { type CrashKind, crashKinds } from "./fault_crash_states.ts";
export type {
  CallQueue,
  Fault,
  Operation,
  OperationEvent,
  OperationName,
} from "./fault_operations.ts";

/**
 * A journal of names loses the last ones, never one in the middle; what was never written reads as
 * zeros.
 */
const WINDOWS_KINDS: ReadonlyMap<CrashKind, CrashKind> = new Map([
  ["reorder", "prefix"],
  ["stale", "size-first"],
]);
/** Deleted files whose content is remembered, the newest ones. */
const MAX_DELETED = 24;

/** Whose rules the file system keeps. */
export type Profile = "posix" | "windows";

/** The state that a crash leaves; made into a file system only if it is needed. */
export interface CrashImage {
  /** The kind. */
  readonly kind: CrashKind;
  /** Equal for equal names and content (and, for "process", for equal durability). */
  readonly key: string;
  /** A new file system with this state, nothing locked. */
  build(seed: number, queue?: CallQueue): FaultFileSystem;
}

/** The file system. */
export class FaultFileSystem implements FileSystem {
  readonly name = "fault";
  /** Told of every operation, before and after its effect. */
  onOperation: ((event: OperationEvent) => void) | undefined;
  /** Asked for the failure of every operation. */
  faultFor: ((operation: Operation) => Fault | undefined) | undefined;
  /** Number of operations so far. */
  operationCount = 0;
  /** Number of handles that are open. */
  openHandles = 0;
  /** Uses that no correct engine makes. */
  readonly violations: string[] = [];
  syncDirectory?: (path: string) => Promise<void>;
  readonly #random: Random;
  readonly #queue: CallQueue | undefined;
  readonly #removed = new Set<string>();
  readonly #profile: Profile;
  /** What blocks that no file has may still hold; never changed, but replaced. */
  #deleted: readonly Content[] = [];
  #root = new Directory();
  #lastWritten: File | undefined;

  /** Makes an empty file system; with a queue, calls are offered asynchronously too. */
  constructor(seed: number, queue?: CallQueue, profile: Profile = "posix") {
    this.#random = new Random(seed);
    this.#queue = queue;
    this.#profile = profile;
    if (queue === undefined) return;
    this.syncDirectory = (path) =>
      this.#performAsync("sync directory", path, () => {
        const directory = this.#directory("sync directory", path);
        const last = directory.pending.at(-1);
        return () => this.#syncNames(directory, last);
      });
  }

  /** The state that a crash now may leave. */
  crash(kind: CrashKind, seed: number): CrashImage {
    const chosen = this.#profile === "windows" ? WINDOWS_KINDS.get(kind) ?? kind : kind;
    const torn = kind === "torn" ? this.#tornWrite(seed) : undefined;
    const root = kind === "process"
      ? copyDirectory(this.#root, new Map())
      : crashDirectory(this.#root, crashPlan(chosen, new Random(seed), this.#deleted, torn));
    // What a power loss takes may be on the disk all the same, in blocks that are free again.
    const deleted = kind === "process"
      ? this.#deleted
      : remembered([...this.#deleted, ...contentsIn(this.#root)]);
    const key = treeKey(root, kind === "process");
    const profile = this.#profile;
    return {
      kind,
      key: kind === "process" ? `process ${key}` : key,
      build: (buildSeed, queue) => {
        const made = new FaultFileSystem(buildSeed, queue, profile);
        made.#root = copyDirectory(root, new Map());
        made.#deleted = deleted;
        return made;
      },
    };
  }

  /** Equal for equal names and live content, as the key of an image. */
  get contentKey(): string {
    return treeKey(this.#root, false);
  }

  /** Equal for equal content of a file. */
  fileKey(path: string): string {
    const node = this.#find(path);
    return node instanceof File ? `${node.live.size} ${node.live.low} ${node.live.high}` : "";
  }

  /**
   * Sizes of the files in a directory, by name. It is not an operation, so that a watcher changes
   * nothing.
   */
  sizesIn(directory: string): ReadonlyMap<string, number> {
    const sizes = new Map<string, number>();
    const node = this.#find(directory);
    if (!(node instanceof Directory)) return sizes;
    for (const [name, file] of node.entries) {
      if (file instanceof File) sizes.set(name, file.live.size);
    }
    return sizes;
  }

  /** Bytes of the very last write, if it is not durable yet: there are as many "torn" crashes. */
  get tornBytes(): number {
    return this.#lastWritten?.pending.at(-1)?.data.length ?? 0;
  }

  /** Names and sizes of all files, for messages. */
  describe(): string {
    const lines: string[] = [];
    const visit = (directory: Directory, path: string): void => {
      for (const [name, node] of directory.entries) {
        if (node instanceof Directory) visit(node, `${path}${name}/`);
        else lines.push(`${path}${name} ${node.live.size} (durable ${node.durable.size})`);
      }
    };
    visit(this.#root, "/");
    return lines.sort().join(", ");
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
    return name === ".." ? this.resolvePath(`${directory}/..`) : `${directory}/${name}`;
  }

  openReadSync(path: string): FileHandle {
    return this.#perform("open", path, () => this.#open(path));
  }

  createSync(path: string): FileHandle {
    return this.#perform("create", path, () => {
      const [parent, name] = this.#parent("create", path);
      if (name === "" || parent.entries.has(name)) throw refused("create", path, "EEXIST");
      const file = new File();
      parent.change({ kind: "link", name, node: file });
      this.#removed.delete(path);
      return this.#handle(path, file, true);
    });
  }

  renameSync(from: string, to: string): void {
    this.#perform("rename", to, () => {
      const [parent, fromName] = this.#parent("rename", from);
      const node = parent.entries.get(fromName);
      if (node === undefined) throw refused("rename", from, "ENOENT");
      const [toParent, toName] = this.#parent("rename", to);
      if (toParent !== parent) throw refused("rename", to, "EXDEV");
      if (node instanceof Directory || parent.entries.get(toName) instanceof Directory) {
        throw refused("rename", to, "EISDIR");
      }
      this.#requireNotOpen("rename", from, node);
      const replaced = toParent.entries.get(toName);
      this.#requireNotOpen("rename", to, replaced);
      if (replaced !== undefined) this.#remember(replaced);
      parent.change({ kind: "rename", from: fromName, to: toName, node });
    });
  }

  removeSync(path: string): void {
    this.#perform("remove", path, () => {
      const [parent, name] = this.#parent("remove", path);
      const node = parent.entries.get(name);
      if (node === undefined) throw refused("remove", path, "ENOENT");
      if (node instanceof Directory) throw refused("remove", path, "EISDIR");
      this.#requireNotOpen("remove", path, node);
      parent.change({ kind: "unlink", name });
      this.#remember(node);
      this.#removed.add(path);
    });
  }

  listSync(directory: string): string[] {
    return this.#perform("list", directory, () => {
      const names = [...this.#directory("list", directory).entries.keys()];
      for (let i = names.length - 1; i > 0; i--) {
        const other = this.#random.below(i + 1);
        [names[i], names[other]] = [names[other]!, names[i]!];
      }
      return names;
    });
  }

  statSync(path: string): FileStatus | undefined {
    return this.#perform("stat", path, () => {
      const node = this.#find(path);
      if (node === undefined) return undefined;
      if (node instanceof Directory) return { kind: "directory", sizeBytes: 0 };
      return { kind: "file", sizeBytes: node.live.size };
    });
  }

  makeDirectorySync(path: string): void {
    this.#perform("make directory", path, () => {
      let directory = this.#root;
      for (const name of namesOf(path)) {
        let next = directory.entries.get(name);
        if (next instanceof File) throw refused("make directory", path, "EEXIST");
        if (next === undefined) {
          next = new Directory();
          directory.change({ kind: "link", name, node: next });
        }
        directory = next;
      }
    });
  }

  syncDirectorySync(path: string): void {
    this.#perform("sync directory", path, () => {
      this.#syncNames(this.#directory("sync directory", path));
    });
  }

  lockSync(path: string): FileLock {
    const directory = this.#perform("lock", path, () => this.#directory("lock", path));
    if (directory.lock !== undefined) {
      throw new LockedError(path, "another handle of this file system");
    }
    let isReleased = false;
    let isLost = false;
    const lock: FileLock = {
      verifySync: () => {
        if (isReleased) return;
        isLost ||= directory.lock !== lock;
        if (isLost) throw new LockLostError(path, "it was dropped by the test");
      },
      releaseSync(): void {
        if (directory.lock === lock) directory.lock = undefined;
        isReleased = true;
      },
    };
    directory.lock = lock;
    return lock;
  }

  /**
   * Takes the lock of a directory from its holder, who is not told: another one may have it now.
   */
  dropLock(path: string): void {
    this.#directory("lock", path).lock = undefined;
  }

  #remember(node: Node): void {
    if (node instanceof File) this.#deleted = remembered([...this.#deleted, node.live]);
  }

  #tornWrite(seed: number): { file: File; keptBytes: number } | undefined {
    const file = this.#lastWritten;
    return file && { file, keptBytes: (seed >>> 0) % (this.tornBytes + 1) };
  }

  #syncNames(directory: Directory, last = directory.pending.at(-1)): void {
    if (this.#profile === "posix") directory.sync(last);
  }

  /** @throws {IoError} the profile does not take a file's name away while it is open */
  #requireNotOpen(operation: string, path: string, node: Node | undefined): void {
    if (this.#profile === "windows" && node instanceof File && node.openHandles > 0) {
      throw refused(operation, path, "EBUSY");
    }
  }

  #perform<T>(
    operation: OperationName,
    path: string,
    effect: (fault?: Fault) => T,
    isZeros = false,
  ): T {
    const index = this.operationCount++;
    this.onOperation?.({ index, operation, path, phase: "before" });
    const fault = this.faultFor?.({ index, operation, path, isZeros });
    if (fault?.mode === "before") throw refused(operation, path, fault.code);
    const result = effect(fault);
    this.onOperation?.({ index, operation, path, phase: "after" });
    if (fault?.mode === "after") {
      // If the caller is told of a failure, it gets no handle to close.
      if (isHandle(result)) result.closeSync();
      throw refused(operation, path, fault.code);
    }
    return result;
  }

  /** `prepare` runs in the call and returns the effect, which comes later. */
  #performAsync<T>(
    operation: OperationName,
    path: string,
    prepare: () => (fault?: Fault) => T,
    settled?: () => void,
  ): Promise<T> {
    const index = this.operationCount++;
    this.onOperation?.({ index, operation, path, phase: "before" });
    const fault = this.faultFor?.({ index, operation, path });
    const queue = this.#queue!;
    const label = `${operation} ${path}`;
    return new Promise<T>((resolve, reject) => {
      let effect: (fault?: Fault) => T;
      try {
        effect = prepare();
      } catch (error) {
        settled?.();
        reject(error);
        return;
      }
      queue.enqueue(label, () => {
        let finish: () => void;
        try {
          if (fault?.mode === "before") throw refused(operation, path, fault.code);
          const result = effect(fault);
          if (fault?.mode === "after") {
            if (isHandle(result)) result.closeSync();
            throw refused(operation, path, fault.code);
          }
          finish = () => resolve(result);
        } catch (error) {
          finish = () => reject(error);
        }
        this.onOperation?.({ index, operation, path, phase: "after" });
        queue.enqueue(label, () => {
          this.onOperation?.({ index, operation, path, phase: "settle" });
          settled?.();
          finish();
        });
      });
    });
  }

  #open(path: string): FileHandle {
    const node = this.#find(path);
    if (node instanceof File) return this.#handle(path, node, false);
    if (node === undefined && this.#removed.has(path)) {
      this.violations.push(`"${path}" is opened after it was removed`);
    }
    throw refused("open", path, node === undefined ? "ENOENT" : "EISDIR");
  }

  #handle(path: string, file: File, isWritable: boolean): FileHandle {
    return openHandle(this.#owner, path, file, isWritable);
  }

  /** What handles need of this file system. */
  readonly #owner: HandleOwner = {
    opened: (change) => void (this.openHandles += change),
    violated: (what) => void this.violations.push(what),
    part: (length) => this.#part(length),
    perform: (operation, path, effect, isZeros) => this.#perform(operation, path, effect, isZeros),
    performAsync: (operation, path, prepare, settled) =>
      this.#performAsync(operation, path, prepare, settled),
    isQueued: () => this.#queue !== undefined,
    written: (file) => void (this.#lastWritten = file),
    pause: () => {
      const watch = this.onOperation;
      const index = this.operationCount - 1;
      return watch && ((path) => watch({ index, operation: "write", path, phase: "during" }));
    },
    synced: () => {
      if (this.#profile === "posix") return;
      for (const directory of this.#directories()) directory.sync(directory.pending.at(-1));
    },
  };

  #directories(directory: Directory = this.#root): Directory[] {
    const inside = [...directory.entries.values()].filter((node) => node instanceof Directory);
    return [directory, ...inside.flatMap((node) => this.#directories(node))];
  }

  /** How much of a transfer is done. */
  #part(length: number): number {
    if (length < 2 || this.#random.below(4) !== 0) return length;
    return 1 + this.#random.below(length);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (!(node instanceof Directory)) return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #directory(operation: string, path: string): Directory {
    const found = this.#find(path);
    if (found instanceof Directory) return found;
    throw refused(operation, path, found === undefined ? "ENOENT" : "ENOTDIR");
  }

  #parent(operation: string, path: string): [Directory, string] {
    const cut = path.lastIndexOf("/");
    return [this.#directory(operation, path.slice(0, cut)), path.slice(cut + 1)];
  }
}

/** The newest of the contents, without those that are empty or there twice. */
function remembered(contents: readonly Content[]): Content[] {
  const newest = new Map<string, Content>();
  for (const content of contents) {
    const key = `${content.size} ${content.low} ${content.high}`;
    newest.delete(key);
    if (content.size > 0) newest.set(key, content);
  }
  return [...newest.values()].slice(-MAX_DELETED);
}

function isHandle(result: unknown): result is FileHandle {
  return typeof result === "object" && result !== null && "closeSync" in result;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}
