/**
 * A pseudo-terminal: runs the command line as a person sees it, by the program `script` of
 * util-linux. The person types when the screen shows what they wait for.
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const program = path.join(
  path.dirname(fileURLToPath(import.meta.url)),
  "../../tinykvs.ts",
);
/** A hang ends with an error that shows the screen. Nothing else depends on it. */
const PATIENCE_MS = 120_000;

/** The command that runs the command line on the runtime of the test. */
export function ownCommand(): string[] {
  const run = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  return [process.execPath, ...run, program];
}

/** A terminal with the command line in it. */
export class PseudoTerminal {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number>;
  #text = "";
  #seen = 0;
  #wake: () => void = () => {};

  /** Runs `tinykvs` with these words. */
  constructor(
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    columns: number = 80,
  ) {
    const command = [...ownCommand(), ...words].map(quoted).join(" ");
    this.#child = spawn(
      "script",
      [
        "--quiet",
        "--flush",
        "--return",
        "--command",
        `stty cols ${columns} rows 40; exec ${command}`,
        "/dev/null",
      ],
      {
        env: { ...process.env, TERM: "xterm", ...environment },
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.#exited = new Promise((resolve) =>
      this.#child.on("close", (code) => {
        resolve(code ?? -1);
        this.#wake();
      })
    );
  }

  /** Everything that was shown. */
  get screen(): string {
    return this.#text;
  }

  /** Types keys. */
  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Waits for a text after the one before; returns what was shown until its end. */
  async shows(text: string): Promise<string> {
    const isLate = Date.now() + PATIENCE_MS;
    let isClosed = false;
    void this.#exited.then(() => isClosed = true);
    while (true) {
      const at = this.#text.indexOf(text, this.#seen);
      if (at !== -1) {
        const shown = this.#text.slice(this.#seen, at + text.length);
        this.#seen = at + text.length;
        return shown;
      }
      if (isClosed || Date.now() > isLate) {
        assert.fail(
          `${JSON.stringify(text)} is not shown. The screen since the last wait: ${
            JSON.stringify(this.#text.slice(this.#seen))
          }`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits for the end; returns the exit code. */
  exitCode(): Promise<number> {
    return this.#exited;
  }

  /** Ends the process if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#exited;
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
