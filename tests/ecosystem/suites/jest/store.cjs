/** What the suites of this folder share: the library as often as it is asked for, and directories. */

const fs = require("node:fs");
const path = require("node:path");

/** Loads a copy of its own for a test file, and another one after `jest.resetModules()`. */
exports.load = () => require("@tinykvs/core");

/** A directory that the run as a whole removes. */
exports.newDirectory = () => fs.mkdtempSync(path.join(process.env.TINYKVS_STORES, "store "));

/** More than any test takes on a busy machine. */
exports.TIMEOUT_MS = 240_000;
