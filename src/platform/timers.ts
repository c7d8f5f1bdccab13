/** Timers and turns of the event loop, on runtimes with and without Node's modules. */

import { builtinModule } from "./runtime.ts";
import { SteadyClock } from "./steady_clock.ts";

/** A timer that is running. */
export interface Timeout {
  /** Lets the process end although the timer runs. */
  unref(): void;
}

interface Timers {
  setTimeout(callback: () => void, delayMs: number): Timeout;
  clearTimeout(timeout: Timeout): void;
  setImmediate(callback: () => void): unknown;
}

const timers = builtinModule("node:timers") as Timers | undefined ?? webTimers();

/** Calls back after a time. */
export const setTimeout: Timers["setTimeout"] = timers.setTimeout;
/** Stops a timer. */
export const clearTimeout: Timers["clearTimeout"] = timers.clearTimeout;
/** Calls back in the next turn of the event loop. */
export const setImmediate: Timers["setImmediate"] = timers.setImmediate;

/** Holds the thread for a time. */
export function waitSync(durationMs: number): void {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
  } catch {
    // No shared memory, or a page's main thread, which may not wait.
    const clock = new SteadyClock(() => performance.now(), () => {});
    const end = clock.nowMs() + durationMs;
    while (clock.nowMs() < end);
  }
}

/** By the globals of the web: a timer of 0 is delayed by milliseconds there, a message is not. */
function webTimers(): Timers {
  const { setTimeout, clearTimeout, MessageChannel } = globalThis;
  const numbers = new WeakMap<Timeout, ReturnType<typeof setTimeout>>();
  return {
    setTimeout(callback, delayMs) {
      const timeout: Timeout = { unref() {} };
      numbers.set(timeout, setTimeout(callback, delayMs));
      return timeout;
    },
    clearTimeout: (timeout) => clearTimeout(numbers.get(timeout)),
    setImmediate(callback) {
      if (MessageChannel === undefined) return setTimeout(callback, 0);
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        // An open port would keep some hosts alive.
        port1.close();
        callback();
      };
      port2.postMessage(undefined);
    },
  };
}
