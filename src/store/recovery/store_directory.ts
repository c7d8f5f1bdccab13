/**
 * Directories of future stores: `open` and `checkpoint` make them, with their missing parents, and
 * make their names durable.
 */

import { IoError } from "../../errors.ts";
import type { FileStatus, FileSystem } from "../../platform/file_system.ts";

/** The system's codes for a link that leads to something else, to nothing, or to itself. */
const NO_DIRECTORY_CODES: ReadonlySet<string> = new Set(["ENOTDIR", "ENOENT", "ELOOP"]);

/** The codes of the system and of Node's permission model for what we may not do. */
const REFUSAL_CODES: ReadonlySet<string> = new Set(["EACCES", "EPERM", "ERR_ACCESS_DENIED"]);

/** A directory for a new store. */
export interface NewDirectory {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The directory, as an absolute path. */
  readonly directory: string;
}

/** Whether a store may be there, even if the name that the caller gave is a link to a directory. */
export function isDirectory(fileSystem: FileSystem, path: string, { kind }: FileStatus): boolean {
  if (kind !== "other") return kind === "directory";
  try {
    fileSystem.listSync(path);
    return true;
  } catch (error) {
    // Any other failure says nothing about the target of the link.
    if (error instanceof IoError && NO_DIRECTORY_CODES.has(error.osCode ?? "")) return false;
    throw error;
  }
}

/** Makes the directory and its missing parents, and their names durable. */
export function makeDirectory(fileSystem: FileSystem, directory: string): void {
  const parents: string[] = [];
  for (let path = directory, isNew = true; isNew;) {
    const parent = fileSystem.resolvePath(fileSystem.joinPath(path, ".."));
    if (parent === path) break;
    parents.push(parent);
    path = parent;
    isNew = isMissing(fileSystem, path);
  }
  fileSystem.makeDirectorySync(directory);
  for (const parent of parents) syncNames(fileSystem, parent);
}

/** Makes a directory's own name durable, if we may. */
export function syncParent(fileSystem: FileSystem, directory: string): void {
  syncNames(fileSystem, fileSystem.resolvePath(fileSystem.joinPath(directory, "..")));
}

function syncNames(fileSystem: FileSystem, parent: string): void {
  try {
    fileSystem.syncDirectorySync(parent);
  } catch (error) {
    // With permission for the store's folder alone, the system must keep the parent's name: Deno
    // refuses without a code, Node's permission model with its own. Any other failure may mean that
    // the whole store is gone after a power loss.
    if (!(error instanceof IoError) || !isPermissionRefused(error)) throw error;
  }
}

function isPermissionRefused({ osCode }: IoError): boolean {
  return osCode === undefined || REFUSAL_CODES.has(osCode);
}

function isMissing(fileSystem: FileSystem, path: string): boolean {
  try {
    return fileSystem.statSync(path) === undefined;
  } catch (error) {
    // If we may not look at it, we can't have made it.
    if (error instanceof IoError && isPermissionRefused(error)) return false;
    throw error;
  }
}
