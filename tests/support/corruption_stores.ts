/**
 * The stores that the corruption sweep damages. Each comes twice, with different content and
 * another id, so that files can be exchanged between two stores of the same shape. Equal arguments
 * make equal bytes on every runtime, so that a number identifies a mutant.
 */

import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import {
  encodeDelete,
  encodeDeleteRange,
  encodePut,
} from "../../src/store/write/operation_encoding.ts";
import { logName } from "../../src/version/file_names.ts";
import type { LogState } from "../../src/version/version_edit.ts";
import { VersionSet } from "../../src/version/version_set.ts";
import { emptyVersionState } from "../../src/version/version_state.ts";
import { NEWEST_LOG_VERSION } from "../../src/wal/log_format.ts";
import { LogWriter } from "../../src/wal/log_writer.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { useScheduler } from "./fault_scheduler.ts";
import { Random } from "./random.ts";
import { DIRECTORY, openFiles } from "./store_files.ts";
import { outputOptions, resourcesOf, type TestEntry, writeTable } from "./store_tables.ts";

/** A time that never comes. */
const NEVER = 8.64e15;

/** Keys and values. */
export type Content = ReadonlyMap<string, string>;

/** A record of a log: where it is, and what it says was durable when it was written. */
export interface RecordPlace {
  readonly start: number;
  readonly end: number;
  readonly durableOffset: number;
}

/** The log that a crash left open. */
export interface ActiveLog {
  readonly name: string;
  readonly records: readonly RecordPlace[];
}

/** A store to damage. */
export interface Victim {
  readonly name: string;
  readonly fileSystem: CloneableFileSystem;
  /** Every key that was ever used, and some that were not. */
  readonly keys: readonly string[];
  /**
   * What it holds without any record of the active log, with one, with two and so on; the last is
   * all.
   */
  readonly states: readonly Content[];
  readonly activeLog: ActiveLog | undefined;
}

/** Which of two stores of the same shape. */
export type Twin = 0 | 1;

type TableForm = NonNullable<Parameters<typeof outputOptions>[2]>;

interface RecordPlan {
  readonly entries: readonly TestEntry[];
  /** The keys of a range that the record deletes before that, from one number to before another. */
  readonly deleted?: readonly [from: number, to: number];
  /** Whether a sync follows. */
  readonly isSynced: boolean;
}

interface LogPlan {
  readonly number: number;
  readonly firstSequence: number;
  readonly records: readonly RecordPlan[];
  readonly isEnded: boolean;
  /** Whether it may have deleted ranges. Then some of its values have a time that never comes. */
  readonly isVersion2?: boolean;
}

/** Makes a store with the given tables and logs, the last of them active unless it is ended. */
function makeVictim(name: string, twin: Twin, plan: {
  readonly tables?: readonly { readonly level: number; readonly entries: readonly TestEntry[] }[];
  readonly form?: TableForm | ((at: number) => TableForm);
  readonly logs?: readonly LogPlan[];
}): Victim {
  const { tables = [], logs = [], form = {} } = plan;
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const storeId = twin === 0 ? 0x13572468 : 0x2468ace0;
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    storeId,
    emptyVersionState(),
    undefined,
  );
  const added = tables.map(({ level, entries }, at) => {
    const number = 10 + at;
    versions.reserveFileNumber(number);
    const options = outputOptions(
      fileSystem,
      DIRECTORY,
      typeof form === "function" ? form(at) : form,
    );
    return { level, table: writeTable(options, number, level, entries) };
  });
  let log: LogState | undefined;
  for (const { number } of logs) {
    versions.reserveFileNumber(number);
    log ??= { number, live: true };
  }
  const lastSequence = tables.reduce((sum, { entries }) => sum + entries.length, 0);
  versions.applySync({ lastSequence, ...(log && { log }), removed: [], added });
  versions.close();

  let active: ActiveLog | undefined;
  for (const log of logs) {
    const records = writeLog(fileSystem, storeId, log);
    if (!log.isEnded) active = { name: logName(log.number), records };
  }
  const batches = [
    ...tables.map(({ entries }) => entries),
    ...logs.flatMap(({ records }) =>
      records.map(({ deleted, entries }) => [...keysOf(deleted), ...entries])
    ),
  ];
  return victimOf(name, fileSystem, batches, active);
}

function victimOf(
  name: string,
  fileSystem: CloneableFileSystem,
  batches: readonly (readonly TestEntry[])[],
  activeLog: ActiveLog | undefined,
): Victim {
  const states: Content[] = [new Map()];
  for (const batch of batches) {
    const content = new Map(states.at(-1)!);
    for (const [key, value] of batch) {
      if (value === undefined) content.delete(key);
      else content.set(key, value);
    }
    states.push(content);
  }
  const keys = [...new Set(batches.flat().map(([key]) => key)), "", "k", "k05x", "zzz"].sort();
  const kept = 1 + (activeLog?.records.length ?? 0);
  return { name, fileSystem, keys, states: states.slice(-kept), activeLog };
}

function writeLog(
  fileSystem: CloneableFileSystem,
  storeId: number,
  { number, firstSequence, records, isEnded, isVersion2 = false }: LogPlan,
): RecordPlace[] {
  const path = fileSystem.joinPath(DIRECTORY, logName(number));
  const version = isVersion2 ? NEWEST_LOG_VERSION : undefined;
  const log = new LogWriter(fileSystem, path, storeId, number, firstSequence, version);
  log.writeOutSync();
  let durableOffset = log.writtenBytes;
  log.markDurable(durableOffset);
  const places: RecordPlace[] = [];
  let sequence = firstSequence;
  for (const { entries, deleted, isSynced } of records) {
    const start = log.writtenBytes;
    log.beginRecord();
    let count = entries.length;
    if (deleted !== undefined) {
      const [from, to] = deleted;
      encodeDeleteRange(log.buffer, { gte: key(from), lt: key(to) });
      count++;
    }
    for (const [name, value] of entries) {
      if (value === undefined) encodeDelete(log.buffer, name);
      else encodePut(log.buffer, name, value, isVersion2 && name.endsWith("7") ? NEVER : undefined);
    }
    log.endRecord(sequence, count);
    sequence += count;
    log.writeOutSync();
    places.push({ start, end: log.writtenBytes, durableOffset });
    if (isSynced) log.markDurable(durableOffset = log.writtenBytes);
  }
  if (isEnded) {
    log.appendEnd(sequence);
    log.writeOutSync();
  }
  log.handle.closeSync();
  return places;
}

/** The keys of a deleted range, as deletions. */
function keysOf(deleted: RecordPlan["deleted"]): TestEntry[] {
  const entries: TestEntry[] = [];
  if (deleted === undefined) return entries;
  for (let index = deleted[0]; index < deleted[1]; index++) entries.push([key(index), undefined]);
  return entries;
}

function key(index: number): string {
  return `k${String(index).padStart(2, "0")}`;
}

/** Text of a length, hardly compressible. */
function text(length: number, random: Random): string {
  let made = "";
  while (made.length < length) made += random.uint32().toString(36);
  return made.slice(0, length);
}

/** Every `step`-th key of a range, with values of a length (undefined deletes). */
function range(
  from: number,
  to: number,
  step: number,
  valueLength: number | undefined,
  random: Random,
): TestEntry[] {
  const entries: TestEntry[] = [];
  for (let index = from; index < to; index += step) {
    entries.push([key(index), valueLength === undefined ? undefined : text(valueLength, random)]);
  }
  return entries;
}

function byKey(entries: TestEntry[]): TestEntry[] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Five tables in three levels, with deletes that hide older values, oldest first. */
function levels(count: number, valueLength: number, twin: Twin) {
  const random = new Random(20260830 + twin);
  const half = count >>> 1;
  const some = (step: number, from: number) =>
    byKey([
      ...range(from, count, step, valueLength, random),
      ...range(from + 1, count, step, undefined, random),
    ]);
  return [
    { level: 2, entries: range(0, half, 1, valueLength, random) },
    { level: 2, entries: range(half, count, 1, valueLength, random) },
    { level: 1, entries: some(7, 1) },
    { level: 0, entries: some(9, 3) },
    { level: 0, entries: [...some(11, 2), [key(count + 3), "only here"] as TestEntry] },
  ];
}

function synced(...batches: TestEntry[][]): RecordPlan[] {
  return batches.map((entries) => ({ entries, isSynced: true }));
}

/**
 * A store of less than 4 KB with everything in it: tables, codecs, filters, an old log and an
 * active one.
 */
export function smallStore(twin: Twin): Victim {
  const random = new Random(11 + twin);
  const tables = levels(10, 18, twin).slice(1).map(({ level, entries }) => ({
    level: Math.max(0, level - 1),
    entries,
  }));
  const first = tables.reduce((sum, { entries }) => sum + entries.length, 1);
  return makeVictim("small", twin, {
    tables,
    form: (at) => ({
      compression: (["snappy", "zstd", "none"] as const)[at % 3]!,
      filter: true,
      blockSizeBytes: 128,
    }),
    logs: [
      {
        number: 20,
        firstSequence: first,
        records: synced([["k01", text(12, random)]], [["k05", undefined], ["k06", "log"]]),
        isEnded: true,
      },
      {
        number: 21,
        firstSequence: first + 3,
        records: synced(
          [["k01", undefined]],
          [["k07", text(12, random)], ["k02", "newer log"]],
          [["k08", "last"]],
        ),
        isEnded: false,
      },
    ],
  });
}

/** A store that was killed before its first flush. */
export function logStore(twin: Twin): Victim {
  const random = new Random(21 + twin);
  const batches = Array.from({ length: 12 }, (_, at) => range(at % 5, 20, 5, 8, random));
  batches[4] = [["k02", undefined], ["k07", undefined]];
  batches[11] = [["k03", text(200, random)]];
  return makeVictim("log", twin, {
    logs: [{ number: 2, firstSequence: 1, records: synced(...batches), isEnded: false }],
  });
}

/** As `logStore`, with a log of version 2: with deleted ranges, and values that expire. */
export function rangeLogStore(twin: Twin): Victim {
  const random = new Random(71 + twin);
  const puts = (from: number, step: number) => range(from, 20, step, 8, random);
  const records: RecordPlan[] = [
    { entries: puts(0, 1), isSynced: true },
    { entries: [], deleted: [3, 9], isSynced: true },
    { entries: puts(2, 5), isSynced: true },
    { entries: [[key(7), "again"], [key(12), undefined]], deleted: [6, 14], isSynced: true },
    { entries: puts(17, 9), deleted: [0, 2], isSynced: true },
  ];
  return makeVictim("log of version 2", twin, {
    logs: [{ number: 2, firstSequence: 1, records, isEnded: false, isVersion2: true }],
  });
}

/** A killed store whose last records were never synced, and say so. */
export function unsyncedStore(twin: Twin): Victim {
  const random = new Random(31 + twin);
  const records = Array.from({ length: 14 }, (_, at) => ({
    entries: range(at % 4, 16, 4, 20, random),
    isSynced: at < 9 && at % 3 === 2,
  }));
  return makeVictim("unsynced", twin, {
    logs: [{ number: 2, firstSequence: 1, records, isEnded: false }],
  });
}

/** A store with tables in three levels, closed in good order, in one codec or all of them. */
export function tableStore(
  codec: "none" | "zstd" | "snappy" | "mixed",
  twin: Twin,
): Victim {
  const codecs = ["zstd", "none", "snappy", "snappy", "zstd"] as const;
  return makeVictim(`${codec} tables`, twin, {
    tables: levels(codec === "mixed" ? 40 : 60, codec === "none" ? 120 : 130, twin),
    form: (at) => ({
      compression: codec === "mixed" ? codecs[at]! : codec,
      filter: codec !== "none",
      blockSizeBytes: 512,
    }),
  });
}

/** A store with tables and two logs, of which a crash left the newer one open. */
export function crashedStore(twin: Twin): Victim {
  const random = new Random(41 + twin);
  const tables = levels(24, 60, twin).slice(2);
  const first = tables.reduce((sum, { entries }) => sum + entries.length, 1);
  const older = [range(0, 24, 3, 40, random), range(1, 24, 6, undefined, random)];
  return makeVictim("crashed", twin, {
    tables,
    form: { filter: true },
    logs: [
      { number: 20, firstSequence: first, records: synced(...older), isEnded: true },
      {
        number: 21,
        firstSequence: first + older.flat().length,
        records: synced(
          range(0, 24, 5, undefined, random),
          range(2, 24, 4, 60, random),
          [["k20", undefined], ["k21", text(300, random)]],
          range(0, 24, 8, 90, random),
        ),
        isEnded: false,
      },
    ],
  });
}

/** A store that a program filled, compacted and closed, in four sessions. */
export async function closedStore(twin: Twin): Promise<Victim> {
  const random = new Random(51 + twin);
  const batches = [
    range(0, 30, 1, 70, random),
    byKey([...range(0, 30, 4, undefined, random), ...range(1, 30, 4, 70, random)]),
    range(0, 30, 2, 70, random),
    byKey([...range(3, 30, 5, undefined, random), ...range(4, 30, 5, 70, random)]),
  ];
  const fileSystem = new CloneableFileSystem();
  const randomHex = (byteCount: number): string => (twin === 0 ? "6b" : "a7").repeat(byteCount);
  const restore = useScheduler({ ...systemScheduler, randomHex });
  try {
    for (const [at, batch] of batches.entries()) {
      const store = openFiles(fileSystem, { compression: "snappy", l0CompactionTrigger: 1000 });
      for (const [name, value] of batch) {
        if (value === undefined) store.deleteSync(name);
        // Some have a time that never comes: then tables and the manifest have those of a table.
        else if (name.endsWith("7")) store.putSync(name, value, { expiresAt: NEVER });
        else store.putSync(name, value);
      }
      if (at === 2) await store.compact();
      store.closeSync();
    }
  } finally {
    restore();
  }
  return victimOf("closed", fileSystem, batches, undefined);
}

/**
 * A store with deleted ranges in several tables of level 0. The keys that a range deletes are
 * deletions here.
 */
export function rangesStore(twin: Twin): Victim {
  const random = new Random(61 + twin);
  const fileSystem = new CloneableFileSystem();
  const randomHex = (byteCount: number): string => (twin === 0 ? "5c" : "b6").repeat(byteCount);
  const restore = useScheduler({ ...systemScheduler, randomHex });
  const batches: TestEntry[][] = [];
  const ranges = [undefined, [4, 9], [12, 30], [0, 3]] as const;
  try {
    for (const [at, deleted] of ranges.entries()) {
      const store = openFiles(fileSystem, {
        compression: "none",
        l0CompactionTrigger: 1000,
      });
      const puts = at === 0 ? range(0, 30, 1, 40, random) : range(at, 30, 9, 40, random);
      for (const [name, value] of puts) store.putSync(name, value!);
      batches.push(puts);
      if (deleted !== undefined) {
        const [from, to] = deleted;
        store.writeSync([
          { type: "deleteRange", range: { gte: key(from), lt: key(to) } },
          { type: "put", key: key(to - 1), value: "again" },
        ]);
        batches.push([...range(from, to, 1, undefined, random), [key(to - 1), "again"]]);
      }
      if (at === 0) store.compactSync();
      store.closeSync();
    }
  } finally {
    restore();
  }
  return victimOf("ranges", fileSystem, batches, undefined);
}
