/**
 * A file system in memory that knows what a power loss would leave, and that fails on demand.
 *
 * Every file has live content (what reads show), durable content, and the ordered writes between the
 * two; every directory has live names, durable names, and the ordered changes between them. A sync of a
 * file makes its content durable and not its name; a sync of a directory makes names durable and no
 * content. `crash(kind, seed)` makes a state that a crash at this moment may leave; states share all
 * bytes with the original, so that thousands of them cost little.
 *
 *     process      the process was killed: live content and names, still only pending
 *     strict       durable content, durable names
 *     all          everything that was issued
 *     prefix       of every object's pending operations the first ones, the last write cut at any byte
 *     sector-512   every sector of pending writes kept or dropped by itself; dropped ones past the
 *     sector-4096  durable size read as zeros or as garbage
 *     size-first   new sizes, old content, zeros behind it
 *     reorder      any subset of the pending changes of names, in order
 *     names-late   all content, durable names
 *     names-early  durable content, all names
 *
 * Renames are atomic in all of them. Reads and writes fall short at random, lists come in random order.
 * With a queue of calls, reads and syncs are offered asynchronously too: their effect comes when the
 * queue picks it, and their promise settles when it picks that. `onOperation` is told of every operation
 * before and after its effect and, where it is asynchronous, before it settles; `faultFor` may make an
 * operation fail. Uses that no correct engine makes (a read through a closed handle, opening a file
 * after it was removed) are noted in `violations`.
 */

import { IoError, LockedError } from "../../src/errors.ts";
import type {
  FileHandle,
  FileLock,
  FileStatus,
  FileSystem,
} from "../../src/platform/file_system.ts";
import { Random } from "./random.ts";

/** What a crash leaves; see the head of this file. */
export type CrashKind =
  | "process"
  | "strict"
  | "all"
  | "prefix"
  | "sector-512"
  | "sector-4096"
  | "size-first"
  | "reorder"
  | "names-late"
  | "names-early";

/** Every kind of crash. */
export const crashKinds: readonly CrashKind[] = [
  "process",
  "strict",
  "all",
  "prefix",
  "sector-512",
  "sector-4096",
  "size-first",
  "reorder",
  "names-late",
  "names-early",
];

/** What an operation is called, as in `IoError.operation`. */
export type OperationName =
  | "open"
  | "create"
  | "read"
  | "write"
  | "sync"
  | "stat"
  | "rename"
  | "remove"
  | "list"
  | "make directory"
  | "sync directory"
  | "lock";

/** One operation. */
export interface Operation {
  /** Number of the operation, from 0. */
  readonly index: number;
  /** What it is. */
  readonly operation: OperationName;
  /** On which path; for a rename the new one. */
  readonly path: string;
}

/** A moment of an operation: before its effect, after it, or before its promise settles. */
export interface OperationEvent extends Operation {
  /** Which moment. */
  readonly phase: "before" | "after" | "settle";
}

/**
 * How an operation fails. "short": a write takes half of what it is given and reports that. "partial":
 * it takes half and throws. "drop": a sync fails, and the pending writes will never be durable although
 * reads still show them. "revert": the same, and reads show the durable content again.
 */
export interface Fault {
  /** When or how it fails. */
  readonly mode: "before" | "after" | "short" | "partial" | "drop" | "revert";
  /** The operating system's code, "EIO" for one. */
  readonly code: string;
}

/** Picks the order in which asynchronous calls go on. */
export interface CallQueue {
  /** Runs `step` at some time, in an order of its own; `label` says what it belongs to. */
  enqueue(label: string, step: () => void): void;
}

/** Content that never changes: the first `size` bytes of `bytes`, and a hash of them. */
interface Content {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly low: number;
  readonly high: number;
}

interface PendingWrite {
  readonly position: number;
  readonly data: Uint8Array;
  /** Live content behind this write. */
  readonly after: Content;
}

type NameChange =
  | { readonly kind: "link"; readonly name: string; readonly node: Node }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly node: Node };

type Node = File | Directory;

const EMPTY: Content = { bytes: new Uint8Array(0), size: 0, low: 0x811c9dc5, high: 0x2545f491 };
/** Nothing that a test writes is larger; the limit keeps a wild position from taking all memory. */
const MAX_FILE_BYTES = 2 ** 28;

class File {
  live: Content = EMPTY;
  durable: Content = EMPTY;
  pending: PendingWrite[] = [];
  /** Whether bytes behind `live.size` may be written in place: nobody else appends to that buffer. */
  ownsBuffer = false;
  /** Whether live content is the durable one with the pending writes: not after a failed sync. */
  isLinear = true;

  write(from: Uint8Array, offset: number, length: number, position: number): void {
    const { live } = this;
    const end = position + length;
    const size = Math.max(live.size, end);
    let { bytes } = live;
    const isAppend = position === live.size;
    if (!isAppend || !this.ownsBuffer || size > bytes.length) {
      bytes = new Uint8Array(Math.max(256, isAppend ? size * 2 : size));
      bytes.set(live.bytes.subarray(0, live.size));
      this.ownsBuffer = true;
    }
    bytes.set(from.subarray(offset, offset + length), position);
    this.live = isAppend ? hashed(bytes, size, live) : hashed(bytes, size, EMPTY);
    this.pending.push({ position, data: bytes.subarray(position, end), after: this.live });
  }

  /** Makes the pending writes up to and with `last` durable. */
  sync(last: PendingWrite | undefined): void {
    const count = last === undefined ? 0 : this.pending.indexOf(last) + 1;
    if (count === 0) return;
    this.durable = this.isLinear
      ? last!.after
      : applied(this.durable, this.pending.slice(0, count));
    this.pending = this.pending.slice(count);
  }

  /** What a failed sync does: what is pending will never be durable. */
  dropPending(revert: boolean): void {
    if (this.pending.length === 0) return;
    this.pending = [];
    this.isLinear = revert;
    if (!revert) return;
    this.live = this.durable;
    this.ownsBuffer = false;
  }

  copy(): File {
    const copy = new File();
    copy.live = this.live;
    copy.durable = this.durable;
    copy.pending = this.pending.slice();
    copy.isLinear = this.isLinear;
    return copy;
  }
}

class Directory {
  entries = new Map<string, Node>();
  durable = new Map<string, Node>();
  pending: NameChange[] = [];
  isLocked = false;

  change(change: NameChange): void {
    applyChange(this.entries, change);
    this.pending.push(change);
  }

  sync(last: NameChange | undefined): void {
    const count = last === undefined ? 0 : this.pending.indexOf(last) + 1;
    for (let i = 0; i < count; i++) applyChange(this.durable, this.pending[i]!);
    this.pending = this.pending.slice(count);
  }
}

function applyChange(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === "link") names.set(change.name, change.node);
  else if (change.kind === "unlink") names.delete(change.name);
  else {
    names.delete(change.from);
    names.set(change.to, change.node);
  }
}

/** The state that a crash leaves; made into a file system only where it is needed. */
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
  openRead?: (path: string) => Promise<FileHandle>;
  readonly #random: Random;
  readonly #queue: CallQueue | undefined;
  readonly #removed = new Set<string>();
  #root = new Directory();

  /** Makes an empty file system; with a queue, calls are offered asynchronously too. */
  constructor(seed: number, queue?: CallQueue) {
    this.#random = new Random(seed);
    this.#queue = queue;
    if (queue === undefined) return;
    this.syncDirectory = (path) =>
      this.#performAsync("sync directory", path, () => {
        const directory = this.#directory("sync directory", path);
        const last = directory.pending.at(-1);
        return () => directory.sync(last);
      });
    this.openRead = (path) => this.#performAsync("open", path, () => () => this.#open(path));
  }

  /** The state that a crash now may leave. */
  crash(kind: CrashKind, seed: number): CrashImage {
    if (kind === "process") {
      const root = copyDirectory(this.#root, new Map());
      const key = `process ${treeKey(root, true)}`;
      return {
        kind,
        key,
        build: (buildSeed, queue) => from(copyDirectory(root, new Map()), buildSeed, queue),
      };
    }
    const root = crashDirectory(this.#root, crashPlan(kind, new Random(seed)));
    return {
      kind,
      key: treeKey(root, false),
      build: (buildSeed, queue) => from(copyDirectory(root, new Map()), buildSeed, queue),
    };
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

  /** Whether an open handle or a name shows content that a power loss now would take. */
  get hasPending(): boolean {
    const isPending = (directory: Directory): boolean =>
      directory.pending.length > 0 ||
      [...directory.entries.values()].some((node) =>
        node instanceof Directory ? isPending(node) : node.pending.length > 0
      );
    return isPending(this.#root);
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
      parent.change({ kind: "rename", from: fromName, to: toName, node });
    });
  }

  removeSync(path: string): void {
    this.#perform("remove", path, () => {
      const [parent, name] = this.#parent("remove", path);
      const node = parent.entries.get(name);
      if (node === undefined) throw refused("remove", path, "ENOENT");
      if (node instanceof Directory) throw refused("remove", path, "EISDIR");
      parent.change({ kind: "unlink", name });
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
      const directory = this.#directory("sync directory", path);
      directory.sync(directory.pending.at(-1));
    });
  }

  lockSync(path: string): FileLock {
    const directory = this.#perform("lock", path, () => this.#directory("lock", path));
    if (directory.isLocked) throw new LockedError(path, "another handle of this file system");
    directory.isLocked = true;
    let isReleased = false;
    return {
      releaseSync(): void {
        if (!isReleased) directory.isLocked = false;
        isReleased = true;
      },
    };
  }

  /** Takes over a tree; for `build` alone. */
  static withRoot(root: unknown, seed: number, queue: CallQueue | undefined): FaultFileSystem {
    const made = new FaultFileSystem(seed, queue);
    made.#root = root as Directory;
    return made;
  }

  #perform<T>(operation: OperationName, path: string, effect: (fault?: Fault) => T): T {
    const index = this.operationCount++;
    this.onOperation?.({ index, operation, path, phase: "before" });
    const fault = this.faultFor?.({ index, operation, path });
    if (fault?.mode === "before") throw refused(operation, path, fault.code);
    const result = effect(fault);
    this.onOperation?.({ index, operation, path, phase: "after" });
    if (fault?.mode === "after") {
      // Who is told of a failure gets no handle to close.
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
    let isClosed = false;
    let inFlight = 0;
    this.openHandles++;
    const check = (operation: string): void => {
      if (!isClosed) return;
      this.violations.push(`${operation} of "${path}" through a closed handle`);
      throw refused(operation, path, "EBADF");
    };
    const settled = (): void => {
      if (--inFlight === 0 && isClosed) this.openHandles--;
    };
    const read = (into: Uint8Array, offset: number, length: number, position: number): number => {
      const { bytes, size } = file.live;
      const count = this.#part(Math.max(0, Math.min(length, size - position)));
      into.set(bytes.subarray(position, position + count), offset);
      return count;
    };
    const sync = (last: PendingWrite | undefined, fault: Fault | undefined): void => {
      if (fault?.mode === "drop" || fault?.mode === "revert") {
        file.dropPending(fault.mode === "revert");
        throw refused("sync", path, fault.code);
      }
      file.sync(last);
    };
    const handle: FileHandle = {
      path,
      readSync: (into, offset, length, position) => {
        check("read");
        return this.#perform("read", path, () => read(into, offset, length, position));
      },
      writeSync: (from, offset, length, position) => {
        check("write");
        if (!isWritable) throw refused("write", path, "EBADF");
        if (!(position >= 0 && position + length <= MAX_FILE_BYTES)) {
          throw new RangeError(`Cannot write "${path}": the position is ${position}`);
        }
        return this.#perform("write", path, (fault) => {
          const isCut = fault?.mode === "short" || fault?.mode === "partial";
          const count = isCut ? length >>> 1 : this.#part(length);
          if (count > 0) file.write(from, offset, count, position);
          if (fault?.mode === "partial") throw refused("write", path, fault.code);
          return count;
        });
      },
      syncSync: () => {
        check("sync");
        this.#perform("sync", path, (fault) => sync(file.pending.at(-1), fault));
      },
      sizeSync: () => {
        check("stat");
        return this.#perform("stat", path, () => file.live.size);
      },
      closeSync: () => {
        if (isClosed) return;
        isClosed = true;
        if (inFlight === 0) this.openHandles--;
      },
    };
    if (this.#queue === undefined) return handle;
    const start = <T>(
      operation: OperationName,
      prepare: () => (fault?: Fault) => T,
    ): Promise<T> => {
      inFlight++;
      return this.#performAsync(operation, path, prepare, settled);
    };
    handle.read = (into, offset, length, position) => {
      try {
        check("read");
      } catch (error) {
        return Promise.reject(error);
      }
      return start("read", () => () => read(into, offset, length, position));
    };
    handle.sync = () => {
      try {
        check("sync");
      } catch (error) {
        return Promise.reject(error);
      }
      return start("sync", () => {
        // What is written from here on is not covered, although a real disk may be so kind.
        const last = file.pending.at(-1);
        return (fault) => sync(last, fault);
      });
    };
    return handle;
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

function isHandle(result: unknown): result is FileHandle {
  return typeof result === "object" && result !== null && "closeSync" in result;
}

function from(root: Directory, seed: number, queue: CallQueue | undefined): FaultFileSystem {
  return FaultFileSystem.withRoot(root, seed, queue);
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

/** The error of an operation that the file system refuses. */
function refused(operation: string, path: string, code: string): IoError {
  return new IoError(operation, path, `refused (${code})`, code);
}

/** How the parts of a crash state are chosen. */
interface CrashPlan {
  readonly content: (file: File) => Content;
  readonly names: (directory: Directory) => Map<string, Node>;
}

function crashPlan(kind: CrashKind, random: Random): CrashPlan {
  const liveNames = (directory: Directory): Map<string, Node> => directory.entries;
  const durableNames = (directory: Directory): Map<string, Node> => directory.durable;
  const prefixNames = (directory: Directory): Map<string, Node> => {
    const count = someOf(directory.pending.length, random);
    return changed(directory, directory.pending.slice(0, count));
  };
  const someNames = (directory: Directory): Map<string, Node> =>
    changed(directory, directory.pending.filter(() => random.below(2) === 0));
  const durable = (file: File): Content => file.durable;
  const live = (file: File): Content => file.live;
  const prefix = (file: File): Content => prefixOf(file, random);
  const anyNames = (): CrashPlan["names"] =>
    random.pick([liveNames, liveNames, prefixNames, durableNames]);
  switch (kind) {
    case "strict":
      return { content: durable, names: durableNames };
    case "prefix":
      return { content: prefix, names: prefixNames };
    case "sector-512":
    case "sector-4096": {
      const sectorBytes = kind === "sector-512" ? 512 : 4096;
      return { content: (file) => sectorsOf(file, sectorBytes, random), names: anyNames() };
    }
    case "size-first":
      return { content: sizeFirst, names: anyNames() };
    case "reorder":
      return { content: random.pick([durable, live, prefix]), names: someNames };
    case "names-late":
      return { content: live, names: durableNames };
    case "names-early":
      return { content: durable, names: liveNames };
    case "process":
    case "all":
      return { content: live, names: liveNames };
  }
}

/** From 0 to `count`, the ends as likely as all that lies between them. */
function someOf(count: number, random: Random): number {
  const choice = random.below(3);
  if (choice === 0) return 0;
  return choice === 1 ? count : random.below(count + 1);
}

function changed(directory: Directory, changes: readonly NameChange[]): Map<string, Node> {
  const names = new Map(directory.durable);
  for (const change of changes) applyChange(names, change);
  return names;
}

function prefixOf(file: File, random: Random): Content {
  const { pending, durable } = file;
  if (pending.length === 0) return durable;
  const count = someOf(pending.length, random);
  const next = pending[count];
  const cut = next === undefined ? 0 : random.below(next.data.length + 1);
  const whole = count === 0
    ? durable
    : file.isLinear
    ? pending[count - 1]!.after
    : applied(durable, pending.slice(0, count));
  if (cut === 0) return whole;
  if (file.isLinear && next!.position === whole.size) {
    return hashed(next!.after.bytes, whole.size + cut, whole);
  }
  return applied(whole, [{ position: next!.position, data: next!.data.subarray(0, cut) }]);
}

function sectorsOf(file: File, sectorBytes: number, random: Random): Content {
  const { pending, durable } = file;
  if (pending.length === 0) return durable;
  const live = file.isLinear ? file.live : applied(durable, pending);
  const dirty = new Set<number>();
  for (const { position, data } of pending) {
    const last = Math.floor((position + data.length - 1) / sectorBytes);
    for (let at = Math.floor(position / sectorBytes); at <= last; at++) dirty.add(at);
  }
  const bytes = live.bytes.slice(0, live.size);
  const isGarbage = random.below(2) === 0;
  const keepOneIn = random.pick([2, 2, 4]);
  let lastKept = durable.size;
  for (const sector of dirty) {
    const start = sector * sectorBytes;
    const end = Math.min(start + sectorBytes, live.size);
    if (random.below(keepOneIn) === 0) {
      lastKept = Math.max(lastKept, end);
      continue;
    }
    const old = Math.max(start, Math.min(end, durable.size));
    bytes.set(durable.bytes.subarray(start, old), start);
    bytes.fill(0, old, end);
    if (isGarbage) { for (let at = old; at < end; at++) bytes[at] = random.uint32(); }
  }
  return hashed(bytes, random.below(2) === 0 ? live.size : lastKept, EMPTY);
}

function sizeFirst(file: File): Content {
  const { durable, pending } = file;
  let size = durable.size;
  for (const { position, data } of pending) size = Math.max(size, position + data.length);
  if (size === durable.size) return durable;
  const bytes = new Uint8Array(size);
  bytes.set(durable.bytes.subarray(0, durable.size));
  return hashed(bytes, size, durable);
}

/** The content with writes applied, in a buffer of its own. */
function applied(
  base: Content,
  writes: readonly { readonly position: number; readonly data: Uint8Array }[],
): Content {
  let size = base.size;
  for (const { position, data } of writes) size = Math.max(size, position + data.length);
  const bytes = new Uint8Array(size);
  bytes.set(base.bytes.subarray(0, base.size));
  for (const { position, data } of writes) bytes.set(data, position);
  return hashed(bytes, size, EMPTY);
}

/** Content whose first part is that of `known`, hashed from there. */
function hashed(bytes: Uint8Array, size: number, known: Content): Content {
  let { low, high } = known;
  for (let i = known.size; i < size; i++) {
    low = Math.imul(low ^ bytes[i]!, 0x01000193);
    high = Math.imul(high ^ (high >>> 15) ^ bytes[i]!, 0x2c1b3c6d);
  }
  return { bytes, size, low, high };
}

/** The directory after a crash: everything in it is durable. */
function crashDirectory(directory: Directory, plan: CrashPlan): Directory {
  const made = new Directory();
  for (const [name, node] of plan.names(directory)) {
    let copy: Node;
    if (node instanceof Directory) copy = crashDirectory(node, plan);
    else {
      copy = new File();
      copy.live = copy.durable = plan.content(node);
    }
    made.entries.set(name, copy);
    made.durable.set(name, copy);
  }
  return made;
}

/** A copy with everything that is pending still pending. */
function copyDirectory(directory: Directory, copies: Map<Node, Node>): Directory {
  const made = new Directory();
  copies.set(directory, made);
  const copied = (node: Node): Node => {
    let copy = copies.get(node);
    if (copy === undefined) {
      copy = node instanceof File ? node.copy() : copyDirectory(node, copies);
      copies.set(node, copy);
    }
    return copy;
  };
  for (const [name, node] of directory.entries) made.entries.set(name, copied(node));
  for (const [name, node] of directory.durable) made.durable.set(name, copied(node));
  made.pending = directory.pending.map((change) =>
    change.kind === "unlink" ? change : { ...change, node: copied(change.node) }
  );
  return made;
}

/** A key that is equal for equal trees, whatever the order of their names. */
function treeKey(root: Directory, withDurable: boolean): string {
  let low = 0;
  let high = 0;
  const visit = (names: Map<string, Node>, path: string, isDurable: boolean): void => {
    for (const [name, node] of names) {
      const full = `${path}/${name}`;
      let one = isDurable ? 0x9747b28c : 0x811c9dc5;
      for (let i = 0; i < full.length; i++) one = Math.imul(one ^ full.charCodeAt(i), 0x01000193);
      if (node instanceof Directory) {
        visit(isDurable ? node.durable : node.entries, full, isDurable);
      } else {
        const content = isDurable ? node.durable : node.live;
        one = Math.imul(one ^ content.size, 0x85ebca6b) ^ content.low;
        high = (high + Math.imul(one ^ (one >>> 13), 0x2c1b3c6d) + content.high) | 0;
      }
      one = Math.imul(one ^ (one >>> 16), 0x7feb352d);
      low = (low + (one ^ (one >>> 15))) | 0;
    }
  };
  visit(root.entries, "", false);
  if (withDurable) visit(root.durable, "", true);
  return `${low >>> 0} ${high >>> 0}`;
}
