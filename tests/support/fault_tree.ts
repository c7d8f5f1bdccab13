/**
 * The directories of the fault file system: live names, durable names, and the ordered changes
 * between the two; copies of whole trees, and keys that are equal for equal trees.
 */

import { File } from "./fault_content.ts";

/** A change of one directory. */
export type NameChange =
  | { readonly kind: "link"; readonly name: string; readonly node: Node }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly node: Node };

/** What a name may refer to. */
export type Node = File | Directory;

/** A directory. */
export class Directory {
  /** Names that are there. */
  entries: Map<string, Node> = new Map();
  /** Names that a power loss leaves. */
  durable: Map<string, Node> = new Map();
  /** What leads from these to those. */
  pending: NameChange[] = [];
  /** The lock that is held, if there is one. */
  lock: object | undefined;

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

/** Makes a change in a set of names. */
export function applyChange(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === "link") names.set(change.name, change.node);
  else if (change.kind === "unlink") names.delete(change.name);
  else {
    names.delete(change.from);
    names.set(change.to, change.node);
  }
}

/** A copy with everything that is pending still pending. */
export function copyDirectory(directory: Directory, copies: Map<Node, Node>): Directory {
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
export function treeKey(root: Directory, withDurable: boolean): string {
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
