/** What the fault file system reports of its operations, and how one of them is made to fail. */

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
  /** Whether it is a write of nothing but zeros, as the extension of a log is. */
  readonly isZeros?: boolean;
}

/**
 * A moment of an operation: before its effect, between two sectors of a write, after its effect, or
 * before its promise settles.
 */
export interface OperationEvent extends Operation {
  /** Which moment. */
  readonly phase: "before" | "during" | "after" | "settle";
}

/**
 * How an operation fails. "short": a write takes half of what it is given and reports that.
 * "partial": it takes half and throws. "drop": a sync fails, and the pending writes will never be
 * durable although reads still show them. "revert": the same, and reads show the durable content
 * again.
 */
export interface Fault {
  /** When or how it fails. */
  readonly mode: "before" | "after" | "short" | "partial" | "drop" | "revert";
  /** The operating system's code, "EIO" for one. */
  readonly code: string;
}

/** Picks the order in which asynchronous calls continue. */
export interface CallQueue {
  /** Runs `step` at some time, in its own order; `label` says what it belongs to. */
  enqueue(label: string, step: () => void): void;
}
