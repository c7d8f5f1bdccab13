/**
 * Puts the lines of a shell together to entries: a command is a line, SQL may take several. So a
 * paste of many statements and commands runs one after the other.
 *
 * SQL ends with a semicolon, before an empty line, or before a line that begins something new.
 */

import { isOpen, isSql, splitStatements } from "../sql/sql_text.ts";
import { OpenWord, splitWords } from "./words.ts";

/** Collects lines. */
export class EntryReader {
  readonly #isCommand: (word: string) => boolean;
  #pending = "";

  /** `isCommand` knows the names of commands. */
  constructor(isCommand: (word: string) => boolean) {
    this.#isCommand = isCommand;
  }

  /** The lines of an entry that has not ended. */
  get pending(): string {
    return this.#pending;
  }

  /** Adds a line; returns the entries that are complete. */
  push(line: string): string[] {
    const before = this.#pending;
    if (before === "") return this.#begin(line);
    const isInside = isSql(before) ? isOpen(before) : hasOpenWord(before);
    if (!isInside && (line.trim() === "" || this.#beginsEntry(line))) {
      this.#pending = "";
      return [before, ...this.#begin(line)];
    }
    return this.#begin(`${before}\n${line}`);
  }

  /** Takes what is pending, as it is. */
  flush(): string | undefined {
    const pending = this.#pending;
    this.#pending = "";
    return pending.trim() === "" ? undefined : pending;
  }

  #begin(text: string): string[] {
    this.#pending = "";
    if (text.trim() === "") return [];
    const isComplete = isSql(text)
      ? !isOpen(text) && splitStatements(text).at(-1)?.isEnded !== false
      : !hasOpenWord(text);
    if (isComplete) return [text];
    this.#pending = text;
    return [];
  }

  #beginsEntry(line: string): boolean {
    if (/^[.\\]/.test(line) || isSql(line)) return true;
    return this.#isCommand(/^[\w-]+(?=\s|$)/.exec(line)?.[0] ?? "");
  }
}

function hasOpenWord(text: string): boolean {
  if (/^\s*[.\\]/.test(text)) return false;
  try {
    splitWords(text);
    return false;
  } catch (error) {
    return error instanceof OpenWord;
  }
}
