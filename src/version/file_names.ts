/**
 * The names of a store's files, both ways. A name is rebuilt from its number and never taken from
 * the content of a file, so nothing on disk can point outside the directory.
 *
 *     CURRENT          which manifest is in force
 *     MANIFEST-000007  the history of the set of tables
 *     000012.wal       a write-ahead log
 *     000013.sst       a table
 *     000014.val       a value file: large values that were moved out of logs
 *     LOCK             held while the store is open; LOCK.holder says by whom
 *     *.tmp            an unfinished file, CURRENT.tmp
 *     *.damaged        a file that a repair has put aside, under its name before that
 *     .tinykvs-sync-*  there for a moment, under Node's permission model (platform/restricted_file_system.ts)
 */

import { SYNC_NAME_START } from "../platform/restricted_file_system.ts";
import { IN_LOG, type ValueFileKind } from "../value/value_reference.ts";

/** Name of the file that names the manifest. */
export const CURRENT_NAME = "CURRENT";
/** Name under which a new CURRENT is written before it replaces the old one. */
export const CURRENT_TEMPORARY_NAME = "CURRENT.tmp";
/** Ends the names of files that a repair has put aside. */
export const DAMAGED_SUFFIX = ".damaged";

/** File numbers are below this: Go table numbers have 32 bits. */
export const MAX_FILE_NUMBER = 0xffffffff;

/**
 * How far above the manifest's next number and its other files a file of the store may be. Numbers
 * are handed out in memory and recorded with the next edit, so after a crash there are files with
 * higher ones. But no session takes this many between two edits (the outputs of a compaction of 32
 * TB). A file beyond that comes from elsewhere, whatever its name: it is neither read nor deleted,
 * and must not use up the store's numbers.
 */
export const MAX_FILE_NUMBER_LEAD = 0x100_0000;

/** Whether a name is one of the files of a directory's lock (platform/directory_lock.ts). */
export function isLockName(name: string): boolean {
  return name === "LOCK" || name.startsWith("LOCK.holder");
}

/** Whether a name is one of a file that a repair has put aside. */
export function isDamagedName(name: string): boolean {
  const match = /^(.+?)(?:\.[2-9]\d{0,3})?\.damaged$/.exec(name);
  return match !== null && (match[1] === CURRENT_NAME || parseFileName(match[1]!) !== undefined);
}

/** Whether a name is one that a sync of the directory leaves if it is killed. */
export function isSyncName(name: string): boolean {
  return name.startsWith(SYNC_NAME_START);
}

/** What a numbered file is. */
export type NumberedKind = "manifest" | "log" | "table" | "values";

/** A numbered file of a store. */
export interface NumberedFile {
  /** What it is. */
  readonly kind: NumberedKind;
  /** Its number, which no other file of the store ever had. */
  readonly number: number;
}

/** Name of a table. */
export function tableName(number: number): string {
  return `${padded(number)}.sst`;
}

/** Name of a write-ahead log. */
export function logName(number: number): string {
  return `${padded(number)}.wal`;
}

/** Name of a value file. */
export function valueFileName(number: number): string {
  return `${padded(number)}.val`;
}

/** Name of the file that holds large values. */
export function nameOfValues(kind: ValueFileKind, number: number): string {
  return kind === IN_LOG ? logName(number) : valueFileName(number);
}

/** Name of a manifest. */
export function manifestName(number: number): string {
  return `MANIFEST-${padded(number)}`;
}

const KINDS: Readonly<Record<string, NumberedKind>> = {
  manifest: "manifest",
  wal: "log",
  sst: "table",
  val: "values",
};
const NAMES: Readonly<Record<NumberedKind, (number: number) => string>> = {
  manifest: manifestName,
  log: logName,
  table: tableName,
  values: valueFileName,
};

/** The file that a name means, or undefined for any other name. */
export function parseFileName(name: string): NumberedFile | undefined {
  const match = /^(?:MANIFEST-(\d{6,10})|(\d{6,10})\.(wal|sst|val))$/.exec(name);
  if (match === null) return undefined;
  const number = Number(match[1] ?? match[2]);
  const kind = KINDS[match[3] ?? "manifest"]!;
  if (NAMES[kind](number) !== name || number > MAX_FILE_NUMBER) return undefined;
  return { kind, number };
}

/**
 * The names without numbered files that no session of the store can have made: those more than
 * {@linkcode MAX_FILE_NUMBER_LEAD} above its next number and every other file of it.
 */
export function namesWithinReach(names: readonly string[], nextFileNumber: number): string[] {
  const numbers = names.map((name) => parseFileName(name)?.number ?? 0).sort((a, b) => a - b);
  let next = nextFileNumber;
  for (const number of numbers) {
    if (number < next + MAX_FILE_NUMBER_LEAD) next = Math.max(next, number + 1);
  }
  return names.filter((name) => (parseFileName(name)?.number ?? 0) < next);
}

function padded(number: number): string {
  return String(number).padStart(6, "0");
}
