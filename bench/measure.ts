/**
 * What the benches measure with: a stopwatch that leaves out the making of test data, the longest
 * stall of the event loop, peak memory, and bytes on disk.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";

/** Adds up the time between `start` and `stop`, as often as they are called. */
export class Stopwatch {
  #startedMs = 0;
  #totalMs = 0;

  /** Starts, or continues. */
  start(): void {
    this.#startedMs = performance.now();
  }

  /** Stops; the time since `start` is added to the total. */
  stop(): void {
    this.#totalMs += performance.now() - this.#startedMs;
  }

  /** The total, in seconds. */
  get seconds(): number {
    return this.#totalMs / 1000;
  }
}

/** Finds the longest time during which a timer of 1 ms could not run. */
export class StallMeter {
  #lastMs = performance.now();
  #longestMs = 0;
  readonly #timer = setInterval(() => this.#tick(), 1);

  #tick(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  /** Stops; returns the longest time between two runs of the timer, in milliseconds. */
  stop(): number {
    clearInterval(this.#timer);
    this.#tick();
    return this.#longestMs;
  }
}

/** Resolves in a later turn of the event loop, after timers and I/O had theirs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Processor time of all threads of this process, in seconds. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The most memory that this process ever had resident, in bytes. */
export function peakMemoryBytes(): number {
  if (process.platform === "linux") {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (line !== null) return Number(line[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** The memory that this process has resident now, in bytes. */
export function residentMemoryBytes(): number {
  return process.memoryUsage.rss();
}

/** Sum of the sizes of the files in a directory. */
export function directorySizeBytes(directory: string): number {
  let total = 0;
  for (const name of readdirSync(directory)) total += statSync(path.join(directory, name)).size;
  return total;
}
