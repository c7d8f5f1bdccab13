/**
 * Timers and turns of the event loop that also work if a test runner has replaced the runtime's.
 *
 * The functions are taken once, at load, from `node:timers` (timers.ts), because fake clocks
 * replace the globals. Some replace those of the module as well, before this file is loaded; Deno's
 * and Bun's fakes act from inside, on functions that were taken before. So the result of a call is
 * checked: if it is not a timer of the runtime, a channel of messages replaces the turn, and a wait
 * on memory the timer. No runner fakes those, but they are slower.
 */

import { nodeModule, runtimeName } from "./runtime.ts";
import type { Timer } from "./scheduler.ts";
import { clearTimeout, setImmediate, setTimeout } from "./timers.ts";

/** Resolves in a later turn of the event loop. */
export function turn(): Promise<void> {
  // A setTimeout(0) costs a millisecond and more for a turn; setImmediate about one microsecond.
  return new Promise((resolve) => {
    if (!isReal(setImmediate(resolve))) sendToSelf(resolve);
  });
}

/** Runs `callback` once after `delayMs`; only keeps the process alive meanwhile if `keepsAlive`. */
export function startTimer(callback: () => void, delayMs: number, keepsAlive = false): Timer {
  const timeout = setTimeout(callback, delayMs);
  if (isReal(timeout) && !("clock" in setTimeout)) {
    if (!keepsAlive) timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  }
  clearTimeout(timeout);
  return waitOnMemory(callback, delayMs);
}

/**
 * Timers of Node, Deno and Bun know whether they are destroyed; fakes don't. Other runtimes have
 * only real ones.
 */
function isReal(timer: unknown): boolean {
  return runtimeName === "other" ||
    typeof timer === "object" && timer !== null && "_destroyed" in timer;
}

function sendToSelf(resolve: () => void): void {
  const { MessageChannel } = nodeModule("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  port1.on("message", () => {
    port1.close();
    resolve();
  });
  port2.postMessage(undefined);
}

function waitOnMemory(callback: () => void, delayMs: number): Timer {
  const word = new Int32Array(new SharedArrayBuffer(4));
  let isCancelled = false;
  const { async, value } = Atomics.waitAsync(word, 0, 0, delayMs);
  void Promise.resolve(async ? value : turn()).then(() => {
    if (!isCancelled) callback();
  });
  return {
    cancel() {
      isCancelled = true;
      Atomics.notify(word, 0);
    },
  };
}
