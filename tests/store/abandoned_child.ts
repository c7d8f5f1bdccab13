/**
 * A child of abandoned_test.ts: drops what its argument names (a cursor, an iteration or a
 * snapshot) without closing it, and says how many table files the store has once compaction has
 * replaced all of them: while they are held, and when the garbage has been collected. Runs with the
 * collector exposed.
 */

import process from "node:process";
import { memoryFileSystem, openSync } from "../../mod.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";

const what = process.argv[2];
const runtime = globalThis as { gc?: () => void; Bun?: { gc(full: boolean): void } };
const collect = (): void => runtime.Bun === undefined ? runtime.gc!() : runtime.Bun.gc(true);

const fileSystem = memoryFileSystem();
const store = openSync("/db", { fileSystem, memtableSizeBytes: 4096, compression: "none" });
const tables = (): number =>
  fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")).length;

async function fill(): Promise<void> {
  for (let i = 0; i < 300; i++) store.putSync(`key ${i}`, "x".repeat(100));
  await store.compact();
}

/** In its own function, so that nothing on the stack holds what is dropped. */
async function drop(): Promise<number> {
  if (what === "cursor") store.entries();
  else if (what === "iteration") await store.entries()[Symbol.asyncIterator]().next();
  else await store.snapshot().get("key 1");
  await fill();
  return tables();
}

await fill();
const live = tables();
const held = await drop();
let left = held;
for (let round = 0; round < 200 && left > live; round++) {
  collect();
  await systemScheduler.yield();
  // Something else on the stack and in the registers.
  await fill();
  left = tables();
}
const { levels } = store.stats();
const named = levels.reduce((sum, level) => sum + level.tables, 0);
console.log(
  `${held > live ? "kept" : "not kept"}, then ${left === named ? "gone" : `${left} of ${named}`}`,
);
store.closeSync();
