/**
 * Runs something in this turn, after what runs now: `queueMicrotask`, unless that is a fake. Jest's fake clock
 * and others replace it, and run nothing until they are told to.
 *
 * It is taken once, at load, and tried: a real one runs before a promise that is settled later calls back. If it
 * does not, promises are used, which nobody fakes, and which take half a microsecond more.
 */

/** Missing where a program makes a realm of its own and gives it little. */
const { queueMicrotask } = globalThis as { queueMicrotask?: (callback: () => void) => void };
const settled = Promise.resolve();
let isTried = false;
let isReal = false;

queueMicrotask?.(() => isReal = !isTried);
void settled.then(() => isTried = true);

/** Calls back when what runs now has ended. */
export function soon(callback: () => void): void {
  if (isReal) queueMicrotask!(callback);
  else void settled.then(callback);
}
