/**
 * Notices that nobody writes to a store any more, so that the background can slowly free the space
 * of deleted entries.
 *
 * The timer does not keep the process alive, and it runs only while there are tombstones, or large
 * values, that were not looked at yet.
 */

import { hasSpans, hiddenEntries } from "../../compaction/covered.ts";
import { deadCount } from "../../compaction/tombstones.ts";
import { levelToSink } from "../../compaction/value_space.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import { Rest } from "../state/rest.ts";
import type { StoreState } from "../state/store_state.ts";

/**
 * A memtable is flushed early if the tables have at most this many entries for each of its
 * tombstones: then what it deletes is worth a table.
 */
const ENTRIES_PER_TOMBSTONE = 16;
/** An expired memtable with fewer bytes is not worth a table. */
const MIN_EXPIRED_BYTES = 64 * 1024;

/** Watches the writes of a store. */
export class IdleWatch {
  readonly #state: StoreState;
  readonly #rest: Rest;
  /** The newest entry when the store was last found idle. */
  #idleSequence: number | undefined;

  /** Prepares; `onIdle` is called in a separate turn. */
  constructor(state: StoreState, onIdle: () => void) {
    this.#state = state;
    this.#rest = new Rest(state.scheduler, () => state.lastSequence, () => {
      this.#idleSequence = state.lastSequence;
      onIdle();
    });
  }

  /** Whether the store was found idle and nothing was written since. */
  get isIdle(): boolean {
    return this.#idleSequence === this.#state.lastSequence;
  }

  /**
   * Whether the memtable deletes much of the tables' content, is itself mostly expired, or may hide
   * many large values.
   */
  get isMemtableDead(): boolean {
    const { memtable, versions, wallMs } = this.#state;
    // A deleted range is worth a table if a table has keys of it.
    const spans = memtable.deletedSpans;
    const tables = versions.current.tables.flat();
    if (tables.some((table) => hiddenEntries(table, spans) > 0)) return true;
    const expired = memtable.latestExpiry <= wallMs ? memtable.expiringCount : 0;
    const dead = memtable.tombstoneCount + expired;
    if (this.#hidesValues) return true;
    if (dead === 0) return false;
    const isLarge = memtable.sizeBytes >= MIN_EXPIRED_BYTES;
    if (isLarge && expired * 2 >= memtable.entryCount) return true;
    let entries = 0;
    for (const { entryCount } of tables) entries += entryCount;
    return entries > 0 && entries <= dead * ENTRIES_PER_TOMBSTONE;
  }

  get #hidesValues(): boolean {
    const { memtable, versions, compaction, logs } = this.#state;
    const { valueLog, valueFiles, valueBytes, valueCount, entryCount, keyCount } = memtable;
    let fileBytes = valueLog === undefined ? 0 : logs.sizeOf(valueLog);
    for (const sizeBytes of valueFiles?.values() ?? []) fileBytes += sizeBytes;
    return levelToSink(versions.current.tables, compaction, {
      fileBytes,
      usedBytes: valueBytes,
      usedCount: valueCount,
      entryCount,
      keyCount,
    }) === -1;
  }

  /** Starts watching; called for every write of a tombstone or a deleted range. */
  start(): void {
    this.#rest.note();
  }

  /** As `start`, if tables hold tombstones, entries that have expired, or large values. */
  startIfDead(): void {
    const { versions, wallMs } = this.#state;
    const isDead = (table: TableMetadata): boolean =>
      deadCount(table, wallMs) > 0 || hasSpans(table) || table.valueUses.length > 0;
    if (versions.current.tables.some((tables) => tables.some(isDead))) this.start();
  }

  /** Ends all watching. */
  stop(): void {
    this.#rest.stop();
  }
}
