/**
 * Owns the current version and the manifest: applies edits, hands out file numbers, and deletes files
 * when nothing needs them any more.
 *
 * An edit is appended to the manifest as one record and fsynced before it takes effect in memory, and
 * only after that are files deleted that it made obsolete. The first failed write or sync of the
 * manifest poisons it: no further edit is accepted and no file is deleted until the store is reopened,
 * since nobody can tell which state the next open will find. When the manifest has outgrown the state
 * it describes, a new one is written and CURRENT is replaced by rename.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { IoError, LockLostError } from "../errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { type IoStep, runTaskSync, type Task } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";
import { TableReader, type TableResources } from "../sstable/table_reader.ts";
import { CURRENT_NAME, CURRENT_TEMPORARY_NAME, manifestName, tableName } from "./file_names.ts";
import { FileNumbers, sharedFileNumber } from "./file_numbers.ts";
import { encodeCurrent, encodeManifestHeader, encodeManifestRecord } from "./manifest_format.ts";
import type { TableMetadata } from "./table_metadata.ts";
import { LiveTable, Version, VersionBuilder } from "./version.ts";
import type { AddedTable, LogState, VersionEdit } from "./version_edit.ts";

/** A manifest smaller than this is never rewritten. */
const MIN_REWRITE_BYTES = 64 * 1024;
/** Nor one that is less than this many times as long as its first record. */
const REWRITE_FACTOR = 4;

/** The state that a manifest describes. */
export interface VersionState {
  /** The tables. */
  readonly version: Version;
  /** Every number from here on is free. */
  readonly nextFileNumber: number;
  /** The highest sequence number whose entry is in a table. */
  readonly lastSequence: number;
  /** Which logs recovery needs. */
  readonly log: LogState;
}

/** The state of a store that was never written to. */
export function emptyVersionState(): VersionState {
  return {
    version: Version.empty(),
    nextFileNumber: 1,
    lastSequence: 0,
    log: { number: 0, live: false },
  };
}

/** The state after an edit; `live` makes tables that the version does not have yet. */
export function applyEdit(
  state: VersionState,
  edit: VersionEdit,
  live: (table: TableMetadata) => LiveTable,
): VersionState {
  return {
    version: state.version.apply(edit, live),
    nextFileNumber: Math.max(state.nextFileNumber, edit.nextFileNumber ?? 0),
    lastSequence: Math.max(state.lastSequence, edit.lastSequence ?? 0),
    log: edit.log ?? state.log,
  };
}

/** The state after all edits of a manifest, the first of which started from nothing. */
export function stateAfter(
  edits: readonly VersionEdit[],
  live: (table: TableMetadata) => LiveTable,
): VersionState {
  const empty = emptyVersionState();
  const builder = new VersionBuilder(empty.version, Infinity);
  let { nextFileNumber, lastSequence, log } = empty;
  for (const edit of edits) {
    builder.apply(edit, live);
    nextFileNumber = Math.max(nextFileNumber, edit.nextFileNumber ?? 0);
    lastSequence = Math.max(lastSequence, edit.lastSequence ?? 0);
    log = edit.log ?? log;
  }
  return { version: builder.build(), nextFileNumber, lastSequence, log };
}

/** The versions of an open store. */
export class VersionSet {
  /** A random number of 32 bits that tells the store's logs and manifests from those of others. */
  readonly storeId: number;
  /** The numbers of its files, which jobs in another thread take from the same counter. */
  readonly fileNumbers: FileNumbers;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #resources: TableResources;
  #state: VersionState;
  #manifest: OpenManifest | undefined;
  #manifestNumber: number | undefined;
  #poison: unknown;
  /** Edits that are in the manifest and not yet in force. */
  #pendingEdits = 0;
  /** Collects the files that the edit that is being put in force makes obsolete. */
  #obsolete: string[] | undefined;
  /** Called with every version that takes effect. */
  onInstalled: () => void = () => {};

  /**
   * Takes over a recovered state. `manifestNumber` is the manifest in force, if there is one;
   * `storeId` is what all logs and manifests of the store carry.
   */
  constructor(
    fileSystem: FileSystem,
    directory: string,
    resources: TableResources,
    storeId: number,
    state: VersionState,
    manifestNumber: number | undefined,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#resources = resources;
    this.storeId = storeId;
    this.#state = state;
    this.fileNumbers = new FileNumbers(directory, sharedFileNumber(state.nextFileNumber));
    this.#manifestNumber = manifestNumber;
    this.#adopt(state.version);
  }

  /** The version in force. */
  get current(): Version {
    return this.#state.version;
  }

  /** The highest sequence number whose entry is in a table. */
  get lastSequence(): number {
    return this.#state.lastSequence;
  }

  /** Which logs recovery would need. */
  get log(): LogState {
    return this.#state.log;
  }

  /** Number of the manifest in force. */
  get manifestNumber(): number | undefined {
    return this.#manifestNumber;
  }

  /** The failure that poisoned the manifest, or undefined. */
  get poison(): unknown {
    return this.#poison;
  }

  /** A number that no file of this store ever had. */
  newFileNumber(): number {
    return this.fileNumbers.take();
  }

  /** Keeps every number up to `number` from being handed out. */
  reserveFileNumber(number: number): void {
    this.fileNumbers.reserve(number);
  }

  /** Holds the current version, so that its tables stay readable. */
  retain(): Version {
    const version = this.#state.version;
    version.references++;
    return version;
  }

  /** Lets a held version go; files that only it needed are deleted. */
  release(version: Version): void {
    if (--version.references > 0) return;
    for (const table of version.levels.flat()) {
      if (--table.references === 0) this.#discard(table);
    }
  }

  /** Makes a table known, for a version to name. */
  liveTable(metadata: TableMetadata): LiveTable {
    const path = this.#fileSystem.joinPath(this.#directory, tableName(metadata.number));
    return new LiveTable(metadata, new TableReader(path, metadata, this.#resources));
  }

  /**
   * Makes an edit durable, puts it in force, and deletes the files that it has made obsolete, one at a time: a table
   * takes the system half a millisecond and more, and a compaction leaves up to twenty. Edits may overlap in time
   * as long as they do not touch the same tables: each is one record, and they are put in force one after the other.
   *
   * @throws {IoError} the manifest could not be written or synced; it is poisoned from then on
   */
  *apply(edit: VersionEdit): Task<void> {
    this.#requireWritable();
    const full: VersionEdit = { ...edit, nextFileNumber: this.fileNumbers.next };
    // Checked before anything is written: an edit that does not fit is a bug, not a state.
    this.#state.version.apply(full, (table) => this.liveTable(table));
    let manifest = this.#manifest;
    // No record is written before the one in front of it is durable: a bad record in front of a good
    // one is damage to whoever opens the store, and a power loss could leave just that.
    while (manifest !== undefined && !manifest.isDurable) {
      try {
        yield manifest.syncStep();
      } catch (error) {
        throw this.#poisonWith(error);
      }
      this.#requireWritable();
      manifest = this.#manifest;
    }
    // A new manifest starts with the state in force, so it must not be started over a pending edit.
    if (manifest === undefined || (manifest.isOvergrown && this.#pendingEdits === 0)) {
      yield* this.#rewrite(full);
      return;
    }
    this.#pendingEdits++;
    try {
      manifest.append(full);
      yield manifest.syncStep();
    } catch (error) {
      throw this.#poisonWith(error);
    } finally {
      this.#pendingEdits--;
    }
    this.#requireWritable();
    yield* this.#removeInSteps(this.#install(full));
  }

  /** As `apply`, at once. */
  applySync(edit: VersionEdit): void {
    runTaskSync(this.apply(edit));
  }

  /** Closes the manifest and every table's file. */
  close(): void {
    this.#manifest?.handle.closeSync();
    this.#manifest = undefined;
    this.#resources.handles.close();
  }

  /** Writes a new manifest that starts with the state after `edit`, and points CURRENT to it. */
  *#rewrite(edit: VersionEdit): Task<void> {
    const fileSystem = this.#fileSystem;
    const number = this.newFileNumber();
    const path = fileSystem.joinPath(this.#directory, manifestName(number));
    const previous = this.#manifestNumber;
    let handle: FileHandle | undefined;
    try {
      handle = fileSystem.createSync(path);
      const after = applyEdit(this.#state, edit, (table) => this.liveTable(table));
      const manifest = new OpenManifest(handle, this.storeId, number);
      manifest.appendFirst({
        nextFileNumber: this.fileNumbers.next,
        lastSequence: after.lastSequence,
        log: after.log,
        removed: [],
        added: allTables(after.version),
      });
      // Without a pause: an edit that came in between would be missing from the first record.
      manifest.syncStep().runSync();
      fileSystem.syncDirectorySync(this.#directory);
      this.#replaceCurrent(number);
      fileSystem.syncDirectorySync(this.#directory);
      this.#manifest?.handle.closeSync();
      this.#manifest = manifest;
      this.#manifestNumber = number;
    } catch (error) {
      handle?.closeSync();
      throw this.#poisonWith(error);
    }
    const obsolete = this.#install(edit);
    if (previous !== undefined) this.#removeQuietly(manifestName(previous));
    yield undefined;
    yield* this.#removeInSteps(obsolete);
  }

  #replaceCurrent(manifestNumber: number): void {
    const fileSystem = this.#fileSystem;
    const temporary = fileSystem.joinPath(this.#directory, CURRENT_TEMPORARY_NAME);
    if (fileSystem.statSync(temporary) !== undefined) fileSystem.removeSync(temporary);
    const content = encodeCurrent({ storeId: this.storeId, manifestNumber });
    const handle = fileSystem.createSync(temporary);
    try {
      writeFullySync(handle, content, 0, content.length, 0);
      handle.syncSync();
    } finally {
      handle.closeSync();
    }
    fileSystem.renameSync(temporary, fileSystem.joinPath(this.#directory, CURRENT_NAME));
  }

  /** Puts an edit in force; returns the files that nothing needs any more. */
  #install(edit: VersionEdit): readonly string[] {
    const before = this.#state.version;
    this.#state = applyEdit(this.#state, edit, (table) => this.liveTable(table));
    this.#adopt(this.#state.version);
    const obsolete: string[] = [];
    this.#obsolete = obsolete;
    try {
      this.onInstalled();
      this.release(before);
    } finally {
      this.#obsolete = undefined;
    }
    return obsolete;
  }

  /** Counts a version that comes into force as held by the set itself. */
  #adopt(version: Version): void {
    version.references++;
    for (const table of version.levels.flat()) table.references++;
  }

  #discard(table: LiveTable): void {
    table.reader.dispose();
    const name = tableName(table.metadata.number);
    if (this.#obsolete === undefined) this.#removeQuietly(name);
    else this.#obsolete.push(name);
  }

  *#removeInSteps(names: readonly string[]): Task<void> {
    let next = 0;
    try {
      while (next < names.length) {
        this.#removeQuietly(names[next++]!);
        yield undefined;
      }
    } finally {
      // The task was given up: the store is being closed.
      for (; next < names.length; next++) this.#removeQuietly(names[next]!);
    }
  }

  /**
   * Deletes an obsolete file, unless nobody can tell any more whether the next open needs it. One that can't be
   * deleted now is an orphan, and the next open tries again.
   */
  #removeQuietly(name: string): void {
    if (this.#poison !== undefined) return;
    try {
      this.#fileSystem.removeSync(this.#fileSystem.joinPath(this.#directory, name));
    } catch (error) {
      // Readers let versions go, too: they are not to fail for it.
      if (error instanceof LockLostError) this.#poisonWith(error);
      else if (!(error instanceof IoError)) throw error;
    }
  }

  #requireWritable(): void {
    if (this.#poison !== undefined) throw this.#poison;
  }

  #poisonWith(error: unknown): unknown {
    this.#poison ??= error;
    return error;
  }
}

/** The manifest that edits are appended to. */
class OpenManifest {
  readonly handle: FileHandle;
  readonly #storeId: number;
  readonly #number: number;
  #ordinal = 0;
  #sizeBytes = 0;
  #firstBytes = 0;
  #durableBytes = 0;
  /** Settles with the last asynchronous sync. */
  #syncing: Promise<void> | undefined;

  constructor(handle: FileHandle, storeId: number, number: number) {
    this.handle = handle;
    this.#storeId = storeId;
    this.#number = number;
  }

  get isOvergrown(): boolean {
    return this.#sizeBytes > Math.max(MIN_REWRITE_BYTES, this.#firstBytes * REWRITE_FACTOR);
  }

  /** Whether every record is known to be durable. */
  get isDurable(): boolean {
    return this.#durableBytes === this.#sizeBytes;
  }

  /**
   * The step of making durable what has been written by now. Asynchronous syncs follow one another: the
   * system may report a failure to one of them only, so where one has failed the next ones fail too.
   */
  syncStep(): IoStep {
    const size = this.#sizeBytes;
    return {
      runSync: () => {
        this.handle.syncSync();
        this.#markDurable(size);
      },
      run: () => this.#syncing = this.#syncAfter(this.#syncing, size),
    };
  }

  async #syncAfter(ahead: Promise<void> | undefined, size: number): Promise<void> {
    await ahead;
    if (this.#durableBytes >= size) return;
    if (this.handle.sync === undefined) this.handle.syncSync();
    else await this.handle.sync();
    this.#markDurable(size);
  }

  #markDurable(size: number): void {
    this.#durableBytes = Math.max(this.#durableBytes, size);
  }

  appendFirst(edit: VersionEdit): void {
    const writer = new ByteWriter(4096);
    encodeManifestHeader(writer, this.#storeId, this.#number);
    this.#write(writer, edit);
    this.#firstBytes = this.#sizeBytes;
  }

  append(edit: VersionEdit): void {
    this.#write(new ByteWriter(1024), edit);
  }

  #write(writer: ByteWriter, edit: VersionEdit): void {
    encodeManifestRecord(writer, this.#storeId, this.#number, this.#ordinal++, edit);
    writeFullySync(this.handle, writer.bytes, 0, writer.length, this.#sizeBytes);
    this.#sizeBytes += writer.length;
  }
}

function allTables(version: Version): AddedTable[] {
  return version.levels.flatMap((tables, level) =>
    tables.map(({ metadata }) => ({ level, table: metadata }))
  );
}
