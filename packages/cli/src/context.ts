/** What a command is given to work with. */

import type { StoreAccess } from "./store_access.ts";
import type { Output } from "./output/output.ts";
import type { Terminal } from "./terminal.ts";
import type { Prompt } from "./prompt.ts";
import type { Progress } from "./output/progress.ts";

/** The options that every command understands, and that a shell sets once for all commands. */
export interface Settings {
  /** Whether questions are answered with yes (`--yes`). */
  readonly yes: boolean;
  /** Whether only to show what would be done (`--dry-run`). */
  readonly dryRun: boolean;
  /** Whether to leave out progress and remarks (`--quiet`). */
  readonly quiet: boolean;
}

/** The surroundings of one run of a command. */
export interface Context {
  readonly terminal: Terminal;
  /** The store that the command line names, or that the shell has open. */
  readonly store: StoreAccess;
  /** Where results go, in the mode that was chosen. */
  readonly output: Output;
  /** Questions to the person. */
  readonly prompt: Prompt;
  readonly settings: Settings;
  /** Aborted by Ctrl-C: pass it to scans and long calls, and check it in loops. */
  readonly signal: AbortSignal;
  /** Begins to show how far a long task is; silent without a terminal. */
  progress(title: string): Progress;
}
