/** Does a statement of SQL on a store, and shows what comes of it. */

import type { Operation } from "@tinykvs/core";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { readingText, ReadMeter, tablesUsed } from "../looking/reading.ts";
import type { Column } from "../output/rows.ts";
import { valueBytes } from "../output/entry_columns.ts";
import { describeRange } from "../range_options.ts";
import { SMALL_WRITE, type StoreAccess } from "../store_access.ts";
import { countOf, countText } from "../text/numbers.ts";
import { escapeControls, quote } from "../text/escape.ts";
import type { Style } from "../text/style.ts";
import { toHex, toText, toUtf8 } from "../values/bytes.ts";
import { type StoredEntry, valueJson } from "../values/json_form.ts";
import { styleOfType, typeOf } from "../values/kinds.ts";
import { keyText, literalOf } from "../values/literal_text.ts";
import { type Bounds, type KeySet, type Operand, rangeOfBounds, valueOf } from "./conditions.ts";
import { Accumulator, keyOrderOf, matching, needsValues, operandText, Sorter } from "./rows.ts";
import type { Aggregate, Plan, SelectPlan } from "./statement.ts";
import type { SqlValue } from "./values.ts";

/** What a terminal shows of a SELECT without LIMIT. */
const TERMINAL_LIMIT = 100;
/** A statement is one batch, which is in memory. */
const MAX_CHANGED = 1_000_000;

/** Does a statement. */
export async function execute(context: Context, plan: Plan): Promise<void> {
  switch (plan.kind) {
    case "select":
      return await select(context, plan);
    case "explain":
      return await explain(context, plan.select);
    case "insert":
      return await insert(context, plan.rows);
    case "update":
    case "delete":
      return await change(context, plan);
  }
}

/** A cell: a value of a row. */
function cellColumn<R>(
  name: string,
  cell: (row: R) => SqlValue | undefined,
): Column<R> {
  const styleOf = (value: SqlValue | undefined): Style =>
    value === undefined || value === null
      ? "dim"
      : styleOfType[typeOf(value as StoredEntry["value"])];
  return {
    name,
    flexible: true,
    text: (row, limit) => {
      const value = cell(row);
      return value === undefined || value === null ? "NULL" : literalOf(value, limit);
    },
    style: (row) => styleOf(cell(row)),
    json: (row) => {
      const value = cell(row);
      return value === undefined || value === null
        ? "null"
        : valueJson(value as StoredEntry["value"]);
    },
    bytes: (row, mode) => {
      const value = cell(row);
      return value === undefined || value === null
        ? new Uint8Array()
        : valueBytes(value as StoredEntry["value"], mode);
    },
  };
}

/** A column of sums: integers stand without their "n", and keys as keys. */
function aggregateColumn<R>(
  { name, operand }: Aggregate,
  cell: (row: R) => SqlValue | undefined,
): Column<R> {
  const column = cellColumn(name, (row: R) => {
    const value = cell(row);
    const isKey = operand?.of === "key" && value instanceof Uint8Array;
    return isKey ? toText(value) ?? value : value;
  });
  return {
    ...column,
    align: "right",
    text: (row, limit) => {
      const value = cell(row);
      if (typeof value === "bigint") return String(value);
      return operand?.of === "key" && value instanceof Uint8Array
        ? keyText(value, limit)
        : column.text(row, limit);
    },
  };
}

function entryColumn(name: string, operand: Operand): Column<StoredEntry> {
  const column = cellColumn<StoredEntry>(
    name,
    (entry) => valueOf(operand, entry),
  );
  if (operand.of === "value") return column;
  return {
    ...column,
    text: ({ key }, limit) => keyText(key, limit),
    style: () => "key",
    json: ({ key }) => quote(toText(key) ?? `x'${toHex(key)}'`),
    bytes: ({ key }, mode) => mode === "hex" ? toUtf8(toHex(key)) : key,
  };
}

async function select(context: Context, plan: SelectPlan): Promise<void> {
  const { output, signal } = context;
  await using lease = await context.store.read();
  const { store } = lease;
  const meter = new ReadMeter(store);
  if (plan.aggregates.length > 0) {
    const results = await aggregate(store, plan, signal, meter);
    const sink = output.rows(
      plan.aggregates.map((aggregate, at) =>
        aggregateColumn<typeof results>(aggregate, (row) => row[at])
      ),
    );
    await sink.write(results);
    await sink.end(readingText(meter.end()));
    return;
  }
  const sink = output.rows(
    plan.columns.map(({ name, operand }) => entryColumn(name, operand)),
  );
  let count = 0;
  let hasMore = false;
  const isCut = output.isForPeople && plan.limit === undefined;
  const limit = plan.limit ?? (isCut ? TERMINAL_LIMIT : Infinity);
  const remark = (): string => {
    const rows = hasMore && isCut
      ? `the first ${countOf(count, "row")}; more: LIMIT n`
      : countOf(count, "row");
    return `(${rows}) ${readingText(meter.end())}`;
  };
  try {
    for await (
      const entry of rowsOf(store, plan, limit, isCut, signal, meter)
    ) {
      if (count === limit || output.isGone) {
        hasMore = true;
        break;
      }
      count++;
      await sink.write(entry);
    }
  } catch (error) {
    if (signal.aborted) await sink.end(`${remark()}, interrupted`);
    throw error;
  }
  await sink.end(remark());
}

async function aggregate(
  store: Parameters<typeof matching>[0],
  plan: SelectPlan,
  signal: AbortSignal,
  meter: ReadMeter,
): Promise<(SqlValue | undefined)[]> {
  const accumulators = plan.aggregates.map((one) => new Accumulator(one));
  const how = { signal, meter, needsValues: needsValues(plan) };
  for await (const entry of matching(store, plan.where, how)) {
    for (const accumulator of accumulators) accumulator.add(entry);
  }
  return accumulators.map((accumulator) => accumulator.result());
}

/** The rows in their order, from the offset on; one more than the limit if `seesMore`. */
async function* rowsOf(
  store: Parameters<typeof matching>[0],
  plan: SelectPlan,
  limit: number,
  seesMore: boolean,
  signal: AbortSignal,
  meter: ReadMeter,
): AsyncGenerator<StoredEntry> {
  const keyOrder = keyOrderOf(plan.order);
  const last = plan.offset + limit + (seesMore ? 1 : 0);
  const entries = matching(store, plan.where, {
    signal,
    meter,
    reverse: keyOrder === "reverse",
    needsValues: needsValues(plan),
  });
  let at = 0;
  if (keyOrder !== undefined) {
    if (last === 0) return;
    for await (const entry of entries) {
      if (at++ >= plan.offset) yield entry;
      if (at >= last) return;
    }
    return;
  }
  const sorter = new Sorter(plan.order, last);
  for await (const entry of entries) sorter.add(entry);
  yield* sorter.sorted().slice(plan.offset);
}

/** Runs a SELECT without showing its rows, and shows how it was read. */
async function explain(context: Context, plan: SelectPlan): Promise<void> {
  const { output, signal } = context;
  await using lease = await context.store.read();
  const { store } = lease;
  const meter = new ReadMeter(store);
  const limit = plan.limit ?? Infinity;
  let rows = 0;
  if (plan.aggregates.length > 0) {
    await aggregate(store, plan, signal, meter);
    rows = 1;
  } else {
    for await (
      const _row of rowsOf(store, plan, limit, false, signal, meter)
    ) rows++;
  }
  const reading = meter.end();
  const keyOrder = keyOrderOf(plan.order);
  const uses = tablesUsed(store, rangesOf(plan.where.keySet));
  const steps = [
    keySetText(plan.where.keySet, keyOrder === "reverse"),
    ...(plan.where.filter === undefined ? [] : ["check the rest of WHERE for each of them"]),
    ...(plan.aggregates.length > 0
      ? [`sum up ${plan.aggregates.map(({ name }) => name).join(", ")}`]
      : keyOrder !== undefined
      ? []
      : [
        `sort by ${
          plan.order.map(({ operand, isDescending }) =>
            `${operandText(operand)}${isDescending ? " descending" : ""}`
          ).join(", ")
        }`,
      ]),
    ...(needsValues(plan) ? [] : ["read no values"]),
  ];
  const skipped = uses.reduce((sum, { skipped }) => sum + skipped, 0);
  const used = uses.reduce((sum, { used }) => sum + used, 0);
  await output.result(
    {
      steps,
      rows,
      entries: reading.entries,
      blocksRead: reading.blocksRead,
      cacheHits: reading.cacheHits,
      valuesRead: reading.valuesRead,
      tombstones: reading.tombstones,
      tablesUsed: used,
      tablesSkipped: skipped,
      milliseconds: Math.round(reading.seconds * 1e6) / 1e3,
    },
    [
      ...steps.map((step, at) => `${at + 1}. ${escapeControls(step)}`),
      output.paint(
        "dim",
        `${countOf(rows, "row")}; ${countOf(used, "table")} in the range, ${
          countText(skipped)
        } skipped; ${readingText(reading)}`,
      ),
    ].join("\n"),
  );
}

function rangesOf(keySet: KeySet): Parameters<typeof tablesUsed>[1] {
  return "keys" in keySet
    ? keySet.keys.map((key) => ({ gte: key, lte: key }))
    : [rangeOfBounds(keySet.range)];
}

function keySetText(keySet: KeySet, isReverse: boolean): string {
  if ("keys" in keySet) {
    const [key] = keySet.keys;
    return keySet.keys.length === 1
      ? `look up the key ${keyText(key!, 60)}`
      : `look up ${countOf(keySet.keys.length, "key")}`;
  }
  const direction = isReverse ? ", from the last to the first" : "";
  return `scan ${describeRange(rangeOfBounds(keySet.range))}${direction}`;
}

async function insert(
  context: Context,
  rows: readonly (readonly [Uint8Array, StoredEntry["value"]])[],
): Promise<void> {
  const { output, settings } = context;
  const inserted = rows.length;
  if (settings.dryRun) {
    const text = `would insert ${countOf(inserted, "row")}`;
    return await output.result({ wouldInsert: inserted }, text);
  }
  await using lease = await context.store.write(SMALL_WRITE);
  await lease.store.write(
    rows.map(([key, value]): Operation => ({ type: "put", key, value })),
  );
  await output.result({ inserted }, `INSERT ${countText(inserted)}`);
}

/** UPDATE and DELETE: finds the keys, asks if many would go, and changes them in one batch. */
async function change(
  context: Context,
  plan: Extract<Plan, { kind: "update" | "delete" }>,
): Promise<void> {
  const { output, settings, store, prompt } = context;
  const isDelete = plan.kind === "delete";
  if (settings.dryRun) {
    const length = await countOfChange(context, plan);
    const text = `would ${plan.kind} ${countOf(length, "row")}`;
    const name = isDelete ? "wouldDelete" : "wouldUpdate";
    return await output.result({ [name]: length }, text);
  }
  if (!("keys" in plan.where.keySet)) {
    const length = await countOfChange(context, plan);
    const what = `This ${isDelete ? "deletes" : "changes"} ${
      countOf(length, "key")
    } of ${store.path}`;
    if (length > 0) await prompt.confirm(what);
  }
  await using lease = await store.write(SMALL_WRITE);
  // Found or counted again: between the question and the answer others may have written.
  const range = wholeRangeOf(plan);
  if (range !== undefined) {
    const deleted = await lease.store.count({
      ...range,
      signal: context.signal,
    });
    if (deleted > 0) await lease.store.deleteRange(range);
    await output.result({ deleted }, `DELETE ${countText(deleted)}`);
    return;
  }
  const keys = await keysOf(context, plan, {
    read: () =>
      Promise.resolve({
        store: lease.store,
        asOf: undefined,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  });
  await lease.store.write(
    keys.map((key): Operation => {
      if (plan.kind === "delete") return { type: "delete", key };
      // The value changes, and nothing else: an entry that expires still expires.
      const expiresAt = lease.store.getEntrySync(key)?.expiresAt;
      const put = { type: "put", key, value: plan.value } as const;
      return expiresAt === undefined ? put : { ...put, expiresAt };
    }),
  );
  const count = keys.length;
  await output.result(
    { [isDelete ? "deleted" : "updated"]: count },
    `${plan.kind.toUpperCase()} ${countText(count)}`,
  );
}

/** The range that a DELETE removes whole; undefined if it has to look at each key. */
function wholeRangeOf(
  { kind, where }: Extract<Plan, { kind: "update" | "delete" }>,
): Bounds | undefined {
  const isWhole = kind === "delete" && where.filter === undefined;
  return isWhole && "range" in where.keySet ? where.keySet.range : undefined;
}

/** How many rows an UPDATE or DELETE would change now. */
async function countOfChange(
  context: Context,
  plan: Extract<Plan, { kind: "update" | "delete" }>,
): Promise<number> {
  const range = wholeRangeOf(plan);
  if (range === undefined) {
    return (await keysOf(context, plan, context.store)).length;
  }
  await using lease = await context.store.read();
  return await lease.store.count({ ...range, signal: context.signal });
}

async function keysOf(
  { signal }: Context,
  { where }: Extract<Plan, { kind: "update" | "delete" }>,
  access: Pick<StoreAccess, "read">,
): Promise<Uint8Array[]> {
  await using lease = await access.read();
  const meter = new ReadMeter(lease.store);
  const how = { signal, meter, needsValues: where.readsValues };
  const keys: Uint8Array[] = [];
  for await (const { key } of matching(lease.store, where, how)) {
    keys.push(key);
    if (keys.length > MAX_CHANGED) {
      throw new UsageError(
        `The statement would change more than ${countText(MAX_CHANGED)} rows at once`,
        "Narrow it by WHERE, or use the command delete-range.",
      );
    }
  }
  return keys;
}
