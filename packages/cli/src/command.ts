/** How a command is declared. src/commands.ts lists all of them. */

import type { Context } from "./context.ts";
import type { ExitCode } from "./errors.ts";

/** An option of a command. */
export interface OptionSpec {
  /** What it does, in a few words. */
  readonly help: string;
  /** What stands for its value in the help; an option without it takes no value. */
  readonly value?: string;
  /** A letter, for `-n 10`. */
  readonly short?: string;
  /** The values that it may have. */
  readonly choices?: readonly string[];
}

/** An option that takes a value. */
export type ValuedOption = OptionSpec & { readonly value: string };

/** An option that takes none. */
export type FlagOption = OptionSpec & { readonly value?: never };

/** The options of a command, by their names without "--". */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The given options: text for those with a value, `true` for the others. */
export type OptionValues<O extends OptionSpecs> = {
  readonly [N in keyof O]?: O[N] extends { readonly value: string } ? string
    : true;
};

/** What a command was given. */
export interface CommandInput<O extends OptionSpecs = OptionSpecs> {
  /** The arguments after the command's name. */
  readonly args: readonly string[];
  readonly options: OptionValues<O>;
}

/** A command of the command line and the shell. */
export interface Command<O extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** Its arguments, as the help shows them: "KEY..." */
  readonly usage: string;
  /** The least and the largest number of arguments. */
  readonly arity: readonly [least: number, most: number];
  readonly options: O;
  /** More for its help, in whole paragraphs. */
  readonly details?: string;
  /** Examples for its help: what to type after `tinykvs`, and what that does. */
  readonly examples: readonly (readonly [command: string, effect: string])[];
  /**
   * Whether it works on a store (default). One that does not is called without `STORE`, and not
   * offered by the shell.
   */
  readonly needsStore?: boolean;
  /** Whether it must have the directory for itself, so that a shell closes its store first. */
  readonly needsClosedStore?: boolean;
  /** Does it. Resolves to an exit code; nothing means `EXIT.ok`. */
  run(context: Context, input: CommandInput<O>): Promise<ExitCode | void>;
}

/** Checks a declaration of a command, and keeps the types of its options. */
export function command<const O extends OptionSpecs>(
  declared: Command<O>,
): Command {
  return declared as unknown as Command;
}
