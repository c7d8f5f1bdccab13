/**
 * A file to write under Node's permission model, which refuses fsync and fdatasync on descriptors.
 * Two ways of making content durable are left:
 *
 * - `datasync()` of a `FileHandle`, which is asynchronous: `sync` uses it.
 * - Writes through a descriptor that was opened with O_DSYNC: each is durable when it returns,
 *   together with what is needed to find it again. It says nothing of the writes of other
 *   descriptors. So `syncSync` writes again, through such a descriptor, what was written and is not
 *   known to be durable: the same bytes to the same places. If everything were written through it
 *   from the beginning, every write would be a sync.
 *
 * A failed write-back is reported once to each open file description (see posix_handles.ts). Both
 * ways have their own. The one for `syncSync` is opened before the first write, so that it reports
 * bytes which the system lost before they were read again.
 */

import type { FileHandle as NodeFileHandle } from "node:fs/promises";
import { IoError } from "../errors.ts";
import type { FileHandle } from "./file_system.ts";
import { type DescriptorHandle, ioErrorFrom } from "./posix_handles.ts";
import { nodeModule, process } from "./runtime.ts";

const fs = nodeModule("node:fs");

const { O_RDWR, O_DSYNC, O_NOFOLLOW = 0 } = fs?.constants ?? {};
const FLAGS = O_RDWR | O_NOFOLLOW;
/** Bytes that are written again at a time: each part is a sync. */
const PART_BYTES = 1 << 20;

/** On other systems O_DSYNC leaves bytes in the disk's cache, or does not exist. */
const hasDurableWrites = process?.platform === "linux";

/** Written bytes: from the first to just past the last. */
interface Extent {
  start: number;
  end: number;
}

/** A file that was created, under the permission model. */
export class RestrictedHandle implements FileHandle {
  readonly path: string;
  readonly #plain: DescriptorHandle;
  /** Open with O_DSYNC, or undefined if that is not enough. */
  readonly #durable: number | undefined;
  #file: Promise<NodeFileHandle> | undefined;
  /** Written since the last sync began. */
  #written: Extent = none();
  /** The bytes of the asynchronous syncs under way. */
  readonly #syncing = new Set<Extent>();
  #isClosed = false;

  /** Takes over a handle of a file that was created just now and has no content. */
  constructor(plain: DescriptorHandle) {
    this.path = plain.path;
    this.#plain = plain;
    this.#durable = hasDurableWrites ? openDurable(plain) : undefined;
  }

  readSync(into: Uint8Array, offset: number, length: number, position: number): number {
    return this.#plain.readSync(into, offset, length, position);
  }

  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#plain.read(into, offset, length, position);
  }

  writeSync(from: Uint8Array, offset: number, length: number, position: number): number {
    // Before the write: one that fails may have written something.
    if (length > 0) include(this.#written, { start: position, end: position + length });
    return this.#plain.writeSync(from, offset, length, position);
  }

  syncSync(): void {
    this.#requireOpen();
    if (this.#durable === undefined) throw refused("sync", this.path);
    const extent = this.#written;
    for (const { start, end } of this.#syncing) include(extent, { start, end });
    // A write that was short or has failed was noted with its whole length.
    extent.end = Math.min(extent.end, this.#plain.sizeSync());
    const length = extent.end - extent.start;
    if (length > 0) {
      try {
        this.#writeAgain(this.#durable, extent, new Uint8Array(Math.min(length, PART_BYTES)));
      } catch (error) {
        throw ioErrorFrom("sync", this.path, error);
      }
    }
    this.#written = none();
  }

  async sync(): Promise<void> {
    this.#requireOpen();
    const extent = this.#written;
    this.#written = none();
    this.#syncing.add(extent);
    try {
      this.#file ??= this.#openFile();
      await (await this.#file).datasync();
    } catch (error) {
      include(this.#written, extent);
      throw ioErrorFrom("sync", this.path, error);
    } finally {
      this.#syncing.delete(extent);
    }
  }

  sizeSync(): number {
    return this.#plain.sizeSync();
  }

  closeSync(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // `close` of a FileHandle waits for the calls under way. If the file could not be opened, the
    // caller of that sync has got the error. An error of the close itself says nothing about what
    // was synced, and this call has returned by then.
    this.#file?.then((file) => file.close()).catch(() => {});
    try {
      if (this.#durable !== undefined) fs.closeSync(this.#durable);
    } catch (error) {
      throw ioErrorFrom("close", this.path, error);
    } finally {
      this.#plain.closeSync();
    }
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new IoError("sync", this.path, "the handle is closed", "EBADF");
  }

  async #openFile(): Promise<NodeFileHandle> {
    const file = await fs.promises.open(this.path, FLAGS);
    try {
      if (this.#isClosed || this.#plain.isOf(file.fd)) return file;
      throw new IoError("sync", this.path, "it was replaced", undefined);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #writeAgain(durable: number, { start, end }: Extent, part: Uint8Array): void {
    for (let at = start; at < end;) {
      const count = this.#plain.readSync(part, 0, Math.min(part.length, end - at), at);
      if (count <= 0) throw new IoError("sync", this.path, `it ends at offset ${at}`, "EOF");
      for (let done = 0; done < count;) {
        const written = fs.writeSync(durable, part, done, count - done, at + done);
        if (written <= 0) throw new IoError("sync", this.path, "it takes no more bytes", "ENOSPC");
        done += written;
      }
      at += count;
    }
  }
}

/** The error if a synchronous sync is impossible. */
export function refused(operation: string, path: string): IoError {
  return new IoError(
    operation,
    path,
    "Node's permission model refuses fsync, and this system has no other synchronous way; " +
      "asynchronous methods have one",
    "ERR_ACCESS_DENIED",
  );
}

function openDurable(plain: DescriptorHandle): number {
  let descriptor: number;
  try {
    descriptor = fs.openSync(plain.path, FLAGS | O_DSYNC);
  } catch (error) {
    throw ioErrorFrom("create", plain.path, error);
  }
  if (plain.isOf(descriptor)) return descriptor;
  fs.closeSync(descriptor);
  throw new IoError("create", plain.path, "it was replaced", undefined);
}

function none(): Extent {
  return { start: Infinity, end: -Infinity };
}

function include(extent: Extent, { start, end }: Extent): void {
  extent.start = Math.min(extent.start, start);
  extent.end = Math.max(extent.end, end);
}
