// Cursors, iterations and snapshots that were dropped without being closed: the files that they
// keep go when the garbage is collected, and those that are held without end keep no more than
// there was.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { memoryFileSystem, open } from "../../mod.ts";
import { runtimeCommand, thisRuntime } from "../support/runtimes.ts";

const child = fileURLToPath(new URL("abandoned_child.ts", import.meta.url));

for (const name of thisRuntime) {
  test(`Under ${name} a cursor or snapshot that was dropped without close gives its files back`, () => {
    for (const what of ["cursor", "iteration", "snapshot"]) {
      const { command, args } = runtimeCommand(name, child, [what], [
        "--allow-all",
        "--v8-flags=--expose-gc",
      ]);
      const flags = name === "node" ? ["--expose-gc", ...args] : args;
      const { stdout, stderr, status } = spawnSync(command, flags, { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      // A collector may be quicker than the compaction.
      assert.match(stdout, /^(?:not )?kept, then gone\n$/, `${what}: ${stdout}${stderr}`);
    }
  });
}

test("A cursor and a snapshot that are never closed keep the files of their moment and no more", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem, memtableSizeBytes: 4096, compression: "none" });
  const tables = (): number =>
    fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")).length;
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 300; i++) store.putSync(`key ${i}`, "x".repeat(100));
    await store.compact();
  };
  await fill();
  const live = tables();
  const cursor = store.entries();
  const snapshot = store.snapshot();
  let most = 0;
  for (let round = 0; round < 20; round++) {
    await fill();
    most = Math.max(most, tables());
  }
  assert.ok(most > live, "nothing was kept, so nothing was tested");
  assert.ok(most <= 2 * live, `${most} files, ${live} of them live`);
  // And logs and manifests neither.
  const others = fileSystem.listSync("/db").filter((name) => !name.endsWith(".sst"));
  assert.ok(others.length <= 5, others.join());
  assert.equal(await cursor.toArray().then((all) => all.length), 300);
  snapshot.close();
  await fill();
  assert.equal(tables(), store.stats().levels.reduce((sum, level) => sum + level.tables, 0));
  await store.close();
});
