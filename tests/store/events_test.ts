/** Events of the background, and the stream that writes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type StoreEventMap,
  type Value,
} from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { IoError } from "../../src/errors.ts";
import { DIRECTORY, openFiles } from "../support/store_files.ts";

function record(store: EmbeddedStore): [keyof StoreEventMap, unknown][] {
  const seen: [keyof StoreEventMap, unknown][] = [];
  for (const type of ["flush", "compaction", "stall", "error"] as const) {
    store.addEventListener(type, (event) => seen.push([type, event.detail]));
  }
  return seen;
}

async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) await undefined;
}

test("Flushes and compactions are told, with what they did", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const seen = record(store);
  for (let i = 0; i < 100; i++) await store.put(`k${i}`, i);
  await store.flush();
  await turn();
  const { tables, sizeBytes } = store.stats().levels[0]!;
  assert.deepEqual(seen, [["flush", { tables, entries: 100, bytes: sizeBytes }]]);
  for (let i = 0; i < 50; i++) await store.put(`k${i}`, -i);
  await store.compact();
  await turn();
  assert.deepEqual(seen.slice(1).map(([type]) => type), ["flush", "compaction"]);
  const { fromLevel, toLevel, removedTables, addedTables, bytes } =
    seen[2]![1] as StoreEventMap["compaction"];
  assert.deepEqual([fromLevel, removedTables, addedTables], [0, 2, 1]);
  assert.ok(toLevel > 0);
  assert.equal(bytes, store.stats().levels[toLevel]!.sizeBytes);
});

test("Every wait of writers for the background is told", async () => {
  await using store = await open("/db", {
    fileSystem: memoryFileSystem(),
    ...{ memtableSizeBytes: 4096, backgroundThread: false, walSync: "none" },
  });
  const seen = record(store);
  const writing: Promise<void>[] = [];
  for (let i = 0; i < 3000; i++) writing.push(store.put(`k${i % 700}`, "x".repeat(100)));
  await Promise.all(writing);
  await turn();
  const stalls = seen.filter(([type]) => type === "stall");
  const { count, totalMs } = store.stats().stalls;
  assert.ok(count > 0, "nobody waited");
  assert.equal(stalls.length, count);
  const sum = stalls.reduce(
    (sum, [, detail]) => sum + (detail as { waitedMs: number }).waitedMs,
    0,
  );
  assert.ok(Math.abs(sum - totalMs) < 0.001);
});

test("A failure is told once, and a listener may use the store", async () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const store = openFiles(fileSystem);
  const seen = record(store);
  store.addEventListener("flush", () => store.putSync("from the listener", 1));
  await store.put("a", 1);
  await store.flush();
  await turn();
  assert.equal(store.getSync("from the listener"), 1);
  fileSystem.before = (operation) => {
    if (operation === "sync") throw new IoError("sync", "x", "broken", "EIO");
  };
  await assert.rejects(store.put("b", 1, { sync: true }), { code: "IO" });
  await assert.rejects(store.put("c", 1), { code: "BACKGROUND" });
  await turn();
  const errors = seen.filter(([type]) => type === "error");
  assert.equal(errors.length, 1);
  assert.equal((errors[0]![1] as { error: { code?: string } }).error.code, "BACKGROUND");
  await store.close().catch(() => {});
});

test("A listener that was removed, or whose signal was aborted, or that wanted one event, hears no more", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const heard: string[] = [];
  const removed = (): void => void heard.push("removed");
  const controller = new AbortController();
  store.addEventListener("flush", removed);
  store.addEventListener("flush", () => heard.push("once"), { once: true });
  store.addEventListener("flush", () => heard.push("signal"), { signal: controller.signal });
  for (let round = 0; round < 2; round++) {
    await store.put("a", round);
    await store.flush();
    await turn();
    store.removeEventListener("flush", removed);
    controller.abort();
  }
  assert.deepEqual(heard, ["removed", "once", "signal"]);
  const refused = (act: () => void): void => assert.throws(act, TypeError);
  refused(() => store.addEventListener("write" as never, () => {}));
  refused(() => store.addEventListener("flush", 5 as never));
  refused(() => store.removeEventListener(5 as never, () => {}));
});

test("A stream writes all that it gets, in batches, and in order", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const entries: [string, Value][] = Array.from({ length: 500 }, (_, i) => [
    `k${String(i).padStart(3, "0")}`,
    { i, text: "x".repeat(50) },
  ]);
  const source = new ReadableStream<[string, Value]>({
    start(controller) {
      for (const entry of entries) controller.enqueue(entry);
      controller.enqueue(["k000", "the last one"]);
      controller.close();
    },
  });
  await source.pipeTo(store.writable({ batchBytes: 1000 }));
  entries[0]![1] = "the last one";
  assert.deepEqual(await store.entries().toArray(), entries);
});

test("A stream that is aborted has written whole batches, and a bad chunk ends it", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const writer = store.writable({ batchBytes: 100 }).getWriter();
  for (let i = 0; i < 10; i++) await writer.write([`a${i}`, "x".repeat(60)]);
  const written = await store.count();
  assert.ok(written > 0 && written <= 10 && written % 2 === 0, String(written));
  await writer.write(["lost", 1]);
  await writer.abort(new Error("enough"));
  assert.equal(await store.has("lost"), false);
  assert.equal(await store.count(), written);
  for (const chunk of [5, ["a"], ["a", 1, 2], ["a", undefined], [5, 1]]) {
    const failing = store.writable().getWriter();
    failing.closed.catch(() => {});
    await assert.rejects(failing.write(chunk as never), TypeError);
    await assert.rejects(failing.write(["b", 1]), TypeError);
  }
  assert.equal(await store.has("b"), false);
  assert.throws(() => store.writable({ batchBytes: 0 }), RangeError);
  assert.throws(() => store.writable({ bytes: 1 } as never), TypeError);
  assert.throws(() => store.writable(5 as never), TypeError);
});
