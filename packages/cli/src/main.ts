/** One run of the command line, from its arguments to the exit code. */

import { globalOptions, nearest, parseLine, requireArity } from "./arguments.ts";
import type { Command, OptionSpecs, OptionValues } from "./command.ts";
import { commandOf, commands } from "./commands.ts";
import type { Context, Settings } from "./context.ts";
import { CommandError, EXIT, type ExitCode, UsageError } from "./errors.ts";
import { describeFailure, firstError } from "./failures.ts";
import { commandHelp, programHelp } from "./help.ts";
import { type Mode, modes, Output } from "./output/output.ts";
import { ProgressBar, silentProgress } from "./output/progress.ts";
import { Prompt } from "./prompt.ts";
import { DirectoryAccess, type StoreAccess } from "./store_access.ts";
import { escapeControls } from "./text/escape.ts";
import { colourful, colourless } from "./text/style.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Runs a command line and resolves to its exit code. Never rejects because of bad input. */
export async function main(
  words: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  const interrupt = new AbortController();
  const release = terminal.onInterrupt(() => interrupt.abort());
  let exitCode: ExitCode;
  try {
    exitCode = await dispatch(words, terminal, interrupt.signal);
  } catch (error) {
    exitCode = await reportFailure(error, terminal, interrupt.signal);
  } finally {
    release();
  }
  try {
    await terminal.out.flush();
  } catch (error) {
    // What could not be written was perhaps reported already.
    if (exitCode === EXIT.ok) {
      exitCode = await reportFailure(error, terminal, interrupt.signal);
    }
  }
  await terminal.err.flush().catch(() => {});
  return exitCode;
}

async function dispatch(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const paint = wantsColours(terminal, {}) ? colourful : colourless;
  const { path, name, rest } = splitWords(words);
  if (name === undefined || name === "help") {
    if (path !== undefined && name === undefined) {
      const { runShell } = await import("./shell/shell.ts");
      const { options } = parseLine(rest, globalOptions);
      if (options["help"] === true) {
        await terminal.out.write(programHelp(paint));
        return EXIT.ok;
      }
      const mode = chosenMode(options);
      const always = ["yes", "dry-run", "quiet", "no-color", "color"]
        .filter((option) => options[option] === true)
        .map((option) => `--${option}`);
      return await runShell(terminal, {
        path,
        paint: wantsColours(terminal, options) ? colourful : colourless,
        mode,
        always,
        signal,
      });
    }
    const about = rest.find((word) => !word.startsWith("-"));
    if (about === undefined) await terminal.out.write(programHelp(paint));
    else await terminal.out.write(commandHelp(requireCommand(about), paint));
    return words.length === 0 ? EXIT.usage : EXIT.ok;
  }
  if (name === "version") {
    await terminal.out.write(`tinykvs ${VERSION}\n`);
    return EXIT.ok;
  }
  const command = requireCommand(name, path);
  const { options } = parseLine(rest, { ...globalOptions, ...command.options });
  if (options["help"] === true) {
    await terminal.out.write(commandHelp(command, paint));
    return EXIT.ok;
  }
  const given = options["store"] ?? path ??
    terminal.environment["TINYKVS_STORE"];
  const access = new DirectoryAccess(given as string | undefined, terminal.now);
  return await runCommand(command, rest, { terminal, store: access, signal });
}

/** What a command is run with. The shell gives its own. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly store: StoreAccess;
  readonly signal: AbortSignal;
  /** The mode if no option names one; by default box on a terminal, jsonl elsewhere. */
  readonly mode?: Mode;
}

/**
 * Runs a command with the words after its name. Errors are thrown: see `reportFailure`.
 *
 * @throws {UsageError} the words are wrong
 */
export async function runCommand(
  command: Command,
  words: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal, store, signal } = surroundings;
  const { args, options } = parseLine(words, {
    ...globalOptions,
    ...command.options,
  });
  requireArity(command, args);
  if (command.needsStore !== false) void store.path;
  const settings: Settings = {
    yes: options["yes"] === true,
    dryRun: options["dry-run"] === true,
    quiet: options["quiet"] === true,
  };
  const mode = chosenMode(options) ?? surroundings.mode ??
    (terminal.out.isTerminal ? "box" : "jsonl");
  const context: Context = {
    terminal,
    store,
    signal,
    settings,
    output: new Output(terminal.out, mode, wantsColours(terminal, options)),
    prompt: new Prompt(terminal, settings),
    progress: (title) =>
      terminal.err.isTerminal && !settings.quiet
        ? new ProgressBar(terminal.err, title, terminal.now)
        : silentProgress,
  };
  return await command.run(context, {
    args,
    options: options as OptionValues<OptionSpecs>,
  }) ?? EXIT.ok;
}

/** Writes what went wrong to standard error, and returns the exit code. */
export async function reportFailure(
  thrown: unknown,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const error = firstError(thrown);
  const paint = wantsColours(terminal, {}) && terminal.err.isTerminal ? colourful : colourless;
  if (signal.aborted && !(error instanceof CommandError)) {
    await terminal.err.write("tinykvs: interrupted\n");
    return EXIT.interrupted;
  }
  const failure = describeFailure(error);
  if (failure === undefined) {
    // A bug, or a wrong value that only the core notices: both say where.
    const text = error instanceof Error ? error.message : String(error);
    await terminal.err.write(
      `${paint("bad", "tinykvs:")} ${escapeControls(text)}\n`,
    );
    return error instanceof RangeError || error instanceof TypeError ? EXIT.usage : EXIT.refused;
  }
  await terminal.err.write(
    `${paint("bad", "tinykvs:")} ${escapeControls(failure.message)}\n`,
  );
  if (failure.advice !== undefined) {
    await terminal.err.write(
      `  ${paint("dim", escapeControls(failure.advice))}\n`,
    );
  }
  return failure.exitCode;
}

/** The store, the command and the rest of a command line. */
function splitWords(
  words: readonly string[],
): {
  path: string | undefined;
  name: string | undefined;
  rest: readonly string[];
} {
  const at = words.findIndex((word, index) =>
    !word.startsWith("-") && words[index - 1] !== "--store"
  );
  const before = words.slice(0, at === -1 ? undefined : at);
  if (at === -1) {
    const isVersion = before.includes("--version") || before.includes("-V");
    return {
      path: undefined,
      name: isVersion ? "version" : undefined,
      rest: [],
    };
  }
  const first = words[at]!;
  const after = words.slice(at + 1);
  if (isCommandName(first)) {
    return { path: undefined, name: first, rest: [...before, ...after] };
  }
  const next = after.findIndex((word) => !word.startsWith("-"));
  if (next === -1) {
    return { path: first, name: undefined, rest: [...before, ...after] };
  }
  const rest = [...before, ...after.slice(0, next), ...after.slice(next + 1)];
  return { path: first, name: after[next], rest };
}

function isCommandName(word: string): boolean {
  return word === "help" || word === "version" || commandOf(word) !== undefined;
}

function requireCommand(name: string, path?: string): Command {
  const found = commandOf(name);
  if (found !== undefined) return found;
  const near = nearest(name, commands.map((command) => command.name));
  const store = path === undefined ? "" : `${path} `;
  throw new UsageError(
    `There is no command "${name}"`,
    near === undefined ? "tinykvs help lists them." : `Did you mean: tinykvs ${store}${near}?`,
  );
}

function chosenMode(
  options: Readonly<Record<string, string | true>>,
): Mode | undefined {
  const chosen = modes.filter((mode) => options[mode] === true);
  if (chosen.length > 1) {
    throw new UsageError(
      `--${chosen[0]} and --${chosen[1]} are given: choose one`,
    );
  }
  return chosen[0];
}

function wantsColours(
  terminal: Terminal,
  options: Readonly<Record<string, string | true>>,
): boolean {
  if (options["no-color"] === true) return false;
  if (options["color"] === true) return true;
  const { NO_COLOR, FORCE_COLOR, TERM } = terminal.environment;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0") {
    return true;
  }
  return terminal.out.isTerminal && TERM !== "dumb";
}
