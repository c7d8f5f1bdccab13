/**
 * Takes a file that is needed out of a crash state, and requires that opening it changes nothing.
 */

import { CorruptionError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import { openSync } from "../../src/store/open.ts";
import type { CrashImage } from "./fault_file_system.ts";
import { DIRECTORY } from "./fault_workload.ts";

/**
 * Opens a state without its manifest, and without one of its tables.
 *
 * @throws {Error} that is not reported as damage, or what is left has changed (I9)
 */
export function requireDamageIsLeftAlone(
  image: CrashImage,
  needed: readonly string[],
  options: Options,
): void {
  for (const path of needed) {
    const fileSystem = image.build(5);
    // What only the recovery has made is not in the state itself.
    if (fileSystem.statSync(path) === undefined) continue;
    fileSystem.removeSync(path);
    const before = fileSystem.contentKey;
    try {
      openSync(DIRECTORY, { ...options, fileSystem });
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      if (fileSystem.contentKey === before && fileSystem.openHandles === 0) continue;
      throw new Error(`without "${path}" open reports damage and changes something`, {
        cause: error,
      });
    }
    throw new Error(`open does not miss "${path}"`);
  }
}
