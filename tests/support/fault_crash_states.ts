/**
 * What a crash may leave of a tree of the fault file system; the kinds are described at the head of
 * fault_file_system.ts.
 */

import { applied, type Content, EMPTY, File, hashed } from "./fault_content.ts";
import { applyChange, Directory, type NameChange, type Node } from "./fault_tree.ts";
import type { Random } from "./random.ts";

/** What a crash leaves; see the head of this file. */
export type CrashKind =
  | "process"
  | "strict"
  | "all"
  | "prefix"
  | "torn"
  | "sector-512"
  | "sector-4096"
  | "size-first"
  | "stale"
  | "reorder"
  | "names-late"
  | "names-early";

/** Every kind of crash. */
export const crashKinds: readonly CrashKind[] = [
  "process",
  "strict",
  "all",
  "prefix",
  "torn",
  "sector-512",
  "sector-4096",
  "size-first",
  "stale",
  "reorder",
  "names-late",
  "names-early",
];

/** How the parts of a crash state are chosen. */
export interface CrashPlan {
  readonly content: (file: File) => Content;
  readonly names: (directory: Directory) => Map<string, Node>;
}

/** The write that a crash of the kind "torn" cuts: the last one of a file. */
export interface TornWrite {
  readonly file: File;
  /** How much of it is kept. */
  readonly keptBytes: number;
}

/** How a kind of crash chooses; `deleted` is what blocks that no file has may still hold. */
export function crashPlan(
  kind: CrashKind,
  random: Random,
  deleted: readonly Content[],
  torn?: TornWrite,
): CrashPlan {
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
    case "stale": {
      const blockBytes = random.pick([512, 4096]);
      return {
        content: (file) => staleBlocks(file, deleted, blockBytes, random),
        names: anyNames(),
      };
    }
    case "reorder":
      return { content: random.pick([durable, live, prefix]), names: someNames };
    case "names-late":
      return { content: live, names: durableNames };
    case "names-early":
      return { content: durable, names: liveNames };
    case "torn":
      return {
        content: (file) => file === torn?.file ? cutOff(file, torn.keptBytes) : file.live,
        names: liveNames,
      };
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

/** Live content, of whose last pending write only the first bytes are there. */
function cutOff(file: File, keptBytes: number): Content {
  const { pending } = file;
  const last = pending.at(-1);
  if (last === undefined || keptBytes >= last.data.length) return file.live;
  return withPart(file, pending.length - 1, keptBytes);
}

/**
 * Durable content with the first `count` pending writes, and the first `cut` bytes of the next one.
 */
function withPart(file: File, count: number, cut: number): Content {
  const { pending, durable } = file;
  const next = pending[count];
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

function prefixOf(file: File, random: Random): Content {
  const { pending, durable } = file;
  if (pending.length === 0) return durable;
  const count = someOf(pending.length, random);
  const next = pending[count];
  const cut = next === undefined ? 0 : random.below(next.data.length + 1);
  return withPart(file, count, cut);
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

/**
 * Live content in new blocks, of which some show what they held before. A block that has durable
 * content is the file's own, and is overwritten where it is: it shows that content or the new one.
 */
function staleBlocks(
  file: File,
  deleted: readonly Content[],
  blockBytes: number,
  random: Random,
): Content {
  const { pending, durable } = file;
  if (pending.length === 0) return durable;
  const live = file.isLinear ? file.live : applied(durable, pending);
  const firstBlock = Math.ceil(durable.size / blockBytes);
  const blockCount = Math.ceil(live.size / blockBytes);
  if (deleted.length === 0 || firstBlock >= blockCount) return live;
  const bytes = live.bytes.slice(0, live.size);
  const donor = random.pick(deleted);
  const choice = random.below(4);
  for (let block = firstBlock; block < blockCount; block++) {
    // All of them in the order of one file, the first one only, or each by itself.
    if (choice === 1 && block > firstBlock) break;
    if (choice > 1 && random.below(2) === 0) continue;
    const from = choice === 3 ? random.pick(deleted) : donor;
    const source = choice === 3 ? random.below(Math.ceil(from.size / blockBytes)) : block;
    const start = block * blockBytes;
    bytes.fill(0, start, start + blockBytes);
    const at = source * blockBytes;
    const end = Math.min(from.size, at + Math.min(blockBytes, live.size - start));
    if (end > at) bytes.set(from.bytes.subarray(at, end), start);
  }
  return hashed(bytes, live.size, EMPTY);
}

/** Contents of all files under live names. */
export function contentsIn(directory: Directory): Content[] {
  return [...directory.entries.values()].flatMap((node) =>
    node instanceof File ? [node.live] : contentsIn(node)
  );
}

/** The directory after a crash: everything in it is durable. */
export function crashDirectory(directory: Directory, plan: CrashPlan): Directory {
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
