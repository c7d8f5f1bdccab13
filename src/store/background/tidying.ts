/**
 * Small compactions at the ends of a session: before a store is closed, and after recovery has
 * written tables. A program may run so briefly that the background never does anything; without
 * these compactions each run would leave one more table.
 */

import { editOf, keptTables } from "../../compaction/compaction.ts";
import { mergeJob } from "../../compaction/merge_job.ts";
import { pickCompaction } from "../../compaction/picker.ts";
import { inputBytes } from "../../compaction/value_space.ts";
import type { Task } from "../../platform/task.ts";
import type { StoreState } from "../state/store_state.ts";

/** The most bytes that are merged at one end of a session: some ten milliseconds of work. */
const MAX_BYTES = 1024 * 1024;
/** Each is an edit to sync. One session leaves one table, so this catches up. */
const MAX_COMPACTIONS = 3;

/** A task that carries out what is due if it is small. No other compaction may run. */
export function* tidyUp(state: StoreState): Task<void> {
  const { versions, compaction: options, tableOutput } = state;
  let leftBytes = MAX_BYTES;
  for (let count = 0; count < MAX_COMPACTIONS; count++) {
    const compaction = pickCompaction(versions.current.tables, options);
    if (compaction === undefined) return;
    if (compaction.kind === "merge") leftBytes -= inputBytes(compaction);
    if (leftBytes < 0) return;
    try {
      const tables = compaction.kind === "merge"
        ? yield* mergeJob(compaction, tableOutput, () => versions.newFileNumber())
        : keptTables(compaction);
      yield* versions.apply(editOf(compaction, tables));
    } catch (error) {
      // If there was no descriptor, the version in force has not changed; new tables are orphans.
      if (state.isShortage(error)) return;
      throw error;
    }
  }
}
