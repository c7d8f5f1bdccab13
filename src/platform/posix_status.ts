/**
 * The status of a path by `lstat`, which never follows links. The disk adapters and the lock check
 * it before they open an existing file, because a store's directory may come from elsewhere.
 */

import type { Stats } from "node:fs";
import { IoError } from "../errors.ts";
import { ioErrorFrom } from "./posix_handles.ts";
import { nodeModule } from "./runtime.ts";

const fs = nodeModule("node:fs");

/** The status of the path, or undefined if nothing is there. */
export function lstat(operation: string, path: string): Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw ioErrorFrom(operation, path, error);
  }
}

/**
 * The status of an existing regular file.
 *
 * @throws {IoError} there is nothing, or something else; the reason says what it is
 */
export function requireRegularFile(operation: string, path: string): Stats {
  const stats = lstat(operation, path);
  if (stats === undefined) {
    throw new IoError(operation, path, "no such file or directory (ENOENT)", "ENOENT");
  }
  if (stats.isFile()) return stats;
  const [found, code] = describeKind(stats);
  throw new IoError(operation, path, `it is ${found}, expected a regular file`, code);
}

function describeKind(stats: Stats): [found: string, code: string | undefined] {
  if (stats.isDirectory()) return ["a directory", "EISDIR"];
  if (stats.isSymbolicLink()) return ["a symbolic link", "ELOOP"];
  if (stats.isFIFO()) return ["a named pipe", undefined];
  if (stats.isSocket()) return ["a socket", undefined];
  return ["a device", undefined];
}
