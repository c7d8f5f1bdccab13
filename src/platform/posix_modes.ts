/**
 * Files and directories are made here, with their permission bits: those of the owner alone, or those that
 * the user asked for. The system takes off what the umask says; what the user asked for gets it back, so
 * that a store that a group shares is not shut by the umask of one of its processes.
 */

import { isWindows, nodeModule } from "./runtime.ts";

const fs = nodeModule("node:fs");
const nodePath = nodeModule("node:path");

/** Who may do what with the files and directories that are made: POSIX permission bits. */
export interface FileModes {
  /** Of files. Default 0600. One that is given holds whatever the umask is. */
  readonly fileMode?: number | undefined;
  /** Of directories. Default 0700. One that is given holds whatever the umask is. */
  readonly directoryMode?: number | undefined;
}

const DEFAULT_FILE_MODE = 0o600;
const DEFAULT_DIRECTORY_MODE = 0o700;

// Windows has neither of these flags, nor modes.
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs?.constants ?? {};
const CREATE_FLAGS = O_RDWR | O_CREAT | O_EXCL;
const DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** Creates a file that must not exist yet; returns its descriptor. A failure leaves no file. */
export function createWithMode(path: string, mode: number | undefined): number {
  const descriptor = fs.openSync(path, CREATE_FLAGS, mode ?? DEFAULT_FILE_MODE);
  if (mode === undefined) return descriptor;
  try {
    requireMode(descriptor, mode);
    return descriptor;
  } catch (error) {
    fs.closeSync(descriptor);
    fs.unlinkSync(path);
    throw error;
  }
}

/** Makes a directory and its missing parents. */
export function makeWithMode(path: string, mode: number | undefined): void {
  const first = fs.mkdirSync(path, { recursive: true, mode: mode ?? DEFAULT_DIRECTORY_MODE });
  if (mode === undefined || first === undefined || isWindows) return;
  const last = nodePath.resolve(first);
  for (let at = nodePath.resolve(path);; at = nodePath.dirname(at)) {
    const descriptor = fs.openSync(at, DIRECTORY_FLAGS);
    try {
      requireMode(descriptor, mode);
    } finally {
      fs.closeSync(descriptor);
    }
    if (at === last || at === nodePath.dirname(at)) return;
  }
}

/** Gives back what the umask has taken. By the descriptor: a name may lead elsewhere by now. */
function requireMode(descriptor: number, mode: number): void {
  if (isWindows || (fs.fstatSync(descriptor).mode & 0o777) === mode) return;
  fs.fchmodSync(descriptor, mode);
}
