/** A tree of keys with counts and sizes, made in one pass over the entries. */

import { Buffer } from "node:buffer";
import { type Division, groupEnd } from "./key_groups.ts";

/** A node: a key, a prefix, or what was left out below one. */
export interface TreeNode {
  /** The key or prefix; undefined for what was left out. */
  readonly key: Uint8Array | undefined;
  readonly isGroup: boolean;
  /** 1 below the root. */
  readonly depth: number;
  keys: number;
  bytes: number;
  readonly children: TreeNode[];
}

/** Adds entries in the order of their keys. */
export class KeyTree {
  readonly root: TreeNode;
  readonly #division: Division;
  readonly #depth: number;
  readonly #limit: number;
  /** The open groups, from the root on. */
  readonly #path: TreeNode[];

  /** Keeps `limit` nodes below each one. */
  constructor(
    prefix: Uint8Array,
    division: Division,
    depth: number,
    limit: number,
  ) {
    this.root = node(prefix, true, 0);
    this.#division = division;
    this.#depth = depth;
    this.#limit = limit;
    this.#path = [this.root];
  }

  /** Adds an entry of a key and this number of bytes. */
  add(key: Uint8Array, bytes: number): void {
    const path = this.#path;
    while (path.length > 1 && !beginsWith(key, path.at(-1)!.key!)) path.pop();
    while (path.length <= this.#depth) {
      const parent = path.at(-1)!;
      const end = groupEnd(key, parent.key!.length, this.#division);
      if (end === -1) break;
      const group = node(key.slice(0, end), true, path.length);
      parent.children.push(group);
      path.push(group);
    }
    for (const open of path) {
      open.keys++;
      open.bytes += bytes;
    }
    const parent = path.at(-1)!;
    if (path.length <= this.#depth) {
      const leaf = node(key, false, path.length);
      leaf.keys = 1;
      leaf.bytes = bytes;
      parent.children.push(leaf);
    }
    this.#trim(path);
  }

  /** Ends the tree: no entry follows. */
  finish(): TreeNode {
    for (const parent of [this.root, ...nodesOf(this.root)]) {
      this.#shorten(parent, 0);
    }
    return this.root;
  }

  #trim(path: readonly TreeNode[]): void {
    for (const [at, parent] of path.entries()) {
      // The last child may still grow.
      const isOpen = path[at + 1] === parent.children.at(-1);
      this.#shorten(parent, isOpen ? 1 : 0);
    }
  }

  /** Makes one row of the children beyond the limit, but for the last `open` of them. */
  #shorten({ children, depth }: TreeNode, open: number): void {
    if (children.length - open <= this.#limit + 1) return;
    const rest = node(undefined, false, depth + 1);
    for (
      const one of children.splice(
        this.#limit,
        children.length - open - this.#limit,
        rest,
      )
    ) {
      rest.keys += one.keys;
      rest.bytes += one.bytes;
    }
  }
}

function node(
  key: Uint8Array | undefined,
  isGroup: boolean,
  depth: number,
): TreeNode {
  return { key, isGroup, depth, keys: 0, bytes: 0, children: [] };
}

function beginsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length &&
    Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
}

/** The nodes of a tree without its root, parents before children. */
export function* nodesOf(root: TreeNode): Generator<TreeNode> {
  for (const child of root.children) {
    yield child;
    yield* nodesOf(child);
  }
}
