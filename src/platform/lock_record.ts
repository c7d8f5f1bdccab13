/**
 * The record of a held lock: the file `LOCK.holder`, which says who holds the directory.
 *
 *     {"runtime":"node","version":"24.21.0","pid":4711, ... }    at most 4 KiB
 *     line feed, or a space: the mark of a contender
 *
 * The process whose record has that name has the lock. A holder renames a new file to the name
 * before it reads anything of the store, and never does so again. From then on, the same file under
 * the name means that nobody has taken over. The file is only replaced, removed, or changed by
 * marks: a contender that can't tell whether the holder lives sets a mark, and the holder removes
 * it (directory_lock.ts). Nobody changes a file that has lost the name meanwhile.
 *
 * The record has mode 0600, or the mode of the store's options. Everything in it is matched against
 * a pattern before it is used.
 */

import { TextDecoder, TextEncoder } from "./natives.ts";
import { DescriptorHandle, ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { lstat } from "./posix_status.ts";
import { nodeModule } from "./runtime.ts";
import { writeFullySync } from "./transfer.ts";

const fs = nodeModule("node:fs");

/** Name of the record. */
export const RECORD_NAME = "LOCK.holder";

const MAX_BYTES = 4096;
const LINE_FEED = Uint8Array.of(0x0a);
const MARK = Uint8Array.of(0x20);
// Windows has none of these flags.
const SAFE_FLAGS = (fs?.constants.O_NOFOLLOW ?? 0) | (fs?.constants.O_NONBLOCK ?? 0);

/** Who holds a lock. A field that a holder could not find out about itself is "". */
export interface Holder {
  /** "node", "deno" or "bun". */
  readonly runtime: string;
  /** Version of the runtime. */
  readonly version: string;
  /** Process id, in the holder's namespace of processes. */
  readonly pid: number;
  /** A random number: no two records have the same. */
  readonly token: string;
  /** When the lock was taken. */
  readonly since: string;
  /** When the process started, in the system's own ticks. */
  readonly started: string;
  /** The holder's namespace of processes. */
  readonly pidNamespace: string;
  /** Id of the system's run since it was booted. */
  readonly boot: string;
  /** Distinguishes the machine from others. */
  readonly machine: string;
  /**
   * Identity of the locked directory: the record in a copy of the directory does not count for the
   * copy.
   */
  readonly directory: string;
  /** Identity of the `LOCK` file that the holder has a transaction on, or "". */
  readonly lockFile: string;
}

/** The result of `lstat` for a record: equal as long as nobody has touched it. */
export interface RecordStatus {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
}

/** The file under the name of the record. */
export interface FoundRecord {
  /** Its status. */
  readonly status: RecordStatus;
  /** Its text up to the line feed or the mark; "" if it is unreadable. */
  readonly text: string;
  /** Whether a contender has marked it. */
  readonly isMarked: boolean;
  /** The holder that it names, or undefined if it is damaged. */
  readonly holder: Holder | undefined;
}

/** Whether both are of the same file. */
export function isSameRecord(a: RecordStatus, b: RecordStatus): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

/** Whether nobody has touched the file between the two. */
export function isUntouched(a: RecordStatus, b: RecordStatus): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs && a.birthtimeMs === b.birthtimeMs;
}

/** The status of the path, or undefined if nothing is there. */
export function recordStatus(path: string): RecordStatus | undefined {
  return lstat("lock", path);
}

/** The content of a holder's record. */
export function recordText(holder: Holder): string {
  return JSON.stringify(holder);
}

/** Reads the record; undefined if there is no regular file. One that can't be read is damaged. */
export function readRecord(path: string): FoundRecord | undefined {
  const status = lstat("lock", path);
  if (status?.isFile() !== true) return undefined;
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(path, fs.constants.O_RDONLY | SAFE_FLAGS);
    const status = fs.fstatSync(descriptor);
    const [text, isMarked] = content(descriptor);
    return { status, text, isMarked, holder: parse(text) };
  } catch (error) {
    if (osCodeOf(error) === "ENOENT") return undefined;
    return { status, text: "", isMarked: false, holder: undefined };
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/**
 * Writes a record to a new file, and returns its status.
 */
export function writeRecord(
  temporary: string,
  text: string,
  fileMode: number,
): RecordStatus {
  const descriptor = fs.openSync(temporary, "wx", fileMode);
  const handle = new DescriptorHandle(descriptor, temporary);
  try {
    const bytes = new TextEncoder().encode(text + "\n");
    writeFullySync(handle, bytes, 0, bytes.length, 0);
    return fs.fstatSync(descriptor);
  } finally {
    handle.closeSync();
  }
}

/**
 * Sets the mark, or removes it, if the record still has the name. Returns the status after that, or
 * undefined if another file has the name.
 *
 * @throws {IoError} it can't be written to
 */
export function setMark(
  path: string,
  { status, text }: Pick<FoundRecord, "status" | "text">,
  isMarked: boolean,
): RecordStatus | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(path, fs.constants.O_RDWR | SAFE_FLAGS);
    if (!isSameRecord(fs.fstatSync(descriptor), status)) return undefined;
    const { length } = new TextEncoder().encode(text);
    fs.writeSync(descriptor, isMarked ? MARK : LINE_FEED, 0, 1, length);
    return fs.fstatSync(descriptor);
  } catch (error) {
    if (osCodeOf(error) === "ENOENT") return undefined;
    throw ioErrorFrom("lock", path, error);
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Removes a file that may not be there. */
export function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (osCodeOf(error) !== "ENOENT") throw error;
  }
}

/** A holder, for messages. */
export function describeHolder(who: string, holder: Holder | undefined): string {
  if (holder === undefined) return `${who} (unknown)`;
  const { runtime, version, pid, since } = holder;
  return `${who} (${runtime} ${version}, pid ${pid}, since ${since})`;
}

/** The file under the name of the record, for messages. */
export function describeRecord(found: FoundRecord | undefined): string {
  if (found === undefined) return `"${RECORD_NAME}" is missing`;
  return `"${RECORD_NAME}" belongs to ${describeHolder("another handle", found.holder)}`;
}

/** The text, and whether it is marked. */
function content(descriptor: number): [text: string, isMarked: boolean] {
  const bytes = new Uint8Array(MAX_BYTES);
  const count = fs.readSync(descriptor, bytes, 0, MAX_BYTES, 0);
  const [line] = new TextDecoder().decode(bytes.subarray(0, count)).split("\n", 1);
  return line!.endsWith(" ") ? [line!.slice(0, -1), true] : [line!, false];
}

function parse(text: string): Holder | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return isHolder(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** The patterns keep control characters of a hostile file out of messages and terminals. */
function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null) return false;
  const found = value as Record<string, unknown>;
  return matches(found["runtime"], /^[a-z]{1,16}$/) &&
    matches(found["version"], /^[\w.+-]{1,40}$/) &&
    Number.isSafeInteger(found["pid"]) && Number(found["pid"]) > 0 &&
    matches(found["token"], /^[0-9a-f]{1,64}$/) &&
    matches(found["since"], /^[0-9TZ:.-]{1,30}$/) &&
    matches(found["started"], /^\d{0,20}$/) &&
    matches(found["pidNamespace"], /^\d{0,20}$/) &&
    matches(found["boot"], /^[0-9a-f-]{0,40}$/) &&
    matches(found["machine"], /^[0-9a-f]{0,16}$/) &&
    matches(found["directory"], /^[\d:]{0,80}$/) &&
    matches(found["lockFile"], /^[\d:]{0,80}$/);
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}
