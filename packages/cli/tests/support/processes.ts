/** Runs the command in a process of its own, on the runtime of the test. */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The file of the command. */
export const PROGRAM: string = path.join(
  path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))),
  "tinykvs.ts",
);

/** What a process did. */
export interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

/** A process that runs. */
export interface Started {
  isRunning(): boolean;
  kill(): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** The arguments with which the runtime of the test runs a file. */
export function runtimeArguments(file: string): string[] {
  return process.versions["deno"] === undefined ? [file] : ["run", "-A", "--no-check", file];
}

/** Starts `tinykvs` with these words. */
export function startCommand(
  words: readonly string[],
  input?: string,
): Started {
  return start(process.execPath, [...runtimeArguments(PROGRAM), ...words], {
    input,
  });
}

/** Starts a program. */
export function start(
  command: string,
  commandArguments: readonly string[],
  options: {
    readonly input?: string | undefined;
    readonly directory?: string;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Started {
  const child = spawn(command, commandArguments, {
    cwd: options.directory,
    env: {
      ...process.env,
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      ...options.environment,
    },
    stdio: "pipe",
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (piece) => out.push(piece));
  child.stderr.on("data", (piece) => err.push(piece));
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  let isRunning = true;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      isRunning = false;
      resolve({
        code,
        out: Buffer.concat(out),
        err: Buffer.concat(err).toString(),
      });
    });
  });
  return {
    isRunning: () => isRunning,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    ended,
  };
}
