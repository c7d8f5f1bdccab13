/**
 * Follows a range of a store that another process may be writing to: opens it for reading again
 * and again, and walks through the old and the new state side by side.
 *
 * A read-only handle shows one moment, so this sees the difference between two moments. If a key
 * changes twice in between, only its last value shows.
 */

import type { DeletedRange, Range, Value } from "@tinykvs/core";
import { Buffer } from "node:buffer";
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { entryBatches } from "./batches.ts";
import type { FlagOption, OptionValues, ValuedOption } from "./command.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./errors.ts";
import { entryColumns, keyColumn } from "./output/entry_columns.ts";
import type { Output } from "./output/output.ts";
import type { Column } from "./output/rows.ts";
import { csvCell } from "./output/text_rows.ts";
import { describeRange } from "./range_options.ts";
import { escapeControls } from "./text/escape.ts";
import { timeText } from "./text/numbers.ts";
import { cut } from "./text/width.ts";
import { toUtf8 } from "./values/bytes.ts";
import { entryJson, keyJson } from "./values/json_form.ts";
import { styleOfType, typeOf } from "./values/kinds.ts";
import { keyText, literalOf } from "./values/literal_text.ts";
import type { Lease } from "./store_access.ts";

/** The options of commands that can follow a store. */
export const followOptions: {
  readonly follow: FlagOption;
  readonly interval: ValuedOption;
} = {
  follow: { short: "f", help: "go on, and show what changes" },
  interval: {
    value: "SECONDS",
    help: "with --follow: how often to look (default 1)",
  },
};

/** The time between two looks in milliseconds. @throws {UsageError} it is not a number */
export function intervalOf(
  options: Pick<OptionValues<typeof followOptions>, "interval">,
): number {
  const text = options.interval ?? "1";
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.05 && seconds <= 86_400) {
    return seconds * 1000;
  }
  throw new UsageError(
    `--interval is "${text}", expected a number of seconds from 0.05`,
  );
}

/** A key that was written or removed. */
export interface Change {
  readonly key: Uint8Array;
  /** The new value; undefined if the key is gone. */
  readonly value: Value | undefined;
}

/**
 * Shows the changes of a range until the person interrupts, beginning with the state of `lease`.
 * Closes neither that lease nor the output.
 */
export async function followRange(
  context: Context,
  lease: Lease,
  range: Range,
  intervalMs: number,
): Promise<void> {
  const { output, signal, store } = context;
  const bounds: Range = { ...range };
  delete bounds.limit;
  delete bounds.reverse;
  await output.remark(`following ${store.path}: Ctrl-C ends`);
  if (lease.asOf === undefined) await followOpenStore(context, lease, bounds);
  else await followFiles(context, lease, bounds, intervalMs);
  // The terminal has shown ^C in the line of the cursor.
  if (signal.aborted && output.isForPeople) await output.stream.write("\n");
}

/** Follows a store that somebody else may be writing to. */
async function followFiles(
  { output, signal, store }: Context,
  lease: Lease,
  range: Range,
  intervalMs: number,
): Promise<void> {
  let old = lease;
  let oldPrint = "";
  try {
    while (!signal.aborted && !output.isGone) {
      await sleep(intervalMs, undefined, { signal });
      // Listed before the store is opened: what happens in between counts as new next time.
      const names = (await readdir(store.path)).sort();
      const now = await store.read();
      const before = old;
      old = now;
      try {
        // Usually nothing was written, and the names and counts say so without a scan.
        const print = fingerprint(now, names);
        if (print !== oldPrint) {
          for await (const change of changesBetween(before, now, { ...range, signal })) {
            await showChange(output, change, now.asOf);
          }
          await output.stream.flush();
        }
        oldPrint = print;
      } finally {
        if (before !== lease) await before[Symbol.asyncDispose]();
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (old !== lease) await old[Symbol.asyncDispose]();
  }
}

/** Follows a store that this process has open for writing: it sees every commit. */
async function followOpenStore(
  context: Context,
  lease: Lease,
  range: Range,
): Promise<void> {
  const { output, signal, terminal } = context;
  try {
    for await (const { operations } of lease.store.watch(range, { signal })) {
      for (const operation of operations) {
        if (operation.type === "deleteRange") {
          await showDeletedRange(output, operation.range, terminal.now());
          continue;
        }
        const key = typeof operation.key === "string" ? toUtf8(operation.key) : operation.key;
        const value = operation.type === "put" ? operation.value : undefined;
        await showChange(output, { key, value }, terminal.now());
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** What differs between two states, in the order of the keys. Each state is read once. */
export async function* changesBetween(
  before: Pick<Lease, "store">,
  after: Pick<Lease, "store">,
  range: Range,
): AsyncGenerator<Change> {
  const old = new Reader(before, range);
  const now = new Reader(after, range);
  try {
    let was = await old.next();
    let is = await now.next();
    while (was !== undefined || is !== undefined) {
      const order = was === undefined ? 1 : is === undefined ? -1 : Buffer.compare(was[0], is[0]);
      if (order < 0) yield { key: was![0], value: undefined };
      else if (order > 0 || literalOf(was![1]) !== literalOf(is![1])) {
        yield { key: is![0], value: is![1] };
      }
      if (order <= 0) was = await old.next();
      if (order >= 0) is = await now.next();
    }
  } finally {
    await old.close();
    await now.close();
  }
}

/** Gives the entries of a range one by one. */
class Reader {
  readonly #batches: AsyncGenerator<[Uint8Array, Value][]>;
  #batch: readonly [Uint8Array, Value][] = [];
  #at = 0;

  constructor({ store }: Pick<Lease, "store">, range: Range) {
    this.#batches = entryBatches(store, range);
  }

  async next(): Promise<[Uint8Array, Value] | undefined> {
    if (this.#at === this.#batch.length) {
      const { value } = await this.#batches.next();
      this.#batch = value ?? [];
      this.#at = 0;
    }
    return this.#batch[this.#at++];
  }

  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }
}

/**
 * A text that differs from the one before if the store was written to in between. A log only grows
 * while it has the same name, and no name of a file is used twice.
 */
function fingerprint({ store }: Lease, names: readonly string[]): string {
  const { memtable, immutableMemtables, wal } = store.stats();
  return JSON.stringify([names, memtable, immutableMemtables, wal]);
}

const changeColumns: readonly Column<Change>[] = [
  {
    name: "change",
    text: ({ value }) => value === undefined ? "delete" : "put",
  },
  keyColumn,
  {
    name: "value",
    text: ({ value }) => value === undefined ? "" : literalOf(value),
  },
];

/** Writes one change: a line for people, an object for programs. */
export async function showChange(
  output: Output,
  change: Change,
  at: number | undefined,
): Promise<void> {
  const { key, value } = change;
  const { stream, paint, mode } = output;
  if (mode === "box") {
    const time = at === undefined ? "" : `${timeText(at)}  `;
    const room = stream.columns - time.length - 5;
    const name = cut(
      escapeControls(keyText(key, room)),
      Math.max(10, Math.floor(room / 2)),
    );
    const head = `${paint("dim", time)}${
      paint(value === undefined ? "bad" : "good", mark(value))
    } `;
    const rest = room - name.length;
    const shown = value === undefined ? "" : ` = ${
      paint(
        styleOfType[typeOf(value)],
        cut(escapeControls(literalOf(value, rest)), Math.max(8, rest)),
      )
    }`;
    await stream.write(`${head}${paint("key", name)}${shown}\n`);
  } else if (mode === "json" || mode === "jsonl") {
    const members = value === undefined ? keyJson(key) : entryJson({ key, value }).slice(1, -1);
    await stream.write(
      `{"change":"${value === undefined ? "delete" : "put"}",${members}}\n`,
    );
  } else {
    const sink = output.rows(
      mode === "csv" ? changeColumns : entryColumns(false).slice(0, 1),
    );
    await sink.write({ key, value } as never);
  }
}

/** Writes that a range was deleted: a line for people, an object with its bounds for programs. */
export async function showDeletedRange(
  output: Output,
  range: DeletedRange,
  at: number,
): Promise<void> {
  const { stream, paint, mode } = output;
  const text = escapeControls(describeRange(range));
  if (mode === "box") {
    const time = paint("dim", `${timeText(at)}  `);
    await stream.write(`${time}${paint("bad", mark(undefined))} ${text}\n`);
  } else if (mode === "json" || mode === "jsonl") {
    const bounds = Object.entries(range).map(([name, key]) =>
      `"${name}":{${keyJson(typeof key === "string" ? toUtf8(key) : key)}}`
    );
    await stream.write(`{"change":"deleteRange","range":{${bounds.join()}}}\n`);
  } else await stream.write(mode === "csv" ? `deleteRange,${csvCell(text)},\n` : `${text}\n`);
}

function mark(value: Value | undefined): string {
  return value === undefined ? "-" : "+";
}
