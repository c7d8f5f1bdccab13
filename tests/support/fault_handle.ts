/** Handles of the fault file system: short transfers, pauses within a write, syncs that fail. */

import { IoError } from "../../src/errors.ts";
import type { FileHandle } from "../../src/platform/file_system.ts";
import { type File, MAX_FILE_BYTES, type PendingWrite } from "./fault_content.ts";
import type { Fault, OperationName } from "./fault_operations.ts";

const SECTOR_BYTES = 512;
/** Moments within one write, at most. */
const MAX_PAUSES = 3;

/** What a handle needs of its file system. */
export interface HandleOwner {
  /** Counts open handles. */
  opened(change: number): void;
  /** Notes a use that no correct engine makes. */
  violated(what: string): void;
  /** How much of a transfer is done. */
  part(length: number): number;
  /** Makes an operation, or has it fail. */
  perform<T>(
    operation: OperationName,
    path: string,
    effect: (fault?: Fault) => T,
    isZeros?: boolean,
  ): T;
  /** As `perform`, when the queue says so. */
  performAsync<T>(
    operation: OperationName,
    path: string,
    prepare: () => (fault?: Fault) => T,
    settled: () => void,
  ): Promise<T>;
  /** Whether calls are offered asynchronously too. */
  isQueued(): boolean;
  /** Notes which file was written to last. */
  written(file: File): void;
  /** What to report at the moments within the current write, if anybody watches. */
  pause(): ((path: string) => void) | undefined;
  /** Called when a file was synced. */
  synced(): void;
}

/** The error of an operation that the file system refuses. */
export function refused(operation: string, path: string, code: string): IoError {
  return new IoError(operation, path, `refused (${code})`, code);
}

/** Opens a file. */
export function openHandle(
  owner: HandleOwner,
  path: string,
  file: File,
  isWritable: boolean,
): FileHandle {
  let isClosed = false;
  let inFlight = 0;
  owner.opened(1);
  file.openHandles++;
  const closed = (): void => {
    owner.opened(-1);
    file.openHandles--;
  };
  const check = (operation: string): void => {
    if (!isClosed) return;
    owner.violated(`${operation} of "${path}" through a closed handle`);
    throw refused(operation, path, "EBADF");
  };
  const settled = (): void => {
    if (--inFlight === 0 && isClosed) closed();
  };
  const read = (into: Uint8Array, offset: number, length: number, position: number): number => {
    const { bytes, size } = file.live;
    const count = owner.part(Math.max(0, Math.min(length, size - position)));
    into.set(bytes.subarray(position, position + count), offset);
    return count;
  };
  const sync = (last: PendingWrite | undefined, fault: Fault | undefined): void => {
    if (fault?.mode === "drop" || fault?.mode === "revert") {
      file.dropPending(fault.mode === "revert");
      throw refused("sync", path, fault.code);
    }
    file.sync(last);
    owner.synced();
  };
  const handle: FileHandle = {
    path,
    readSync: (into, offset, length, position) => {
      check("read");
      return owner.perform("read", path, () => read(into, offset, length, position));
    },
    writeSync: (from, offset, length, position) => {
      check("write");
      if (!isWritable) throw refused("write", path, "EBADF");
      if (!(position >= 0 && position + length <= MAX_FILE_BYTES)) {
        throw new RangeError(`Cannot write "${path}": the position is ${position}`);
      }
      const isZeros = from.subarray(offset, offset + length).every((byte) => byte === 0);
      return owner.perform("write", path, (fault) => {
        const isCut = fault?.mode === "short" || fault?.mode === "partial";
        const count = isCut ? length >>> 1 : owner.part(length);
        write(owner, file, path, from, offset, count, position);
        if (fault?.mode === "partial") throw refused("write", path, fault.code);
        return count;
      }, isZeros);
    },
    syncSync: () => {
      check("sync");
      owner.perform("sync", path, (fault) => sync(file.pending.at(-1), fault));
    },
    sizeSync: () => {
      check("stat");
      return owner.perform("stat", path, () => file.live.size);
    },
    closeSync: () => {
      if (isClosed) return;
      isClosed = true;
      if (inFlight === 0) closed();
    },
  };
  if (!owner.isQueued()) return handle;
  const start = <T>(
    operation: OperationName,
    prepare: () => (fault?: Fault) => T,
  ): Promise<T> => {
    inFlight++;
    return owner.performAsync(operation, path, prepare, settled);
  };
  handle.read = (into, offset, length, position) => {
    try {
      check("read");
    } catch (error) {
      return Promise.reject(error);
    }
    return start("read", () => () => read(into, offset, length, position));
  };
  handle.sync = () => {
    try {
      check("sync");
    } catch (error) {
      return Promise.reject(error);
    }
    return start("sync", () => {
      // What is written from here on is not covered, although a real disk may be so kind.
      const last = file.pending.at(-1);
      return (fault) => sync(last, fault);
    });
  };
  return handle;
}

/** Writes, and lets a watcher look in at the end of each sector. */
function write(
  owner: HandleOwner,
  file: File,
  path: string,
  from: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  owner.written(file);
  const tell = owner.pause();
  const first = Math.floor(position / SECTOR_BYTES);
  const sectors = Math.floor((position + length - 1) / SECTOR_BYTES) - first;
  const pauses = tell === undefined ? 0 : Math.min(sectors, MAX_PAUSES);
  let done = 0;
  for (let pause = 1; pause <= pauses; pause++) {
    // The first end of a sector, and others spread over the rest.
    const sector = pause === 1 ? 1 : Math.ceil(sectors * pause / pauses);
    const end = (first + sector) * SECTOR_BYTES - position;
    if (end <= done || end >= length) continue;
    file.write(from, offset + done, end - done, position + done);
    done = end;
    tell!(path);
  }
  if (done < length) file.write(from, offset + done, length - done, position + done);
}
