/** What an error means for the person and for the exit code. */

import {
  CorruptionError,
  IoError,
  LockedError,
  LockLostError,
  StoreError,
  UnsupportedFormatError,
} from "@tinykvs/core";
import { CommandError, EXIT, type ExitCode } from "./errors.ts";

/** An error in words. */
export interface Failure {
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly message: string;
  /** What the person can do. */
  readonly advice?: string | undefined;
}

/** The first error, if closing a store after it has failed, too. */
export function firstError(error: unknown): unknown {
  let first = error;
  while (
    first instanceof Error && first.name === "SuppressedError" &&
    "suppressed" in first
  ) {
    first = first.suppressed;
  }
  return first;
}

/** Describes an error; undefined for one that nobody expects, which is a bug. */
export function describeFailure(thrown: unknown): Failure | undefined {
  const error = firstError(thrown);
  if (error instanceof CommandError) {
    return {
      exitCode: error.exitCode,
      message: error.message,
      advice: error.advice,
    };
  }
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  // A failure of the background has the reason as its cause.
  const cause = (error as StoreError).code === "BACKGROUND" ? error.cause : undefined;
  if (cause instanceof IoError) return describeFailure(cause);
  if (error instanceof CorruptionError) {
    const advice = "Restore a backup, or see what can be saved: tinykvs STORE repair --dry-run";
    return { exitCode: EXIT.damage, message, advice };
  }
  if (error instanceof LockedError || error instanceof LockLostError) {
    const advice = "Reading works beside a writer. To change the store, close it there first.";
    return { exitCode: EXIT.locked, message, advice };
  }
  if (error instanceof UnsupportedFormatError) {
    return {
      exitCode: EXIT.refused,
      message,
      advice: "Install a newer tinykvs.",
    };
  }
  if (error instanceof IoError) {
    return { exitCode: EXIT.refused, message, advice: ioAdvice(error.osCode) };
  }
  if (error instanceof StoreError) {
    if (error.code === "NOT_A_STORE") return { exitCode: EXIT.usage, message };
    return { exitCode: EXIT.refused, message };
  }
  // The core's word for a wrong argument, and the system's for a file of an import or a dump.
  if (error instanceof TypeError || error instanceof RangeError) {
    return undefined;
  }
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
    return {
      exitCode: EXIT.refused,
      message: systemMessage(error),
      advice: ioAdvice(code),
    };
  }
  return undefined;
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it is not there",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOSPC: "the disk is full",
  EISDIR: "it is a directory",
  ENOTDIR: "it is no directory",
  EEXIST: "it exists already",
  EROFS: "the file system is read-only",
  ENOTEMPTY: "the directory is not empty",
};

function systemMessage(error: NodeJS.ErrnoException): string {
  const reason = SYSTEM_WORDS[error.code!] ?? error.message;
  const verb = error.syscall === "open" ? "open" : "use";
  return error.path === undefined ? error.message : `Cannot ${verb} "${error.path}": ${reason}`;
}

function ioAdvice(code: string | undefined): string | undefined {
  if (code === "ENOSPC") return "Free some space and repeat the command.";
  if (code === "EACCES" || code === "EPERM") {
    return "Who owns the directory? Try as that user.";
  }
  return undefined;
}
