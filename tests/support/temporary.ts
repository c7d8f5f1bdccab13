/** Its own directory for a test: real path, removed by `dispose`. */

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary directory that exists until it is disposed of. */
export interface TemporaryDirectory {
  /** Its absolute path, without symbolic links. */
  readonly path: string;
  /** Removes it and all that is in it. */
  dispose(): void;
}

/** Makes an empty directory whose name starts with `prefix`. */
export function temporaryDirectory(prefix: string): TemporaryDirectory {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `tinykvs-${prefix}-`)));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}
