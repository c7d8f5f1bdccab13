/**
 * Calls a function for every entry of a range: the way to read many entries asynchronously without
 * a promise for each. `scanPrefix`, `scanRange` and `count` use it.
 */

import { AT_ENTRY, NEEDS_LOAD } from "../../iterator/entry_cursor.ts";
import { throwIfAborted } from "../../contract/abort_signal.ts";
import { type EntryScan, type OpenScan, openScan } from "./entry_scan.ts";
import { type Range, type ResolvedRange, resolveRange } from "../state/range.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import { OPERATIONS_PER_PAUSE } from "../state/turns.ts";

/**
 * Visits entries without a promise for each; loads are awaited. It checks the signal and lets the
 * event loop turn, even while the scan only skips deleted entries. With `keysOnly`, the visitor
 * must not use values.
 */
export async function visitEntries(
  state: StoreState,
  range: ResolvedRange,
  visit: (scan: EntryScan) => boolean | void,
  snapshot?: Lease,
  keysOnly = false,
  open: OpenScan = openScan,
): Promise<void> {
  state.requireReadable(snapshot);
  const { signal } = range;
  throwIfAborted(signal);
  const lease = state.lease(snapshot);
  const scan = open(state, lease, range, keysOnly);
  try {
    let position = scan.next();
    for (;;) {
      while (position === NEEDS_LOAD) {
        await scan.load();
        const turn = state.turns.due(OPERATIONS_PER_PAUSE);
        if (turn !== undefined) await turn;
        lease.requireHeld("store");
        throwIfAborted(signal);
        position = scan.resume();
      }
      throwIfAborted(signal);
      if (position !== AT_ENTRY) return;
      if (visit(scan) === false) return;
      const turn = state.turns.due();
      if (turn !== undefined) await turn;
      // Even if the visitor itself has closed the store.
      lease.requireHeld("store");
      position = scan.next();
    }
  } finally {
    scan.release();
    lease.release();
  }
}

/** The number of live entries in a range. */
export async function countEntries(
  state: StoreState,
  range: Range | undefined,
  snapshot?: Lease,
  open?: OpenScan,
): Promise<number> {
  let count = 0;
  const visit = (): void => {
    count++;
  };
  await visitEntries(state, resolveRange(range), visit, snapshot, true, open);
  return count;
}

/** As `countEntries`. */
export function countEntriesSync(
  state: StoreState,
  given: Range | undefined,
  snapshot?: Lease,
  open: OpenScan = openScan,
): number {
  state.requireReadable(snapshot);
  const range = resolveRange(given);
  const lease = state.lease(snapshot);
  const scan = open(state, lease, range, true);
  try {
    throwIfAborted(range.signal);
    let count = 0;
    for (let position = scan.next();; position = scan.next()) {
      while (position === NEEDS_LOAD) {
        scan.loadSync();
        throwIfAborted(range.signal);
        position = scan.resume();
      }
      if (position !== AT_ENTRY) return count;
      count++;
    }
  } finally {
    scan.release();
    lease.release();
  }
}
