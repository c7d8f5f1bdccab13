/** The rows of a SELECT: reads entries, filters, sorts and sums them up. */

import { Buffer } from "node:buffer";
import type { Range } from "@tinykvs/core";
import { entryBatches, keyBatches } from "../batches.ts";
import { UsageError } from "../errors.ts";
import type { ReadMeter } from "../looking/reading.ts";
import type { OpenStore } from "../store_access.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { type KeySet, type Operand, valueOf, type Where } from "./conditions.ts";
import type { Aggregate, OrderTerm, SelectPlan } from "./statement.ts";
import { compare, isNumber, order, type SqlValue } from "./values.ts";

/** Rows that are sorted at the same time, at most: they are all in memory. */
const MAX_SORTED = 1_000_000;

/** Reads the entries that fulfil a WHERE, in the order of their keys. */
export async function* matching(
  store: OpenStore,
  where: Where,
  how: {
    readonly signal: AbortSignal;
    readonly meter: ReadMeter;
    readonly reverse?: boolean;
    readonly needsValues: boolean;
  },
): AsyncGenerator<StoredEntry> {
  const { filter } = where;
  for await (const entries of batchesOf(store, where.keySet, how)) {
    for (const entry of entries) {
      how.meter.entries++;
      if (filter === undefined || filter(entry) === true) yield entry;
    }
    how.signal.throwIfAborted();
  }
}

async function* batchesOf(
  store: OpenStore,
  keySet: KeySet,
  { signal, reverse = false, needsValues }: Parameters<typeof matching>[2],
): AsyncGenerator<StoredEntry[]> {
  if ("keys" in keySet) {
    const keys = reverse ? [...keySet.keys].reverse() : keySet.keys;
    for (let at = 0; at < keys.length; at += 256) {
      const part = keys.slice(at, at + 256);
      const values = await store.getMany(part);
      yield part.flatMap((key, index) => {
        const value = values[index];
        return value === undefined ? [] : [{ key, value }];
      });
    }
    return;
  }
  const range: Range = { ...keySet.range, reverse, signal };
  if (needsValues) {
    for await (const batch of entryBatches(store, range)) {
      yield batch.map(([key, value]) => ({ key, value }));
    }
  } else {
    for await (const batch of keyBatches(store, range)) {
      // Nothing looks at the values.
      yield batch.map((key) => ({ key, value: "" }));
    }
  }
}

/** Whether a plan has to read values. */
export function needsValues(plan: SelectPlan): boolean {
  const operands = [
    ...plan.columns.map(({ operand }) => operand),
    ...plan.aggregates.map(({ operand }) => operand),
    ...plan.order.map(({ operand }) => operand),
  ];
  return plan.where.readsValues ||
    operands.some((operand) => operand?.of === "value");
}

/** Whether the order of keys is the order that a plan asks for, forward or in reverse. */
export function keyOrderOf(
  terms: readonly OrderTerm[],
): "forward" | "reverse" | undefined {
  const [first] = terms;
  if (first === undefined) return "forward";
  // Keys are unique: later terms decide nothing.
  if (first.operand.of !== "key") return undefined;
  return first.isDescending ? "reverse" : "forward";
}

/** Sorts entries, and keeps the first `keep` of them. */
export class Sorter {
  readonly #terms: readonly OrderTerm[];
  readonly #keep: number;
  #entries: StoredEntry[] = [];

  constructor(terms: readonly OrderTerm[], keep: number) {
    this.#terms = terms;
    this.#keep = keep;
  }

  /** @throws {UsageError} there are too many */
  add(entry: StoredEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= 2 * this.#keep + 1000) this.#cut();
    if (this.#entries.length > MAX_SORTED) {
      throw new UsageError(
        `ORDER BY would sort more than ${MAX_SORTED} rows in memory`,
        "Add LIMIT, or ORDER BY k, which needs no sorting.",
      );
    }
  }

  /** The first entries in order. */
  sorted(): StoredEntry[] {
    this.#cut();
    return this.#entries;
  }

  #cut(): void {
    this.#entries.sort((a, b) => this.#compare(a, b));
    if (this.#entries.length > this.#keep) {
      this.#entries = this.#entries.slice(0, this.#keep);
    }
  }

  #compare(a: StoredEntry, b: StoredEntry): number {
    for (const { operand, isDescending } of this.#terms) {
      const sign = order(valueOf(operand, a), valueOf(operand, b));
      if (sign !== 0) return isDescending ? -sign : sign;
    }
    return Buffer.compare(a.key, b.key);
  }
}

/** Sums up the rows for one aggregate. */
export class Accumulator {
  readonly #aggregate: Aggregate;
  #count = 0n;
  #sum: bigint | number = 0n;
  #best: SqlValue | undefined;

  constructor(aggregate: Aggregate) {
    this.#aggregate = aggregate;
  }

  /** Adds an entry. */
  add(entry: StoredEntry): void {
    const { call, operand } = this.#aggregate;
    if (operand === undefined) {
      this.#count++;
      return;
    }
    const value = valueOf(operand, entry);
    if (value === null || value === undefined) return;
    if (call === "count") {
      this.#count++;
    } else if (call === "sum" || call === "avg") {
      if (!isNumber(value)) return;
      this.#count++;
      this.#sum = typeof value === "bigint" && typeof this.#sum === "bigint"
        ? this.#sum + value
        : Number(this.#sum) + Number(value);
    } else {
      const sign = this.#best === undefined ? 0 : compare(value, this.#best);
      const isBetter = call === "min" ? sign! < 0 : sign! > 0;
      if (this.#best === undefined || isBetter) this.#best = value;
    }
  }

  /** The result; undefined is NULL. */
  result(): SqlValue | undefined {
    const { call } = this.#aggregate;
    if (call === "count") return this.#count;
    if (call === "min" || call === "max") return this.#best;
    if (this.#count === 0n) return undefined;
    return call === "sum" ? this.#sum : Number(this.#sum) / Number(this.#count);
  }
}

/** The name of an operand, for people. */
export function operandText(operand: Operand): string {
  return operand.of === "key" ? "k" : ["v", ...operand.path].join(".");
}
