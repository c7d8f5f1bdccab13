/**
 * The shell: `tinykvs STORE`. On a terminal a line editor with history and completion; in a pipe it
 * does the entries of standard input, and stops at the first that fails.
 */

import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { StringDecoder } from "node:string_decoder";
import { commandOf } from "../commands.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import { bytesText, countOf } from "../text/numbers.ts";
import type { Mode } from "../output/output.ts";
import type { Paint } from "../text/style.ts";
import { isOpen, isSql } from "../sql/sql_text.ts";
import { parseSql, UnfinishedSql } from "../sql/statement.ts";
import type { Terminal } from "../terminal.ts";
import { VERSION } from "../version.ts";
import { complete } from "./completion.ts";
import { EntryReader } from "./entries.ts";
import { History, historyFile } from "./history.ts";
import { Session } from "./session.ts";
import { ShellStore } from "./shell_store.ts";

const PROMPT = "tinykvs> ";
const CONTINUED = "     ...> ";
/** Lines that come closer together than this are a paste. */
const PASTE_MS = 20;

/** What a shell is given for all of its commands. */
export interface ShellOptions {
  readonly path: string;
  readonly paint: Paint;
  /** The mode of the results until `.mode` changes it. */
  readonly mode: Mode | undefined;
  /** Options that every command gets: `--yes`, `--quiet`. */
  readonly always: readonly string[];
  /** Aborted if the process is to end. */
  readonly signal: AbortSignal;
}

/** Runs a shell until the person leaves. */
export async function runShell(
  terminal: Terminal,
  options: ShellOptions,
): Promise<ExitCode> {
  const { paint } = options;
  const store = new ShellStore(options.path, terminal.now);
  try {
    // Fails at once if there is no store.
    const banner = await bannerOf(store, paint);
    if (!terminal.input.isTerminal || !terminal.out.isTerminal) {
      return await runScript(store, terminal, options);
    }
    await terminal.out.write(banner);
    await new LineShell(store, terminal, options).run();
    return EXIT.ok;
  } finally {
    await store.close();
  }
}

async function bannerOf(store: ShellStore, paint: Paint): Promise<string> {
  await using lease = await store.read();
  const { bytes, entries } = lease.store.approximateSize();
  const size = `about ${countOf(entries, "entry", "entries")}, ${bytesText(bytes)}`;
  return `${paint("bold", `tinykvs ${VERSION}`)}  ${escapeControls(store.path)}  ${
    paint("dim", size)
  }\n${paint("dim", ".help lists the commands, TAB completes, Ctrl-D leaves")}\n`;
}

function isCommand(word: string): boolean {
  return commandOf(word) !== undefined;
}

/** Does the entries of standard input. */
async function runScript(
  store: ShellStore,
  terminal: Terminal,
  options: ShellOptions,
): Promise<ExitCode> {
  const { signal } = options;
  const session = new Session(terminal, store, options);
  const reader = new EntryReader(isCommand);
  const runAll = async (entries: readonly string[]): Promise<ExitCode> => {
    for (const entry of entries) {
      if (session.isOver) break;
      const code = await session.run(entry, signal);
      if (code !== EXIT.ok) return code;
    }
    return EXIT.ok;
  };
  for await (const line of linesOf(terminal)) {
    const code = await runAll(reader.push(line));
    if (code !== EXIT.ok || session.isOver) return code;
  }
  const rest = reader.flush();
  return await runAll(rest === undefined ? [] : [rest]);
}

async function* linesOf(terminal: Terminal): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let text = "";
  for await (const chunk of terminal.input.chunks()) {
    const lines = (text + decoder.write(chunk)).split("\n");
    text = lines.pop()!;
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  text += decoder.end();
  if (text !== "") yield text;
}

/** The shell on a terminal. */
class LineShell {
  readonly #store: ShellStore;
  readonly #session: Session;
  readonly #history: History;
  readonly #paint: Paint;
  readonly #signal: AbortSignal;
  readonly #terminal: Terminal;
  readonly #reader = new EntryReader(isCommand);
  #editor!: Interface;
  /** Lines that nobody has looked at. */
  readonly #lines: string[] = [];
  /** Stops the entry that runs. */
  #running: AbortController | undefined;
  /** Takes the next line as the answer to a question. */
  #answer: ((line: string | undefined) => void) | undefined;
  #isClosed = false;
  /** Something has happened: lines, the end of the input, Ctrl-C. */
  #wake: () => void = () => {};

  constructor(store: ShellStore, terminal: Terminal, options: ShellOptions) {
    this.#store = store;
    this.#terminal = terminal;
    this.#paint = options.paint;
    this.#signal = options.signal;
    this.#history = new History(historyFile(terminal.environment));
    const input = {
      ...terminal.input,
      isTerminal: true,
      line: () => this.#nextLine(),
    };
    this.#session = new Session({ ...terminal, input }, store, options);
  }

  async run(): Promise<void> {
    const editor = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      history: [...this.#history.entries].reverse(),
      historySize: 1000,
      removeHistoryDuplicates: true,
      prompt: PROMPT,
      completer: (
        line: string,
        done: (error: null, result: [string[], string]) => void,
      ) => {
        void this.#complete(line).then((result) => done(null, result));
      },
    });
    this.#editor = editor;
    editor.on("line", (line: string) => this.#takeLine(line));
    editor.on("SIGINT", () => this.#interrupt());
    editor.on("close", () => {
      this.#isClosed = true;
      this.#running?.abort();
      this.#answer?.(undefined);
      this.#wake();
    });
    this.#signal.addEventListener("abort", () => editor.close(), {
      once: true,
    });
    try {
      this.#prompt();
      while (!this.#session.isOver && await this.#hasLines()) {
        await this.#takePaste();
        if (!this.#session.isOver && !this.#isClosed) this.#prompt();
      }
    } finally {
      if (this.#isClosed && !this.#session.isOver) {
        await this.#terminal.out.write("\n");
      }
      editor.close();
      process.stdin.pause();
    }
  }

  #prompt(): void {
    this.#editor.setPrompt(this.#reader.pending === "" ? PROMPT : CONTINUED);
    this.#editor.prompt();
  }

  #takeLine(line: string): void {
    const answer = this.#answer;
    if (answer !== undefined) {
      this.#answer = undefined;
      answer(line);
      return;
    }
    this.#lines.push(line);
    this.#wake();
  }

  /** Waits for lines; false at the end of the input. */
  async #hasLines(): Promise<boolean> {
    while (this.#lines.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#lines.length > 0;
  }

  /** Does the lines that came together. */
  async #takePaste(): Promise<void> {
    for (let seen = 0; seen < this.#lines.length;) {
      seen = this.#lines.length;
      await new Promise((resolve) => setTimeout(resolve, PASTE_MS));
    }
    const lines = this.#lines.splice(0);
    for (const line of lines) {
      for (const entry of this.#reader.push(line)) await this.#run(entry);
      if (this.#session.isOver) return;
    }
    const { pending } = this.#reader;
    if (pending !== "" && await isWhole(pending)) {
      await this.#run(this.#reader.flush()!);
    }
  }

  async #run(entry: string): Promise<void> {
    this.#history.add(entry);
    const running = new AbortController();
    this.#running = running;
    try {
      await this.#session.run(entry, running.signal);
    } finally {
      this.#running = undefined;
    }
  }

  /** Ctrl-C: stops what runs; else it takes back what was typed. */
  #interrupt(): void {
    if (this.#answer !== undefined) {
      const answer = this.#answer;
      this.#answer = undefined;
      void this.#terminal.out.write("^C\n");
      this.#running?.abort();
      answer(undefined);
      return;
    }
    if (this.#running !== undefined) {
      this.#lines.length = 0;
      this.#running.abort();
      return;
    }
    const isEmpty = this.#editor.line === "" && this.#reader.pending === "" &&
      this.#lines.length === 0;
    this.#lines.length = 0;
    this.#reader.flush();
    // To the end of the line, and all before it: the editor has no call to clear its line.
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#editor.write(null, { ctrl: true, name: "u" });
    const hint = isEmpty ? this.#paint("dim", " Ctrl-D or .quit leaves the shell") : "";
    void this.#terminal.out.write(`^C${hint}\n`);
    this.#prompt();
  }

  async #complete(line: string): Promise<[string[], string]> {
    // The store belongs to the command that runs.
    if (this.#running !== undefined) return [[], line];
    try {
      const pending = this.#reader.pending;
      const whole = pending === "" ? line : `${pending}\n${line}`;
      const [candidates, replaced] = await complete(whole, this.#store);
      return [[...candidates], replaced];
    } catch {
      // A store that cannot be read tells so when a command reads it.
      return [[], line];
    }
  }

  /** The answer to a question of a command. */
  #nextLine(): Promise<string | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#answer = resolve);
  }
}

/** Whether SQL without a semicolon can be done as it is; what is wrong can, to show the error. */
async function isWhole(text: string): Promise<boolean> {
  if (!isSql(text) || isOpen(text)) return false;
  try {
    await parseSql(text);
    return true;
  } catch (error) {
    return !(error instanceof UnfinishedSql);
  }
}
