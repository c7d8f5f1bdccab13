/**
 * `verifyStore`: checks every byte of a store that is not open, and that may not be able to open.
 * It writes nothing and takes no lock.
 */

import { throwIfAborted } from "../../contract/abort_signal.ts";
import { compressorFor } from "../../compression/compressors.ts";
import { goStore } from "../../go/go_store.ts";
import { defaultOptions, leastLargeBytes, ownFields } from "../../options.ts";
import { defaultFileSystem } from "../../platform/default_file_system.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import { requireSupportedRuntime } from "../../platform/runtime.ts";
import { systemScheduler } from "../../platform/system_scheduler.ts";
import { runTaskSync, type Task } from "../../platform/task.ts";
import { tableName } from "../../version/file_names.ts";
import { VersionSet } from "../../version/version_set.ts";
import {
  foreignLogOf,
  missingFile,
  neededLogs,
  notAStore,
  type RecoveryOptions,
} from "../recovery/recovery.ts";
import { Replay } from "../recovery/replay.ts";
import { isDirectory } from "../recovery/store_directory.ts";
import { requirePath } from "../recovery/store_path.ts";
import { type BaseState, readBase } from "./base_state.ts";
import { checkedBytes, checkResources, checkTable } from "./check_table.ts";
import { checkStreamed, driveVerification, verifyOptions } from "./verify.ts";
import { Findings, type VerifyOptions, type VerifyReport } from "./verify_report.ts";

/** Options of `verifyStore`. */
export interface VerifyStoreOptions extends VerifyOptions {
  /** The file system. Default: the runtime's. */
  fileSystem?: FileSystem;
}

/**
 * Checks every byte of a store that is not open: CURRENT, manifest, tables and write-ahead logs.
 * Works even if the store does not open. Writes nothing. The report lists all the damage.
 *
 * Do not use it on a store that is open: the files change while it reads. Use `store.verify()` in
 * that process.
 *
 * @throws {TypeError} the path or an option is not valid
 * @throws {StoreError} code `NOT_A_STORE`: the directory has no store
 * @throws {UnsupportedFormatError} a newer version wrote it
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, verifyStore } from "@tinykvs/core";
 *
 * const fileSystem = memoryFileSystem();
 * const store = await open("/db", { fileSystem });
 * await store.put("name", "Alice");
 * await store.close();
 * console.log((await verifyStore("/db", { fileSystem })).isSound); // true
 * ```
 */
export async function verifyStore(
  path: string | URL,
  options?: VerifyStoreOptions,
): Promise<VerifyReport> {
  const { recovery, signal, onProgress } = verifyRequest(path, options);
  throwIfAborted(signal);
  const task = verifyFiles(recovery, new Findings(onProgress));
  return await driveVerification(task, systemScheduler, signal, () => {});
}

/** As {@linkcode verifyStore}, synchronously. */
export function verifyStoreSync(path: string | URL, options?: VerifyStoreOptions): VerifyReport {
  const { recovery, signal, onProgress } = verifyRequest(path, options);
  throwIfAborted(signal);
  return runTaskSync(verifyFiles(recovery, new Findings(onProgress)));
}

function verifyRequest(
  path: string | URL,
  options: VerifyStoreOptions = {},
): VerifyOptions & { recovery: RecoveryOptions } {
  const { fileSystem, ...rest } = ownFields(Object(options)) as VerifyStoreOptions;
  const own = verifyOptions(typeof options === "object" && options !== null ? rest : options);
  return { ...own, recovery: recoveryOf(path, "verify the store", fileSystem) };
}

/**
 * What recovery needs, for a directory that must exist. Caches keep nothing.
 *
 * @throws {StoreError} code `NOT_A_STORE`: the path does not exist or is not a directory
 */
export function recoveryOf(
  path: string | URL,
  action: string,
  given: FileSystem | undefined,
): RecoveryOptions {
  const checkedPath = requirePath(path, action);
  requireSupportedRuntime();
  const fileSystem = given ?? defaultFileSystem();
  const directory = fileSystem.resolvePath(checkedPath);
  const status = fileSystem.statSync(directory);
  if (status === undefined) throw notAStore(directory, "it does not exist");
  if (!isDirectory(fileSystem, directory, status)) throw notAStore(directory, "it is no directory");
  const { blockSizeBytes, bloomFalsePositiveRate, memtableSizeBytes } = defaultOptions();
  return {
    fileSystem,
    directory,
    resources: checkResources(fileSystem),
    tableOutput: {
      fileSystem,
      directory,
      // Every runtime has this codec, whatever codec the damaged tables have. The next compaction
      // compresses again.
      compressor: compressorFor("snappy", -1),
      blockSizeBytes: blockSizeBytes!,
      bloomFalsePositiveRate: bloomFalsePositiveRate!,
    },
    memtableSizeBytes: memtableSizeBytes!,
    readOnly: true,
    largeValueBytes: leastLargeBytes({}),
    foreign: [goStore],
    scheduler: systemScheduler,
  };
}

function* verifyFiles(recovery: RecoveryOptions, findings: Findings): Task<VerifyReport> {
  const { fileSystem, directory, resources } = recovery;
  try {
    const names = fileSystem.listSync(directory);
    const base = readBase(recovery, names);
    findings.problems.push(...base.problems);
    if (base.state === undefined) return findings.report();
    const tables = base.state.version.tables.flat();
    findings.totalBytes = tables.reduce((sum, table) => sum + checkedBytes(table), 0);
    yield* verifyLogs(recovery, base, names, findings);
    for (const table of tables) {
      if (!names.includes(tableName(table.number))) {
        findings.note(missingFile(recovery, tableName(table.number)), directory);
        continue;
      }
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
  } finally {
    resources.handles.close();
  }
}

/** Replays the logs into memory as an open would, and then drops the result. */
function* verifyLogs(
  recovery: RecoveryOptions,
  { storeId, state, manifestNumber }: BaseState,
  names: readonly string[],
  findings: Findings,
): Task<void> {
  const { fileSystem, directory } = recovery;
  try {
    const numbers = neededLogs(recovery, state!, names);
    findings.logs += numbers.length;
    const versions = new VersionSet(
      ...[fileSystem, directory, checkResources(fileSystem), storeId, state!] as const,
      manifestNumber,
    );
    const replay = new Replay(recovery, versions, state!.lastSequence);
    const foreignLog = foreignLogOf(recovery, state!, names);
    if (foreignLog !== undefined) yield* replay.runForeignLog(foreignLog);
    yield* replay.run(numbers);
    const { memtable, lastSequence } = replay;
    findings.entries += memtable.entryCount;
    yield* checkStreamed(memtable, lastSequence, versions.values.reader, findings);
  } catch (error) {
    findings.note(error, directory);
  }
}
