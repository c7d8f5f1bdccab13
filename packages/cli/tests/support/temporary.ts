/** Temporary folders of tests. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";

/** A folder that `using` removes. */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
  /** The path of a file or folder in it. */
  at(name: string): string;
}

/** Makes a folder. */
export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-cli-"));
  return {
    path: folder,
    at: (name) => path.join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
