/** The history that kill_child.ts writes and kill_verifier.ts expects. */

import type { Operation, Value } from "../../mod.ts";

/** Enough for tables on three levels with the memtables of kill_child.ts. */
const KEYS = 400;
const PUTS = 6;
/** One batch in this number has a value that the default `largeValueBytes` keeps apart. */
const LARGE_EVERY = 4;
const LARGE_LENGTH = 9000;
/** Writes that the child has not waited for, at most. */
export const MAX_IN_FLIGHT = 4;

/** Key `n` of those that are written. */
function keyOf(n: number): string {
  return `key ${String(n % KEYS).padStart(3, "0")}`;
}

/** The operations of batch `n`: its number, six puts, some of large values, one delete. */
export function batchOf(n: number): Operation[] {
  const operations: Operation[] = [{ type: "put", key: "ordinal", value: n }];
  for (let i = 0; i < PUTS; i++) {
    const isLarge = i === 0 && n % LARGE_EVERY === 0;
    const length = (n * 31 + i * 17) % 200 + (isLarge ? LARGE_LENGTH : 0);
    operations.push({
      type: "put",
      key: keyOf(n * 7 + i * 61),
      value: `${n} ${"x".repeat(length)}`,
    });
  }
  operations.push({ type: "delete", key: keyOf(n * 13 + 5) });
  return operations;
}

/** The state after the batches 1 to `n`. */
export function stateAfter(n: number): Map<string, Value> {
  const state = new Map<string, Value>();
  for (let i = 1; i <= n; i++) {
    for (const operation of batchOf(i)) {
      if (operation.type === "deleteRange") continue;
      const key = operation.key as string;
      if (operation.type === "put") state.set(key, operation.value);
      else state.delete(key);
    }
  }
  return state;
}

/** Every key that the history ever names, and one that it never does. */
export function everyKey(): string[] {
  return [...Array.from({ length: KEYS }, (_, n) => keyOf(n)), "ordinal", "never written"];
}

/** How a writer ends. */
export type Ending =
  /** Killed by its parent, some time after its first acknowledgement. */
  | "kill"
  /**
   * Kills itself at a numbered operation of the file system, counted from the start of the open.
   */
  | "operation"
  | "exit"
  | "throw"
  | "sigterm";

/** The task of a writer, as JSON in its first argument. */
export interface WriterTask {
  /** The store. */
  readonly directory: string;
  /** When writes are acknowledged. */
  readonly walSync: "none" | "interval" | "batch" | "write";
  /** Whether every write is a synchronous one; else one in five is. */
  readonly isSync: boolean;
  /** How it ends. */
  readonly ending: Ending;
  /**
   * "exit", "throw", "sigterm": right after this many acknowledgements. "operation": its number.
   */
  readonly at: number;
  /** The last batch that an earlier writer of this store reported. */
  readonly acknowledged: number;
}

/** A store for the verifier to check; an array of them is its argument, as JSON. */
export interface VerifierTask {
  /** The store. */
  readonly directory: string;
  /** Whether it is opened read-only, so that the next one finds what the killed writer left. */
  readonly isReadOnly: boolean;
  /** The last batch that a writer reported: it and all before it must be there. */
  readonly acknowledged: number;
}

/** What the verifier found, one line of JSON a store. */
export interface VerifierReport {
  /** The last batch that is there. */
  readonly ordinal: number;
  /** Number of tables, by level. */
  readonly tables: readonly number[];
}
