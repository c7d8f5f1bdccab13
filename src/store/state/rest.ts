/**
 * Releases what an open store does not need while nobody uses it: descriptors of tables, and memory
 * for the next memtable, table and batch. A program may have hundreds of stores open and use only a
 * few.
 *
 * A store calls `note` when it takes such a resource. From then on a timer checks now and then
 * whether the store was used since. After two checks without any use everything is released, and
 * the timer starts again only with the next `note`. Reads and writes themselves cost nothing.
 */

import type { Scheduler, Timer } from "../../platform/scheduler.ts";

/** The time between two checks. */
const LOOK_MS = 700;
/** This number of checks in a row must find the store unused. */
const IDLE_LOOKS = 2;

/** Watches one store. */
export class Rest {
  readonly #scheduler: Scheduler;
  readonly #countUses: () => number;
  readonly #giveBack: () => void;
  #timer: Timer | undefined;
  #uses = 0;
  #idleLooks = 0;
  #isStopped = false;

  /**
   * `countUses` rises with the use of the store; `giveBack` is called after it was at rest for a
   * while.
   */
  constructor(scheduler: Scheduler, countUses: () => number, giveBack: () => void) {
    this.#scheduler = scheduler;
    this.#countUses = countUses;
    this.#giveBack = giveBack;
  }

  /** The store has taken something that must be released later. */
  note(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#idleLooks = 0;
    this.#uses = this.#countUses();
    this.#start();
  }

  /** The store is closed. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #start(): void {
    this.#timer = this.#scheduler.setTimer(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const uses = this.#countUses();
    this.#idleLooks = uses === this.#uses ? this.#idleLooks + 1 : 0;
    this.#uses = uses;
    if (this.#idleLooks < IDLE_LOOKS) return this.#start();
    this.#timer = undefined;
    this.#giveBack();
  }
}
