/** Questions before something is destroyed. */

import { CommandError, EXIT, UsageError } from "./errors.ts";
import type { Settings } from "./context.ts";
import { escapeControls } from "./text/escape.ts";
import type { Terminal } from "./terminal.ts";

/** Asks the person. */
export class Prompt {
  readonly #terminal: Terminal;
  readonly #settings: Settings;

  constructor(terminal: Terminal, settings: Settings) {
    this.#terminal = terminal;
    this.#settings = settings;
  }

  /**
   * Returns if the person agrees, or has said `--yes`. Call it after `--dry-run` was handled.
   *
   * @param what says what is about to happen: "This deletes 12 keys of ./db"
   * @throws {CommandError} the person refuses, or there is nobody to ask
   */
  async confirm(what: string): Promise<void> {
    if (this.#settings.yes) return;
    const { err, input } = this.#terminal;
    if (!input.isTerminal || !err.isTerminal) {
      throw new UsageError(
        `${what}: nobody is here to confirm that`,
        "Add --yes, or look first with --dry-run.",
      );
    }
    await err.write(`${escapeControls(what)}. Go on? [y/N] `);
    await err.flush();
    const line = await input.line();
    // Ctrl-D leaves the cursor in the line of the question.
    if (line === undefined) await err.write("\n");
    const answer = line?.trim().toLowerCase();
    if (answer === "y" || answer === "yes") return;
    throw new CommandError(EXIT.usage, "Nothing was changed");
  }
}
