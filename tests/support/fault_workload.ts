/**
 * Runs a scripted workload on a fault file system under a seeded scheduler, and keeps its history.
 * The workloads of crash_*_test.ts and error_injection_test.ts are written against this.
 */

import { IoError } from "../../src/errors.ts";
import type { Options, WalSync } from "../../src/options.ts";
import type { PutOptions } from "../../src/contract/writer.ts";
import type { Operation } from "../../src/store/write/batch.ts";
import { open, openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import type { CrashKind, FaultFileSystem } from "./fault_file_system.ts";
import { type History, ORDINAL_KEY } from "./fault_history.ts";
import type { FaultScheduler } from "./fault_scheduler.ts";
import { Random } from "./random.ts";

/** Where every workload has its store. */
export const DIRECTORY = "/db";

/** Length of a chunk of a stream. */
const STREAM_CHUNK_BYTES = 3000;

/** Limits small enough for a few writes to flush and a few dozen to reach level 2. */
export const smallOptions: Options = {
  memtableSizeBytes: 4096,
  blockSizeBytes: 256,
  blockCacheSizeBytes: 64 * 1024,
  compression: "none",
  l0CompactionTrigger: 2,
  levelSizeMultiplier: 2,
  maxLevels: 4,
};

/** A workload at work. */
export class Run {
  readonly history: History;
  readonly scheduler: FaultScheduler;
  readonly random: Random;
  /** The file system; another one after `crash`. */
  fileSystem: FaultFileSystem;
  options: Options;
  /** Ends every key. Long keys make long records in the manifest. */
  keySuffix = "";
  /**
   * How long values of batches and transactions may live: half of them get one of these times, if
   * there are any. The ordinal of a write does not expire.
   */
  ttlsMs: readonly number[] = [];
  /** Called between two steps, when no call of the store is on the stack. */
  onIdle: () => void = () => {};
  /** Called with a file system that the workload continues with, and again when it is recovered. */
  onRestart: (fileSystem: FaultFileSystem) => void = () => {};
  /** What `peak` has seen. */
  readonly peaks: { levels: number; immutables: number; extendedLogs: number } = {
    levels: 0,
    immutables: 0,
    extendedLogs: 0,
  };
  readonly #extendedLogs = new Set<string>();
  /** Commits that `follow` has seen. */
  seen = 0;
  #store: EmbeddedStore | undefined;
  #unsettled = 0;

  constructor(
    seed: number,
    fileSystem: FaultFileSystem,
    scheduler: FaultScheduler,
    history: History,
    options: Options,
  ) {
    this.random = new Random(seed ^ 0x5bd1e995);
    this.fileSystem = fileSystem;
    this.scheduler = scheduler;
    this.history = history;
    this.options = { ...smallOptions, ...options };
  }

  /** The open store. */
  get store(): EmbeddedStore {
    return this.#store!;
  }

  /** Calls of this process that have not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /**
   * Notes how many levels have tables, how many frozen memtables wait, and which logs were
   * extended.
   */
  peak(): void {
    if (this.#store?.status !== "open") return;
    const { levels, immutableMemtables, wal } = this.#store.stats();
    const used = levels.filter(({ tables }) => tables > 0).length;
    this.peaks.levels = Math.max(this.peaks.levels, used);
    this.peaks.immutables = Math.max(this.peaks.immutables, immutableMemtables);
    const logs = [...this.fileSystem.sizesIn(DIRECTORY)].filter(([name]) => name.endsWith(".wal"));
    // With one log it is the one whose records the statistics count.
    const [log] = logs;
    if (logs.length === 1 && log![1] > wal.sizeBytes) this.#extendedLogs.add(log![0]);
    this.peaks.extendedLogs = this.#extendedLogs.size;
  }

  /** Awaits a call by driving everything that may settle it. */
  async wait<T>(call: Promise<T>): Promise<T> {
    const result = await this.scheduler.drive(call);
    this.onIdle();
    return result;
  }

  async open(options: Options = {}): Promise<EmbeddedStore> {
    this.options = { ...this.options, ...options };
    const { fileSystem } = this;
    this.#store = await this.wait(open(DIRECTORY, { ...this.options, fileSystem }));
    return this.#store;
  }

  openSync(options: Options = {}): EmbeddedStore {
    this.options = { ...this.options, ...options };
    this.#store = openSync(DIRECTORY, { ...this.options, fileSystem: this.fileSystem });
    this.onIdle();
    return this.#store;
  }

  async close(): Promise<void> {
    const { issued } = this.history.bounds;
    await this.wait(this.store.close());
    this.history.acknowledge(issued, true);
    this.onIdle();
  }

  closeSync(): void {
    const { issued } = this.history.bounds;
    this.store.closeSync();
    this.history.acknowledge(issued, true);
    this.onIdle();
  }

  /** Issues a put of one of `keyCount` keys; the promise resolves with its acknowledgement. */
  put(keyCount: number, valueBytes: number, sync = false): Promise<void> {
    const [operation] = this.#operations(1, keyCount, valueBytes, 0);
    const ordinal = this.history.issue([operation!]);
    const { key, value, options } = putOf(operation!, sync);
    return this.#acknowledged(
      this.#written(this.store.put(key, value, options), ordinal),
      ordinal,
      sync,
    );
  }

  /**
   * Puts a value in several chunks. No other write may be issued before it has settled: it is
   * committed at its end.
   */
  putStream(keyCount: number, valueBytes: number, sync = false): Promise<void> {
    const { random } = this;
    const key = `k${String(random.below(keyCount)).padStart(3, "0")}${this.keySuffix}`;
    const value = `${this.history.nextOrdinal}:${letters(random.uint32(), valueBytes)}`;
    const ordinal = this.history.issue([{ type: "put", key, value }]);
    const call = this.store.putStream(key, chunksOf(value), sync ? { sync } : undefined)
      .catch((error: unknown) => {
        // The store has not failed.
        if (error instanceof IoError) this.history.withdraw(ordinal);
        throw error;
      });
    return this.#acknowledged(call, ordinal, sync);
  }

  /** Issues a batch of puts and, one in `deleteOneIn`, deletes. */
  batch(
    count: number,
    keyCount: number,
    valueBytes: number,
    { sync = false, deleteOneIn = 4 }: { sync?: boolean; deleteOneIn?: number } = {},
  ): Promise<void> {
    const operations = this.#batch(count, keyCount, valueBytes, deleteOneIn);
    const ordinal = this.history.issue(operations);
    const call = this.#written(
      this.store.write(operations, sync ? { sync } : undefined),
      ordinal,
    );
    return this.#acknowledged(call, ordinal, sync);
  }

  batchSync(count: number, keyCount: number, valueBytes: number): void {
    const operations = this.#batch(count, keyCount, valueBytes, 4);
    const ordinal = this.history.issue(operations);
    this.#writtenSync(() => this.store.writeSync(operations), ordinal);
    this.history.acknowledge(ordinal, this.#isDurableMode);
    this.onIdle();
  }

  putSync(keyCount: number, valueBytes: number): void {
    const [operation] = this.#operations(1, keyCount, valueBytes, 0);
    const ordinal = this.history.issue([operation!]);
    const { key, value, options } = putOf(operation!, false);
    this.#writtenSync(() => this.store.putSync(key, value, options), ordinal);
    this.history.acknowledge(ordinal, this.#isDurableMode);
    this.onIdle();
  }

  /**
   * Runs a transaction that reads, and then puts and deletes. No other write may be issued before
   * it has settled: it gets its ordinal at the end of its body, and commits after that. Without
   * `reads` it fails by nothing but its commit.
   */
  transaction(
    count: number,
    keyCount: number,
    valueBytes: number,
    sync = false,
    reads = true,
  ): Promise<void> {
    let ordinal: number | undefined;
    const call = this.store.transaction(async (tx) => {
      if (reads) {
        const key = `k${String(this.random.below(keyCount)).padStart(3, "0")}`;
        await tx.getMany([ORDINAL_KEY, key]);
        await tx.count({ prefix: "k0", limit: 5 });
      }
      const operations = this.#batch(count, keyCount, valueBytes, 4);
      ordinal = this.history.issue(operations);
      for (const operation of operations) {
        if (operation.type === "put" && operation.expiresAt === undefined) {
          tx.putSync(operation.key, operation.value);
        } else tx.writeSync([operation]);
      }
    }, sync ? { sync } : undefined);
    const written = call.catch((error: unknown) => {
      if (isShortage(error) && ordinal !== undefined) this.history.withdraw(ordinal);
      throw error;
    });
    return this.#acknowledged(written, () => ordinal!, sync);
  }

  transactionSync(count: number, keyCount: number, valueBytes: number): void {
    const operations = this.#batch(count, keyCount, valueBytes, 4);
    const ordinal = this.history.issue(operations);
    this.#writtenSync(() =>
      this.store.transactionSync((tx) => {
        tx.getManySync([ORDINAL_KEY, "k000"]);
        for (const operation of operations) tx.writeSync([operation]);
      }), ordinal);
    this.history.acknowledge(ordinal, this.#isDurableMode);
    this.onIdle();
  }

  /** Puts a key that comes after those of all lower numbers. */
  putNextSync(number: number): void {
    const key = `n${String(number).padStart(3, "0")}`;
    const value = `${this.history.nextOrdinal}:`;
    const ordinal = this.history.issue([{ type: "put", key, value }]);
    this.store.putSync(key, value);
    this.history.acknowledge(ordinal, this.#isDurableMode);
    this.onIdle();
  }

  /** Issues a batch that deletes all but one in `keepOneIn` of the keys of `batch`. */
  erase(keyCount: number, keepOneIn: number = Infinity): Promise<void> {
    const operations: Operation[] = [];
    for (let i = 0; i < keyCount; i++) {
      const key = `k${String(i).padStart(3, "0")}${this.keySuffix}`;
      if (i % keepOneIn !== 1) operations.push({ type: "delete", key });
    }
    operations.push({ type: "put", key: ORDINAL_KEY, value: `${this.history.nextOrdinal}:` });
    const ordinal = this.history.issue(operations);
    return this.#acknowledged(this.store.write(operations), ordinal, false);
  }

  /**
   * Issues a batch that puts keys, deletes the range from one of the keys of `batch` to before
   * another one, and puts again: all keys from the first one on, without a second one.
   */
  eraseRange(
    from: number,
    to: number | undefined,
    { puts = 0, sync = false }: { puts?: number; sync?: boolean } = {},
  ): Promise<void> {
    const key = (number: number): string => `k${String(number).padStart(3, "0")}${this.keySuffix}`;
    const range = to === undefined ? { gte: key(from) } : { gte: key(from), lt: key(to) };
    const operations: Operation[] = [
      ...this.#operations(puts, 80, 60, 0),
      { type: "deleteRange", range },
      ...this.#operations(puts, 80, 60, 0),
      { type: "put", key: ORDINAL_KEY, value: `${this.history.nextOrdinal}:` },
    ];
    const ordinal = this.history.issue(operations);
    const call = this.#written(this.store.write(operations, sync ? { sync } : undefined), ordinal);
    return this.#acknowledged(call, ordinal, sync);
  }

  /** Lets time pass in which nobody writes, and the store work in it. */
  async idle(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 20; i++) {
      this.scheduler.elapse(50);
      await this.scheduler.pass(20);
      this.onIdle();
    }
  }

  sync(): Promise<void> {
    return this.#acknowledged(this.store.sync(), this.history.bounds.issued, true);
  }

  flush(): Promise<void> {
    return this.#acknowledged(this.store.flush(), this.history.bounds.issued, true);
  }

  compact(): Promise<void> {
    return this.#acknowledged(this.store.compact(), this.history.bounds.issued, true);
  }

  /**
   * Watches the store: what was seen must be there after any crash from then on, and each commit is
   * whole.
   */
  follow(): void {
    const store = this.store;
    const watch = store.watch();
    const follow = async (): Promise<void> => {
      let last = 0;
      for await (const { operations } of watch) {
        // What a process sees after its crash it sees no more.
        if (store !== this.#store) return;
        const ordinal = this.history.requireWhole(operations);
        if (ordinal <= last) throw new Error(`write ${ordinal} is shown after ${last}`);
        last = ordinal;
        this.seen++;
        this.history.acknowledge(ordinal, this.#isDurableMode);
      }
    };
    void follow();
  }

  /** Requires that the store shows everything that was issued. */
  checkAll(): void {
    const { issued } = this.history.bounds;
    this.history.check(this.store, issued, issued);
    this.onIdle();
  }

  /** Crashes, recovers the state, and continues with it. */
  async crash(kind: CrashKind, options: Options = {}): Promise<void> {
    const image = this.fileSystem.crash(kind, this.random.uint32());
    this.fileSystem.onOperation = undefined;
    this.#store = undefined;
    this.#unsettled = 0;
    this.scheduler.forget();
    if (kind !== "process") this.history.loseUnsynced();
    this.fileSystem = image.build(this.random.uint32(), this.scheduler);
    this.onRestart(this.fileSystem);
    await this.open(options);
    const { durable, written, issued } = this.history.bounds;
    const lowest = kind === "process" ? written : durable;
    this.history.recover(this.history.check(this.store, lowest, issued));
    this.onRestart(this.fileSystem);
  }

  get #isDurableMode(): boolean {
    const mode: WalSync = this.options.walSync ?? "batch";
    return mode === "batch" || mode === "write";
  }

  #batch(count: number, keyCount: number, valueBytes: number, deleteOneIn: number): Operation[] {
    const operations = this.#operations(count, keyCount, valueBytes, deleteOneIn);
    operations.push({ type: "put", key: ORDINAL_KEY, value: `${this.history.nextOrdinal}:` });
    return operations;
  }

  #operations(
    count: number,
    keyCount: number,
    valueBytes: number,
    deleteOneIn: number,
  ): Operation[] {
    const { random } = this;
    const operations: Operation[] = [];
    for (let i = 0; i < count; i++) {
      const key = `k${String(random.below(keyCount)).padStart(3, "0")}${this.keySuffix}`;
      if (deleteOneIn > 0 && random.below(deleteOneIn) === 0) {
        operations.push({ type: "delete", key });
      } else {
        const length = 1 + random.below(valueBytes);
        const value = `${this.history.nextOrdinal}:${letters(random.uint32(), length)}`;
        const expires = this.ttlsMs.length > 0 && random.below(2) === 0;
        operations.push({
          ...{ type: "put", key, value },
          ...(expires ? { expiresAt: this.scheduler.wall + random.pick(this.ttlsMs) } : {}),
        });
      }
    }
    return operations;
  }

  async #written(call: Promise<void>, ordinal: number): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (isShortage(error)) this.history.withdraw(ordinal);
      throw error;
    }
  }

  #writtenSync(call: () => void, ordinal: number): void {
    try {
      call();
    } catch (error) {
      if (isShortage(error)) this.history.withdraw(ordinal);
      throw error;
    }
  }

  async #acknowledged(
    call: Promise<void>,
    ordinal: number | (() => number),
    sync: boolean,
  ): Promise<void> {
    const store = this.#store;
    this.#unsettled++;
    try {
      await call;
      // What a process hears after its crash it hears no more.
      if (store !== this.#store) return;
      const written = typeof ordinal === "number" ? ordinal : ordinal();
      this.history.acknowledge(written, sync || this.#isDurableMode);
    } finally {
      if (store === this.#store) this.#unsettled--;
    }
  }
}

/**
 * Whether a call was refused because there was no descriptor for a file: then it has changed
 * nothing.
 */
export function isShortage(error: unknown): boolean {
  return error instanceof IoError && error.osCode === "EMFILE";
}

function chunksOf(value: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(value);
  let at = 0;
  return new ReadableStream({
    pull(controller): void {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at += STREAM_CHUNK_BYTES));
      else controller.close();
    },
  });
}

/** The arguments of a put. */
function putOf(
  operation: Operation,
  sync: boolean,
): { key: string; value: string; options: PutOptions | undefined } {
  const { key, value, expiresAt } = operation as Operation & { type: "put" };
  const options = {
    ...(sync ? { sync } : {}),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  const isPlain = !sync && expiresAt === undefined;
  return { key: key as string, value: value as string, options: isPlain ? undefined : options };
}

/** Letters that differ from one `start` to the next. */
function letters(start: number, length: number): string {
  const unit = start.toString(36);
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
}
