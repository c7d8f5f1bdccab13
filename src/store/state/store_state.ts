/**
 * The state that an open store's paths share: memtables, logs, versions, the read view, and whether
 * something has failed. The write path, the background and the readers each get this object.
 * Changes here happen in one synchronous stretch, so nobody ever sees half of one.
 */

import type { ByteWriter } from "../../bytes/byte_writer.ts";
import type { CompactionOptions } from "../../compaction/compaction.ts";
import type { JobThread } from "../../worker/job_thread.ts";
import type { TableOutputOptions } from "../../compaction/table_output.ts";
import type { StoreStatus } from "../../contract/store.ts";
import { BackgroundError, ClosedError, StoreError } from "../../errors.ts";
import { Memtable } from "../../memtable/memtable.ts";
import { compactionOptions, type ResolvedOptions } from "../../options.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import type { Scheduler } from "../../platform/scheduler.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";
import type { TableResources } from "../../sstable/table_reader.ts";
import { IN_LOG, IN_VALUE_FILE } from "../../value/value_reference.ts";
import type { VersionSet } from "../../version/version_set.ts";
import type { CommitObserver } from "./commit_observer.ts";
import { DeadRanges } from "./dead_ranges.ts";
import { Logs } from "./logs.ts";
import type { PinnedFiles } from "./pinned_files.ts";
import { Lease, ReadView } from "./read_view.ts";
import { RecentMemtables } from "./recent_memtables.ts";
import { Rest } from "./rest.ts";
import { StoreEvents } from "./store_events.ts";
import { Turns } from "./turns.ts";

export type { StoreStatus } from "../../contract/store.ts";

/** A frozen memtable that waits for its flush. */
export interface ImmutableMemtable {
  /** The entries. */
  readonly memtable: Memtable;
  /** Number of the log with the same entries. */
  readonly logNumber: number;
  /** The highest sequence number in it. */
  readonly lastSequence: number;
}

/** The shared state. */
export class StoreState {
  /** The store's directory. */
  readonly directory: string;
  /** Every option. */
  readonly options: ResolvedOptions;
  /** The options of compaction. */
  readonly compaction: CompactionOptions;
  /** How tables are written. */
  readonly tableOutput: TableOutputOptions;
  /** The thread that large jobs run in, if the store may have one. */
  readonly jobThread: JobThread | undefined;
  /** Clock and turns. */
  readonly scheduler: Scheduler;
  /** Keeps the event loop turning. */
  readonly turns: Turns;
  /** Versions and manifest. */
  readonly versions: VersionSet;
  /** Caches and open files. */
  readonly resources: TableResources;
  /** Write-ahead logs. */
  readonly logs: Logs;
  /** Releases what is not needed while nobody uses the store. */
  readonly rest: Rest;
  /**
   * Called when the store is at rest, or closed: its paths drop the memory that they keep for the
   * next call.
   */
  onRest: (() => void) | undefined;
  /** Keeps the tables of a read-only store. */
  readonly pins: PinnedFiles | undefined;
  /** Stretches of keys without a live entry. */
  readonly deadRanges: DeadRanges = new DeadRanges(() => this.lastSequence);
  /** What was committed since the open transactions began. */
  readonly recent: RecentMemtables;
  /** Who is told of commits, if anybody watches them. */
  observer: CommitObserver | undefined;
  /** Leases that are not released. */
  readonly leases: Set<Lease> = new Set();
  /** End the streams that are being put: the store is being closed. */
  readonly streamEnds: Set<() => void> = new Set();
  /** The memtable that is written to. */
  memtable: Memtable;
  /** Whether values that expire were written, or may be in tables. It stays true. */
  mayExpire: boolean;
  /** Frozen memtables, newest first. */
  immutables: ImmutableMemtable[] = [];
  /** Sequence number of the newest entry. */
  lastSequence: number;
  /** Whether the store is open. */
  status: StoreStatus = "open";
  /** Who listens to the store; undefined while nobody does. */
  events: StoreEvents | undefined;
  #view: ReadView;
  /**
   * The memory of a flushed memtable, for the next one: 4 MiB of new buffers cost a major
   * collection.
   */
  #spareMemtable: Memtable | undefined;
  #failure: BackgroundError | undefined;

  /**
   * Joins the parts of a store that was just recovered; `memtable` holds the entries of a read-only
   * recovery.
   */
  constructor(parts: {
    directory: string;
    options: ResolvedOptions;
    scheduler: Scheduler;
    versions: VersionSet;
    resources: TableResources;
    tableOutput: TableOutputOptions;
    jobThread: JobThread | undefined;
    pins?: PinnedFiles | undefined;
    lastSequence: number;
    memtable: Memtable | undefined;
  }) {
    const { directory, options } = parts;
    this.directory = directory;
    this.options = options;
    this.scheduler = parts.scheduler;
    this.turns = new Turns(parts.scheduler);
    this.versions = parts.versions;
    this.resources = parts.resources;
    this.lastSequence = parts.lastSequence;
    this.compaction = compactionOptions(options);
    this.tableOutput = parts.tableOutput;
    this.jobThread = parts.jobThread;
    this.pins = parts.pins;
    this.logs = new Logs(
      options.fileSystem,
      directory,
      parts.versions.storeId,
      options.memtableSizeBytes,
    );
    this.recent = new RecentMemtables(
      options.memtableSizeBytes,
      (memtable) => this.#keepSpare(memtable),
    );
    this.memtable = parts.memtable ?? this.newMemtable();
    // The logs that a read-only recovery has read were not looked through.
    this.mayExpire = options.readOnly ||
      parts.versions.current.tables.some((tables) =>
        tables.some(({ expiry }) => expiry !== undefined)
      );
    this.#view = this.#makeView();
    this.versions.onInstalled = () => this.publish();
    this.rest = new Rest(parts.scheduler, () => this.#countUses(), () => this.#giveBack());
    this.resources.handles.onOpened = () => this.rest.note();
    this.rest.note();
  }

  /** The file system. */
  get fileSystem(): FileSystem {
    return this.options.fileSystem;
  }

  /** The view in force; valid in this synchronous stretch unless it is retained. */
  get view(): ReadView {
    return this.#view;
  }

  /** The time by which reads that begin now judge what has expired: milliseconds since 1970. */
  get wallMs(): number {
    return this.scheduler.wallMs();
  }

  /** The first failure of the background or of the log, or undefined. */
  get failure(): BackgroundError | undefined {
    return this.#failure;
  }

  /**
   * Takes a lease on the visible state, or on what a snapshot's lease shows.
   *
   * @throws {ClosedError} the snapshot was closed, maybe by its caller's getters since the call
   *   began
   */
  lease(snapshot?: Lease): Lease {
    if (snapshot === undefined) {
      // The clock costs as much as a lease does.
      const wallMs = this.mayExpire ? this.wallMs : 0;
      return new Lease(this.#view, this.lastSequence, this.leases, wallMs);
    }
    // The view of a released lease may have released its tables, which can't be counted again.
    snapshot.requireHeld("snapshot");
    return new Lease(snapshot.view, snapshot.sequence, this.leases, snapshot.wallMs);
  }

  /**
   * Whether the key may have been written after the write `sequence`, at which `memtable` was the
   * active one. This is known as long as that memtable is in the view.
   */
  wasWritten({ view, length }: ByteWriter, memtable: Memtable, sequence: number): boolean {
    if (this.lastSequence === sequence) return false;
    for (const newer of this.#view.memtables) {
      if (newer.hasNewer(view, 0, length, sequence)) return true;
      if (newer === memtable) return false;
    }
    return true;
  }

  /** Replaces the view after memtables or tables have changed. */
  publish(): void {
    const before = this.#view;
    this.#view = this.#makeView();
    before.release();
  }

  /** An empty memtable for the next entries. */
  newMemtable(): Memtable {
    const spare = this.#spareMemtable;
    if (spare === undefined) {
      return new Memtable(this.lastSequence + 1, this.options.memtableSizeBytes);
    }
    this.#spareMemtable = undefined;
    this.rest.note();
    spare.recycle(this.lastSequence + 1);
    return spare;
  }

  /** Freezes the memtable and starts a new one with its own log. */
  rotate(): void {
    const { number } = this.logs.active!;
    const { memtable, lastSequence } = this;
    this.logs.rotate(this.versions.newLogNumber(), lastSequence + 1);
    this.immutables.unshift({ memtable, logNumber: number, lastSequence });
    this.memtable = this.newMemtable();
    this.publish();
  }

  /** Drops an immutable memtable whose table is in the version. */
  dropImmutable(flushed: ImmutableMemtable): void {
    this.recent.keep(flushed.memtable, flushed.lastSequence);
    this.immutables = this.immutables.filter((immutable) => immutable !== flushed);
    this.publish();
  }

  /** Notes a failure after which nothing more may be written; the first one counts. */
  fail(work: string, cause: unknown): BackgroundError {
    if (this.#failure === undefined) {
      const error = cause instanceof BackgroundError ? cause : new BackgroundError(work, cause);
      this.#failure = error;
      this.events?.emit("error", { error });
    }
    this.observer?.ended(this.#failure);
    return this.#failure;
  }

  /** The listeners, of which there are some from now on. */
  listen(): StoreEvents {
    if (this.events === undefined) {
      const events = new StoreEvents();
      this.events = events;
      this.versions.onEdit = (edit) => events.edit(edit);
    }
    return this.events;
  }

  /**
   * Whether an error says that there was no descriptor, and nothing else has happened: what failed
   * may be tried again. That is not so if a new manifest was half in force.
   */
  isShortage(error: unknown): boolean {
    return isOutOfDescriptors(error) && this.versions.poison === undefined;
  }

  /**
   * Releases everything that a closed store has in memory, even if somebody still refers to the
   * store: a handle, a promise, a turn of the event loop that is still to come. What a lease shows
   * stays with its holder, who is told.
   */
  release(): void {
    this.rest.stop();
    this.onRest?.();
    this.onRest = undefined;
    this.tableOutput.buffers?.clear();
    this.resources.blocks.close();
    this.resources.metadata.close();
    this.recent.clear();
    this.immutables = [];
    this.memtable = new Memtable(this.lastSequence + 1, 0);
    this.#view = this.#makeView();
    this.#spareMemtable = undefined;
  }

  /** Stops calls that wait for their callers' streams. */
  endStreams(): void {
    for (const end of [...this.streamEnds]) end();
  }

  /** @throws {ClosedError} the store is closing or closed */
  requireOpen(): void {
    if (this.status !== "open") throw new ClosedError("store");
  }

  /** @throws {ClosedError} the store, or the snapshot to read, is closed */
  requireReadable(snapshot: Lease | undefined): void {
    if (snapshot === undefined) this.requireOpen();
    else snapshot.requireHeld("snapshot");
  }

  /** @throws {StoreError} the store is closed, read-only, or has failed */
  requireWritable(): void {
    this.requireOpen();
    if (this.options.readOnly) {
      throw new StoreError(
        "READ_ONLY",
        `Cannot write to "${this.directory}": it is open read-only`,
      );
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #countUses(): number {
    const { blocks, metadata, handles } = this.resources;
    return this.lastSequence + blocks.hits + blocks.misses + metadata.hits + metadata.misses +
      handles.openCount + this.leases.size;
  }

  #giveBack(): void {
    this.onRest?.();
    this.#spareMemtable = undefined;
    this.memtable.shrink();
    this.tableOutput.buffers?.clear();
    this.resources.blocks.dropSpare();
    this.resources.handles.rest();
    this.logs.rest();
    this.versions.rest();
  }

  #makeView(): ReadView {
    const memtables = [this.memtable, ...this.immutables.map((immutable) => immutable.memtable)];
    return new ReadView(memtables, this.versions, (memtable) => this.#keepSpare(memtable));
  }

  /** Nobody sees the memtable any more. */
  #keepSpare(memtable: Memtable): void {
    if (memtable.valueLog !== undefined) {
      this.versions.values.release(IN_LOG, memtable.valueLog);
      memtable.valueLog = undefined;
    }
    for (const number of memtable.valueFiles?.keys() ?? []) {
      this.versions.values.release(IN_VALUE_FILE, number);
    }
    memtable.valueFiles = undefined;
    // Not one that a large batch has enlarged.
    if (memtable.capacityBytes <= this.options.memtableSizeBytes) this.#spareMemtable = memtable;
  }
}
