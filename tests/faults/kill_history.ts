/** The history that kill_child.ts writes and kill_verifier.ts expects. */

import type { Operation, Value } from "../../mod.ts";

const KEYS = 60;

function padded(n: number): string {
  return `key ${String(n).padStart(3, "0")}`;
}

/** The operations of batch `n`. */
export function batchOf(n: number): Operation[] {
  const operations: Operation[] = [{ type: "put", key: "ordinal", value: n }];
  for (let i = 0; i < 6; i++) {
    const key = padded((n * 7 + i * 11) % KEYS);
    operations.push({ type: "put", key, value: `${n} ${"x".repeat((n * 31 + i) % 200)}` });
  }
  operations.push({ type: "delete", key: padded((n * 13 + 5) % KEYS) });
  return operations;
}

/** The state after the batches 1 to `n`. */
export function stateAfter(n: number): Map<string, Value> {
  const state = new Map<string, Value>();
  for (let i = 1; i <= n; i++) {
    for (const operation of batchOf(i)) {
      const key = operation.key as string;
      if (operation.type === "put") state.set(key, operation.value);
      else state.delete(key);
    }
  }
  return state;
}
