/** The exit codes of the command, and the errors that commands throw to end with one. */

/** What the exit code of the command means. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** The key, or what was looked for, is not there. */
  notFound: 1,
  /** The command line is wrong, or a confirmation is missing. */
  usage: 2,
  /** A store, a dump or an import is damaged. */
  damage: 3,
  /** Another process has the store open for writing. */
  locked: 4,
  /** The system refused: no permission, a full disk, a newer format, a missing package. */
  refused: 5,
  /** Interrupted from the keyboard. */
  interrupted: 130,
} as const;

/** One of {@linkcode EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that ends the command with a sentence and an exit code. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
  readonly exitCode: ExitCode;
  /** What the person can do, in a line of its own. */
  readonly advice: string | undefined;

  constructor(
    exitCode: ExitCode,
    message: string,
    advice?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** The command line is wrong. */
export class UsageError extends CommandError {
  override readonly name: string = "UsageError";

  constructor(message: string, advice?: string) {
    super(EXIT.usage, message, advice);
  }
}

/** The input of a load or an import is wrong or incomplete. */
export class InputError extends CommandError {
  override readonly name: string = "InputError";

  constructor(message: string, advice?: string, options?: ErrorOptions) {
    super(EXIT.damage, message, advice, options);
  }
}
