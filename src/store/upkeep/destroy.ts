/** `destroy`: removes the files of a store from its directory, and nothing else. */

import { ownFields } from "../../options.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import { describeValue } from "../../value/value.ts";
import { fencedFileSystem } from "../../version/fenced_file_system.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  isDamagedName,
  isSyncName,
  parseFileName,
} from "../../version/file_names.ts";
import { isStore, notAStore, type RecoveryOptions } from "../recovery/recovery.ts";
import { numbersOf, ownNames } from "./base_state.ts";
import { recoveryOf } from "./verify_store.ts";

/** Options of `destroy`. */
export interface DestroyOptions {
  /** The file system. Default: the runtime's. */
  fileSystem?: FileSystem;
}

/**
 * Removes a store, even one that does not open. Removes the files that the store owns, including
 * those that a repair has set aside. Keeps the directory, other files, and the files of the lock.
 * If it fails in the middle, the rest does not open as a store.
 *
 * @throws {TypeError} the path or an option is not valid
 * @throws {LockedError} the store is open
 * @throws {StoreError} code `NOT_A_STORE`: the directory has no store of this library
 *
 * @example
 * ```ts
 * import { destroy, memoryFileSystem, open } from "@tinykvs/core";
 *
 * const fileSystem = memoryFileSystem();
 * await (await open("/db", { fileSystem })).close();
 * await destroy("/db", { fileSystem });
 * console.log(fileSystem.listSync("/db").includes("CURRENT")); // false
 * ```
 */
export async function destroy(path: string | URL, options?: DestroyOptions): Promise<void> {
  const recovery = destroyRequest(path, options);
  const { fileSystem, directory } = recovery;
  const lock = await (fileSystem.lock?.(directory) ?? fileSystem.lockSync(directory));
  try {
    removeStore({ ...recovery, fileSystem: fencedFileSystem(fileSystem, directory, lock) });
  } finally {
    lock.releaseSync();
  }
}

/** As {@linkcode destroy}, synchronously. */
export function destroySync(path: string | URL, options?: DestroyOptions): void {
  const recovery = destroyRequest(path, options);
  const { fileSystem, directory } = recovery;
  const lock = fileSystem.lockSync(directory);
  try {
    removeStore({ ...recovery, fileSystem: fencedFileSystem(fileSystem, directory, lock) });
  } finally {
    lock.releaseSync();
  }
}

function destroyRequest(path: string | URL, options: DestroyOptions = {}): RecoveryOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot destroy: found ${describeValue(options)}, expected options`);
  }
  const unknown = Object.keys(options).find((name) => name !== "fileSystem");
  if (unknown !== undefined) throw new TypeError(`Cannot destroy: unknown name "${unknown}"`);
  const recovery = recoveryOf(path, "destroy the store", ownFields(options).fileSystem);
  const { fileSystem, directory } = recovery;
  // Check this before taking the lock, which would leave its file in somebody else's directory.
  const names = fileSystem.listSync(directory);
  const isOurs = isStore(names) || numbersOf(names, "manifest").length > 0 ||
    numbersOf(names, "log").length > 0;
  if (!isOurs) throw notAStore(directory, "nothing of a store of this library is in it");
  return recovery;
}

function removeStore({ fileSystem, directory }: RecoveryOptions): void {
  const listed = fileSystem.listSync(directory);
  const names = ownNames(listed, numbersOf(listed, "manifest").at(-1));
  const isOwned = (name: string): boolean =>
    name === CURRENT_TEMPORARY_NAME || isSyncName(name) || isDamagedName(name) ||
    parseFileName(name) !== undefined;
  // Remove CURRENT first, and durably: after a crash the rest must not open as a smaller store.
  // Remove manifests last. They distinguish the rest from a store of the Go program, so a second
  // `destroy` works.
  const first = names.filter((name) => name === CURRENT_NAME);
  const isManifest = (name: string): boolean => parseFileName(name)?.kind === "manifest";
  const rest = names.filter((name) => isOwned(name) && !isManifest(name));
  for (const part of [first, rest, names.filter(isManifest)]) {
    for (const name of part) {
      const path = fileSystem.joinPath(directory, name);
      if (fileSystem.statSync(path)?.kind === "file") fileSystem.removeSync(path);
    }
    fileSystem.syncDirectorySync(directory);
  }
}
