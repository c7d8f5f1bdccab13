/**
 * A store to damage and repair, with every value that each key has ever had, and the checks of a
 * repair's result.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type RepairReport, repairSync, verifyStoreSync } from "../../mod.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { Random } from "./random.ts";
import { contentOf, DIRECTORY, openFiles } from "./store_files.ts";

/** The store after a kill. */
export interface RepairVictim {
  readonly fileSystem: CloneableFileSystem;
  /**
   * Every value that a key has ever had. Undefined means no value. The last one is the present
   * value.
   */
  readonly history: ReadonlyMap<string, readonly (string | undefined)[]>;
  /** The names of its files by kind. */
  readonly tables: readonly string[];
  readonly logs: readonly string[];
  readonly manifest: string;
}

const KEYS = 120;

function keyOf(number: number): string {
  return `k${String(number).padStart(3, "0")}`;
}

/** A value and when it expires, as the history has it. */
function textOf(value: string, expiresAt: number | undefined): string {
  return expiresAt === undefined ? value : `${value} until ${expiresAt}`;
}

/** When the values that expire do so: never during a test. */
const FAR_AWAY = 8e15;

/**
 * Makes a store with tables in level 0 and below, deletions in all of them, and a log. With
 * `hasAll` it also has deleted ranges, values that expire, and large values in files of their own.
 */
export async function repairVictim(hasAll = false): Promise<RepairVictim> {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const store = openFiles(fileSystem, {
    ...{ l0CompactionTrigger: 100, backgroundThread: false, memtableSizeBytes: 65536 },
    blockSizeBytes: 512,
    ...(hasAll ? { largeValueBytes: 200 } : {}),
  });
  const random = new Random(17_020);
  const history = new Map<string, (string | undefined)[]>();
  const change = (round: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      const number = random.below(KEYS);
      const key = keyOf(number);
      if (hasAll && random.below(12) === 0) {
        const end = Math.min(KEYS, number + random.below(10));
        store.deleteRangeSync({ gte: key, lt: keyOf(end) });
        for (let n = number; n < end; n++) history.get(keyOf(n))?.push(undefined);
        continue;
      }
      if (hasAll && random.below(4) === 0) {
        const value = `${round}.${i} ${"L".repeat(random.pick([20, 300]))}`;
        const expiresAt = random.below(2) === 0 ? FAR_AWAY : undefined;
        store.putSync(key, value, expiresAt === undefined ? {} : { expiresAt });
        if (!history.has(key)) history.set(key, [undefined]);
        history.get(key)!.push(textOf(value, expiresAt));
        continue;
      }
      const value = random.below(4) === 0 ? undefined : `${round}.${i} ${"v".repeat(20)}`;
      if (value === undefined) store.deleteSync(key);
      else store.putSync(key, value);
      if (!history.has(key)) history.set(key, [undefined]);
      history.get(key)!.push(value);
    }
  };
  change(0, 200);
  await store.compact();
  for (let round = 1; round < 5; round++) {
    change(round, 50);
    await store.flush();
  }
  change(5, 40);
  const files = fileSystem.clone();
  const { levels: [newest], values } = store.stats();
  const held = [newest!.deletedRanges, newest!.expiring, values.files];
  for (const count of held) assert.equal(count > 1, hasAll, `the tables hold ${held.join()}`);
  await store.close();
  const names = files.listSync(DIRECTORY);
  const tables = names.filter((name) => name.endsWith(".sst"));
  assert.ok(tables.length >= 5, names.join());
  return {
    fileSystem: files,
    history,
    tables,
    logs: names.filter((name) => /\.(?:wal|val)$/.test(name)),
    manifest: names.find((name) => name.startsWith("MANIFEST"))!,
  };
}

/** The result of a repair. */
export interface Repaired {
  readonly report: RepairReport;
  /** The keys that do not have their last value. */
  readonly wrong: readonly string[];
}

/**
 * Repairs damaged files after a dry run, and requires what holds for every repair. The dry run
 * writes nothing and reports the same. The repaired store opens, is sound, and holds only values
 * that were once written. If anything differs from before, the report says so. A second repair
 * changes nothing, before and after an open. `wasSaid`: an earlier repair may have reported what is
 * lost.
 */
export function checkRepair(
  damaged: CloneableFileSystem,
  victim: RepairVictim,
  wasSaid = false,
): Repaired {
  const files = damaged.clone();
  const plan = repairSync(DIRECTORY, { fileSystem: files, dryRun: true });
  requireSame(damaged, files, "the dry run");
  const report = repairSync(DIRECTORY, { fileSystem: files });
  assert.deepEqual({ ...plan, dryRun: false }, report);
  if (report.isSound) requireSame(damaged, files, "the repair of a sound store");
  requireUnchanged(files, "at once");
  const content = new Map(Object.entries(contentAfterOpen(files)));
  requireUnchanged(files, "after an open");
  assert.equal(files.openHandles, 0, "handles are left open");
  const wrong: string[] = [];
  for (const [key, values] of victim.history) {
    const found = content.get(key) as string | undefined;
    assert.ok(values.includes(found), `"${key}" is ${found}, which it never was`);
    if (found !== values.at(-1)) wrong.push(key);
    content.delete(key);
  }
  assert.deepEqual([...content.keys()], [], "keys that never were");
  const isSaid = report.unknown.length > 0 || report.isSound || wasSaid;
  assert.ok(wrong.length === 0 || isSaid, `${wrong.join()} have old values, and nothing is said`);
  return { report, wrong };
}

function contentAfterOpen(files: CloneableFileSystem): Record<string, unknown> {
  const store = openFiles(files, { backgroundThread: false });
  const content = Object.keys(contentOf(store)).map((key): [string, string] => {
    const { value, expiresAt } = store.getEntrySync(key)!;
    return [key, textOf(String(value), expiresAt)];
  });
  store.closeSync();
  return Object.fromEntries(content);
}

function requireUnchanged(files: CloneableFileSystem, when: string): void {
  const verified = verifyStoreSync(DIRECTORY, { fileSystem: files });
  assert.deepEqual(verified.problems, [], `what verifyStore finds ${when}`);
  const before = files.clone();
  const again = repairSync(DIRECTORY, { fileSystem: files });
  assert.equal(again.isSound, true, `a second repair ${when}: ${JSON.stringify(again)}`);
  assert.deepEqual(again.unknown, []);
  requireSame(before, files, `a second repair ${when}`);
}

/** Requires that only the lock's files differ. */
export function requireSame(
  before: CloneableFileSystem,
  after: CloneableFileSystem,
  what: string,
): void {
  const names = (files: CloneableFileSystem): string[] =>
    files.listSync(DIRECTORY).filter((name) => !name.startsWith("LOCK"));
  assert.deepEqual(names(after), names(before), `${what} has changed the names`);
  for (const name of names(before)) {
    const path = `${DIRECTORY}/${name}`;
    const isSame = Buffer.compare(before.content(path), after.content(path)) === 0;
    assert.ok(isSame, `${what} has changed "${name}"`);
  }
}
