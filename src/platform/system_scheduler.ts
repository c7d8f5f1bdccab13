/**
 * The real clock, timers, turns and randomness. Only this file and its callers in src/platform/
 * may touch them; the engine gets a Scheduler.
 */

import { nodeModule, runtimeName } from "./runtime.ts";
import type { Scheduler } from "./scheduler.ts";
import { clearTimeout, setImmediate, setTimeout, waitSync } from "./timers.ts";

const fs = nodeModule("node:fs");

/** Time and turns of the runtime at hand. */
export const systemScheduler: Scheduler = {
  nowMs: () => performance.now(),

  // A setTimeout(0) would cost 1.0 to 1.7 ms a turn; setImmediate takes 0.7 to 1.7 us.
  yield: () => new Promise((resolve) => setImmediate(resolve)),

  setTimer(callback, delayMs) {
    const timeout = setTimeout(callback, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },

  sleepSync: waitSync,

  randomHex(byteCount) {
    const bytes = randomBytes(byteCount);
    let hex = "";
    for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
    return hex;
  },
};

/** The system's own device where that is quicker: on Node the first use of `crypto` takes 3 ms. */
function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  if (runtimeName === "node") {
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync("/dev/urandom", "r");
      if (fs.readSync(descriptor, bytes, 0, count, null) === count) return bytes;
    } catch {
      // A system without it, or a process that may not open it.
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }
  return crypto.getRandomValues(bytes);
}
