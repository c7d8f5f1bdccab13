/** What the suites of this folder share: the library, and directories. */

import { mkdtempSync } from "node:fs";
import * as path from "node:path";

/** Loads the library, or a second copy of it. */
export const load = (name = "core") =>
  name === "copy" ? import("@tinykvs/copy") : import("@tinykvs/core");

/** A directory that the run as a whole removes. */
export const newDirectory = () => mkdtempSync(path.join(process.env.TINYKVS_STORES, "store "));

/** More than any test takes on a busy machine. */
export const TIMEOUT_MS = 240_000;
