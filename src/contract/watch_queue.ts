/** The reader's end of a watch: commits that wait to be read, no more than a limit. */

import { LaggedError } from "../errors.ts";
import { throwIfAborted } from "./abort_signal.ts";
import type { Key, Value } from "./value.ts";
import { type Commit, type Watch, type WatchOptions, watchOptions } from "./watch.ts";

/** The commits that are kept for one watch take at most this, unless it is one alone. */
export const MAX_WATCH_BYTES: number = 64 * 1024 * 1024;

/** Items that were read and are not dropped yet. */
const MAX_READ_ITEMS = 1024;

/** What a queue needs to know of its store. */
export interface WatchSource<T, K, V> {
  /** Makes a commit of what was pushed. */
  show(item: T): Commit<K, V>;
  /** Called once when nothing more is wanted. */
  onEnd(): void;
  /** What to wait for before the next commit is shown, if a turn of the event loop is due. */
  pause?(): Promise<void> | undefined;
}

interface Waiting<K, V> {
  resolve(step: IteratorResult<Commit<K, V>, undefined>): void;
  reject(error: unknown): void;
}

/**
 * A watch. Its store notes each commit when it happens, and pushes it, in the same order, when it
 * may be seen. What was noted and not read yet counts as the distance that the reader is behind.
 */
export class WatchQueue<T, K = Key, V = Value> implements Watch<K, V> {
  readonly #source: WatchSource<T, K, V>;
  readonly #limit: number;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#onAbort();
  #items: { readonly item: T; readonly bytes: number }[] = [];
  /** How many of the items were read. */
  #head = 0;
  #waiting: Waiting<K, V>[] = [];
  #behind = 0;
  #behindBytes = 0;
  /** Commits that were noted and not pushed yet. */
  #noted = 0;
  /** Whether no other commit is wanted than those. */
  #isClosing = false;
  /** Why nothing more comes after the items, if that is so: an end, or an error for one reader. */
  #end: { error?: unknown } | undefined;

  /** Starts to wait for commits. @throws {TypeError | RangeError} the options are not valid */
  constructor(source: WatchSource<T, K, V>, options: WatchOptions | undefined) {
    const { signal, limit } = watchOptions(options);
    this.#source = source;
    this.#limit = limit;
    this.#signal = signal;
    throwIfAborted(signal);
    signal?.addEventListener("abort", this.#abort);
  }

  /**
   * Counts a commit of some bytes that is going to be pushed; false if the watch has ended by that.
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

  /** Shows a commit that was noted. */
  push(item: T, bytes: number): void {
    if (this.#end !== undefined) return;
    this.#noted--;
    this.#items.push({ item, bytes });
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) this.#answer(waiting);
    if (this.#isClosing && this.#noted === 0) this.finish();
  }

  /** Nothing more is pushed: after what was, there is an end. */
  finish(): void {
    if (this.#end === undefined) this.#finish();
  }

  /** As `finish`, with an error in the place of the end. */
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
      // Calls that come meanwhile have to wait behind this one.
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

  /** Answers those that wait, as far as there is an answer. */
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
      // Only once: after an error there is an end.
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
      // Not one by one, which would move all the others each time.
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
