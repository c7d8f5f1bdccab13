/**
 * How much CPU time a child process takes, from outside: no runtime tells it of a child that has
 * ended. Linux shows it while the process runs, so it is read again and again; what the process
 * takes after the last look is missing.
 */

import { readFileSync } from "node:fs";

/** Milliseconds between two looks. */
const INTERVAL_MS = 200;
/** Linux counts in hundredths of a second, whatever its clock does. */
const TICKS_A_SECOND = 100;

/**
 * CPU seconds in the text of `/proc/PID/stat`: of the process, and of the children that it has
 * waited for.
 */
export function cpuSecondsIn(stat: string): number {
  // The name of the program, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks / TICKS_A_SECOND;
}

/** CPU seconds of a process and its children that have ended; undefined where nothing tells it. */
export function cpuSecondsOf(pid: number | "self"): number | undefined {
  try {
    return cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // Another system than Linux, or the process has ended.
    return undefined;
  }
}

/** Watches a process until the function that is returned is called, which tells the CPU seconds. */
export function watchCpu(pid: number | undefined): () => number | undefined {
  if (pid === undefined) return () => undefined;
  let seconds = cpuSecondsOf(pid);
  if (seconds === undefined) return () => undefined;
  const timer = setInterval(() => seconds = cpuSecondsOf(pid) ?? seconds, INTERVAL_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    return seconds;
  };
}
