/**
 * Child processes of the scripts: where the pinned runtimes are, and running one to its end.
 *
 * Every script starts its children here. So one place knows the paths in node_modules, the
 * environment that keeps children off the network, and how a child is stopped. Each child leads its
 * own process group. The whole group ends at its time limit, or when the script itself is
 * interrupted.
 */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as path from "node:path";
import process from "node:process";
import { watchCpu } from "./cpu_time.ts";

/** Absolute path of the repository. */
export const root: string = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** A runtime that the library supports. */
export type Runtime = "node" | "deno" | "bun";

/** All of them, in the order in which results are printed. */
export const runtimes: readonly Runtime[] = ["node", "deno", "bun"];

/**
 * How many test files run at the same time. One more than there are cores: with as many, a quarter
 * of the CPU time of two cores was idle, because many files wait for children and for the disk.
 */
export const PROCESSES: number = Math.min(availableParallelism() + 1, 5);

/** Absolute path of a runtime's pinned binary. */
export function binaryOf(runtime: Runtime): string {
  return path.join(root, "node_modules", ".bin", runtime);
}

/** The runtime called `text`, or undefined. */
export function parseRuntime(text: string | undefined): Runtime | undefined {
  return runtimes.find((runtime) => runtime === text);
}

/** How a child ended. */
export interface ProcessResult {
  /** Exit code, or undefined if a signal ended it. */
  readonly code: number | undefined;
  /** The signal that ended it, or undefined. */
  readonly signal: string | undefined;
  /** Whether it was stopped for taking longer than its time limit. */
  readonly timedOut: boolean;
  /** What it wrote to stdout and stderr, in the order of arrival; empty if inherited. */
  readonly output: string;
  /** What it wrote to stdout. */
  readonly stdout: string;
  /** Wall time from start to end, in seconds. */
  readonly seconds: number;
  /** About how much CPU time it and its children took, in seconds; undefined if unknown. */
  readonly cpuSeconds: number | undefined;
}

/** Options of {@linkcode runProcess}. */
export interface ProcessOptions {
  /** Working directory; the repository by default. */
  readonly directory?: string;
  /** Variables to set on top of the environment of the script. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds after which the child and its group are killed; none by default. */
  readonly timeoutMs?: number;
  /** Whether the child uses the terminal of the script instead of being captured. */
  readonly inherit?: boolean;
}

const running = new Set<number>();

/** Ends the whole group of a child. If the group is already gone, that is fine. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const pid of running) killGroup(pid);
    process.exit(signal === "SIGINT" ? 130 : 143);
  });
}

/**
 * Runs a program in the repository until it and its output end. It never rejects because of what
 * the program does: a crash, a signal and a time-out are results.
 */
export function runProcess(
  command: string,
  commandArguments: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const startedMs = performance.now();
  const child = spawn(command, commandArguments, {
    cwd: options.directory ?? root,
    detached: options.inherit !== true,
    stdio: options.inherit === true ? "inherit" : ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      DENO_NO_UPDATE_CHECK: "1",
      ...(options.inherit === true ? {} : { NO_COLOR: "1" }),
      ...options.environment,
    },
  });
  const { pid } = child;
  const grouped = pid !== undefined && options.inherit !== true;
  if (grouped) running.add(pid);
  const cpuSeconds = watchCpu(pid);
  const output: string[] = [];
  const stdout: string[] = [];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output.push(text);
    stdout.push(text);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => output.push(text));

  return new Promise((resolve) => {
    let timedOut = false;
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
      timedOut = true;
      if (grouped) killGroup(pid);
      else child.kill("SIGKILL");
    }, options.timeoutMs);
    const settle = (code: number | undefined, signal: string | undefined): void => {
      clearTimeout(timer);
      if (grouped) running.delete(pid);
      const seconds = (performance.now() - startedMs) / 1000;
      resolve({
        code,
        signal,
        timedOut,
        output: output.join(""),
        stdout: stdout.join(""),
        seconds,
        cpuSeconds: cpuSeconds(),
      });
    };
    child.on("error", (error) => {
      output.push(`Cannot start "${command}": ${error.message}\n`);
      settle(undefined, undefined);
    });
    child.on("close", (code, signal) => settle(code ?? undefined, signal ?? undefined));
  });
}

/** How a child ended, in words, or undefined if it ended well. */
export function failureOf(result: ProcessResult): string | undefined {
  if (result.timedOut) return `timed out after ${result.seconds.toFixed(0)} s`;
  if (result.signal !== undefined) return `was ended by ${result.signal}`;
  if (result.code === undefined) return "could not be started";
  return result.code === 0 ? undefined : `exited with code ${result.code}`;
}

/** Runs `tasks` with at most `width` at a time, starting them in order. */
export async function runPool(
  tasks: readonly (() => Promise<void>)[],
  width: number,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length) await tasks[next++]!();
  };
  await Promise.all(Array.from({ length: width }, worker));
}
