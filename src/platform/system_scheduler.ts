/**
 * The real clock, timers, turns and randomness. Only this file and its callers in src/platform/
 * may touch them; the engine gets a Scheduler.
 */

import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import type { Scheduler } from "./scheduler.ts";

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

  sleepSync(durationMs) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
  },

  randomHex(byteCount) {
    const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
    let hex = "";
    for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
    return hex;
  },
};
