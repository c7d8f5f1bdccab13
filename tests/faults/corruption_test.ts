/**
 * Damages whole stores, one byte, one length or one file at a time, and reads everything back.
 *
 * Allowed: the right value, or a typed error; and where the damage lies in the active log of a store
 * that was not closed, a shorter history: any for a log that was cut off (nothing in it proves what
 * is missing), all but the last record for a log of the right length (docs/DURABILITY.md). Forbidden:
 * a wrong value, a missing key or a short scan without an error, any other exception, more than a
 * bounded number of file operations, and a failing open or compaction that changes files.
 *
 * `TINYKVS_TEST_SCALE` multiplies the number of mutants; each test prints how many there were.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { CorruptionError, StoreError } from "../../src/errors.ts";
import type { Store } from "../../src/store/store.ts";
import { parseFileName } from "../../src/version/file_names.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { Random } from "../support/random.ts";
import { DIRECTORY, makeLog, makeStoreFiles, openFiles } from "../support/store_files.ts";
import type { TestEntry } from "../support/store_tables.ts";

const SCALE = Math.max(1, Number(process.env["TINYKVS_TEST_SCALE"] ?? 1));
const SEED = 20260830;
const MAX_OPERATIONS = 5000;
const COMPACT_ONE_IN = 10;

type Content = ReadonlyMap<string, string>;

/** A store to damage. */
interface Victim {
  readonly name: string;
  readonly fileSystem: CloneableFileSystem;
  /** Every key that was ever used, and some that were not. */
  readonly keys: readonly string[];
  /** What it holds, and before that what it held after each record of its active log, newest first. */
  readonly history: readonly Content[];
  /** The log that a crash left open, or undefined. */
  readonly activeLog: string | undefined;
}

/** Applies entries to a content. */
function applied(content: Content, entries: readonly TestEntry[]): Content {
  const result = new Map(content);
  for (const [key, value] of entries) {
    if (value === undefined) result.delete(key);
    else result.set(key, value);
  }
  return result;
}

function victimOf(
  name: string,
  fileSystem: CloneableFileSystem,
  batches: readonly (readonly TestEntry[])[],
  activeLog?: { readonly name: string; readonly records: number },
): Victim {
  const states: Content[] = [new Map()];
  for (const batch of batches) states.push(applied(states.at(-1)!, batch));
  const keys = [...new Set(batches.flat().map(([key]) => key)), "", "k", "k05x", "zzz"].sort();
  return {
    name,
    fileSystem,
    keys,
    history: states.reverse().slice(0, 1 + (activeLog?.records ?? 0)),
    activeLog: activeLog?.name,
  };
}

function key(index: number): string {
  return `k${String(index).padStart(2, "0")}`;
}

/** A store that was killed before its first flush. */
function logOnly(salt: string): Victim {
  const batches: TestEntry[][] = [
    [["k01", `one${salt}`]],
    [["k02", "two"], ["k03", "three"], ["k01", undefined]],
    [["k04", "four".repeat(10)]],
    [["k02", undefined]],
    [["k05", `five${salt}`]],
  ];
  const { fileSystem } = openAndKill((store) => {
    for (const batch of batches) {
      store.writeSync(
        batch.map(([key, value]) =>
          value === undefined ? { type: "delete", key } : { type: "put", key, value }
        ),
      );
    }
  });
  const log = fileSystem.listSync(DIRECTORY).find((file) => file.endsWith(".wal"))!;
  return victimOf("log only", fileSystem, batches, { name: log, records: batches.length });
}

function openAndKill(write: (store: Store) => void): { fileSystem: CloneableFileSystem } {
  const fileSystem = makeStoreFiles();
  const store = openFiles(fileSystem);
  write(store);
  const crashed = fileSystem.clone();
  store.closeSync();
  return { fileSystem: crashed };
}

/** The entries of the tables below, oldest first. */
function tableBatches(salt: string): TestEntry[][] {
  const range = (from: number, to: number, step: number, tag: string): TestEntry[] => {
    const entries: TestEntry[] = [];
    for (let index = from; index < to; index += step) entries.push([key(index), `${tag}${salt}`]);
    return entries;
  };
  return [
    range(0, 14, 1, "level two, lower"),
    range(14, 26, 1, "level two, upper"),
    [[key(1), "level one"], [key(2), undefined], [key(3), undefined], [key(15), "level one"]],
    [[key(2), "again"], [key(4), undefined], [key(20), `zero${salt}`]],
    [[key(2), undefined], [key(5), "zero"], [key(30), "only here"]],
  ];
}

/** A store with tables in three levels, closed in good order. */
function tablesOnly(salt: string, table: Parameters<typeof makeStoreFiles>[0]): Victim {
  const batches = tableBatches(salt);
  const levels = [2, 2, 1, 0, 0];
  const fileSystem = makeStoreFiles({
    ...table,
    tables: batches.map((entries, at) => ({ level: levels[at]!, number: 10 + at, entries })),
    lastSequence: batches.flat().length,
  });
  const how = table?.table === undefined ? "tables" : "compressed tables with filters";
  return victimOf(how, fileSystem, batches);
}

/** A store with tables and two logs, of which a crash left the newer one open. */
function afterCrash(salt: string): Victim {
  const tables = tableBatches(salt).slice(3);
  const older: TestEntry[][] = [[["k01", `log${salt}`]], [["k05", undefined], ["k06", "log"]]];
  const newer: TestEntry[][] = [
    [["k01", undefined]],
    [["k07", `newer log${salt}`], ["k02", "newer log"]],
    [["k20", undefined]],
    [["k08", "last"]],
  ];
  const fileSystem = makeStoreFiles({
    tables: tables.map((entries, at) => ({ level: 1 - at, number: 10 + at, entries })),
    lastSequence: 6,
    log: { number: 20, live: true },
  });
  const synced = (entries: TestEntry[]) => ({ entries, synced: true });
  makeLog(fileSystem, 20, 7, older.map(synced), { end: true, headerSynced: true });
  makeLog(fileSystem, 21, 10, newer.map(synced), { headerSynced: true });
  return victimOf("after a crash", fileSystem, [...tables, ...older, ...newer], {
    name: "000021.wal",
    records: newer.length,
  });
}

/** A store that a program filled, compacted and closed. */
async function wellClosed(salt: string): Promise<Victim> {
  const batches: TestEntry[][] = [
    Array.from({ length: 12 }, (_, index) => [key(index), `first${salt}`]),
    [[key(3), undefined], [key(4), "second"]],
    Array.from({ length: 6 }, (_, index) => [key(index * 2), `third${salt}`]),
    [[key(0), undefined], [key(11), "fourth"]],
  ];
  const fileSystem = makeStoreFiles();
  const store = openFiles(fileSystem, { compression: "snappy", l0CompactionTrigger: 1000 });
  for (const [at, batch] of batches.entries()) {
    for (const [name, value] of batch) {
      if (value === undefined) store.deleteSync(name);
      else store.putSync(name, value);
    }
    await store.flush();
    if (at === 1) await store.compact();
  }
  await store.close();
  return victimOf("closed in good order", fileSystem, batches);
}

/** A damaged copy of a victim, and what it may hold, newest first. */
interface Mutant {
  readonly what: string;
  readonly fileSystem: CloneableFileSystem;
  readonly allowed: readonly Content[];
}

function pathOf(name: string): string {
  return `${DIRECTORY}/${name}`;
}

/** Every mutant of a victim; `other` is a store of the same shape with different content. */
function* mutantsOf(victim: Victim, other: Victim, random: Random): Generator<Mutant> {
  const { fileSystem, history, activeLog } = victim;
  const names = fileSystem.listSync(DIRECTORY).sort();
  const full = history.slice(0, 1);
  const make = (
    what: string,
    allowed: readonly Content[],
    change: (copy: CloneableFileSystem) => void,
  ): Mutant => {
    const copy = fileSystem.clone();
    change(copy);
    return { what: `${victim.name}: ${what}`, fileSystem: copy, allowed };
  };
  for (const name of names) {
    const path = pathOf(name);
    const content = fileSystem.content(path);
    // A log of the right length may have lost its last record, a log that was cut off any number.
    const inPlace = name === activeLog ? history.slice(0, 2) : full;
    const shortened = name === activeLog ? history : full;
    for (let length = 0; length < content.length; length++) {
      const cut = content.subarray(0, length);
      yield make(`${name} cut to ${length}`, shortened, (copy) => copy.setContent(path, cut));
    }
    for (let at = 0; at < content.length; at++) {
      const masks = [content[at]! ^ (1 << random.below(8)), 0x00, 0xff];
      for (let extra = 3; extra < 4 * SCALE - 1; extra++) masks.push(random.below(256));
      for (const byte of masks) {
        if (byte === content[at]) continue;
        const damaged = content.slice();
        damaged[at] = byte;
        yield make(
          `${name} with byte ${at} set to ${byte}`,
          inPlace,
          (copy) => copy.setContent(path, damaged),
        );
      }
    }
    for (let start = 0; start < content.length; start += 512) {
      for (const fill of [0x00, 0xff, 0xa5]) {
        const damaged = content.slice().fill(fill, start, start + 512);
        // Where a whole sector is gone, so may be what proved that it was durable.
        yield make(
          `${name} with sector ${start} filled with ${fill}`,
          shortened,
          (copy) => copy.setContent(path, damaged),
        );
      }
    }
    for (const byte of [0x00, 0x0a, 0xff]) {
      const longer = Uint8Array.of(...content, byte);
      yield make(
        `${name} with byte ${byte} appended`,
        full,
        (copy) => copy.setContent(path, longer),
      );
    }
    yield make(`without ${name}`, shortened, (copy) => copy.removeSync(path));
    const stranger = other.fileSystem.content(path);
    if (!isIndistinguishable(name)) {
      yield make(`${name} of another store`, full, (copy) => copy.setContent(path, stranger));
    }
    for (const twin of names) {
      const isSameKind = parseFileName(name)?.kind === parseFileName(twin)?.kind;
      if (twin <= name || !isSameKind || parseFileName(name) === undefined) continue;
      const twinContent = fileSystem.content(pathOf(twin));
      yield make(`${name} and ${twin} swapped`, full, (copy) => {
        copy.setContent(path, twinContent);
        copy.setContent(pathOf(twin), content);
      });
      yield make(
        `${name} in the place of ${twin}`,
        full,
        (copy) => copy.setContent(pathOf(twin), content),
      );
    }
    if (name === activeLog) {
      const next = `${String(parseFileName(name)!.number + 1).padStart(6, "0")}.wal`;
      yield make(
        `${name} a second time as ${next}`,
        full,
        (copy) => copy.setContent(pathOf(next), content),
      );
    }
  }
}

/**
 * Whether nothing in a file says that it is of another store. Logs carry no identity of their store:
 * one with the same number that continues the same sequence passes.
 */
function isIndistinguishable(name: string): boolean {
  return parseFileName(name)?.kind === "log";
}

/** What became of mutants. */
interface Tally {
  mutants: number;
  refused: number;
  failed: number;
  shorter: number;
  compacted: number;
}

/** Whatever happens may only be an error of the store's own, with a place if it is about damage. */
function requireTyped(error: unknown, what: string): void {
  if (!(error instanceof StoreError)) throw new Error(`${what}: ${error}`, { cause: error });
  if (!(error instanceof CorruptionError)) return;
  assert.ok(error.file.startsWith(DIRECTORY), `${what}: file ${error.file}`);
  assert.ok(Number.isSafeInteger(error.offset) && error.offset >= 0, `${what}: ${error.offset}`);
}

/** Reads everything; returns which of the allowed contents it can be, and whether an error came up. */
function readAll(
  store: Store,
  { keys }: Victim,
  mutant: Mutant,
): { allowed: readonly Content[]; errors: number } {
  let allowed = mutant.allowed;
  let errors = 0;
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      requireTyped(error, mutant.what);
      errors++;
    }
  };
  const narrow = (what: string, holds: (content: Content) => boolean): void => {
    allowed = allowed.filter(holds);
    assert.ok(allowed.length > 0, `${mutant.what}: ${what}`);
  };
  for (const name of keys) {
    attempt(() => {
      const value = store.getSync(name);
      narrow(`"${name}" is ${JSON.stringify(value)}`, (content) => content.get(name) === value);
    });
  }
  for (const reverse of [false, true]) {
    const seen: [string, string][] = [];
    let isWhole = false;
    attempt(() => {
      for (const [name, value] of store.entries({ reverse }) as Iterable<[string, string]>) {
        seen.push([name, value]);
      }
      isWhole = true;
    });
    narrow(`a scan shows ${JSON.stringify(seen)}`, (content) => {
      const names = [...content.keys()].sort();
      if (reverse) names.reverse();
      return (isWhole ? seen.length === names.length : seen.length <= names.length) &&
        seen.every(([name, value], at) => name === names[at] && value === content.get(name));
    });
  }
  return { allowed, errors };
}

function tablesIn(fileSystem: CloneableFileSystem): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fileSystem.dump(DIRECTORY)).filter(([name]) => name.endsWith(".sst")),
  );
}

function limitOperations(fileSystem: CloneableFileSystem, what: string): void {
  let operations = 0;
  fileSystem.before = () => {
    if (++operations > MAX_OPERATIONS) throw new Error(`${what}: too many file operations`);
  };
}

/** Opens a mutant, or checks that the failing open has changed nothing. */
function openMutant({ fileSystem, what }: Mutant, tally: Tally): Store | undefined {
  const before = fileSystem.dump(DIRECTORY);
  limitOperations(fileSystem, what);
  try {
    return openFiles(fileSystem, { l0CompactionTrigger: 1000 });
  } catch (error) {
    requireTyped(error, what);
    assert.deepEqual(fileSystem.dump(DIRECTORY), before, `${what}: the failing open changed files`);
    assert.equal(fileSystem.openHandles, 0, `${what}: the failing open left handles open`);
    tally.refused++;
    return undefined;
  }
}

/** Reads a mutant and checks what comes out. */
function examine(victim: Victim, mutant: Mutant, tally: Tally): void {
  const before = tablesIn(mutant.fileSystem);
  const store = openMutant(mutant, tally);
  if (store === undefined) return;
  const { allowed, errors } = readAll(store, victim, mutant);
  if (errors > 0) tally.failed++;
  if (!allowed.includes(mutant.allowed[0]!)) tally.shorter++;
  store.closeSync();
  assert.equal(mutant.fileSystem.openHandles, 0, `${mutant.what}: handles are left open`);
  if (errors === 0) return;
  const after = tablesIn(mutant.fileSystem);
  for (const [name, digest] of Object.entries(before)) {
    assert.equal(after[name], digest, `${mutant.what}: ${name} has changed`);
  }
}

/** Compacts a mutant: it succeeds with the right content, or fails and keeps its inputs. */
async function examineCompaction(victim: Victim, mutant: Mutant, tally: Tally): Promise<void> {
  const { fileSystem, what } = mutant;
  const store = openMutant(mutant, tally);
  if (store === undefined) return;
  tally.compacted++;
  const before = tablesIn(fileSystem);
  try {
    await store.compact();
    const { errors } = readAll(store, victim, mutant);
    assert.ok(errors === 0 || what.includes(".sst"), `${what}: compacted, and yet an error`);
    await store.close();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    requireTyped(error, what);
    const after = tablesIn(fileSystem);
    for (const [name, digest] of Object.entries(before)) {
      assert.equal(after[name], digest, `${what}: the failed compaction changed ${name}`);
    }
    readAll(store, victim, mutant);
    await store.close().catch((closing: unknown) => requireTyped(closing, what));
  }
  assert.equal(fileSystem.openHandles, 0, `${what}: handles are left open`);
  const again = openMutant(mutant, tally);
  if (again === undefined) return;
  readAll(again, victim, mutant);
  again.closeSync();
}

async function sweep(victim: Victim, other: Victim): Promise<void> {
  const tally: Tally = { mutants: 0, refused: 0, failed: 0, shorter: 0, compacted: 0 };
  for (const mutant of mutantsOf(victim, other, new Random(SEED))) {
    tally.mutants++;
    const pristine = { ...mutant, fileSystem: mutant.fileSystem.clone() };
    try {
      examine(victim, mutant, tally);
      if (tally.mutants % COMPACT_ONE_IN === 0) await examineCompaction(victim, pristine, tally);
    } catch (error) {
      throw new Error(
        `seed ${SEED}, mutant ${tally.mutants}: ${error instanceof Error ? error.message : error}` +
          `; repeat with TINYKVS_TEST_SCALE=${SCALE} node --test tests/faults/corruption_test.ts`,
        { cause: error },
      );
    }
  }
  const sizes = Object.values(victim.fileSystem.dump(DIRECTORY)).map((digest) => parseInt(digest));
  console.log(
    `corruption, ${victim.name} (${sizes.reduce((sum, size) => sum + size, 0)} bytes): ` +
      `${tally.mutants} mutants, ${tally.refused} refused at open, ${tally.failed} failed reads, ` +
      `${tally.shorter} shorter histories, ${tally.compacted} compacted`,
  );
  assert.ok(tally.mutants > 1000 * SCALE, `only ${tally.mutants} mutants`);
  assert.ok(tally.refused > tally.mutants / 50, `only ${tally.refused} were refused`);
}

test("A damaged store that has only a log gives right values or typed errors", async () => {
  await sweep(logOnly(""), logOnly("?"));
});

test("A damaged store with tables in three levels gives right values or typed errors", async () => {
  await sweep(tablesOnly("", {}), tablesOnly("?", {}));
});

test("A damaged store with filters and compressed blocks gives right values or typed errors", async () => {
  const table = { compression: "zstd", filter: true, blockSizeBytes: 512 } as const;
  await sweep(tablesOnly("", { table }), tablesOnly("?", { table }));
});

test("A damaged store that crashed with two logs gives right values or typed errors", async () => {
  await sweep(afterCrash(""), afterCrash("?"));
});

test("A damaged store that was closed in good order gives right values or typed errors", async () => {
  await sweep(await wellClosed(""), await wellClosed("?"));
});
