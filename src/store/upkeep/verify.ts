/**
 * `store.verify`: checks every byte of the tables, logs and manifest of an open store, while others
 * read from it and write to it.
 *
 * A lease fixes the set of tables: none of them is removed during the check, and later tables are
 * not checked. Of a log that is being written, the check covers the bytes that are there when it
 * reads. A log that is removed during the check was flushed. The check reads the manifest in one
 * synchronous step, during which the store cannot replace it.
 */

import { checkSignal, throwIfAborted } from "../../contract/abort_signal.ts";
import { corruptionFrom } from "../../errors.ts";
import { AT_ENTRY } from "../../iterator/entry_cursor.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import { ownFields } from "../../options.ts";
import { ENTRIES_PER_PAUSE } from "../../platform/pacing.ts";
import { RunningTask, runTaskSync, type Task } from "../../platform/task.ts";
import { readWholeFileSync } from "../../platform/transfer.ts";
import type { ValueReader } from "../../sstable/value_reader.ts";
import { CURRENT_NAME, logName, manifestName, parseFileName } from "../../version/file_names.ts";
import { decodeCurrent, decodeManifest, MAX_CURRENT_BYTES } from "../../version/manifest_format.ts";
import { describeValue } from "../../value/value.ts";
import { isInLog, isReference } from "../../value/value_reference.ts";
import { readLog } from "../../wal/log_reader.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import { checkedBytes, checkTable } from "./check_table.ts";
import { Findings, type VerifyOptions, type VerifyReport } from "./verify_report.ts";

/** The longest time for which the check blocks the event loop. */
const SLICE_MS = 1.5;
const MAX_MANIFEST_BYTES = 2 ** 30;
const NAMES: ReadonlySet<string> = new Set(["signal", "onProgress"]);

/** Verifies an open store. `EmbeddedStore.verify` documents it. */
export async function verifyOpenStore(
  state: StoreState,
  options: VerifyOptions | undefined,
): Promise<VerifyReport> {
  const { signal, onProgress } = verifyOptions(options);
  state.requireOpen();
  throwIfAborted(signal);
  const lease = state.lease();
  try {
    const task = verifyTask(state, lease, new Findings(onProgress));
    return await driveVerification(task, state.scheduler, signal, () => lease.requireHeld("store"));
  } finally {
    lease.release();
  }
}

/** As `verifyOpenStore`, synchronously. */
export function verifyOpenStoreSync(
  state: StoreState,
  options: VerifyOptions | undefined,
): VerifyReport {
  const { signal, onProgress } = verifyOptions(options);
  state.requireOpen();
  throwIfAborted(signal);
  const lease = state.lease();
  try {
    return runTaskSync(verifyTask(state, lease, new Findings(onProgress)));
  } finally {
    lease.release();
  }
}

/** Reads the own fields of the options. @throws {TypeError} they are not valid */
export function verifyOptions(options: VerifyOptions = {}): VerifyOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot verify: found ${describeValue(options)}, expected options`);
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) {
      throw new TypeError(`Cannot verify: unknown name "${name}", expected "signal", "onProgress"`);
    }
  }
  const own = ownFields(options);
  checkSignal(own.signal, "Cannot verify");
  const { onProgress } = own;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(
      `Cannot verify: "onProgress" is ${describeValue(onProgress)}, expected a function`,
    );
  }
  return own;
}

/** Runs a task in slices. Stops if `requireGoing` throws or the signal is aborted. */
export async function driveVerification<T>(
  task: Task<T>,
  scheduler: StoreState["scheduler"],
  signal: AbortSignal | undefined,
  requireGoing: () => void,
): Promise<T> {
  const running = new RunningTask(task, () => {});
  for (;;) {
    running.slice(scheduler, SLICE_MS);
    if (running.isWaiting) await running.wake;
    else if (!running.isSettled) await scheduler.yield();
    if (running.isSettled && running.error === undefined) return running.result;
    try {
      requireGoing();
      throwIfAborted(signal);
    } catch (error) {
      running.cancel(error);
      throw error;
    }
    if (running.isSettled) return running.result;
  }
}

function* verifyTask(state: StoreState, lease: Lease, findings: Findings): Task<VerifyReport> {
  const { fileSystem, directory, versions } = state;
  const tables = lease.view.version.tables.flat();
  findings.totalBytes = tables.reduce((sum, table) => sum + checkedBytes(table), 0) +
    state.logs.sizeBytes;
  // A reader shows what it pinned when it was opened. Since then the writer has changed to other
  // logs.
  if (!state.options.readOnly) {
    checkManifest(state, findings);
    yield undefined;
    yield* checkLogs(state, findings);
  }
  const values = versions.values.reader;
  for (const memtable of lease.view.memtables) {
    yield* checkStreamed(memtable, lease.sequence, values, findings);
  }
  for (const table of tables) {
    const check = yield* checkTable(
      fileSystem,
      directory,
      table,
      (file, bytes) => findings.checked(file, bytes),
    );
    findings.problems.push(...check.problems);
    findings.tables++;
    findings.entries += check.entries;
    findings.largeValues += check.largeValues;
  }
  return findings.report();
}

/** Checks the values of a memtable that no log holds: streams that were put to value files. */
export function* checkStreamed(
  memtable: Memtable,
  sequence: number,
  values: ValueReader,
  findings: Findings,
): Task<void> {
  const cursor = memtable.cursor(sequence, false);
  let entries = 0;
  for (let at = cursor.seekToStart(); at === AT_ENTRY; at = cursor.advance()) {
    if (++entries % ENTRIES_PER_PAUSE === 0) yield undefined;
    const { valueBytes, valueStart } = cursor.entry;
    if (!isReference(valueBytes, valueStart) || isInLog(valueBytes, valueStart)) continue;
    const value = values.requestOf(cursor.entry);
    const path = values.pathOf(value);
    try {
      yield* values.check(value);
    } catch (error) {
      findings.note(error, path);
    }
    findings.largeValues++;
    findings.totalBytes += value.length;
    findings.checked(path, value.length);
  }
}

function checkManifest({ fileSystem, directory, versions }: StoreState, findings: Findings): void {
  const path = (name: string): string => fileSystem.joinPath(directory, name);
  let file = path(CURRENT_NAME);
  try {
    const { storeId, manifestNumber } = decodeCurrent(
      readWholeFileSync(fileSystem, file, MAX_CURRENT_BYTES),
    );
    file = path(manifestName(manifestNumber));
    const bytes = readWholeFileSync(fileSystem, file, MAX_MANIFEST_BYTES);
    decodeManifest(bytes, storeId, manifestNumber);
    findings.checked(file, bytes.length);
    if (storeId !== versions.storeId || manifestNumber !== versions.manifestNumber) {
      findings.problems.push({
        file: path(CURRENT_NAME),
        offset: 0,
        message: `Cannot verify "${
          path(CURRENT_NAME)
        }": it names another manifest than the store's`,
      });
    }
  } catch (error) {
    findings.note(corruptionFrom(error, "the manifest", file, 0), file);
  }
}

function* checkLogs(state: StoreState, findings: Findings): Task<void> {
  const { fileSystem, directory, versions } = state;
  const numbers = fileSystem.listSync(directory).map(parseFileName)
    .filter((file) => file?.kind === "log" && file.number >= versions.log.number)
    .map((file) => file!.number);
  for (const number of numbers) {
    const path = fileSystem.joinPath(directory, logName(number));
    // The log may have been flushed and removed since the list was made.
    if (number < versions.log.number || fileSystem.statSync(path) === undefined) continue;
    const handle = fileSystem.openReadSync(path);
    try {
      let entries = 0;
      const reading = readLog(handle, versions.storeId, number, () => void entries++);
      let step = reading.next();
      while (!step.done) {
        yield undefined;
        // The log was flushed, and perhaps removed. A table has its entries.
        if (number < versions.log.number) break;
        step = reading.next();
      }
      if (!step.done) continue;
      findings.logs++;
      findings.entries += entries;
      if (!("version" in step.value)) findings.checked(path, step.value.endOffset);
    } catch (error) {
      findings.note(corruptionFrom(error, "the write-ahead log", path, 0), path);
    } finally {
      handle.closeSync();
    }
  }
}
