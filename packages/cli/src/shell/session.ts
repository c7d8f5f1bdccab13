/**
 * What a shell does with an entry: a command of the command line, SQL, or a command of the shell
 * itself. It knows nothing of how lines are read.
 */

import { nearest } from "../arguments.ts";
import { commandOf, commands } from "../commands.ts";
import type { Command } from "../command.ts";
import { sqlCommand } from "../commands/sql.ts";
import { EXIT, type ExitCode, UsageError } from "../errors.ts";
import { commandHelp } from "../help.ts";
import { reportFailure, runCommand } from "../main.ts";
import { type Mode, modes } from "../output/output.ts";
import { isSql } from "../sql/sql_text.ts";
import type { Terminal } from "../terminal.ts";
import { durationText } from "../text/numbers.ts";
import type { Paint } from "../text/style.ts";
import { dotCommands } from "./completion.ts";
import type { ShellStore } from "./shell_store.ts";
import { splitWords } from "./words.ts";

/** The commands of the Go shell, by their names there. */
const GO_COMMANDS: Readonly<Record<string, string>> = {
  "\\q": ".quit",
  "\\quit": ".quit",
  "\\exit": ".quit",
  "\\h": ".help",
  "\\?": ".help",
  "\\help": ".help",
  "\\tables": ".tables",
  "\\stats": "stats",
  "\\compact": "compact",
  "\\explain": "explain",
  "\\export": "export",
  "\\import": "import",
};

/** One run of a shell. */
export class Session {
  readonly #terminal: Terminal;
  readonly #store: ShellStore;
  readonly #paint: Paint;
  readonly #always: readonly string[];
  #mode: Mode | undefined;
  #showsTime = false;
  #isOver = false;

  constructor(
    terminal: Terminal,
    store: ShellStore,
    options: {
      readonly paint: Paint;
      readonly mode: Mode | undefined;
      readonly always: readonly string[];
    },
  ) {
    this.#terminal = terminal;
    this.#store = store;
    this.#paint = options.paint;
    this.#mode = options.mode;
    this.#always = options.always;
  }

  /** Whether the person has left. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Does an entry. Writes its error, and returns its exit code. */
  async run(entry: string, signal: AbortSignal): Promise<ExitCode> {
    const started = performance.now();
    let code: ExitCode;
    try {
      code = await this.#run(entry, signal);
    } catch (error) {
      code = await reportFailure(error, this.#terminal, signal);
    }
    if (this.#showsTime) {
      const time = durationText((performance.now() - started) / 1000);
      await this.#write(`${this.#paint("dim", time)}\n`);
    }
    await this.#terminal.out.flush();
    await this.#terminal.err.flush();
    return code;
  }

  async #run(entry: string, signal: AbortSignal): Promise<ExitCode> {
    if (isSql(entry)) return await this.#command(sqlCommand, [entry], signal);
    const given = entry.trim();
    const goName = /^\\\S*/.exec(given)?.[0];
    if (goName === "\\flush") {
      await using lease = await this.#store.write();
      await lease.store.flush();
      return EXIT.ok;
    }
    const line = goName === undefined
      ? given
      : `${GO_COMMANDS[goName] ?? goName}${given.slice(goName.length)}`;
    const [name, ...words] = splitWords(line);
    if (name === undefined) return EXIT.ok;
    if (/^[.\\]/.test(name)) return await this.#dotCommand(name, words);
    if (name === "exit" || name === "quit" || name === "help") {
      return await this.#dotCommand(name === "help" ? ".help" : ".quit", words);
    }
    return await this.#command(this.#require(name), words, signal);
  }

  async #command(
    command: Command,
    words: readonly string[],
    signal: AbortSignal,
  ): Promise<ExitCode> {
    if (words.includes("--help") || words.includes("-h")) {
      await this.#write(commandHelp(command, this.#paint));
      return EXIT.ok;
    }
    if (command.needsClosedStore === true) await this.#store.close();
    return await runCommand(command, [...this.#always, ...words], {
      terminal: this.#terminal,
      store: this.#store,
      signal,
      ...(this.#mode === undefined ? {} : { mode: this.#mode }),
    });
  }

  #require(name: string): Command {
    const command = commandOf(name);
    if (command !== undefined && command.needsStore !== false) return command;
    const names = commands.map((command) => command.name);
    const near = nearest(name, [...names, ...Object.keys(dotCommands)]);
    throw new UsageError(
      `There is no command "${name}"`,
      near === undefined ? ".help lists them." : `Did you mean ${near}?`,
    );
  }

  async #dotCommand(
    name: string,
    words: readonly string[],
  ): Promise<ExitCode> {
    const [word] = words;
    switch (name) {
      case ".quit":
      case ".exit":
      case ".q":
        this.#isOver = true;
        return EXIT.ok;
      case ".help":
        await this.#write(
          word === undefined
            ? shellHelp(this.#paint)
            : commandHelp(this.#require(word), this.#paint),
        );
        return EXIT.ok;
      case ".tables":
        await this.#write(
          "kv(k, v): k is the key, v the value. A field of a record is v.name.\n",
        );
        return EXIT.ok;
      case ".mode": {
        const mode = modes.find((one) => one === word);
        if (word !== undefined && mode === undefined) {
          throw new UsageError(
            `There is no mode "${word}"`,
            `Possible are ${modes.join(", ")}.`,
          );
        }
        this.#mode = mode ?? this.#mode;
        await this.#remark(`mode ${this.#mode ?? "box, or jsonl in a pipe"}`);
        return EXIT.ok;
      }
      case ".timer":
        if (word !== "on" && word !== "off") {
          throw new UsageError(".timer takes on or off");
        }
        this.#showsTime = word === "on";
        return EXIT.ok;
      default: {
        const near = nearest(name, Object.keys(dotCommands));
        throw new UsageError(
          `There is no command "${name}"`,
          near === undefined ? ".help lists them." : `Did you mean ${near}?`,
        );
      }
    }
  }

  async #remark(text: string): Promise<void> {
    if (this.#terminal.out.isTerminal) await this.#write(`${text}\n`);
  }

  async #write(text: string): Promise<void> {
    await this.#terminal.out.write(text);
  }
}

/** The help of the shell. */
function shellHelp(paint: Paint): string {
  const row = (name: string, help: string): string => `  ${paint("key", name.padEnd(22))}${help}`;
  const own = Object.entries(dotCommands).map(([name, { usage, help }]) =>
    row(`${name} ${usage}`, help)
  );
  const others = commands.filter(({ needsStore }) => needsStore !== false)
    .map(({ name, summary }) => row(name, summary));
  return [
    "Write a command as on the command line, without the store, or SQL over kv(k, v).",
    `${paint("bold", "Commands of the shell")}\n${own.join("\n")}`,
    `${paint("bold", "Commands")} (--help after one: options and examples)\n${others.join("\n")}`,
    `${paint("bold", "SQL")}
  SELECT * FROM kv WHERE k LIKE 'user:%' LIMIT 10
  SELECT v.name, v.address.city FROM kv WHERE v.age > 30 ORDER BY v.age DESC
  SELECT count(), avg(v.age) FROM kv WHERE k BETWEEN 'a' AND 'c'
  INSERT INTO kv VALUES ('a', 1), ('b', '{"name": "Bob"}')
  UPDATE kv SET v = 'new' WHERE k = 'a'
  DELETE FROM kv WHERE k LIKE 'tmp:%'
  EXPLAIN SELECT * FROM kv WHERE k STARTS WITH x'00ff'`,
    `TAB completes commands, options, words of SQL and keys. Ctrl-C stops what runs. Literals are
30n, 2.5, true, "text", x'00ff' and {"a": 1}; other text is a string.`,
  ].join("\n\n") + "\n";
}
