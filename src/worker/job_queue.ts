/**
 * The order in which the thread works on the jobs of all stores of a process: a slice at a time,
 * and fair between the stores.
 *
 * Writers wait for flushes, so these come first, the oldest one to its end. But merges get one
 * slice in a number of them: a store whose level 0 is full waits for its merge, whatever the others
 * write. Merges take turns. Only a few are begun at a time, because each one has buffers and open
 * files. A merge that takes long does not count among these, so that it does not keep a short one
 * from beginning.
 */

/** While flushes wait, one slice in this many goes to a merge. */
const SLICES_TO_A_MERGE = 8;
/** Merges that are begun at a time. */
const MAX_BEGUN = 2;
/** A merge takes long from this many slices on. */
const LONG_SLICES = 100;

/** What the queue needs to know of a job. */
export interface QueuedJob {
  /** Whether it is a flush; else it is a merge. */
  readonly isFlush: boolean;
}

/** A merge, and how many slices it has had. */
interface BegunMerge<T> {
  readonly job: T;
  slices: number;
}

/** The jobs of all stores. */
export class JobQueue<T extends QueuedJob> {
  readonly #flushes: T[] = [];
  /** Merges that take turns: the next one first. */
  readonly #begun: BegunMerge<T>[] = [];
  /** Merges that were not begun, oldest first. */
  readonly #waiting: T[] = [];
  #slicesOfFlushes = 0;

  /** Adds a job. */
  add(job: T): void {
    if (job.isFlush) this.#flushes.push(job);
    else this.#waiting.push(job);
  }

  /** The job that gets the next slice; undefined if there is none. */
  next(): T | undefined {
    this.#begin();
    const flush = this.#flushes[0];
    if (flush !== undefined) {
      this.#slicesOfFlushes++;
      const isForMerge = this.#begun.length > 0 && this.#slicesOfFlushes >= SLICES_TO_A_MERGE;
      if (!isForMerge) return flush;
    }
    this.#slicesOfFlushes = 0;
    const merge = this.#begun.shift();
    if (merge === undefined) return undefined;
    merge.slices++;
    this.#begun.push(merge);
    return merge.job;
  }

  /** The job for which `isIt` returns true, if there is one. */
  find(isIt: (job: T) => boolean): T | undefined {
    return this.#flushes.find(isIt) ?? this.#begun.find(({ job }) => isIt(job))?.job ??
      this.#waiting.find(isIt);
  }

  /** Removes a job. */
  remove(job: T): void {
    for (const jobs of [this.#flushes, this.#waiting]) {
      const at = jobs.indexOf(job);
      if (at >= 0) jobs.splice(at, 1);
    }
    const at = this.#begun.findIndex((merge) => merge.job === job);
    if (at >= 0) this.#begun.splice(at, 1);
  }

  #begin(): void {
    while (this.#waiting.length > 0) {
      const short = this.#begun.filter(({ slices }) => slices < LONG_SLICES);
      if (short.length >= MAX_BEGUN) return;
      this.#begun.unshift({ job: this.#waiting.shift()!, slices: 0 });
    }
  }
}
