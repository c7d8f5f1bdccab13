/**
 * Finds out what the files of a directory say about its store. First choice: CURRENT and the
 * manifest that it names. Second: the best of the other manifests. Third: the levels that damaged
 * manifests still show.
 */

import { CorruptionError, DecodeError, StoreError, UnsupportedFormatError } from "../../errors.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import type { Scheduler } from "../../platform/scheduler.ts";
import { readFullySync, readWholeFileSync } from "../../platform/transfer.ts";
import {
  CURRENT_NAME,
  logName,
  manifestName,
  namesWithinReach,
  type NumberedKind,
  parseFileName,
  tableName,
} from "../../version/file_names.ts";
import { decodeManifest, MANIFEST_HEADER_BYTES } from "../../version/manifest_format.ts";
import type { VersionState } from "../../version/version_state.ts";
import { LOG_HEADER_BYTES } from "../../wal/log_format.ts";
import { storeOfLog } from "../../wal/log_salvage.ts";
import { foreignStoreIn } from "../recovery/foreign_store.ts";
import {
  newStoreId,
  notAStore,
  readCurrent,
  readManifest,
  type RecoveryOptions,
  remainsOfStore,
} from "../recovery/recovery.ts";
import { readTableTail } from "./table_identity.ts";
import { problemOf, type VerifyProblem } from "./verify_report.ts";

const MAX_MANIFEST_BYTES = 2 ** 30;

/** What was found. */
export interface BaseState {
  /** The store's id. A new one if no file has it. */
  readonly storeId: number;
  /** What the manifest says, or undefined if no manifest can be read. */
  readonly state: VersionState | undefined;
  /** The number of that manifest. */
  readonly manifestNumber: number | undefined;
  /** Whether CURRENT names that manifest. */
  readonly isCurrent: boolean;
  /** The damage to CURRENT and to manifests. */
  readonly problems: readonly VerifyProblem[];
  /** The names of manifests that cannot be read. */
  readonly damaged: readonly string[];
  /** The levels of tables in the readable parts of damaged manifests. They may be out of date. */
  readonly levels: ReadonlyMap<number, number>;
}

/**
 * Reads the files.
 *
 * @throws {StoreError} code `NOT_A_STORE`: the directory has no store of this library;
 * {UnsupportedFormatError} a newer version wrote it
 */
export function readBase(options: RecoveryOptions, names: readonly string[]): BaseState {
  requireOurs(options, names);
  const problems: VerifyProblem[] = [];
  const { fileSystem, directory } = options;
  const pathOf = (name: string): string => fileSystem.joinPath(directory, name);
  let storeId: number | undefined;
  const damaged: string[] = [];
  try {
    if (!names.includes(CURRENT_NAME)) {
      const path = pathOf(CURRENT_NAME);
      throw new CorruptionError(`Cannot open "${directory}": "${path}" is missing`, path, 0);
    }
    const current = readCurrent(options);
    storeId = current.storeId;
    const state = readManifest(options, storeId, current.manifestNumber);
    return {
      ...{ storeId, state, manifestNumber: current.manifestNumber, isCurrent: true, problems },
      ...{ damaged, levels: new Map() },
    };
  } catch (error) {
    refuseNewer(error);
    problems.push(problemOf(error, pathOf(CURRENT_NAME)));
  }
  const levels = new Map<number, number>();
  const candidates: { number: number; storeId: number; state: VersionState; missing: number }[] =
    [];
  for (const number of numbersOf(names, "manifest")) {
    // An empty manifest with number 0 marks a checkpoint that was not finished.
    if (number === 0) continue;
    const id = storeOfManifest(fileSystem, pathOf(manifestName(number)));
    try {
      if (id === undefined || (storeId !== undefined && id !== storeId)) continue;
      const state = readManifest(options, id, number);
      const missing = state.version.levels.flat()
        .filter(({ metadata }) => !names.includes(tableName(metadata.number))).length;
      candidates.push({ number, storeId: id, state, missing });
    } catch (error) {
      refuseNewer(error);
      damaged.push(manifestName(number));
      const problem = problemOf(error, pathOf(manifestName(number)));
      if (!problems.some(({ message }) => message === problem.message)) problems.push(problem);
      noteLevels(fileSystem, pathOf(manifestName(number)), id!, number, problem.offset, levels);
    }
  }
  // If CURRENT is lost, a manifest that was still being written may name tables that were never
  // made.
  candidates.sort((a, b) => a.missing - b.missing || b.number - a.number);
  const [best] = candidates;
  return {
    storeId: best?.storeId ?? storeId ?? storeOfLogs(options, names) ??
      newStoreId(options.scheduler as Scheduler),
    state: best?.state,
    manifestNumber: best?.number,
    isCurrent: false,
    problems,
    damaged,
    levels,
  };
}

/**
 * The names that belong to the store: numbered files whose numbers are not too far above the others
 * (file_names.ts). `known` is a number that the store is known to have reached. Without it, the
 * lowest number of a file takes its place.
 */
export function ownNames(names: readonly string[], known: number | undefined): string[] {
  const lowest = names.map((name) => parseFileName(name)?.number ?? Infinity)
    .reduce((least, number) => Math.min(least, number), Infinity);
  return namesWithinReach(names, known ?? (lowest === Infinity ? 1 : lowest));
}

/** The numbers of the files of a kind, ascending. */
export function numbersOf(
  names: readonly string[],
  kind: NumberedKind,
): number[] {
  return names.map(parseFileName).filter((file) => file?.kind === kind)
    .map((file) => file!.number).sort((a, b) => a - b);
}

function requireOurs(
  { fileSystem, directory, foreign }: RecoveryOptions,
  names: readonly string[],
): void {
  if (names.includes(CURRENT_NAME)) return;
  const hasManifest = numbersOf(names, "manifest").some((number) => number > 0);
  if (hasManifest) return;
  if (numbersOf(names, "manifest").length > 0) {
    throw notAStore(directory, "it is a checkpoint that is not finished");
  }
  if (remainsOfStore(names).length === 0) throw notAStore(directory, "no file of a store is in it");
  // Tables alone may belong to another program. They count if one of them has what only tables of
  // this library have.
  const isOurs = !foreign.some(({ logName }) => names.includes(logName)) && names.some((name) => {
    const path = fileSystem.joinPath(directory, name);
    const { sizeBytes = 0 } = fileSystem.statSync(path) ?? {};
    return parseFileName(name)?.kind === "table" &&
      readTableTail(fileSystem, path, sizeBytes)?.checksum !== undefined;
  });
  if (foreignStoreIn(foreign, names) !== undefined && !isOurs) {
    throw notAStore(
      directory,
      "only tables, or files of the Go program, are in it: open it, which takes it over",
    );
  }
}

function refuseNewer(error: unknown): void {
  if (error instanceof UnsupportedFormatError) throw error;
  if (!(error instanceof StoreError)) throw error;
}

function storeOfManifest(fileSystem: FileSystem, path: string): number | undefined {
  const bytes = headOf(fileSystem, path, MANIFEST_HEADER_BYTES);
  return bytes === undefined
    ? undefined
    : new DataView(bytes.buffer, bytes.byteOffset).getUint32(16, true);
}

function storeOfLogs(
  { fileSystem, directory }: RecoveryOptions,
  names: readonly string[],
): number | undefined {
  for (const number of numbersOf(names, "log").reverse()) {
    const path = fileSystem.joinPath(directory, logName(number));
    const bytes = headOf(fileSystem, path, LOG_HEADER_BYTES);
    const found = bytes && storeOfLog(bytes);
    if (found?.logNumber === number) return found.storeId;
  }
  return undefined;
}

function headOf(fileSystem: FileSystem, path: string, length: number): Uint8Array | undefined {
  const handle = fileSystem.openReadSync(path);
  try {
    if (handle.sizeSync() < length) return undefined;
    const bytes = new Uint8Array(length);
    readFullySync(handle, bytes, 0, length, 0);
    return bytes;
  } finally {
    handle.closeSync();
  }
}

/** Notes the levels in the records before the damage. */
function noteLevels(
  fileSystem: FileSystem,
  path: string,
  storeId: number,
  number: number,
  offset: number,
  levels: Map<number, number>,
): void {
  try {
    const bytes = readWholeFileSync(fileSystem, path, MAX_MANIFEST_BYTES).subarray(0, offset);
    for (const { added } of decodeManifest(bytes, storeId, number).edits) {
      for (const { level, table } of added) levels.set(table.number, level);
    }
  } catch (error) {
    // If nothing before the damage can be read, the manifest shows no levels.
    if (!(error instanceof DecodeError)) throw error;
  }
}
