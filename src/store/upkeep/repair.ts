/**
 * `repair`: copies what can be read of a damaged store into new files and a new manifest. First it
 * makes a plan, which only reads (repair_plan.ts). Then it carries out the plan. So a dry run
 * reports exactly what a repair does.
 *
 * - It writes and syncs new tables under new numbers, then a new manifest, then CURRENT. Until
 *   CURRENT is replaced, all old files are unchanged, and a crash leaves a store that can be
 *   repaired again.
 * - Then it renames damaged files to names that end with `.damaged`, and keeps them. The next open
 *   removes other files that the manifest does not name.
 * - It holds the store's lock during the repair. A second repair finds a sound store and does
 *   nothing.
 */

import { flushJob } from "../../compaction/flush_job.ts";
import { TableOutput } from "../../compaction/table_output.ts";
import { throwIfAborted } from "../../contract/abort_signal.ts";
import { LargeValues } from "../state/large_values.ts";
import { endOfKeys, insertOperation, isRange, noteExpiry } from "../state/operations.ts";
import { AT_ENTRY } from "../../iterator/entry_cursor.ts";
import { Memtable } from "../../memtable/memtable.ts";
import { ownFields } from "../../options.ts";
import type { FileLock, FileSystem } from "../../platform/file_system.ts";
import { systemScheduler } from "../../platform/system_scheduler.ts";
import { runTaskSync, syncDirectoryStep, syncStep, type Task } from "../../platform/task.ts";
import { readFullySync, writeFullySync } from "../../platform/transfer.ts";
import { describeValue } from "../../value/value.ts";
import { fencedFileSystem } from "../../version/fenced_file_system.ts";
import { DAMAGED_SUFFIX, logName, tableName } from "../../version/file_names.ts";
import { isInRange, tableMetadata } from "../../version/table_metadata.ts";
import type { AddedTable } from "../../version/version_edit.ts";
import { emptyVersionState, VersionSet } from "../../version/version_set.ts";
import { salvageLog } from "../../wal/log_salvage.ts";
import type { RecoveryOptions } from "../recovery/recovery.ts";
import { numbersOf, ownNames } from "./base_state.ts";
import { checkResources, valueReaderOf } from "./check_table.ts";
import { planRepair, type RepairPlan, type TablePlan, withValueSizes } from "./repair_plan.ts";
import type { RepairReport } from "./repair_report.ts";
import { salvageTable, streamedValue } from "./salvage_table.ts";
import { driveVerification, verifyOptions } from "./verify.ts";
import type { VerifyOptions } from "./verify_report.ts";
import { recoveryOf } from "./verify_store.ts";

/** Options of `repair`. */
export interface RepairOptions extends VerifyOptions {
  /** Only reports what a repair would do. Writes nothing, not even a lock file. Default false. */
  dryRun?: boolean;
  /** The file system. Default: the runtime's. */
  fileSystem?: FileSystem;
}

const ENTRIES_PER_PAUSE = 32;
const COPY_BYTES = 256 * 1024;

/**
 * Repairs a store that does not open, or in which `verifyStore` finds damage. The repaired store
 * holds everything that can be read. Try `{ dryRun: true }` first, and keep a copy of the
 * directory.
 *
 * A lost file may have held the deletion of a key, or its newest value. The repaired store then
 * shows an older value. `unknown` in the report lists the ranges of keys in which this is possible.
 *
 * @throws {TypeError} the path or an option is not valid
 * @throws {LockedError} the store is open
 * @throws {StoreError} code `NOT_A_STORE`: the directory has no store
 * @throws {UnsupportedFormatError} a newer version wrote it
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, repair } from "@tinykvs/core";
 *
 * const fileSystem = memoryFileSystem();
 * const store = await open("/db", { fileSystem });
 * await store.put("name", "Alice");
 * await store.close();
 * fileSystem.removeSync("/db/CURRENT");
 *
 * const plan = await repair("/db", { fileSystem, dryRun: true });
 * console.log(plan.isSound, plan.unknown.length); // false 0
 * await repair("/db", { fileSystem });
 * await using repaired = await open("/db", { fileSystem });
 * console.log(await repaired.get("name")); // Alice
 * ```
 */
export async function repair(path: string | URL, options?: RepairOptions): Promise<RepairReport> {
  const request = repairRequest(path, options);
  throwIfAborted(request.signal);
  const lock = request.dryRun ? undefined : lockOf(request.recovery);
  try {
    const task = repairTask(request, lock);
    return await driveVerification(task, systemScheduler, request.signal, () => {});
  } finally {
    lock?.releaseSync();
  }
}

/** As {@linkcode repair}, synchronously. */
export function repairSync(path: string | URL, options?: RepairOptions): RepairReport {
  const request = repairRequest(path, options);
  throwIfAborted(request.signal);
  const lock = request.dryRun ? undefined : lockOf(request.recovery);
  try {
    return runTaskSync(repairTask(request, lock));
  } finally {
    lock?.releaseSync();
  }
}

interface RepairRequest extends VerifyOptions {
  readonly dryRun: boolean;
  readonly recovery: RecoveryOptions;
}

function repairRequest(path: string | URL, options: RepairOptions = {}): RepairRequest {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot repair: found ${describeValue(options)}, expected options`);
  }
  const { dryRun = false, fileSystem, ...rest } = ownFields(options);
  if (typeof dryRun !== "boolean") {
    throw new TypeError(
      `Cannot repair: "dryRun" is ${describeValue(dryRun)}, expected true or false`,
    );
  }
  return {
    ...verifyOptions(rest),
    dryRun,
    recovery: recoveryOf(path, "repair the store", fileSystem),
  };
}

function lockOf({ fileSystem, directory }: RecoveryOptions): FileLock {
  return fileSystem.lockSync(directory);
}

function* repairTask(
  { recovery, dryRun, onProgress }: RepairRequest,
  lock: FileLock | undefined,
): Task<RepairReport> {
  try {
    const plan = yield* planRepair(recovery, onProgress);
    if (!plan.isSound && lock !== undefined) {
      const { fileSystem, directory } = recovery;
      yield* carryOut(plan, {
        ...recovery,
        fileSystem: fencedFileSystem(fileSystem, directory, lock),
      });
    }
    const { isSound, files, unknown, salvagedEntries } = plan;
    return { isSound, dryRun, files, unknown, salvagedEntries };
  } finally {
    recovery.resources.handles.close();
  }
}

function* carryOut(plan: RepairPlan, recovery: RecoveryOptions): Task<void> {
  const { fileSystem, directory } = recovery;
  const names = fileSystem.listSync(directory);
  const versions = new VersionSet(
    ...[fileSystem, directory, checkResources(fileSystem), plan.storeId] as const,
    ...[emptyVersionState(), undefined] as const,
  );
  for (const kind of ["manifest", "log", "table", "values"] as const) {
    for (const number of numbersOf(ownNames(names, plan.lastFileNumber), kind)) {
      versions.reserveFileNumber(number);
    }
  }
  versions.reserveFileNumber(plan.lastFileNumber);
  try {
    const added: AddedTable[] = [];
    for (const table of plan.tables) added.push(...yield* makeTable(table, recovery, versions));
    if (plan.logs.length > 0) added.push(...yield* replayLogs(plan, recovery, versions));
    yield syncDirectoryStep(fileSystem, directory);
    yield* versions.apply({
      lastSequence: plan.lastSequence,
      log: plan.log ?? { number: versions.newFileNumber(), live: false },
      removed: [],
      added,
    });
    // Name it a second time while it is live: the first time says that its header was durable.
    if (plan.log?.live && !plan.isLogDurable) {
      yield* versions.apply({ log: plan.log, removed: [], added: [] });
    }
  } finally {
    versions.close();
  }
  for (const name of plan.damaged) {
    const path = fileSystem.joinPath(directory, name);
    if (fileSystem.statSync(path)?.kind !== "file") continue;
    fileSystem.renameSync(path, fileSystem.joinPath(directory, freeName(names, name)));
  }
  yield syncDirectoryStep(fileSystem, directory);
}

/** A new name for a damaged file, which no other file has. */
function freeName(names: readonly string[], name: string): string {
  let free = `${name}${DAMAGED_SUFFIX}`;
  for (let i = 2; names.includes(free); i++) free = `${name}.${i}${DAMAGED_SUFFIX}`;
  return free;
}

function* makeTable(
  { table, level, action }: TablePlan,
  recovery: RecoveryOptions,
  versions: VersionSet,
): Task<AddedTable[]> {
  const { fileSystem, directory, tableOutput } = recovery;
  if (action === "kept") return [{ level, table }];
  if (action === "renumbered") {
    const number = versions.newFileNumber();
    yield* copyTable(fileSystem, directory, tableName(table.number), tableName(number));
    return [{ level, table: tableMetadata({ ...table, number }) }];
  }
  const { entries } = yield* salvageTable(fileSystem, directory, table);
  const { deletedSpans } = table;
  if (entries === undefined && deletedSpans.length === 0) return [];
  const output = new TableOutput(
    { ...tableOutput, fileSystem },
    level,
    () => versions.newFileNumber(),
  );
  let isFinished = false;
  try {
    let count = 0;
    for (let at = entries?.seekToStart(); at === AT_ENTRY; at = entries!.advance()) {
      const { entry } = entries!;
      if (!isInRange(table, entry.keyView, entry.keyStart, entry.keyEnd)) continue;
      output.add(entry);
      if (++count % ENTRIES_PER_PAUSE === 0) yield undefined;
    }
    const tables = yield* output.finish(deletedSpans);
    isFinished = true;
    return tables.map((table) => ({ level, table: withValueSizes(recovery, table) }));
  } finally {
    if (!isFinished) output.abandon();
  }
}

function* copyTable(
  fileSystem: FileSystem,
  directory: string,
  from: string,
  to: string,
): Task<void> {
  const source = fileSystem.openReadSync(fileSystem.joinPath(directory, from));
  try {
    const target = fileSystem.createSync(fileSystem.joinPath(directory, to));
    try {
      const size = source.sizeSync();
      const bytes = new Uint8Array(Math.min(size, COPY_BYTES));
      for (let at = 0; at < size; at += bytes.length) {
        const length = Math.min(bytes.length, size - at);
        readFullySync(source, bytes, 0, length, at);
        writeFullySync(target, bytes, 0, length, at);
        yield undefined;
      }
      yield syncStep(target);
    } finally {
      target.closeSync();
    }
  } finally {
    source.closeSync();
  }
}

/** Writes what can be read of the logs to tables of level 0, in the order of the logs. */
function* replayLogs(
  { logs, storeId, tables }: RepairPlan,
  recovery: RecoveryOptions,
  versions: VersionSet,
): Task<AddedTable[]> {
  const { fileSystem, directory, resources, tableOutput, memtableSizeBytes } = recovery;
  const added: AddedTable[] = [];
  const output = { ...tableOutput, fileSystem };
  let memtable = new Memtable(1, 2 ** 20);
  let sequence = 0;
  const large = new LargeValues(recovery.largeValueBytes);
  const sizes = new Map<number, number>();
  const values = valueReaderOf(fileSystem, directory, resources);
  const newFileNumber = (): number => versions.newFileNumber();
  const flush = function* (): Task<void> {
    const newValueFile = memtable.valueCount > 0 ? newFileNumber : undefined;
    const table = yield* flushJob(memtable, output, newFileNumber, { newValueFile, sizes });
    if (table !== undefined) added.push({ level: 0, table });
    memtable = new Memtable(sequence + 1, 2 ** 20);
  };
  for (const number of logs) {
    const handle = fileSystem.openReadSync(fileSystem.joinPath(directory, logName(number)));
    try {
      const reading = salvageLog(
        handle,
        storeId,
        number,
        (_, bytes, view, start, keyEnd, end, position) => {
          const entry = [bytes, view, start, keyEnd, end] as const;
          const streamed = streamedValue(values, ...entry);
          if (streamed === "lost") return;
          if (streamed !== undefined) {
            sizes.set(streamed.number, streamed.offset + streamed.length);
          }
          sequence++;
          if (isRange(bytes, start)) {
            insertOperation(
              memtable,
              sequence,
              ...entry,
              () => endOfKeys([memtable], [...tables, ...added].map(({ table }) => table)),
            );
          } else {
            noteExpiry(memtable, bytes, view, keyEnd);
            large.insert(memtable, sequence, ...entry, number, position);
          }
        },
      );
      for (let step = reading.next(); !step.done; step = reading.next()) {
        if (memtable.sizeBytes >= memtableSizeBytes) yield* flush();
        yield undefined;
      }
    } finally {
      handle.closeSync();
    }
  }
  yield* flush();
  return added;
}
