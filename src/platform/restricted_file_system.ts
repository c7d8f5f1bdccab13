/**
 * The disk under Node's permission model (`node --permission`), which refuses fsync on descriptors,
 * whatever is allowed. restricted_handle.ts makes content durable. This file makes the names in a
 * directory durable:
 *
 * - asynchronously by `sync()` of a `FileHandle` of the directory, which is not refused;
 * - synchronously by SQLite. With `PRAGMA synchronous = EXTRA` it syncs the directory of its
 *   journal after it has deleted the journal, which syncs all names in the directory. The database
 *   is made for that, and removed. The model lets SQLite write where the program may.
 */

import type { FileHandle, FileSystem } from "./file_system.ts";
import { type DescriptorHandle, ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { PosixFileSystem } from "./posix_file_system.ts";
import { DEFAULT_FILE_MODE, type FileModes } from "./posix_modes.ts";
import { refused, RestrictedHandle } from "./restricted_handle.ts";
import { nodeModule, process } from "./runtime.ts";
import { systemScheduler } from "./system_scheduler.ts";

const fs = nodeModule("node:fs");

const { O_RDONLY, O_DIRECTORY = 0 } = fs?.constants ?? {};
const DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY;

/** The start of the names of databases that a sync of a directory leaves if it is killed. */
export const SYNC_NAME_START = ".tinykvs-sync-";

/** Whether the runtime refuses to sync a descriptor. It does so before it looks at the number. */
export function isSyncRefused(): boolean {
  try {
    fs.fsyncSync(-1);
  } catch (error) {
    return osCodeOf(error) === "ERR_ACCESS_DENIED";
  }
  return false;
}

class RestrictedFileSystem extends PosixFileSystem {
  override createSync(path: string): FileHandle {
    const plain = super.createSync(path);
    try {
      return new RestrictedHandle(plain as DescriptorHandle);
    } catch (error) {
      plain.closeSync();
      super.removeSync(path);
      throw error;
    }
  }

  override syncDirectorySync(path: string): void {
    if (process.platform !== "linux") throw refused("sync directory", path);
    try {
      syncBySqlite(path, this.joinPath(path, SYNC_NAME_START + systemScheduler.randomHex(8)));
    } catch (error) {
      throw ioErrorFrom("sync directory", path, error);
    }
  }

  override async syncDirectory(path: string): Promise<void> {
    try {
      const directory = await fs.promises.open(path, DIRECTORY_FLAGS);
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    } catch (error) {
      throw ioErrorFrom("sync directory", path, error);
    }
  }
}

function syncBySqlite(directory: string, path: string): void {
  const { DatabaseSync } = nodeModule("node:sqlite");
  // Nobody else needs to see it; refused if there is one.
  fs.closeSync(fs.openSync(path, "wx", DEFAULT_FILE_MODE));
  try {
    const database = new DatabaseSync(path);
    try {
      // SQLite does not report a directory that it can't open.
      fs.closeSync(fs.openSync(directory, DIRECTORY_FLAGS));
      database.exec(
        "PRAGMA page_size = 512; PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; " +
          "PRAGMA user_version = 1",
      );
    } finally {
      database.close();
    }
  } finally {
    fs.unlinkSync(path);
  }
}

/** The disk of a process that may not sync descriptors. */
export function restrictedFileSystem(modes?: FileModes): FileSystem {
  return new RestrictedFileSystem("node", true, modes);
}
