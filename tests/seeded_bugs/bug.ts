/**
 * What a seeded bug is: a small change that breaks the library on purpose. It is kept beside the
 * tests as the text to find and its replacement. Nothing of it is in src/, so the published package
 * can't reach it; it takes effect only in a copy of the sources (runner.ts).
 *
 * The text to find must be in its file exactly once. When the code moves, the bug does not apply
 * any more and its test says so: a gate whose bugs silently change nothing would be worth nothing.
 */

/** The layers of the fault programme, by the letters of the reliability list. */
export const layers = {
  CR: "the enumeration of crashes",
  EI: "the injection of errors",
  CO: "the corruption of stores",
  MO: "the model",
  UN: "a test of its own",
  KL: "the killing of processes",
} as const;

/** A layer of the fault programme. */
export type Layer = keyof typeof layers;

/**
 * The run that must catch a bug. Bugs with equal commands share one run of the unbroken sources.
 */
export interface Command {
  /** The layer that it belongs to. */
  readonly layer: Layer;
  /** Test files, as a glob below the root of the repository. */
  readonly files: string;
  /** Which tests of them, by their titles. */
  readonly titles: RegExp;
  /** Environment variables that make the run small. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One replacement in one file. */
export interface Edit {
  /** The file, from the root of the repository. */
  readonly file: string;
  /** Text that is in it exactly once. */
  readonly find: string;
  /** The replacement. */
  readonly replace: string;
}

/** A bug. */
export interface Bug {
  /** Short name; `TINYKVS_BUG` takes it. */
  readonly name: string;
  /** Which bug of the reliability list (3.9) this is, in its words, or "beyond the list". */
  readonly item: string;
  /** What the broken library does, as the rest of "A library that ...". */
  readonly does: string;
  /** The change. */
  readonly edits: readonly Edit[];
  /** Which tests must fail. */
  readonly caughtBy: Command;
  /** What the failure says: a bug must be caught for what it breaks, not for a slip in its text. */
  readonly symptom: RegExp;
}

/**
 * The source of a file with an edit made.
 *
 * @throws {Error} the text to find is missing, is there twice, or equals the replacement
 */
export function applyEdit(source: string, { file, find, replace }: Edit): string {
  const at = source.indexOf(find);
  const excerpt = JSON.stringify(find.trim().split("\n")[0]);
  if (find === "" || at < 0) {
    throw new Error(`Cannot seed the bug: ${excerpt} is not in "${file}", expected once`);
  }
  if (source.indexOf(find, at + 1) >= 0) {
    throw new Error(`Cannot seed the bug: ${excerpt} is in "${file}" more than once`);
  }
  if (find === replace) throw new Error(`Cannot seed the bug: it changes nothing in "${file}"`);
  return source.slice(0, at) + replace + source.slice(at + find.length);
}

/** The command line that repeats one bug. */
export function repeatCommand(name: string): string {
  return `TINYKVS_BUG=${name} npm test -- --runtime node --filter seeded_bugs`;
}
