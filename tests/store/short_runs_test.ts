// A store that is opened, written a little and closed, or killed, again and again: what that
// leaves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, openSync } from "../../mod.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";

/** Files that may be there at any time. */
const MOST_FILES = 50;

function keyOf(n: number): string {
  return `event ${String(n).padStart(8, "0")}`;
}

/** Counts what is written to tables, and the most files that there were. */
class Watch {
  tableBytes = 0;
  mostFiles = 0;

  observe(fileSystem: CloneableFileSystem): void {
    const sizes = new Map<string, number>();
    fileSystem.after = (operation, path) => {
      if (!path.endsWith(".sst") || operation !== "sync") return;
      const { sizeBytes } = fileSystem.statSync(path)!;
      this.tableBytes += sizeBytes - (sizes.get(path) ?? 0);
      sizes.set(path, sizeBytes);
    };
  }

  look(fileSystem: CloneableFileSystem): void {
    this.mostFiles = Math.max(this.mostFiles, fileSystem.listSync("/db").length);
  }
}

async function requireAll(
  fileSystem: CloneableFileSystem,
  runs: number,
  watch: Watch,
  what: string,
): Promise<void> {
  await using store = await open("/db", { fileSystem });
  assert.deepEqual(await store.keys().toArray(), Array.from({ length: runs }, (_, i) => keyOf(i)));
  const count = (): number => store.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
  console.log(
    `${what}: ${runs} runs, at most ${watch.mostFiles} files, ${count()} tables left, ` +
      `${watch.tableBytes} bytes of tables written`,
  );
  assert.ok(watch.mostFiles < MOST_FILES, `${what}: ${watch.mostFiles} files`);
  await store.compact();
  assert.equal(count(), 1, what);
  const before = store.stats().compaction.bytesWritten;
  await store.compact();
  assert.equal(store.stats().compaction.bytesWritten, before, "compacted once more");
}

test("Short runs that call synchronously do not leave a table each", async () => {
  const runs = 400;
  const fileSystem = new CloneableFileSystem();
  const watch = new Watch();
  watch.observe(fileSystem);
  for (let run = 0; run < runs; run++) {
    const store = openSync("/db", { fileSystem });
    store.putSync(keyOf(run), run);
    store.closeSync();
    watch.look(fileSystem);
  }
  await requireAll(fileSystem, runs, watch, "synchronous");
});

test("Short runs that await do not leave a table each", async () => {
  const runs = 200;
  const fileSystem = new CloneableFileSystem();
  const watch = new Watch();
  watch.observe(fileSystem);
  for (let run = 0; run < runs; run++) {
    await using store = await open("/db", { fileSystem });
    await store.put(keyOf(run), run);
    watch.look(fileSystem);
  }
  await requireAll(fileSystem, runs, watch, "awaiting");
});

test("Short runs that are killed do not leave a table each", async () => {
  const runs = 200;
  let fileSystem = new CloneableFileSystem();
  const watch = new Watch();
  for (let run = 0; run < runs; run++) {
    watch.observe(fileSystem);
    openSync("/db", { fileSystem }).putSync(keyOf(run), run);
    watch.look(fileSystem);
    fileSystem = fileSystem.clone();
  }
  await requireAll(fileSystem, runs, watch, "killed");
});

test("A store with one table from each of many runs is compacted in the background and by compact", async () => {
  const runs = 150;
  for (const isWaiting of [true, false]) {
    const fileSystem = new CloneableFileSystem();
    // As it was done before: nothing but moves.
    const store = openSync("/db", { fileSystem, l0CompactionTrigger: 1000 });
    for (let run = 0; run < runs; run++) {
      store.putSync(keyOf(run), run);
      await store.flush();
    }
    store.closeSync();
    await using again = await open("/db", { fileSystem });
    const count = (): number => again.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
    if (isWaiting) {
      for (let turn = 0; turn < 5000 && count() > 10; turn++) {
        await systemScheduler.yield();
      }
      assert.ok(count() <= 10, `${count()} tables`);
    } else {
      await again.compact();
      assert.equal(count(), 1);
    }
    assert.equal(await again.count(), runs);
  }
});

test("Data loaded in key order is not rewritten, not at closing either", async () => {
  const fileSystem = new CloneableFileSystem();
  for (const value of [undefined, "compresses well ".repeat(8)]) {
    let written = 0;
    let flushed = 0;
    let state = 1;
    const incompressible = (): string => {
      let text = "";
      for (let i = 0; i < 25; i++) {
        state = Math.imul(state, 1664525) + 1013904223 | 0;
        text += (state >>> 0).toString(36);
      }
      return text;
    };
    for (let session = 0; session < 3; session++) {
      await using store = await open("/db", { fileSystem, memtableSizeBytes: 262_144 });
      for (let batch = 0; batch < 60; batch++) {
        const operations = store.batch();
        for (let i = 0; i < 200; i++) {
          const key = `${String(value)[0]}${session} ${String(batch * 200 + i).padStart(8, "0")}`;
          operations.put(key, value ?? incompressible());
        }
        await operations.write();
      }
      await store.flush();
      written += store.stats().compaction.bytesWritten;
      flushed += store.stats().flush.bytesWritten;
    }
    assert.ok(flushed > 200_000, `${flushed} bytes`);
    assert.equal(written, 0, `${written} bytes were rewritten, ${flushed} written`);
  }
});
