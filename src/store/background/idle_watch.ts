/**
 * Notices that nobody writes to a store any more, so that it can give back the space of what was
 * deleted (the background does that, at a slow pace).
 *
 * The timer does not keep the process alive, and it runs only while there are tombstones that nobody
 * has looked at yet.
 */

import { Rest } from "../state/rest.ts";
import type { StoreState } from "../state/store_state.ts";

/**
 * A memtable is flushed early when the tables have at most this many entries for each of its
 * tombstones: what it deletes is worth a table then.
 */
const ENTRIES_PER_TOMBSTONE = 16;

/** Watches the writes of a store. */
export class IdleWatch {
  readonly #state: StoreState;
  readonly #rest: Rest;
  /** The newest entry when the store was last found idle. */
  #idleSequence: number | undefined;

  /** Prepares; `onIdle` is called in a turn of its own. */
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

  /** Whether the memtable deletes much of what the tables hold. */
  get isMemtableDead(): boolean {
    const { memtable, versions } = this.#state;
    if (memtable.tombstoneCount === 0) return false;
    let entries = 0;
    for (const { metadata } of versions.current.levels.flat()) entries += metadata.entryCount;
    return entries > 0 && entries <= memtable.tombstoneCount * ENTRIES_PER_TOMBSTONE;
  }

  /** Starts watching; called for every write of a tombstone. */
  start(): void {
    this.#rest.note();
  }

  /** As `start`, if tables hold tombstones. */
  startIfDead(): void {
    const { levels } = this.#state.versions.current;
    if (levels.some((tables) => tables.some(({ metadata }) => metadata.tombstoneCount > 0))) {
      this.start();
    }
  }

  /** Ends all watching. */
  stop(): void {
    this.#rest.stop();
  }
}
