// The second descriptor that a handle opens for a sync beside an asynchronous one: what is at the
// path by then may be another file.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { temporaryDirectory } from "../support/temporary.ts";

test("A sync during another one does not report success for a file that replaced its own", async () => {
  const directory = temporaryDirectory("witness");
  const file = path.join(directory.path, "file");
  for (const replace of [() => fs.writeFileSync(file, "other"), () => {}]) {
    const handle = defaultFileSystem().createSync(file);
    handle.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 0);
    fs.renameSync(file, `${file}.moved`);
    replace();
    const pending = handle.sync!();
    assert.throws(() => handle.syncSync(), { code: "IO", path: file });
    // Alone, and through its own descriptor, both still work.
    await pending;
    handle.syncSync();
    handle.closeSync();
    fs.rmSync(file, { force: true });
  }
  directory.dispose();
});
