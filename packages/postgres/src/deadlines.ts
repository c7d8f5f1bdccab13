/**
 * The time that statements may take. They all may take the same, so the oldest one is late first,
 * and one timer is enough: to set and clear one for each statement costs as much as the rest of it.
 */

/** What is under way. */
export interface Deadline {
  /** When it is late, by `performance.now()`. */
  readonly at: number;
  /** Called once if it is late. */
  onLate(error: NoAnswer): void;
}

/** The statement was not answered in time. */
export class NoAnswer extends Error {
  /** Made by {@linkcode Deadlines}. */
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** Watches over what is under way. */
export class Deadlines {
  readonly #ms: number;
  /** In the order of their deadlines. */
  readonly #underWay = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Something begins. */
  start(onLate: (error: NoAnswer) => void): Deadline {
    const deadline = { at: performance.now() + this.#ms, onLate };
    this.#underWay.add(deadline);
    if (this.#timer === undefined) this.#wait(this.#ms);
    return deadline;
  }

  /** It has ended. */
  end(deadline: Deadline): void {
    this.#underWay.delete(deadline);
  }

  /** Nothing begins any more, so no timer is needed when nothing is under way. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), ms);
    // What is under way has a connection, which keeps the program running.
    (this.#timer as { unref?(): void }).unref?.();
  }

  #check(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const deadline of this.#underWay) {
      if (deadline.at > now) return this.#wait(Math.ceil(deadline.at - now));
      this.#underWay.delete(deadline);
      deadline.onLate(new NoAnswer(this.#ms));
    }
  }
}
