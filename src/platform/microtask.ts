/**
 * Runs something in this turn, after the current code: `queueMicrotask`, unless that is a fake.
 * Jest's fake clock and others replace it, and run nothing until they are told to.
 *
 * It is taken and tried once, at load: a real one runs before the callback of a promise that is
 * settled later. If it does not, promises replace it, which no runner fakes, and which take half a
 * microsecond more.
 */

/** Missing if a program makes its own realm with few globals. */
const { queueMicrotask } = globalThis as { queueMicrotask?: (callback: () => void) => void };
const settled = Promise.resolve();
let isTried = false;
let isReal = false;

queueMicrotask?.(() => isReal = !isTried);
void settled.then(() => isTried = true);

/** Calls back after the current code has ended. */
export function soon(callback: () => void): void {
  if (isReal) queueMicrotask!(callback);
  else void settled.then(callback);
}
