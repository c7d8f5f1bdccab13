/**
 * The state that a manifest describes, and how edits change it. All of it is pure: version_set.ts
 * keeps the state of an open store, and its files.
 */

import type { TableMetadata } from "./table_metadata.ts";
import { type LiveTable, Version, VersionBuilder } from "./version.ts";
import type { LogState, VersionEdit } from "./version_edit.ts";

/** The state that a manifest describes. */
export interface VersionState {
  /** The tables. */
  readonly version: Version;
  /** Every number from here on is free. */
  readonly nextFileNumber: number;
  /** The highest sequence number whose entry is in a table. */
  readonly lastSequence: number;
  /** Which logs recovery needs. */
  readonly log: LogState;
  /** Whether the live log was durable with its header before the manifest named it. */
  readonly isLogDurable: boolean;
}

/** The state of a store that was never written to. */
export function emptyVersionState(): VersionState {
  return {
    version: Version.empty(),
    nextFileNumber: 1,
    lastSequence: 0,
    log: { number: 0, live: false },
    isLogDurable: false,
  };
}

/**
 * The first log of a session is durable before the manifest names it. One that takes over from an
 * older log, which is flushed, need not be.
 */
function isLogDurableAfter(
  { log, isLogDurable }: Pick<VersionState, "log" | "isLogDurable">,
  edit: VersionEdit,
): boolean {
  return edit.log === undefined ? isLogDurable : edit.log.live && !log.live;
}

/** The state after an edit; `live` makes tables that the version does not have yet. */
export function applyEdit(
  state: VersionState,
  edit: VersionEdit,
  live: (table: TableMetadata) => LiveTable,
): VersionState {
  return {
    version: state.version.apply(edit, live),
    nextFileNumber: Math.max(state.nextFileNumber, edit.nextFileNumber ?? 0),
    lastSequence: Math.max(state.lastSequence, edit.lastSequence ?? 0),
    log: edit.log ?? state.log,
    isLogDurable: isLogDurableAfter(state, edit),
  };
}

/** The state after all edits of a manifest, the first of which started from nothing. */
export function stateAfter(
  edits: readonly VersionEdit[],
  live: (table: TableMetadata) => LiveTable,
): VersionState {
  const empty = emptyVersionState();
  const builder = new VersionBuilder(empty.version, Infinity);
  let { nextFileNumber, lastSequence, log, isLogDurable } = empty;
  for (const edit of edits) {
    builder.apply(edit, live);
    nextFileNumber = Math.max(nextFileNumber, edit.nextFileNumber ?? 0);
    lastSequence = Math.max(lastSequence, edit.lastSequence ?? 0);
    isLogDurable = isLogDurableAfter({ log, isLogDurable }, edit);
    log = edit.log ?? log;
  }
  return { version: builder.build(), nextFileNumber, lastSequence, log, isLogDurable };
}
