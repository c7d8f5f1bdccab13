// The space that large values take: dead bytes, small files, and what the end of a session may cost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSync } from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";

/** The sizes of the logs and value files in the directory of a store. */
function valueFiles(fileSystem: CloneableFileSystem): number[] {
  return fileSystem.listSync("/db").filter((name) => /\.(wal|val)$/.test(name))
    .map((name) => fileSystem.statSync(`/db/${name}`)!.sizeBytes);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

test("The zeros at the end of a log count as dead bytes when it is flushed", async () => {
  const random = new Random(1);
  const fileSystem = new CloneableFileSystem();
  let living = 0;
  for (let session = 0; session < 5; session++) {
    const store = openSync("/db", { fileSystem, compression: "none", walSync: "write" });
    for (let i = 0; i < 5; i++) {
      await store.put(`key ${session} ${i}`, randomBytes(9000, random));
      living += 9000;
    }
    // Such small syncs extend the log.
    assert.ok(Math.max(...valueFiles(fileSystem)) > 200_000);
    await store.close();
    const found = sum(valueFiles(fileSystem));
    assert.ok(found <= 2.5 * living, `${found} bytes for ${living} living ones`);
  }
});
