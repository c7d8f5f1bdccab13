/**
 * When the filter of the last level's table is searched, and when its block is searched first.
 *
 * The principle: a filter saves the search of a block if the key is missing, and costs time if the
 * key exists. A key that reaches the last level mostly exists, because no level above has it. So
 * the policy learns from the earlier searches in the last level:
 *
 * - missed recently: the filter is searched first;
 * - mixed: a block in memory is searched without the filter; if it is not in memory, the filter is
 *   searched first;
 * - `MANY_FOUND` hits in a row: the filter is skipped (decision 8).
 */

/** From this number on the last level's filter is searched first. */
const MANY_ABSENCES = 8;
/**
 * After this many hits in a row the filter is skipped. A filter check costs a tenth of a read, and
 * after so long a run a miss is unlikely (decision 8).
 */
const MANY_FOUND = 16;

/** What the searches of one lookup have found in the last level. */
export class FilterPolicy {
  /** Recent misses: each counts two, and each hit in any level takes one away. */
  #absences = 0;
  /** Hits in a row, up to `MANY_FOUND`. */
  #found = MANY_FOUND;

  /** Whether a block in memory is searched before the filter. */
  get triesBlockFirst(): boolean {
    return this.#absences < MANY_ABSENCES;
  }

  /** Whether the filter is skipped. */
  get skipsFilter(): boolean {
    return this.#found === MANY_FOUND;
  }

  /** A search has found its key, in the last level or above. */
  noteFound(isLast: boolean): void {
    if (this.#absences > 0) this.#absences--;
    if (isLast && this.#found < MANY_FOUND) this.#found++;
  }

  /** The table of the last level did not have the key. */
  noteAbsent(): void {
    this.#found = 0;
    if (this.#absences < 2 * MANY_ABSENCES) this.#absences += 2;
  }
}
