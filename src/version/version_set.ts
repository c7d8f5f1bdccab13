/**
 * Owns the current version and the manifest: applies edits, hands out file numbers, and deletes
 * files when nothing needs them any more.
 *
 * An edit is appended to the manifest as one record, and fsynced before it takes effect in memory.
 * Only after that are the files deleted that it made obsolete. The first failed write or sync of
 * the manifest poisons it: no further edit is accepted and no file is deleted until the store is
 * reopened, because nobody can tell which state the next open will find. (If there was no
 * descriptor for a new manifest, that is not such a failure: the one in force was not touched, and
 * the edit may be tried again.) When the manifest has outgrown the state that it describes, a new
 * one is written, and CURRENT is replaced by rename.
 */

import { IoError, LockLostError } from "../errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { runTaskSync, type Task } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";
import { isOutOfDescriptors } from "../sstable/handle_pool.ts";
import { TableReader, type TableResources } from "../sstable/table_reader.ts";
import { ValueReader } from "../sstable/value_reader.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  manifestName,
  nameOfValues,
  tableName,
} from "./file_names.ts";
import { FileNumbers, sharedFileNumber } from "./file_numbers.ts";
import { encodeCurrent } from "./manifest_format.ts";
import { OpenManifest } from "./open_manifest.ts";
import type { TableMetadata } from "./table_metadata.ts";
import { ValueFiles } from "./value_files.ts";
import { LiveTable, Version } from "./version.ts";
import { type AddedTable, type LogState, type VersionEdit, versionFor } from "./version_edit.ts";
import { applyEdit, type VersionState } from "./version_state.ts";

/**
 * The newest log's number is less than this above the next one that the manifest says is free. So
 * recovery knows the numbers of all logs whose names a power loss may have taken, and skips them.
 */
export const MAX_NUMBERS_AHEAD = 256;

/** The versions of an open store. */
export class VersionSet {
  /**
   * A random number of 32 bits that distinguishes the store's logs and manifests from those of
   * other stores.
   */
  readonly storeId: number;
  /** The numbers of its files, which jobs in another thread take from the same counter. */
  readonly fileNumbers: FileNumbers;
  /** The files that hold large values. */
  readonly values: ValueFiles;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #resources: TableResources;
  #state: VersionState;
  #manifest: OpenManifest | undefined;
  #manifestNumber: number | undefined;
  #poison: unknown;
  #isClosed = false;
  /** Edits that are in the manifest and not yet in force. */
  readonly #pendingEdits = new Set<VersionEdit>();
  /** Collects the files that become obsolete with the edit that is being put in force. */
  #obsolete: string[] | undefined;
  /** Called with every version that takes effect. */
  onInstalled: () => void = () => {};
  /** Called with every edit that takes effect, if somebody wants to know. */
  onEdit: ((edit: VersionEdit) => void) | undefined;

  /**
   * Takes over a recovered state. `manifestNumber` is the manifest in force, if there is one; all
   * logs and manifests of the store carry `storeId`.
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
    this.values = new ValueFiles(
      new ValueReader(
        directory,
        resources.handles,
        (kind, number) => fileSystem.joinPath(directory, nameOfValues(kind, number)),
        resources.verifyChecksums,
      ),
      (number) => number < this.#state.log.number,
      (name) => this.#removeObsolete(name),
    );
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

  /** Whether the live log was durable with its header before the manifest named it. */
  get isLogDurable(): boolean {
    return this.#state.isLogDurable;
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

  /**
   * A number for the log that follows another one, and whose name is not durable when it is written
   * to. If it is too far above the manifest's number, the manifest catches up first: recovery must
   * not hand the number out again.
   */
  newLogNumber(): number {
    const number = this.newFileNumber();
    if (number >= this.#state.nextFileNumber + MAX_NUMBERS_AHEAD) {
      this.applySync({ removed: [], added: [] });
    }
    return number;
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

  /** Releases a held version; files that only this version needed are deleted. */
  release(version: Version): void {
    if (--version.references > 0) return;
    for (const table of version.levels.flat()) {
      if (--table.references === 0) this.#discard(table);
    }
  }

  /** Registers a table for a version to name. */
  liveTable(metadata: TableMetadata): LiveTable {
    const path = this.#fileSystem.joinPath(this.#directory, tableName(metadata.number));
    return new LiveTable(metadata, new TableReader(path, metadata, this.#resources));
  }

  /**
   * Makes an edit durable, puts it in force, and deletes the files that it has made obsolete, one
   * at a time: a table takes the system half a millisecond and more, and a compaction leaves up to
   * twenty. Edits may overlap in time if they do not touch the same tables: each is one record, and
   * they come into force one after another.
   *
   * @throws {IoError} the manifest could not be written or synced; it is poisoned from then on
   */
  *apply(edit: VersionEdit): Task<void> {
    this.#requireWritable();
    const full: VersionEdit = { ...edit, nextFileNumber: this.fileNumbers.next };
    // Checked before anything is written: an edit that does not fit is a bug, not a state.
    this.#state.version.apply(full, (table) => this.liveTable(table));
    let manifest = this.#manifest;
    // No record is written before the previous one is durable. A bad record before a good one would
    // be damage at the next open, and a power loss could leave exactly that.
    while (manifest !== undefined && !manifest.isDurable) {
      try {
        yield manifest.syncStep();
      } catch (error) {
        throw this.#poisonWith(error);
      }
      this.#requireWritable();
      manifest = this.#manifest;
    }
    // A new manifest starts with the state in force, and takes over the edits that are pending. It
    // is only started for its size while there are none.
    const isTooOld = manifest !== undefined && manifest.version < versionFor(full);
    const isOvergrown = manifest?.isOvergrown === true && this.#pendingEdits.size === 0;
    if (manifest === undefined || isTooOld || isOvergrown) {
      yield* this.#rewrite(full);
      return;
    }
    this.#pendingEdits.add(full);
    try {
      manifest.append(full);
      yield manifest.syncStep();
    } catch (error) {
      throw this.#poisonWith(error);
    } finally {
      this.#pendingEdits.delete(full);
    }
    this.#requireWritable();
    yield* this.#removeInSteps(this.#install(full));
  }

  /** As `apply`, at once. */
  applySync(edit: VersionEdit): void {
    runTaskSync(this.apply(edit));
  }

  /** Releases memory that earlier edits needed. */
  rest(): void {
    this.#manifest?.handle.rest?.();
  }

  /** Closes the manifest and every table's file, and forgets the tables. */
  close(): void {
    this.#isClosed = true;
    this.#manifest?.handle.closeSync();
    this.#manifest = undefined;
    this.#resources.handles.close();
    // Their counts of references stay above 0: a lease that ends later deletes no file.
    this.#state = { ...this.#state, version: Version.empty() };
    this.onInstalled = () => {};
  }

  /** Writes a new manifest that starts with the state after `edit`, and points CURRENT to it. */
  *#rewrite(edit: VersionEdit): Task<void> {
    const fileSystem = this.#fileSystem;
    const number = this.newFileNumber();
    const path = fileSystem.joinPath(this.#directory, manifestName(number));
    const previous = this.#manifestNumber;
    let handle: FileHandle | undefined;
    let isReplaced = false;
    try {
      handle = fileSystem.createSync(path);
      const after = applyEdit(this.#state, edit, (table) => this.liveTable(table));
      const first: VersionEdit = {
        nextFileNumber: this.fileNumbers.next,
        lastSequence: after.lastSequence,
        log: after.log,
        removed: [],
        added: allTables(after.version),
      };
      const pending = [...this.#pendingEdits];
      const version = Math.max(...[first, ...pending].map(versionFor));
      const manifest = new OpenManifest(handle, this.storeId, number, version);
      manifest.appendFirst(first);
      // The log is named once more, while it is live: the first record alone would say that it was
      // durable before.
      if (after.log.live && !after.isLogDurable) {
        manifest.append({ log: after.log, removed: [], added: [] });
      }
      // Each is durable in the old manifest, and comes into force after this one.
      for (const edit of pending) manifest.append(edit);
      // Without a pause: an edit that came meanwhile would be missing from the first record.
      manifest.syncStep().runSync();
      fileSystem.syncDirectorySync(this.#directory);
      this.#replaceCurrent(number, () => isReplaced = true);
      fileSystem.syncDirectorySync(this.#directory);
      this.#manifest?.handle.closeSync();
      this.#manifest = manifest;
      this.#manifestNumber = number;
    } catch (error) {
      handle?.closeSync();
      if (!isOutOfDescriptors(error) || isReplaced) throw this.#poisonWith(error);
      if (handle !== undefined) this.#removeQuietly(manifestName(number));
      throw error;
    }
    const obsolete = this.#install(edit);
    if (previous !== undefined) this.#removeQuietly(manifestName(previous));
    yield undefined;
    yield* this.#removeInSteps(obsolete);
  }

  #replaceCurrent(manifestNumber: number, beforeRename: () => void): void {
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
    beforeRename();
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
      this.onEdit?.(edit);
      this.release(before);
    } finally {
      this.#obsolete = undefined;
    }
    return obsolete;
  }

  /** Makes the set itself a holder of a version that comes into force. */
  #adopt(version: Version): void {
    version.references++;
    for (const table of version.levels.flat()) {
      if (table.references++ === 0) this.values.retainAll(table.metadata.valueUses);
    }
  }

  #discard(table: LiveTable): void {
    table.reader.dispose();
    this.#removeObsolete(tableName(table.metadata.number));
    this.values.releaseAll(table.metadata.valueUses);
  }

  /** Removes a file, or leaves it to the edit that is being put in force. */
  #removeObsolete(name: string): void {
    if (this.#isClosed) return;
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
   * Deletes an obsolete file, unless nobody can tell any more whether the next open needs it. A
   * file that can't be deleted now is an orphan, and the next open tries again.
   */
  #removeQuietly(name: string): void {
    if (this.#poison !== undefined) return;
    try {
      this.#fileSystem.removeSync(this.#fileSystem.joinPath(this.#directory, name));
    } catch (error) {
      // Readers release versions, too: they must not fail because of it.
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

function allTables(version: Version): AddedTable[] {
  return version.levels.flatMap((tables, level) =>
    tables.map(({ metadata }) => ({ level, table: metadata }))
  );
}
