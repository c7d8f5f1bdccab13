/**
 * Random calls in transactions, and the serial oracle that judges them, for every store of the
 * contract.
 *
 * The oracle gets the commits in their order. It repeats every transaction on a map in that order,
 * one after the other. Each answer of a committed attempt must be the map's answer, and its writes
 * must be one commit. A transaction that only reads must fit between two commits.
 */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { DeletedRange, Range, Transaction, Value, Watch } from "../../contract.ts";
import type { Random } from "../support/random.ts";

const KEYS = 10;

/** A key and its value. */
export type Pair = [string, Value];
/** Removed keys: from the first one on, and before the second one if there is one. */
export interface Removal {
  readonly gte: string;
  readonly lt: string | undefined;
}
/**
 * What one commit did to keys. Undefined means that it removed the key. The last item is the time
 * at which the value expires, if it does.
 */
export type Changes =
  readonly (readonly [string, Value | undefined, (number | undefined)?] | Removal)[];

/** Whether a change is that of a range. */
export function isRemoval(change: Changes[number]): change is Removal {
  return "gte" in change;
}

/** The part of some changes that a watch of the keys with the prefix "k" shows. */
export function touching(changes: Changes): Changes {
  return changes.flatMap((change): Changes => {
    if (!isRemoval(change)) return change[0].startsWith("k") ? [change] : [];
    const gte = change.gte < "k" ? "k" : change.gte;
    const lt = change.lt === undefined || change.lt > "l" ? "l" : change.lt;
    return gte < lt ? [{ gte, lt }] : [];
  });
}

/** One call in the body of a transaction, with its answer. */
export interface Call {
  readonly name: string;
  /** Repeats the call on the map. Returns the map's answer. */
  readonly onModel: (model: Model) => unknown;
  readonly answer: unknown;
}

/** A transaction that has committed. */
export interface Committed {
  readonly id: string;
  readonly calls: readonly Call[];
  readonly isReadOnly: boolean;
  /** The time at which its last attempt began, by which it judges what has expired. */
  readonly begunMs?: number;
}

/** The map. */
export class Model {
  /** What has expired by this time does not show. */
  nowMs = 0;
  readonly #rows: Map<string, readonly [Value, number]>;

  constructor(from?: Model) {
    this.#rows = new Map(from === undefined ? [] : from.#rows);
    this.nowMs = from?.nowMs ?? 0;
  }

  get values(): ReadonlyMap<string, Value> {
    const live = [...this.#rows].filter(([, [, expiresAt]]) => expiresAt > this.nowMs);
    return new Map(live.map(([key, [value]]) => [key, value]));
  }

  /** Everything, with the times. */
  get rows(): unknown {
    return [...this.#rows].sort(([a], [b]) => a < b ? -1 : 1);
  }

  /** The time of a live value, for the changes that keep it. */
  timeOf(key: string): number | undefined {
    const expiresAt = this.values.has(key) ? this.#rows.get(key)![1] : Infinity;
    return expiresAt === Infinity ? undefined : expiresAt;
  }

  apply(changes: Changes): void {
    for (const change of changes) {
      if (isRemoval(change)) {
        const { gte, lt } = change;
        for (const key of this.#rows.keys()) {
          if (key >= gte && (lt === undefined || key < lt)) this.#rows.delete(key);
        }
        continue;
      }
      const [key, value, expiresAt = Infinity] = change;
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, [value, expiresAt]);
    }
  }

  select({ gte, lt, reverse, limit = Infinity }: Range): Pair[] {
    const found = [...this.values].filter(([key]) =>
      (gte === undefined || key >= gte) && (lt === undefined || key < lt)
    ).sort(([a], [b]) => a < b ? -1 : 1);
    return (reverse === true ? found.reverse() : found).slice(0, limit);
  }
}

/** The removal in the form of a store. */
export function rangeOf({ gte, lt }: Removal): DeletedRange {
  return lt === undefined ? { gte } : { gte, lt };
}

/** Makes calls of random kinds in transactions. */
export abstract class RandomCalls {
  readonly random: Random;
  #unique = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** Waits for others, a random time. */
  abstract pause(): Promise<void>;

  key(): string {
    return `k${this.random.below(KEYS)}`;
  }

  value(): Value {
    return this.random.below(4) === 0 ? `text ${++this.#unique}` : ++this.#unique;
  }

  /** The time at which the next value expires, or undefined. By default no value expires. */
  time(): number | undefined {
    return undefined;
  }

  range(): Range {
    const { random } = this;
    const range: Range = {};
    if (random.below(3) > 0) range.gte = this.key();
    if (random.below(3) > 0) range.lt = `${this.key()}~`;
    if (random.below(2) === 0) range.reverse = true;
    if (random.below(3) === 0) range.limit = 1 + random.below(4);
    return range;
  }

  /** A range to delete: of some keys, and rarely all. */
  removal(): Removal {
    const { random } = this;
    if (random.below(12) === 0) return { gte: "", lt: undefined };
    return { gte: this.key(), lt: random.below(8) === 0 ? undefined : `${this.key()}~` };
  }

  /** Makes one call of a random kind. Several calls may run at the same time. */
  async call(tx: Transaction, isReadOnly: boolean, calls: Call[]): Promise<void> {
    const kind = this.random.below(isReadOnly ? 6 : 15);
    if (kind !== 5) {
      const { name, onModel, start } = this.asyncCall(tx, kind);
      calls.push({ name, onModel, answer: await start() });
      return;
    }
    // Reads a cursor in part, seeks, and reads on, sometimes with a write between.
    const range = this.range();
    const target = this.key();
    const [first, second] = [1 + this.random.below(3), 1 + this.random.below(3)];
    const key = this.key();
    const value = this.value();
    const cursor = tx.entries(range);
    const answer: unknown[] = [await cursor.nextMany(first)];
    await this.pause();
    const writes = !isReadOnly && this.random.below(2) === 0;
    if (writes) await tx.put(key, value);
    cursor.seek(target);
    await this.pause();
    answer.push(await cursor.nextMany(second));
    await cursor.close();
    const onModel = (model: Model): unknown => {
      const before = new Model(model);
      const { limit = Infinity } = range;
      const shown = before.select(range).slice(0, first);
      if (writes) model.apply([[key, value]]);
      const isInside = (range.gte === undefined || target >= range.gte) &&
        (range.lt === undefined || target < range.lt);
      const { limit: _, ...unlimited } = range;
      const rest = before.select(unlimited)
        .filter(([key]) => range.reverse === true ? key <= target : key >= target);
      const left = Math.max(0, Math.min(second, limit - shown.length));
      return [shown, isInside ? rest.slice(0, left) : []];
    };
    calls.push({ name: `cursor ${JSON.stringify(range)}, seek ${target}`, onModel, answer });
  }

  asyncCall(
    tx: Transaction,
    kind: number,
  ): { name: string; start: () => Promise<unknown>; onModel: (model: Model) => unknown } {
    const key = this.key();
    const other = this.key();
    const value = this.value();
    const range = this.range();
    const counter = `n${this.random.below(2)}`;
    const removal = this.removal();
    const expiresAt = this.time();
    const time = expiresAt === undefined ? undefined : { expiresAt };
    const timed = (value: Value) => [key, value, expiresAt] as const;
    switch (kind) {
      case 13:
        return {
          name: `deleteRange ${JSON.stringify(removal)}`,
          start: () => tx.deleteRange(rangeOf(removal)),
          onModel: (model) => model.apply([removal]),
        };
      case 14:
        return {
          name: `batch put ${key}, deleteRange ${JSON.stringify(removal)}, put ${other}`,
          start: () =>
            tx.batch().put(key, value).deleteRange(rangeOf(removal)).put(other, value).write(),
          onModel: (model) => model.apply([[key, value], removal, [other, value]]),
        };
      case 0:
        return {
          name: `get ${key}`,
          start: () => tx.get(key),
          onModel: ({ values }) => values.get(key),
        };
      case 1:
        return {
          name: `hasMany ${key} ${other}`,
          start: () => tx.hasMany([key, other]),
          onModel: ({ values }) => [values.has(key), values.has(other)],
        };
      case 2:
        return {
          name: `getMany ${key} ${other}`,
          start: () => tx.getMany([key, other]),
          onModel: ({ values }) => [values.get(key), values.get(other)],
        };
      case 3:
        return {
          name: `count ${JSON.stringify(range)}`,
          start: () => tx.count(range),
          onModel: (model) => model.select(range).length,
        };
      case 4:
        return {
          name: `entries ${JSON.stringify(range)}`,
          start: () => tx.entries(range).toArray(),
          onModel: (model) => model.select(range),
        };
      case 6:
        return {
          name: `delete ${key}`,
          start: () => tx.delete(key),
          onModel: (model) => model.apply([[key, undefined]]),
        };
      case 7:
        return {
          name: `putIfNotExists ${key}`,
          start: () => tx.putIfNotExists(key, value, time),
          onModel(model) {
            if (model.values.has(key)) return false;
            model.apply([timed(value)]);
            return true;
          },
        };
      case 8:
        return {
          name: `increment ${counter}, twice at the same time`,
          start: async () => {
            const sums = await Promise.all([tx.increment(counter), tx.increment(counter, 10)]);
            // Either of the two may come first.
            return sums[0] > sums[1] ? sums[0] : sums[1];
          },
          onModel(model) {
            const sum = (model.values.get(counter) as bigint | undefined ?? 0n) + 11n;
            model.apply([[counter, sum, model.timeOf(counter)]]);
            return sum;
          },
        };
      case 9:
        return {
          name: `batch ${key} ${other}`,
          start: () => tx.batch().put(key, value, time).delete(other).write(),
          onModel: (model) => model.apply([timed(value), [other, undefined]]),
        };
      case 10:
        return {
          name: `update ${key}`,
          start: () => tx.update(key, (old) => old === undefined ? value : undefined, time),
          onModel(model) {
            const changed = model.values.has(key) ? undefined : value;
            model.apply([changed === undefined ? [key, undefined] : timed(changed)]);
            return changed;
          },
        };
      default:
        return {
          name: `put ${key} ${expiresAt}`,
          start: () => tx.put(key, value, time),
          onModel: (model) => model.apply([timed(value)]),
        };
    }
  }
}

/** The commits that a watch shows until it ends. */
export async function follow(watch: Watch): Promise<Changes[]> {
  const seen: Changes[] = [];
  for await (const { operations } of watch) {
    seen.push(
      operations.map((one) => {
        if (one.type === "deleteRange") {
          return { gte: String(one.range.gte ?? ""), lt: one.range.lt as string | undefined };
        }
        if (one.type === "delete") return [String(one.key), undefined];
        const { key, value, expiresAt } = one;
        return expiresAt === undefined
          ? [String(key), value]
          : [String(key), value, Number(expiresAt)];
      }),
    );
  }
  return seen;
}

/** The serial oracle. */
export function judge(
  commits: readonly Changes[],
  committed: readonly Committed[],
  final: Pair[],
  endMs = 0,
): void {
  const byMark = new Map(committed.map((one) => [one.id, one]));
  const states = [new Model()];
  let found = 0;
  for (const changes of commits) {
    const before = states.at(-1)!;
    const after = new Model(before);
    after.apply(changes);
    const marks = changes.map((change) => isRemoval(change) ? "" : change[0]);
    const mark = marks.find((key) => key.startsWith("~t"));
    if (mark !== undefined) {
      const transaction = byMark.get(mark);
      assert.ok(
        transaction !== undefined,
        `${mark} is in the log, and it was never said to commit`,
      );
      found++;
      const serial = new Model(before);
      serial.nowMs = transaction.begunMs ?? 0;
      for (const { name, onModel, answer } of transaction.calls) {
        assert.deepEqual(answer, onModel(serial), `${mark}: ${name}`);
      }
      assert.deepEqual(after.rows, serial.rows, `what ${mark} has written`);
    }
    states.push(after);
  }
  assert.equal(
    found,
    committed.filter(({ isReadOnly }) => !isReadOnly).length,
    "commits in the log",
  );
  const last = states.at(-1)!;
  last.nowMs = endMs;
  assert.deepEqual(final, last.select({}), "the store at the end");
  for (const { id, calls, isReadOnly, begunMs = 0 } of committed) {
    if (!isReadOnly) continue;
    const fits = states.some((state) => {
      state.nowMs = begunMs;
      return calls.every((call) => isSame(call, state));
    });
    assert.ok(fits, `${id} has read what there was at no moment: ${inspect(calls)}`);
  }
}

function isSame({ answer, onModel }: Call, state: Model): boolean {
  try {
    assert.deepEqual(answer, onModel(state));
    return true;
  } catch {
    return false;
  }
}
