/**
 * What a history runs on: files in memory and virtual time, both driven by a seed, so that a
 * history always takes the same course, whatever the machine does.
 *
 * Turns of the event loop and asynchronous reads and syncs are some hops through the microtask
 * queue, how many says the seed: flushes, compactions, reads and writes interleave in ever new
 * ways. So nothing waits for a real turn, and what is not settled after one never will be:
 * `settled` finds that out.
 *
 * A file that was removed must not be read any more: the store removes only what nobody refers to.
 */

import { setImmediate } from "node:timers";
import type { FileHandle } from "../../src/platform/file_system.ts";
import type { Scheduler, Timer } from "../../src/platform/scheduler.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import type { Random } from "../support/random.ts";

const MAX_HOPS = 8;
/** Real turns after which a call that has not settled never will. */
const MAX_TURNS = 100;

/** Waits for some hops through the microtask queue. */
export async function hop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/**
 * Files that notice reads of removed ones; `isAsync` offers reads and syncs asynchronously as well.
 */
export class HistoryFileSystem extends CloneableFileSystem {
  /** What must never happen and did. */
  readonly violations: string[] = [];
  readonly #removed = new Set<object>();
  readonly #open = new Map<string, Set<object>>();
  readonly #random: Random;
  readonly #isAsync: boolean;

  /** An empty file system, or the files of another one as they are now. */
  constructor(random: Random, isAsync: boolean, from?: HistoryFileSystem, directory?: string) {
    super();
    this.#random = random;
    this.#isAsync = isAsync;
    if (from === undefined || directory === undefined) return;
    this.makeDirectorySync(directory);
    for (const name of from.listSync(directory)) {
      const path = from.joinPath(directory, name);
      if (from.statSync(path)?.kind === "file") this.setContent(path, from.content(path));
    }
  }

  override openReadSync(path: string): FileHandle {
    return this.#watch(super.openReadSync(path));
  }

  override createSync(path: string): FileHandle {
    return this.#watch(super.createSync(path));
  }

  override removeSync(path: string): void {
    super.removeSync(path);
    for (const token of this.#open.get(path) ?? []) this.#removed.add(token);
    this.#open.delete(path);
  }

  #watch(handle: FileHandle): FileHandle {
    const token = {};
    const { path } = handle;
    const tokens = this.#open.get(path);
    if (tokens === undefined) this.#open.set(path, new Set([token]));
    else tokens.add(token);
    // As the contract asks, a close waits for the calls that are under way.
    let underWay = 0;
    let isClosed = false;
    const begin = (): void => {
      if (this.#removed.has(token)) this.violations.push(`"${path}" was read after its removal`);
    };
    const finish: FileHandle["readSync"] = (into, offset, length, position) => {
      // Short reads are legal.
      const count = this.#random.below(16) === 0 ? Math.ceil(length / 2) : length;
      return handle.readSync(into, offset, count, position);
    };
    const closeSync = (): void => {
      isClosed = true;
      if (underWay > 0) return;
      this.#open.get(path)?.delete(token);
      this.#removed.delete(token);
      handle.closeSync();
    };
    const during = async <T>(finish: () => T): Promise<T> => {
      underWay++;
      try {
        await hop(1 + this.#random.below(MAX_HOPS));
        return finish();
      } finally {
        if (--underWay === 0 && isClosed) closeSync();
      }
    };
    const watched: FileHandle = {
      ...handle,
      readSync(into, offset, length, position) {
        begin();
        return finish(into, offset, length, position);
      },
      closeSync,
    };
    if (!this.#isAsync) return watched;
    return {
      ...watched,
      read(into, offset, length, position) {
        // One that has begun may end after the removal: the store was closed meanwhile.
        begin();
        return during(() => finish(into, offset, length, position));
      },
      sync: () => during(() => handle.syncSync()),
    };
  }
}

/** Virtual time: it passes when it is looked at, and in leaps by `pass`. */
export class HistoryScheduler implements Scheduler {
  readonly #random: Random;
  #nowMs = 1;
  #wallMs = 1_700_000_000_000;
  #timers: { readonly dueMs: number; readonly run: () => void }[] = [];

  /** Starts at a time of its own. */
  constructor(random: Random) {
    this.#random = random;
  }

  nowMs(): number {
    // Mostly a little time passes between two looks at the clock, now and then a whole slice: of
    // reads, some are as fast as out of the page cache, others as slow as a disk.
    const draw = this.#random.below(16);
    this.#nowMs += draw === 0 ? 3 : draw < 8 ? 0.02 : 0.1;
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  async yield(): Promise<void> {
    await hop(1 + this.#random.below(MAX_HOPS));
    this.#runTimers();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, run: callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  sleepSync(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  randomHex(byteCount: number): string {
    let hex = "";
    for (let i = 0; i < byteCount; i++) {
      hex += this.#random.below(256).toString(16).padStart(2, "0");
    }
    return hex;
  }

  /** Lets time pass, and what was waiting for it happen. */
  pass(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#wallMs += durationMs;
    this.#runTimers();
  }

  #runTimers(): void {
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { run } of due) run();
  }
}

/**
 * What the promise settles with.
 *
 * @throws {Error} it never settles
 */
export async function settled<T>(promise: Promise<T>, what: string): Promise<T> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  promise.then(note, note);
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    await hop(4);
    if (isSettled) return promise;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  if (isSettled) return promise;
  throw new Error(`${what} never settles`);
}
