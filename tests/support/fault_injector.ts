/**
 * The ways in which an operation of the fault file system may fail, and what makes one of them, and
 * with "sticky" every later one of its sort, fail so. It counts what it made to fail.
 */

import type { Fault, Operation, OperationEvent } from "./fault_file_system.ts";

/** The ways in which an operation may fail, and what a test of them is called. */
export const failureTitles = {
  "eio-before": "An operation that fails before its effect",
  "eio-after": "An operation that fails after its effect",
  "sync-drop": "A sync that fails and forgets what it did not write",
  "sync-revert": "A sync that fails and takes back what it did not write",
  "enospc-short": "A disk that takes a part of a write and then nothing",
  "enospc-partial": "A disk that is full in the middle of a write",
  "emfile": "A lack of descriptors",
  "eacces": "A refused rename or removal",
} as const;

/** One of them. */
export type FailureKind = keyof typeof failureTitles;

/** All of them. */
export const failureKinds: readonly FailureKind[] = Object.keys(failureTitles) as FailureKind[];

/** The failure of one operation, or undefined if this kind can't strike it. */
export function faultOf(kind: FailureKind, { operation }: Operation): Fault | undefined {
  switch (kind) {
    case "eio-before":
      return { mode: "before", code: "EIO" };
    case "eio-after":
      return { mode: "after", code: "EIO" };
    case "sync-drop":
      return operation === "sync" ? { mode: "drop", code: "EIO" } : undefined;
    case "sync-revert":
      return operation === "sync" ? { mode: "revert", code: "EIO" } : undefined;
    case "enospc-short":
      return operation === "write" ? { mode: "short", code: "ENOSPC" } : undefined;
    case "enospc-partial":
      if (operation === "create") return { mode: "before", code: "ENOSPC" };
      return operation === "write" ? { mode: "partial", code: "ENOSPC" } : undefined;
    case "emfile":
      return operation === "open" || operation === "create"
        ? { mode: "before", code: "EMFILE" }
        : undefined;
    case "eacces":
      return operation === "rename" || operation === "remove"
        ? { mode: "before", code: "EACCES" }
        : undefined;
  }
}

/** An operation that was made to fail. */
export interface Struck extends Operation {
  readonly fault: Fault;
}

/** Makes operations fail. */
export class Injector {
  /** What was made to fail, in order. */
  readonly struck: Struck[] = [];
  readonly #index: number;
  readonly #kind: FailureKind;
  readonly #isSticky: boolean;
  readonly #seen: Operation[] | undefined;
  /** Paths with a sync that has failed and has not yet said so. */
  readonly #untold = new Map<number, string>();
  #first: Operation | undefined;
  #isCleared = false;

  /** `index` is that of the first operation to fail; `seen` receives every one until `clear`. */
  constructor(index: number, kind: FailureKind, isSticky: boolean, seen?: Operation[]) {
    this.#seen = seen;
    this.#index = index;
    this.#kind = kind;
    this.#isSticky = isSticky;
  }

  /** For `FaultFileSystem.faultFor`. */
  readonly faultFor = (operation: Operation): Fault | undefined => {
    if (this.#isCleared) return undefined;
    this.#seen?.push(operation);
    if (operation.index < this.#index) return undefined;
    const fault = this.#choose(operation);
    if (fault !== undefined) this.struck.push({ ...operation, fault });
    return fault;
  };

  /** For `FaultFileSystem.onOperation`. */
  readonly observe = ({ index, operation, path, phase }: OperationEvent): void => {
    if (operation !== "sync") return;
    if (phase === "settle") this.#untold.delete(index);
    if (phase === "after" && this.struck.some((struck) => struck.index === index)) {
      this.#untold.set(index, path);
    }
  };

  /** Whether the engine may try again: it closes files if it gets no more descriptors. */
  get mayBeRetried(): boolean {
    return this.#kind === "emfile";
  }

  /** Nothing fails from now on. */
  clear(): void {
    this.#isCleared = true;
  }

  #choose(operation: Operation): Fault | undefined {
    if (this.#first === undefined) {
      this.#first = operation;
      return faultOf(this.#kind, operation);
    }
    // FileHandle promises as much: an error that another sync has met is an error of this one, too.
    if (operation.operation === "sync" && [...this.#untold.values()].includes(operation.path)) {
      return { mode: "before", code: "EIO" };
    }
    const isWrite = operation.operation === "write" || operation.operation === "create";
    if (this.#kind === "enospc-short") {
      // The short count is followed by the error that explains it.
      const isNext = this.struck.length === 1;
      return isWrite && (isNext || this.#isSticky) ? { mode: "before", code: "ENOSPC" } : undefined;
    }
    if (!this.#isSticky) return undefined;
    const isEio = this.#kind === "eio-before" || this.#kind === "eio-after";
    if (isEio && operation.operation !== this.#first.operation) return undefined;
    return faultOf(this.#kind, operation);
  }
}
