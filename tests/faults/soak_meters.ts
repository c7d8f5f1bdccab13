/**
 * What soak_child.ts measures: how long the event loop is held, how much memory and how many
 * descriptors the process has.
 *
 * The lag of a timer of 10 ms is how much later than 10 ms after the last one it fires. On a shared
 * machine, that is mostly time for which the process had no processor: an idle loop showed up to
 * 370 ms. So the verdict is about what the process itself did. Of each lag, at most the processor
 * time of the thread counts (if the system does not tell, that of the process with all its
 * threads), and the time that synchronous calls would have taken on the slow disk counts in full.
 * On a quiet machine that is the lag itself.
 */

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { LONG_LAG_MS } from "./soak_report.ts";

const TICK_MS = 10;

/** Measures lags from its start to its end. */
export class LagMeter {
  /** The lag that counts, at its highest, in milliseconds. */
  maxBusyMs = 0;
  /** How many such lags were long. */
  longLags = 0;
  /** The lag by the clock, at its highest. */
  maxClockMs = 0;
  /** Number of times that the timer fired. */
  ticks = 0;
  /** What synchronous calls of the file system would have taken on the slow disk, ever growing. */
  readonly #ioMs: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #startedMs = 0;
  #startedCpuMs = 0;
  #startedIoMs = 0;

  /** Starts to measure. */
  constructor(ioMs: () => number) {
    this.#ioMs = ioMs;
    this.#start();
  }

  /** Stops. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#startedMs = performance.now();
    this.#startedCpuMs = cpuMs();
    this.#startedIoMs = this.#ioMs();
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const lagMs = performance.now() - this.#startedMs - TICK_MS;
    const usedMs = cpuMs() - this.#startedCpuMs;
    const busyMs = Math.min(lagMs, usedMs) + this.#ioMs() - this.#startedIoMs;
    this.ticks++;
    if (busyMs > LONG_LAG_MS) this.longLags++;
    this.maxClockMs = Math.max(this.maxClockMs, lagMs);
    this.maxBusyMs = Math.max(this.maxBusyMs, busyMs);
    this.#start();
  }
}

const SCHEDULE = "/proc/thread-self/schedstat";
const isThreadTold = existsSync(SCHEDULE);

/**
 * Milliseconds of processor time that the thread has used; of the whole process if nobody tells.
 */
export function cpuMs(): number {
  if (isThreadTold) return Number(readFileSync(SCHEDULE, "utf8").split(" ")[0]) / 1e6;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Resident memory in bytes. */
export function residentBytes(): number {
  return process.memoryUsage().rss;
}

/** Resolves after that number of milliseconds. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Holds the thread until it has used that much processor time. */
export function holdThread(durationMs: number): void {
  const startedMs = cpuMs();
  while (cpuMs() - startedMs < durationMs);
}

/** Number and bytes of the files in a directory. */
export function filesIn(
  fileSystem: FileSystem,
  directory: string,
): { count: number; bytes: number } {
  const names = fileSystem.listSync(directory);
  const sizes = names.map((name) =>
    fileSystem.statSync(fileSystem.joinPath(directory, name))?.sizeBytes ?? 0
  );
  return { count: names.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
