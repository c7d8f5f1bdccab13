// Failures while a copy of a Go store without its log is taken over: the log that is then made in
// its place is one more thing that can fail, when the tables are open already.

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError } from "../../src/errors.ts";
import { refused } from "../support/cloneable_file_system.ts";
import { goFiles, pathOf } from "../support/go_store.ts";
import { contentOf, openFiles, recoveredContent } from "../support/store_files.ts";

test("A failure of taking over a Go store that lacks its log leaves no file open", () => {
  const whole = goFiles("v0.4.0-zstd");
  whole.removeSync(pathOf("wal.log"));
  const expected = recoveredContent(whole.clone(), { keyEncoding: "bytes" });
  const failed = new Set<string>();
  for (let failing = 0;; failing++) {
    const fileSystem = whole.clone();
    let count = 0;
    fileSystem.before = (operation, path) => {
      if (count++ === failing) {
        failed.add(`${operation} ${path}`);
        throw refused(operation, path, "ENOSPC");
      }
    };
    try {
      const store = openFiles(fileSystem, { keyEncoding: "bytes" });
      fileSystem.before = undefined;
      assert.deepEqual(contentOf(store), expected);
      store.closeSync();
    } catch (error) {
      assert.ok(error instanceof IoError, `${error}`);
    }
    fileSystem.before = undefined;
    assert.equal(fileSystem.openHandles, 0, `operation ${failing}`);
    assert.deepEqual(recoveredContent(fileSystem, { keyEncoding: "bytes" }), expected);
    if (count <= failing) break;
  }
  assert.ok(failed.has(`create ${pathOf("wal.log")}`), [...failed].join());
  assert.ok(failed.size > 10, `${failed.size}`);
});
