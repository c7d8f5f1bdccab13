/**
 * The history of the shell: a file of the person, with mode 0600, because values may be secrets. A
 * line that begins with a space is not kept. Shells that run at the same time all add to it.
 */

import { appendFileSync, chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";

/** Entries that a shell offers. The file is cut to these when it has twice as many. */
export const KEPT_ENTRIES = 1000;

/** Where the history is: TINYKVS_HISTORY, or a file of the home directory. */
export function historyFile(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = environment["TINYKVS_HISTORY"];
  if (named !== undefined) return named === "" ? undefined : named;
  return path.join(homedir(), ".tinykvs_history");
}

/** The history. If its file cannot be used, it lasts as long as the shell. */
export class History {
  readonly #file: string | undefined;
  /** The entries, oldest first. */
  readonly entries: string[];

  constructor(file: string | undefined) {
    this.#file = file;
    this.entries = this.#read();
  }

  /** Adds an entry. */
  add(entry: string): void {
    // One line an entry; the line feeds of a paste say nothing.
    const line = entry.replaceAll(/\s*\n\s*/g, " ").trimEnd();
    if (line === "" || line.startsWith(" ") || line === this.entries.at(-1)) {
      return;
    }
    this.entries.push(line);
    this.#try((file) => appendFileSync(file, `${line}\n`, { mode: 0o600 }));
  }

  #read(): string[] {
    let lines: string[] = [];
    this.#try((file) => {
      // Its mode may be that of another program, or of an older version.
      chmodSync(file, 0o600);
      lines = readFileSync(file, "utf8").split("\n").filter((line) => line !== "");
      if (lines.length <= 2 * KEPT_ENTRIES) return;
      lines = lines.slice(-KEPT_ENTRIES);
      writeFileSync(`${file}.new`, `${lines.join("\n")}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    });
    return lines.slice(-KEPT_ENTRIES);
  }

  #try(action: (file: string) => void): void {
    if (this.#file === undefined) return;
    try {
      action(this.#file);
    } catch {
      // There is no file yet, or no right to write it: a shell is useful without.
    }
  }
}
