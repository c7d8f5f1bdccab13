/**
 * A contender of lock_race_test.ts. Lines on standard input:
 *
 *   open <timeoutMs> <startMs> <path>   opens the store at a moment of the system's clock, 0 for now
 *   grab <timeoutMs> <startMs> <path>   the same, and has the system drop the lock again
 *   release <atMs>                      closes it, at a moment
 *   time                                only says what time it is
 *
 * Every line is answered with a line of JSON, with the moment at which the answer was known.
 */

import { readFileSync, writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { type EmbeddedStore, LockedError, open } from "../../mod.ts";

/** What a contender answers. */
export interface LockAnswer {
  /** Whether the line succeeded. */
  readonly ok: boolean;
  /** The system's clock at the end. */
  readonly atMs: number;
  /** The error, if it failed. */
  readonly error?: {
    readonly isLockedError: boolean;
    readonly name: string;
    readonly code: string;
    readonly path: string;
    readonly holder: string;
    readonly message: string;
  };
}

let store: EmbeddedStore | undefined;

/** Waits busily: contenders shall start within microseconds of one another. */
function spinUntil(moment: number): void {
  while (Date.now() < moment);
}

async function obey(words: string[]): Promise<void> {
  if (words[0] === "time") {
    answer({ ok: true, atMs: Date.now() });
    return;
  }
  if (words[0] === "release") {
    spinUntil(Number(words[1]));
    const atMs = Date.now();
    await store!.close();
    store = undefined;
    answer({ ok: true, atMs });
    return;
  }
  const lockTimeoutMs = Number(words[1]);
  spinUntil(Number(words[2]));
  try {
    store = await open(words.slice(3).join(" "), { lockTimeoutMs });
    // A holder that is killed later leaves a log.
    await store.put("holder", process.pid);
    // POSIX: a process that closes any descriptor of a file loses its locks on it.
    if (words[0] === "grab") readFileSync(`${store.path}/LOCK`);
    answer({ ok: true, atMs: Date.now() });
  } catch (error) {
    const { name, code, path, holder, message } = error as LockedError;
    const isLockedError = error instanceof LockedError;
    answer({
      ok: false,
      atMs: Date.now(),
      error: { isLockedError, name, code, path, holder, message },
    });
  }
}

function answer(value: LockAnswer): void {
  writeSync(1, `${JSON.stringify(value)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) await obey(line.split(" "));
