/**
 * Turns of the event loop for background work, one store's slice in each. A program may have many stores open, and
 * their slices would add up if they all had them in the same turn.
 */

import type { Scheduler } from "../platform/scheduler.ts";

/** The last turn that was asked for. */
const lastTurns = new WeakMap<Scheduler, Promise<void>>();

/** Resolves in a turn of the event loop in which no other store does a slice; in the order of the calls. */
export function ownTurn(scheduler: Scheduler): Promise<void> {
  const last = lastTurns.get(scheduler);
  const turn = last === undefined ? scheduler.yield() : last.then(() => scheduler.yield());
  lastTurns.set(scheduler, turn);
  return turn;
}
