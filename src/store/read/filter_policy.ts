/**
 * When the filter of the last level's table is asked, and when its block is searched first.
 *
 * The principle: a filter saves the search of a block for a key that is not there. It costs time for a key
 * that is there. A key that comes as far as the last level is mostly there, since nothing above has it.
 * So the policy learns from the searches before:
 *
 * | searches before, in the last level | what is done |
 * |---|---|
 * | missed their key lately | the filter is asked first |
 * | mixed | a block in memory is searched without asking; if it is not in memory, the filter is asked first |
 * | found their key, `MANY_FOUND` times in a row | the filter is not asked at all (decision 0008) |
 */

/** From here on the last level's filter is asked first. */
const MANY_ABSENCES = 8;
/**
 * After this many hits in a row a miss is unlikely: the filter check would cost 0.7 µs of a read of 5 to 12.
 * If one key in a hundred is missing, one read in a hundred is in vain then. If one key in ten is missing,
 * the filter is nearly always asked.
 */
const MANY_FOUND = 16;

/** What the searches of one lookup have met in the last level. */
export class FilterPolicy {
  /** Recent misses: each counts two, and a key that was found anywhere takes one away. */
  #absences = 0;
  /** Hits in a row, up to `MANY_FOUND`. */
  #found = MANY_FOUND;

  /** Whether a block in memory is searched before the filter is asked. */
  get triesBlockFirst(): boolean {
    return this.#absences < MANY_ABSENCES;
  }

  /** Whether the filter is not asked at all. */
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
