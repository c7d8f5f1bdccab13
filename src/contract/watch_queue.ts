/** The reader's end of a watch: a bounded queue of commits that wait to be read. */

import { LaggedError } from "../errors.ts";
import { throwIfAborted } from "./abort_signal.ts";
import type { Key, Value } from "./value.ts";
import { type Commit, type Watch, type WatchOptions, watchOptions } from "./watch.ts";

/** The most bytes that one watch keeps. A single commit may be larger. */
export const MAX_WATCH_BYTES: number = 64 * 1024 * 1024;

/** The number of read items after which the array is cut. */
const MAX_READ_ITEMS = 1024;

/** What a queue needs from its store. */
export interface WatchSource<T, K, V> {
  /** Decodes a pushed item to a commit. */
  show(item: T): Commit<K, V>;
  /** Called once, when the watch needs no more commits. */
  onEnd(): void;
  /**
   * Returns what to wait for before the next commit is shown, if a turn of the event loop is due.
   */
  pause?(): Promise<void> | undefined;
}

interface Waiting<K, V> {
  resolve(step: IteratorResult<Commit<K, V>, undefined>): void;
  reject(error: unknown): void;
}

/**
 * A watch. The store notes each commit when it is made. It pushes commits in the same order, each
 * when readers may see it. The reader is behind by the commits that were noted and not read.
 *
 * @example
 * ```ts
 * import { type Operation, WatchQueue } from "@tinykvs/core/contract";
 *
 * const queue = new WatchQueue<Operation>({
 *   show: (operation) => ({ operations: [operation] }),
 *   onEnd: () => console.log("ended"),
 * }, { limit: 100 });
 * if (queue.note(10)) queue.push({ type: "put", key: "a", value: 1 }, 10);
 * console.log((await queue.next()).value?.operations.length); // 1
 * await queue.return(); // ended
 * ```
 */
export class WatchQueue<T, K = Key, V = Value> implements Watch<K, V> {
  readonly #source: WatchSource<T, K, V>;
  readonly #limit: number;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#onAbort();
  #items: { readonly item: T; readonly bytes: number }[] = [];
  /** The number of items that the reader has read. */
  #head = 0;
  #waiting: Waiting<K, V>[] = [];
  #behind = 0;
  #behindBytes = 0;
  /** The number of commits that were noted and not pushed yet. */
  #noted = 0;
  /** Whether the watch takes no commits other than those. */
  #isClosing = false;
  /** The end of the queue, if it is known: a normal end, or an error that one call will receive. */
  #end: { error?: unknown } | undefined;

  /** Starts to collect commits. @throws {TypeError | RangeError} the options are not valid */
  constructor(source: WatchSource<T, K, V>, options: WatchOptions | undefined) {
    const { signal, limit } = watchOptions(options);
    this.#source = source;
    this.#limit = limit;
    this.#signal = signal;
    throwIfAborted(signal);
    signal?.addEventListener("abort", this.#abort);
  }

  /**
   * Notes a commit of this number of bytes that the store will push later. Returns false if this
   * ends the watch.
   */
  note(bytes: number): boolean {
    if (this.#end !== undefined || this.#isClosing) return false;
    this.#noted++;
    this.#behind++;
    this.#behindBytes += bytes;
    const isTooLarge = this.#behindBytes > MAX_WATCH_BYTES && this.#behind > 1;
    if (this.#behind <= this.#limit && !isTooLarge) return true;
    const by = isTooLarge
      ? `by commits of more than ${MAX_WATCH_BYTES / 1024 / 1024} MiB`
      : `by more than ${this.#limit} commits`;
    this.#drop();
    this.#finish(new LaggedError(by));
    return false;
  }

  /** Adds a noted commit to the queue. */
  push(item: T, bytes: number): void {
    if (this.#end !== undefined) return;
    this.#noted--;
    this.#items.push({ item, bytes });
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) this.#answer(waiting);
    if (this.#isClosing && this.#noted === 0) this.finish();
  }

  /** Ends the queue after the commits that were pushed. */
  finish(): void {
    if (this.#end === undefined) this.#finish();
  }

  /** As `finish`, with an error instead of a normal end. */
  fail(error: unknown): void {
    if (this.#end === undefined) this.#finish(error);
  }

  /** See {@linkcode Watch}. */
  next(): Promise<IteratorResult<Commit<K, V>, undefined>> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      const isReady = this.#head < this.#items.length || this.#end !== undefined;
      if (!isReady || this.#waiting.length > 0) {
        this.#waiting.push(waiting);
        return;
      }
      const pause = this.#source.pause?.();
      if (pause === undefined) {
        this.#answer(waiting);
        return;
      }
      // Calls made during the wait must be answered after this one.
      this.#waiting.push(waiting);
      pause.then(() => this.#answerAll(), () => this.#answerAll());
    });
  }

  /** See {@linkcode Watch}. */
  return(_value?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>> {
    this.#drop();
    this.finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** See {@linkcode Watch}. */
  throw(error?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>> {
    void this.return();
    return Promise.reject(error);
  }

  /** See {@linkcode Watch}. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** See {@linkcode Watch}. */
  close(): void {
    this.#isClosing = true;
    if (this.#noted === 0) this.finish();
  }

  /** As `return`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #onAbort(): void {
    this.#drop();
    try {
      throwIfAborted(this.#signal);
    } catch (reason) {
      this.fail(reason);
    }
  }

  #drop(): void {
    this.#items = [];
    this.#head = 0;
  }

  #finish(error?: unknown): void {
    this.#end = error === undefined ? {} : { error };
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#source.onEnd();
    this.#answerAll();
  }

  /** Answers the waiting calls for which there is an answer. */
  #answerAll(): void {
    while (
      this.#waiting.length > 0 &&
      (this.#head < this.#items.length || this.#end !== undefined)
    ) this.#answer(this.#waiting.shift()!);
  }

  #answer({ resolve, reject }: Waiting<K, V>): void {
    const next = this.#items[this.#head];
    if (next === undefined) {
      const { error } = this.#end!;
      // Report the error only once. The next call gets the end.
      this.#end = {};
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
      return;
    }
    this.#head++;
    this.#behind--;
    this.#behindBytes -= next.bytes;
    if (this.#head === this.#items.length) this.#drop();
    else if (this.#head >= MAX_READ_ITEMS) {
      // Cut the array rarely: each cut moves all the other items.
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    try {
      resolve({ done: false, value: this.#source.show(next.item) });
    } catch (error) {
      this.#drop();
      this.finish();
      reject(error);
    }
  }
}
