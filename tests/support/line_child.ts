/**
 * A child process that gets its orders as lines and answers each line with one of JSON: the
 * parent's side. The child's side is any script that reads lines from standard input.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { RuntimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "./runtimes.ts";

/** A running child. */
export class LineChild {
  /** Its runtime. */
  readonly runtime: RuntimeName;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #lines: string[] = [];
  #rest = "";
  #errors = "";
  #isOver = false;
  #wake: (() => void) | undefined;

  /**
   * Starts `script` on a runtime, in `workingDirectory` if one is given; Deno may do anything by
   * default.
   */
  constructor(
    runtime: RuntimeName,
    script: string,
    workingDirectory?: string,
    denoPermissions?: string[],
    scriptArgs: string[] = [],
  ) {
    this.runtime = runtime;
    const { command, args } = runtimeCommand(runtime, script, scriptArgs, denoPermissions);
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(workingDirectory !== undefined && { cwd: workingDirectory }),
    });
    this.#process = child;
    this.#exited = once(child, "close");
    child.stdout.on("data", (chunk) => {
      const lines = (this.#rest + String(chunk)).split("\n");
      this.#rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#wake?.();
    });
    child.stderr.on("data", (chunk) => this.#errors += String(chunk));
    // A line to a child that is gone fails here; its missing answer is what the test sees.
    child.stdin.on("error", (error) => this.#errors += error.message);
    child.on("close", () => {
      this.#isOver = true;
      this.#wake?.();
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** Sends a line, without waiting for the answer. */
  send(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  /** The next answer. */
  async answer<T>(): Promise<T> {
    while (this.#lines.length === 0) {
      if (this.#isOver) throw new Error(`${this.runtime} ended without an answer: ${this.#errors}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return JSON.parse(this.#lines.shift()!) as T;
  }

  /** Sends a line and waits for its answer. */
  ask<T>(line: string): Promise<T> {
    this.send(line);
    return this.answer<T>();
  }

  /**
   * Sends a signal, such as SIGSTOP. Not by `ChildProcess.kill`: that of Deno sends one signal in
   * all.
   */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Kills it, and waits until it is gone. Killing twice is legal. */
  async kill(): Promise<void> {
    try {
      if (!this.#isOver) this.signal("SIGKILL");
    } catch (error) {
      // It has just ended by itself.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
    await this.#exited;
  }
}
