/**
 * The numbers of a store's files: one sequence, handed out upwards and never reused.
 *
 * The counter is one word of shared memory, so that a merge in another thread takes numbers from
 * the same sequence as the store. Nothing has to be reserved for it or returned. (A flush is given
 * its number: flush_queue.ts.)
 */

import { IoError } from "../errors.ts";
import { sharedMemory } from "../platform/natives.ts";
import { MAX_FILE_NUMBER } from "./file_names.ts";

/** Hands out file numbers. Several of these objects, in several threads, may share a counter. */
export class FileNumbers {
  /** The counter: its one word is the next number. */
  readonly counter: Uint32Array;
  readonly #directory: string;

  /** Takes numbers from a counter, which `sharedFileNumber` makes. */
  constructor(directory: string, counter: Uint32Array) {
    this.#directory = directory;
    this.counter = counter;
  }

  /** Every number from here on is free. */
  get next(): number {
    return Atomics.load(this.counter, 0);
  }

  /** A number that no file of this store ever had. */
  take(): number {
    for (;;) {
      const number = this.next;
      if (number >= MAX_FILE_NUMBER) {
        // The store's own files would take centuries to reach 2^32; a hostile manifest can claim it
        // at once.
        const reason = "the store has used up its 2^32 file numbers";
        throw new IoError("create a file in", this.#directory, reason, undefined);
      }
      if (Atomics.compareExchange(this.counter, 0, number, number + 1) === number) return number;
    }
  }

  /** Keeps every number up to `number` from being handed out. */
  reserve(number: number): void {
    // One word holds at most the largest number, from which on `take` refuses.
    const after = Math.min(number + 1, MAX_FILE_NUMBER);
    for (;;) {
      const next = this.next;
      if (after <= next) return;
      if (Atomics.compareExchange(this.counter, 0, next, after) === next) return;
    }
  }
}

/** A counter that starts at `next`. */
export function sharedFileNumber(next: number): Uint32Array {
  const counter = new Uint32Array(sharedMemory(4));
  counter[0] = next;
  return counter;
}
