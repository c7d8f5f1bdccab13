/**
 * The real clock, timers, turns and randomness. Only this file and its callers in src/platform/
 * may touch them; the engine gets a Scheduler.
 */

import { startTimer, turn } from "./real_timers.ts";
import { builtinModule, nodeModule, runtimeName } from "./runtime.ts";
import type { Scheduler } from "./scheduler.ts";
import { SteadyClock } from "./steady_clock.ts";
import { waitSync } from "./timers.ts";
import { wallClockMs } from "./wall_clock.ts";

const fs = nodeModule("node:fs");

const RealDate = Date;
/** Not on Node: its global makes it load all of its web crypto, and `node:crypto` is there. */
const realCrypto = runtimeName === "node" ? undefined : (globalThis as { crypto?: Crypto }).crypto;
const clock = new SteadyClock(realNow(), waitSync);

/**
 * The runtime's own clock. It is taken once, not from a global, which may be jsdom's or a fake, and
 * not as a method of the object, which a test may have replaced.
 */
function realNow(): () => number {
  const performance = builtinModule("node:perf_hooks")?.performance as Performance | undefined ??
    globalThis.performance;
  const { now } = Object.getPrototypeOf(performance) as Partial<Performance>;
  return (now ?? performance.now).bind(performance);
}

/** The time of day for a text that people read, as in 2023-11-14T22:13:20.000Z. */
export function dateText(): string {
  try {
    return String(new RealDate().toISOString());
  } catch {
    // A replaced Date need not have a time, or any method.
    return "1970-01-01T00:00:00.000Z";
  }
}

/** Time and turns of the current runtime. */
export const systemScheduler: Scheduler = {
  nowMs: () => clock.nowMs(),
  wallMs: wallClockMs,
  yield: turn,
  setTimer: startTimer,
  sleepSync: (durationMs) => clock.sleepSync(durationMs),

  randomHex(byteCount) {
    const bytes = randomBytes(byteCount);
    let hex = "";
    for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
    return hex;
  },
};

/** The system's own device if that is faster: on Node the first use of crypto takes 3 ms. */
function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  if (runtimeName === "node") {
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync("/dev/urandom", "r");
      if (fs.readSync(descriptor, bytes, 0, count, null) === count) return bytes;
    } catch {
      // The system has none, or the process may not open it.
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }
  // jsdom removes the runtime's.
  if (realCrypto !== undefined) return realCrypto.getRandomValues(bytes);
  return nodeModule("node:crypto").randomFillSync(bytes);
}
