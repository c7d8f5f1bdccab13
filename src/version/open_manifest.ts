/**
 * The manifest that a version set appends its edits to: one record for each edit, and which of them
 * are durable. It knows bytes and syncs, and nothing of what an edit means.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { IoStep } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";
import {
  encodeManifestHeader,
  encodeManifestRecord,
  MANIFEST_VERSION,
  NEWEST_MANIFEST_VERSION,
} from "./manifest_format.ts";
import { needsVersion2, type VersionEdit } from "./version_edit.ts";

/** A manifest smaller than this is never rewritten. */
const MIN_REWRITE_BYTES = 64 * 1024;
/** Nor one that is less than this many times as long as its first record. */
const REWRITE_FACTOR = 4;

/** A manifest that is open for appending. */
export class OpenManifest {
  /** The open file. */
  readonly handle: FileHandle;
  readonly #storeId: number;
  readonly #number: number;
  #version: number = MANIFEST_VERSION;
  #isMislabelled = false;
  #ordinal = 0;
  #sizeBytes = 0;
  #firstBytes = 0;
  #durableBytes = 0;
  /** Settles with the last asynchronous sync. */
  #syncing: Promise<void> | undefined;

  /** Starts with nothing written: `handle` is a new file. */
  constructor(handle: FileHandle, storeId: number, number: number) {
    this.handle = handle;
    this.#storeId = storeId;
    this.#number = number;
  }

  /** Whether it has outgrown the state that it describes, so that a new one is due. */
  get isOvergrown(): boolean {
    return this.#isMislabelled ||
      this.#sizeBytes > Math.max(MIN_REWRITE_BYTES, this.#firstBytes * REWRITE_FACTOR);
  }

  /** Whether the edit does not ask for a higher format version. */
  canHold(edit: VersionEdit): boolean {
    return this.#version >= NEWEST_MANIFEST_VERSION || !needsVersion2(edit);
  }

  /** Whether every record is known to be durable. */
  get isDurable(): boolean {
    return this.#durableBytes === this.#sizeBytes;
  }

  /**
   * The step of making durable what has been written so far. Asynchronous syncs follow one another.
   * The system may report a failure to only one of them, so if one has failed, the next ones fail,
   * too.
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

  /** Writes the header and the first record, which describes the whole state. */
  appendFirst(edit: VersionEdit): void {
    const writer = new ByteWriter(4096);
    if (!this.canHold(edit)) this.#version = NEWEST_MANIFEST_VERSION;
    encodeManifestHeader(writer, this.#storeId, this.#number, this.#version);
    this.#write(writer, edit);
    this.#firstBytes = this.#sizeBytes;
  }

  /**
   * Writes a record. It is not durable before the next sync. If another format version belongs to
   * it, a new manifest is due; until then, an older reader takes the record for damage.
   */
  append(edit: VersionEdit): void {
    if (!this.canHold(edit)) this.#isMislabelled = true;
    this.#write(new ByteWriter(1024), edit);
  }

  #write(writer: ByteWriter, edit: VersionEdit): void {
    const ordinal = this.#ordinal++;
    encodeManifestRecord(writer, this.#storeId, this.#number, ordinal, edit);
    writeFullySync(this.handle, writer.bytes, 0, writer.length, this.#sizeBytes);
    this.#sizeBytes += writer.length;
  }
}
