/**
 * Calls a function for every entry of a range: the way to read many entries asynchronously without a
 * promise for each. `scanPrefix`, `scanRange` and `count` are made of it.
 */

import { AT_ENTRY, NEEDS_LOAD } from "../iterator/entry_cursor.ts";
import { throwIfAborted } from "../contract/abort_signal.ts";
import { EntryScan } from "./entry_scan.ts";
import { type Range, type ResolvedRange, resolveRange } from "./range.ts";
import type { Lease } from "./read_view.ts";
import type { StoreState } from "./store_state.ts";
import { OPERATIONS_PER_PAUSE } from "./turns.ts";

/**
 * Visits entries without a promise for each; everything that has to be loaded is awaited. The signal is
 * asked, and the event loop turns, also while the scan only skips deleted entries. With `keysOnly`,
 * the visitor must not look at values.
 */
export async function visitEntries(
  state: StoreState,
  range: ResolvedRange,
  visit: (scan: EntryScan) => boolean | void,
  snapshot?: Lease,
  keysOnly = false,
): Promise<void> {
  state.requireReadable(snapshot);
  const { signal } = range;
  throwIfAborted(signal);
  const lease = state.lease(snapshot);
  const { verifyChecksums } = state.options;
  const scan = new EntryScan(
    lease.view,
    lease.sequence,
    range,
    verifyChecksums,
    keysOnly,
    state.deadRanges,
  );
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
      // Also where the visitor itself has closed the store.
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
): Promise<number> {
  let count = 0;
  const visit = (): void => {
    count++;
  };
  await visitEntries(state, resolveRange(range), visit, snapshot, true);
  return count;
}

/** As `countEntries`. */
export function countEntriesSync(
  state: StoreState,
  given: Range | undefined,
  snapshot?: Lease,
): number {
  state.requireReadable(snapshot);
  const range = resolveRange(given);
  const lease = state.lease(snapshot);
  const { verifyChecksums } = state.options;
  const scan = new EntryScan(
    lease.view,
    lease.sequence,
    range,
    verifyChecksums,
    true,
    state.deadRanges,
  );
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
