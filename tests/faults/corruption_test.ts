/**
 * Damage to write-ahead logs, case by case: the middle of a log is distinguished from its torn tail
 * (docs/DURABILITY.md), and a log that is not the store's, not in its place or not whole is
 * noticed. The sweeps over every byte are in corruption_small_test.ts, corruption_tables_test.ts
 * and corruption_stores_test.ts, and those with valid checksums in hostile_fields_test.ts.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError } from "../../src/errors.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { pathOf } from "../support/corruption_mutants.ts";
import {
  type Content,
  crashedStore,
  logStore,
  unsyncedStore,
  type Victim,
} from "../support/corruption_stores.ts";
import { reportFigure } from "../support/figures.ts";
import { DIRECTORY, openFiles } from "../support/store_files.ts";

/** A copy of a store with one file changed. */
function changed(
  { fileSystem }: Victim,
  name: string,
  change: (bytes: Uint8Array) => Uint8Array,
): CloneableFileSystem {
  const files = fileSystem.clone();
  files.setContent(pathOf(name), change(files.content(pathOf(name))));
  return files;
}

function requireContent(files: CloneableFileSystem, expected: Content): void {
  const store = openFiles(files);
  assert.deepEqual(new Map(store.entries() as Iterable<[string, string]>), expected);
  store.closeSync();
}

/** Requires that open fails with the damaged file and offset, and changes nothing. */
function requireDamage(files: CloneableFileSystem, name: string, offset?: number): void {
  const before = files.dump(DIRECTORY);
  assert.throws(() => openFiles(files), (error) => {
    assert.ok(error instanceof CorruptionError, String(error));
    assert.equal(error.file, pathOf(name));
    if (offset !== undefined) assert.equal(error.offset, offset);
    return true;
  });
  assert.deepEqual(files.dump(DIRECTORY), before);
}

test("A damaged record before a later one that proves it durable is an error, with its offset", () => {
  const victim = logStore(0);
  const { name, records } = victim.activeLog!;
  for (const { start, end } of records.slice(0, -1)) {
    for (const at of [start, start + 4, start + 8, start + 39, start + 40, end - 1]) {
      requireDamage(
        changed(victim, name, (bytes) => bytes.with(at, bytes[at]! ^ 0x10)),
        name,
        start,
      );
    }
  }
  reportFigure("corrupted stores", (records.length - 1) * 6);
});

test("A damaged last record is a torn tail: it is lost alone", () => {
  const victim = logStore(0);
  const { name, records } = victim.activeLog!;
  const { start, end } = records.at(-1)!;
  for (let at = start; at < end; at++) {
    const files = changed(victim, name, (bytes) => bytes.with(at, bytes[at]! ^ 0x01));
    requireContent(files, victim.states.at(-2)!);
  }
  reportFigure("corrupted stores", end - start);
});

test("A log that is cut off keeps every whole record before the cut", () => {
  const victim = logStore(0);
  const { name, records } = victim.activeLog!;
  const first = records[0]!.start;
  for (let length = first; length < records.at(-1)!.end; length++) {
    const files = changed(victim, name, (bytes) => bytes.slice(0, length));
    const whole = records.filter(({ end }) => end <= length).length;
    requireContent(files, victim.states[whole]!);
  }
  reportFigure("corrupted stores", records.at(-1)!.end - first);
});

test("Damage among records that were never synced ends the log, damage before a sync does not", () => {
  const victim = unsyncedStore(0);
  const { name, records } = victim.activeLog!;
  const provenOffset = Math.max(...records.map(({ durableOffset }) => durableOffset));
  const proof = records.findIndex(({ durableOffset }) => durableOffset === provenOffset);
  for (const [at, { start }] of records.entries()) {
    const files = changed(victim, name, (bytes) => bytes.with(start, bytes[start]! ^ 0xff));
    const isProven = records.some((record) => record.start > start && record.durableOffset > start);
    assert.equal(isProven, at < proof);
    if (isProven) requireDamage(files, name, start);
    else requireContent(files, victim.states[at]!);
  }
  reportFigure("corrupted stores", records.length);
});

test("Zeros and garbage after the last record are a torn tail", () => {
  const victim = logStore(0);
  const { name } = victim.activeLog!;
  for (const fill of [0x00, 0x5a, 0xff]) {
    for (const length of [1, 39, 40, 512, 4096]) {
      const files = changed(victim, name, (bytes) => {
        const longer = new Uint8Array(bytes.length + length).fill(fill);
        longer.set(bytes);
        return longer;
      });
      requireContent(files, victim.states.at(-1)!);
    }
  }
  reportFigure("corrupted stores", 15);
});

test("A log that was ended and is cut off is damage, although nothing in it proves what is missing", () => {
  const victim = crashedStore(0);
  const [older] = victim.fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".wal"))
    .sort();
  const { length } = victim.fileSystem.content(pathOf(older!));
  let cuts = 0;
  // From the end record on everything is there; the next log continues where this one ends.
  for (let kept = 0; kept < length - 40; kept++, cuts++) {
    requireDamage(changed(victim, older!, (bytes) => bytes.slice(0, kept)), older!);
  }
  reportFigure("corrupted stores", cuts);
});

test("A log of another store is refused in the place of each of a store's logs", () => {
  for (const make of [logStore, unsyncedStore, crashedStore]) {
    const victim = make(0);
    const other = make(1);
    for (const name of victim.fileSystem.listSync(DIRECTORY)) {
      if (!name.endsWith(".wal")) continue;
      const stranger = other.fileSystem.content(pathOf(name));
      requireDamage(changed(victim, name, () => stranger), name);
      reportFigure("corrupted stores", 1);
    }
  }
});

test("A copy of the active log is refused under the next number, and an old copy under a lower one", () => {
  const victim = logStore(0);
  const { name } = victim.activeLog!;
  const content = victim.fileSystem.content(pathOf(name));
  for (const copy of ["000003.wal", "000999.wal"]) {
    const files = victim.fileSystem.clone();
    files.setContent(pathOf(copy), content);
    requireDamage(files, copy);
  }
  const files = victim.fileSystem.clone();
  files.setContent(pathOf("000001.wal"), content);
  requireContent(files, victim.states.at(-1)!);
  reportFigure("corrupted stores", 3);
});
