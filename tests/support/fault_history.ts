/**
 * The history of writes that a workload made, and whether a store shows the state after a prefix of
 * it.
 *
 * Every write has an ordinal, from 1, which is the first part of every value that it stores; a
 * batch also stores it under its own key. So the newest ordinal that a store shows is the length of
 * the prefix, and the rest must be as the model has it after that number of writes. Entries from
 * before the first write (`adopt`) have no ordinal.
 */

import { isDeepStrictEqual } from "node:util";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import type { Operation } from "../../src/store/write/batch.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";

/** The key under which every batch stores its ordinal. */
export const ORDINAL_KEY = "~ordinal";

/** The state after a number of writes, in the order of the keys. */
interface State {
  readonly keys: readonly string[];
  readonly values: ReadonlyMap<string, unknown>;
  /** The times at which values expire. */
  readonly times: ReadonlyMap<string, number>;
}

/** What was acknowledged and issued at some moment. */
export interface Bounds {
  /** Ordinal of the newest write that is durable for certain. */
  readonly durable: number;
  /** Ordinal of the newest write that the system has for certain. */
  readonly written: number;
  /** Ordinal of the newest write that was issued. */
  readonly issued: number;
}

/** Writes, acknowledgements, and the model. */
export class History {
  #writes: (readonly Operation[])[] = [];
  readonly #states = new Map<number, State>();
  readonly #keys = new Set<string>();
  readonly #base = new Map<string, unknown>();
  #durable = 0;
  #written = 0;

  /** Every key that was ever written. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  /** What is certain just now. */
  get bounds(): Bounds {
    return { durable: this.#durable, written: this.#written, issued: this.#writes.length };
  }

  /** Ordinal of the write that comes next. */
  get nextOrdinal(): number {
    return this.#writes.length + 1;
  }

  /** A copy of the history that continues separately. */
  copy(): History {
    const copy = new History();
    copy.#writes = this.#writes.slice();
    for (const [key, value] of this.#base) copy.#base.set(key, value);
    for (const key of this.#keys) copy.#keys.add(key);
    copy.#durable = this.#durable;
    copy.#written = this.#written;
    return copy;
  }

  /** Takes what a store holds before the first write, which is durable. Keys are ASCII. */
  adopt(entries: Iterable<readonly [string, unknown]>): void {
    for (const [key, value] of entries) {
      this.#base.set(key, value);
      this.#keys.add(key);
    }
  }

  /** Notes a write that is about to be issued; returns its ordinal. */
  issue(operations: readonly Operation[]): number {
    this.#writes.push(operations);
    for (const operation of operations) {
      if (operation.type !== "deleteRange") this.#keys.add(operation.key as string);
    }
    return this.#writes.length;
  }

  /** Notes that a write and all before it are acknowledged. */
  acknowledge(ordinal: number, isDurable: boolean): void {
    this.#written = Math.max(this.#written, ordinal);
    if (isDurable) this.#durable = Math.max(this.#durable, ordinal);
  }

  /** Requires that these are all the operations of a write, in their order; returns its ordinal. */
  requireWhole(operations: readonly Operation[]): number {
    const put = operations.find((operation) => operation.type === "put");
    const ordinal = Number.parseInt(String(put?.value), 10);
    const written = this.#writes[ordinal - 1];
    if (!isDeepStrictEqual(operations, written)) {
      throw new Error(
        `write ${ordinal} is shown as ${operations.length} operations, not as it was`,
      );
    }
    return ordinal;
  }

  /** Notes that a write was refused and has changed nothing. It keeps its ordinal. */
  withdraw(ordinal: number): void {
    this.#writes[ordinal - 1] = [];
    for (const known of this.#states.keys()) if (known >= ordinal) this.#states.delete(known);
  }

  /** Forgets what only the system had: its power is gone. */
  loseUnsynced(): void {
    this.#written = this.#durable;
  }

  /** Goes back to a prefix, all of which is durable: the store was recovered to it. */
  recover(ordinal: number): void {
    this.#writes.length = ordinal;
    for (const known of this.#states.keys()) if (known > ordinal) this.#states.delete(known);
    this.#durable = this.#written = ordinal;
  }

  /**
   * Number of operations in the first `ordinal` writes, which is the number of their sequence
   * numbers.
   */
  operationCount(ordinal: number): number {
    let count = 0;
    for (let at = 0; at < ordinal; at++) count += this.#writes[at]!.length;
    return count;
  }

  /** The state after `ordinal` writes. */
  state(ordinal: number): State {
    let state = this.#states.get(ordinal);
    if (state === undefined) {
      const before = ordinal === 0 ? undefined : this.state(ordinal - 1);
      const values = new Map(before === undefined ? this.#base : before.values);
      const times = new Map(before?.times ?? []);
      for (const operation of this.#writes[ordinal - 1] ?? []) {
        if (operation.type === "deleteRange") {
          const { gte = "", lt } = operation.range;
          for (const key of [...values.keys()]) {
            if (key < gte || (lt !== undefined && key >= lt)) continue;
            values.delete(key);
            times.delete(key);
          }
          continue;
        }
        const key = operation.key as string;
        times.delete(key);
        if (operation.type === "delete") values.delete(key);
        else {
          values.set(key, operation.value);
          if (operation.expiresAt !== undefined) times.set(key, Number(operation.expiresAt));
        }
      }
      // The keys are ASCII: the order of UTF-16 units is the order of the bytes.
      state = { keys: [...values.keys()].sort(), values, times };
      this.#states.set(ordinal, state);
    }
    return state;
  }

  /**
   * The prefix that the store shows: by a scan forwards, which must be the model's state with
   * `extra` laid over it, and by a scan backwards and a get of every key ever used, which must
   * agree.
   *
   * @throws {Error} it shows no prefix, or one outside the bounds
   */
  check(
    store: EmbeddedStore,
    lowest: number,
    highest: number,
    extra?: ReadonlyMap<string, string>,
  ): number {
    const shown = [...store.entries()] as [string, unknown][];
    let ordinal = 0;
    for (const [key, value] of shown) {
      if (extra?.has(key)) continue;
      if (this.#base.has(key) && isSame(value, this.#base.get(key))) continue;
      const own = ordinalOf(value);
      if (own === undefined) throw new Error(`"${key}" has the value ${brief(value)}`);
      if (own > ordinal) ordinal = own;
    }
    // Where a later write laid a value over the newest, the scan can't tell the prefix from the
    // last.
    if (extra !== undefined && ordinal < lowest) ordinal = lowest;
    while (ordinal < lowest && this.#writes[ordinal]!.length === 0) ordinal++;
    if (ordinal < lowest) {
      throw new Error(`write ${ordinal} is the newest, but write ${lowest} was acknowledged`);
    }
    if (ordinal > highest) throw new Error(`write ${ordinal} is there, ${highest} were issued`);
    const model = liveAt(this.state(ordinal), systemScheduler.wallMs());
    let { keys, values } = model;
    if (extra !== undefined) {
      values = new Map([...values, ...extra]);
      keys = [...values.keys()].sort();
    }
    requireSame(shown, keys, values, `a scan after write ${ordinal}`);
    const backwards = ([...store.entries({ reverse: true })] as [string, unknown][]).reverse();
    requireSame(backwards, keys, values, `a scan backwards after write ${ordinal}`);
    for (const key of this.#keys) {
      const found = store.getSync(key);
      const expected = values.get(key);
      if (!isSame(found, expected)) {
        throw new Error(
          `after write ${ordinal} get of "${key}" is ${brief(found)}, expected ${brief(expected)}`,
        );
      }
    }
    return ordinal;
  }
}

/** The ordinal of the write that stored a value, or undefined if none of a history did. */
export function ordinalOf(value: unknown): number | undefined {
  const text = textOf(value);
  const own = typeof text === "string" ? Number(text.slice(0, text.indexOf(":"))) : NaN;
  return Number.isSafeInteger(own) ? own : undefined;
}

/** What of a state has not expired at a time. */
function liveAt({ keys, values, times }: State, nowMs: number): State {
  if (times.size === 0) return { keys, values, times };
  const live = keys.filter((key) => (times.get(key) ?? Infinity) > nowMs);
  return { keys: live, values: new Map(live.map((key) => [key, values.get(key)])), times };
}

/** Whether a value is the one that a history has. What was put as a stream comes as bytes. */
export function isSame(value: unknown, expected: unknown): boolean {
  // Only what was there before the first write may be anything but a string.
  if (typeof expected === "string") return textOf(value) === expected;
  return value === expected || isDeepStrictEqual(value, expected);
}

function textOf(value: unknown): unknown {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
}

function requireSame(
  shown: readonly (readonly [string, unknown])[],
  keys: readonly string[],
  values: ReadonlyMap<string, unknown>,
  what: string,
): void {
  for (let i = 0; i < Math.max(shown.length, keys.length); i++) {
    const entry = shown[i];
    const key = keys[i];
    if (entry !== undefined && entry[0] === key && isSame(entry[1], values.get(key))) continue;
    const expected = key === undefined ? "nothing" : `"${key}" ${brief(values.get(key))}`;
    const found = entry === undefined ? "nothing" : `"${entry[0]}" ${brief(entry[1])}`;
    throw new Error(`${what} shows ${found} as entry ${i}, expected ${expected}`);
  }
}

function brief(value: unknown): string {
  return typeof value === "string" ? `"${value.slice(0, 24)}"` : String(value);
}
