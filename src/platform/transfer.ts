/**
 * Whole transfers over the file-handle contract, whose reads and writes may be short.
 *
 * Every runtime answers a write on a nearly full disk with a short count and no error, so a caller
 * that ignores the count silently loses bytes. Everything above this folder reads and writes
 * through these loops. A loop ends in one of two ways: all bytes were transferred, or there is an
 * IoError.
 */

import { IoError } from "../errors.ts";
import type { FileHandle, FileSystem } from "./file_system.ts";

/**
 * Reads exactly `length` bytes at `position` into `into[offset...]`.
 *
 * @throws {IoError} the file ends first (`osCode` "EOF"), or the system refused
 */
export function readFullySync(
  handle: FileHandle,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const count = handle.readSync(into, offset + done, length - done, position + done);
    if (count <= 0) throw endOfFile(handle, done, length, position);
    done += count;
  }
}

/**
 * As `readFullySync`, without blocking the event loop if the handle can do that. Nobody else may
 * touch `into` until the promise settles.
 *
 * @throws {IoError} the file ends first (`osCode` "EOF"), or the system refused
 */
export function readFully(
  handle: FileHandle,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<void> {
  return readFullyFrom(() => handle, into, offset, length, position);
}

/**
 * As `readFully`, of a file whose handle may be closed at any time: each part is read from the
 * handle that `acquire` returns then. If `acquire` throws, the caller gets that error.
 */
export async function readFullyFrom(
  acquire: () => FileHandle,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < length) {
    const handle = acquire();
    if (handle.read === undefined) {
      return readFullySync(handle, into, offset + done, length - done, position + done);
    }
    const count = await handle.read(into, offset + done, length - done, position + done);
    if (count <= 0) throw endOfFile(handle, done, length, position);
    done += count;
  }
}

/**
 * Writes exactly `from[offset, offset + length)` at `position`. After a failure the file may
 * contain any first part of it.
 *
 * @throws {IoError} the file takes no more bytes (`osCode` "ENOSPC"), or the system refused
 */
export function writeFullySync(
  handle: FileHandle,
  from: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const count = handle.writeSync(from, offset + done, length - done, position + done);
    // A count of zero is not an error code, but trying again would spin as long as the disk is
    // full.
    if (count <= 0) {
      throw new IoError(
        "write",
        handle.path,
        `the file took ${done} of ${length} bytes at offset ${position} and no more`,
        "ENOSPC",
      );
    }
    done += count;
  }
}

/**
 * The content of a small regular file. Its size is compared with `maxBytes` before anything is
 * allocated. The caller owns the array.
 *
 * @throws {IoError} there is no such regular file, it is longer than `maxBytes` (`osCode` "EFBIG"),
 *   or it could not be read
 */
export function readWholeFileSync(
  fileSystem: FileSystem,
  path: string,
  maxBytes: number,
): Uint8Array {
  const handle = fileSystem.openReadSync(path);
  try {
    const sizeBytes = handle.sizeSync();
    if (sizeBytes > maxBytes) {
      throw new IoError(
        "read",
        path,
        `its size is ${sizeBytes} bytes, expected at most ${maxBytes}`,
        "EFBIG",
      );
    }
    const content = new Uint8Array(sizeBytes);
    readFullySync(handle, content, 0, sizeBytes, 0);
    return content;
  } finally {
    handle.closeSync();
  }
}

function endOfFile(handle: FileHandle, done: number, length: number, position: number): IoError {
  return new IoError(
    "read",
    handle.path,
    `found ${done} of ${length} bytes at offset ${position} before the end of the file`,
    "EOF",
  );
}
