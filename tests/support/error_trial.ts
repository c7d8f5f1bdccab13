/**
 * One run of a script with one fault: makes the calls, and requires of each what error_injection.ts
 * says.
 */

import assert from "node:assert/strict";
import { BackgroundError, IoError, StoreError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { isSame } from "./fault_history.ts";
import type { Injector, Struck } from "./fault_injector.ts";
import { isShortage, type Run } from "./fault_workload.ts";

/** What a store that refuses writes may grow by while a program keeps trying, in bytes. */
const MAX_GROWTH_BYTES = 64 * 1024;

/** The run. */
export class ErrorTrial {
  readonly run: Run;
  readonly #injector: Injector;
  readonly #options: Options;
  #store: EmbeddedStore | undefined;
  /** The first rejection of a write. */
  #refusal: unknown;
  /** Failures that a stream was told of, and that the store can do without. */
  readonly #excused = new Set<Struck>();
  /** How many calls were rejected. */
  #rejections = 0;

  constructor(run: Run, injector: Injector) {
    this.run = run;
    this.#injector = injector;
    this.#options = { ...run.options, fileSystem: run.fileSystem };
  }

  /** Opens the store; says whether that succeeded. */
  async open(): Promise<boolean> {
    return this.#opened(await this.#attempt("open", () => this.run.open(this.#options)));
  }

  /** As `open`. */
  async openSync(): Promise<boolean> {
    return this.#opened(
      await this.#attempt("open", () => this.run.openSync(this.#options)),
    );
  }

  /**
   * A write, flush, sync or compaction: after the first that is refused every other one must be.
   */
  async write(what: string, call: () => Promise<void> | void): Promise<void> {
    const fatal = await this.#fatal();
    const before = this.#injector.struck.length;
    const result = await this.#attempt(what, async () => await this.run.wait(started(call)), 0);
    if (!result.isDone) {
      // A store continues when there are descriptors again.
      if (!isShortage(result.error)) this.#refusal ??= result.error;
      return;
    }
    assert.equal(this.#refusal, undefined, `${what} succeeds after ${text(this.#refusal)}`);
    assert.equal(fatal, undefined, `${what} succeeds after ${JSON.stringify(fatal)}`);
    if (what !== "a compaction") return;
    // One that met a failure in a table, or could not open it, may not claim to be done.
    const missed = this.#injector.struck.slice(before).find(({ operation, path }) =>
      path.endsWith(".sst") && operation !== "remove" && operation !== "stat"
    );
    const isExcused = missed === undefined || this.#injector.mayBeRetried;
    assert.ok(isExcused, `a compaction succeeds after ${JSON.stringify(missed)}`);
  }

  /**
   * A put of a stream: a failure of its own file, or of the sync of its name, fails the call and
   * not the store. Nothing else may be under way.
   */
  async stream(what: string, call: () => Promise<void>): Promise<void> {
    const fatal = await this.#fatal();
    const before = this.#injector.struck.length;
    const result = await this.#attempt(what, async () => await this.run.wait(started(call)), 0);
    if (result.isDone) {
      assert.equal(this.#refusal, undefined, `${what} succeeds after ${text(this.#refusal)}`);
      assert.equal(fatal, undefined, `${what} succeeds after ${JSON.stringify(fatal)}`);
      return;
    }
    if (!(result.error instanceof IoError)) {
      this.#refusal ??= result.error;
      return;
    }
    for (const struck of this.#injector.struck.slice(before)) {
      if (struck.path.endsWith(".val") || struck.operation === "sync directory") {
        this.#excused.add(struck);
      }
    }
  }

  /** Reads every key in every way. */
  async read(): Promise<void> {
    const store = this.#store!;
    const keys = [...this.run.history.keys];
    for (const key of keys) {
      const found = await this.#read(`get of "${key}"`, () => store.get(key));
      if (found.isDone) this.#requireKnown([[key, found.value]]);
    }
    const many = await this.#read("getMany", () => store.getMany(keys));
    if (many.isDone) this.#requireKnown(keys.map((key, at) => [key, many.value[at]]));
    for (const reverse of [false, true]) {
      const scan = await this.#read("a scan", () => store.entries({ reverse }).toArray());
      if (scan.isDone) this.#requireScan(keys, scan.value as [string, string][]);
    }
  }

  /** As `read`, with the synchronous forms. */
  async readSync(): Promise<void> {
    const store = this.#store!;
    const keys = [...this.run.history.keys];
    for (const key of keys) {
      const found = await this.#read(`getSync of "${key}"`, () => store.getSync(key));
      if (found.isDone) this.#requireKnown([[key, found.value]]);
    }
    for (const reverse of [false, true]) {
      const scan = await this.#read("a synchronous scan", () => [...store.entries({ reverse })]);
      if (scan.isDone) this.#requireScan(keys, scan.value as [string, string][]);
    }
  }

  /** Closes the store, which must report any failure that it had. */
  async close(): Promise<void> {
    this.#requireBounded();
    const fatal = await this.#fatal();
    this.#closed(fatal, await this.#attempt("close", () => this.run.close(), 0));
  }

  /** As `close`. */
  async closeSync(): Promise<void> {
    this.#requireBounded();
    const fatal = await this.#fatal();
    this.#closed(fatal, await this.#attempt("closeSync", () => this.run.closeSync(), 0));
  }

  /** Nothing that the store can't do without may have failed without anybody hearing of it. */
  requireReported(): void {
    const fatal = this.#injector.struck.find(this.#isFatal);
    assert.ok(
      fatal === undefined || this.#rejections > 0,
      `${JSON.stringify(fatal)} was swallowed`,
    );
  }

  readonly #isFatal = (struck: Struck): boolean => isFatal(struck) && !this.#excused.has(struck);

  #opened(result: Attempt<EmbeddedStore>): boolean {
    if (!result.isDone) return false;
    this.#store = result.value;
    const fatal = this.#injector.struck.find(this.#isFatal);
    assert.equal(fatal, undefined, `open succeeds after ${JSON.stringify(fatal)}`);
    return true;
  }

  #closed(fatal: Struck | undefined, { isDone }: Attempt<void>): void {
    assert.ok(
      !isDone || this.#refusal === undefined,
      `close succeeds after ${text(this.#refusal)}`,
    );
    assert.ok(!isDone || fatal === undefined, `close succeeds after ${JSON.stringify(fatal)}`);
    assert.equal(this.#store!.status, "closed");
  }

  /**
   * A failure after which no write may succeed, if there is one; everything under way has settled
   * then.
   */
  async #fatal(): Promise<Struck | undefined> {
    if (!this.#injector.struck.some(this.#isFatal)) return undefined;
    await this.run.scheduler.settle();
    return this.#injector.struck.find(this.#isFatal);
  }

  /** A store that has failed keeps no more writes in memory, however often it is called. */
  #requireBounded(): void {
    if (this.#refusal === undefined) return;
    const store = this.#store!;
    const sizeBytes = (): number => store.stats().memtable.sizeBytes + store.stats().wal.sizeBytes;
    const before = sizeBytes();
    const value = "x".repeat(4096);
    for (let count = 0; count < 64; count++) {
      assert.throws(() => store.putSync("refused", value), StoreError);
    }
    assert.ok(sizeBytes() - before < MAX_GROWTH_BYTES, `it grew by ${sizeBytes() - before} bytes`);
  }

  async #read<T>(what: string, call: () => Promise<T> | T): Promise<Attempt<T>> {
    return await this.#attempt(what, async () => await this.run.wait(started(call)));
  }

  /** Makes a call; it may fail only if there are more than `since` failures by then. */
  async #attempt<T>(
    what: string,
    call: () => Promise<T> | T,
    since: number = this.#injector.struck.length,
  ): Promise<Attempt<T>> {
    try {
      return { isDone: true, value: await started(call) };
    } catch (error) {
      this.#rejections++;
      this.#requireTyped(error, what, since);
      return { isDone: false, error };
    }
  }

  #requireTyped(error: unknown, what: string, since: number): void {
    if (!(error instanceof IoError || error instanceof BackgroundError)) {
      throw new Error(`${what} is refused with ${text(error)}`, { cause: error });
    }
    let cause: unknown = error;
    while (cause instanceof BackgroundError) cause = cause.cause;
    const { struck } = this.#injector;
    assert.ok(struck.length > since, `${what} fails on its own: ${text(error)}`);
    const isTold = cause instanceof IoError &&
      struck.some(({ operation, path, fault }) =>
        (cause as IoError).operation === operation && (cause as IoError).path === path &&
        (cause as IoError).osCode === fault.code
      );
    assert.ok(isTold, `${what} fails with ${text(error)}, which is none of what failed`);
  }

  #requireScan(keys: readonly string[], entries: readonly [string, string][]): void {
    const shown = new Map(entries);
    this.#requireKnown(keys.map((key) => [key, shown.get(key)]));
  }

  /**
   * Values read together must be those after one prefix of the writes that has all acknowledged
   * ones.
   */
  #requireKnown(found: readonly (readonly [key: string, value: unknown])[]): void {
    const { written, issued } = this.run.history.bounds;
    for (let ordinal = written; ordinal <= issued; ordinal++) {
      const { values } = this.run.history.state(ordinal);
      if (found.every(([key, value]) => isSame(value, values.get(key)))) return;
    }
    const shown = found.map(([key, value]) => `${key}: ${String(value).slice(0, 12)}`).join(", ");
    assert.fail(`no state after writes ${written}-${issued} shows ${shown}`);
  }
}

type Attempt<T> =
  | { readonly isDone: true; readonly value: T; readonly error?: undefined }
  | { readonly isDone: false; readonly error: unknown };

/** A failure that the store can't do without: nobody knows what the disk holds after it. */
function isFatal({ operation, path, fault, isZeros }: Struck): boolean {
  // A disk that is too full for a log to be extended may have room for its records.
  if (isZeros && path.endsWith(".wal") && fault.code === "ENOSPC") return false;
  // A short write continues; for want of descriptors files are closed, and the call is made again.
  if (fault.mode === "short" || fault.code === "EMFILE") return false;
  if (operation === "sync directory" || operation === "write" || operation === "sync") return true;
  return operation === "create" || operation === "rename";
}

/** Starts a call; one that throws rejects. */
async function started<T>(call: () => Promise<T> | T): Promise<T> {
  return await call();
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
