/** `scan` and `keys`: the entries or keys of a range, in order. */

import type { Range } from "@tinykvs/core";
import { keyBatches, timedBatches } from "../batches.ts";
import { type Command, command, type FlagOption } from "../command.ts";
import type { Context } from "../context.ts";
import { followOptions, followRange, intervalOf } from "../follow.ts";
import { entryColumns, keyColumn } from "../output/entry_columns.ts";
import type { RowSink } from "../output/rows.ts";
import { rangeOf, rangeOptions } from "../range_options.ts";
import type { Lease } from "../store_access.ts";
import { countOf, countText, timeText } from "../text/numbers.ts";

/** What a terminal shows of a range unless it is told otherwise. */
const TERMINAL_LIMIT = 100;

const scanOptions = {
  ...rangeOptions,
  all: {
    help: `on a terminal: not only the first ${TERMINAL_LIMIT}`,
  } satisfies FlagOption as FlagOption,
};

export const scanCommand: Command = command({
  name: "scan",
  summary: "Shows the entries of a range, in the order of their keys.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: { ...scanOptions, ...followOptions },
  examples: [
    ["./db scan user:", "entries whose key begins with user:"],
    ["./db scan --gte a --lt c --reverse", "a range, from its end"],
    ["./db scan --jsonl | jq .key", "for other programs; a pipe has no limit"],
    ["./db scan log: --follow", "these entries, and then what changes"],
  ],
  async run(context, { args, options }) {
    const range = rangeOf({ ...options, ...prefixOf(args) });
    const lease = await context.store.read();
    try {
      const { output } = context;
      // A header of CSV comes before the first row, and imports know it: without the times.
      const sink = output.rows(entryColumns(output.isForPeople));
      await show(
        context,
        lease,
        range,
        options.all === true,
        "entry",
        "entries",
        sink,
        (limited) => timedBatches(lease.store, limited),
      );
      if (options.follow === true) {
        await followRange(context, lease, range, intervalOf(options));
      }
    } finally {
      await lease[Symbol.asyncDispose]();
    }
  },
});

export const keysCommand: Command = command({
  name: "keys",
  summary: "Shows the keys of a range, in their order.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: scanOptions,
  examples: [
    ["./db keys user: --limit 20", "the first 20 keys that begin with user:"],
    ["./db keys --raw | sort -u | wc -l", "for other programs"],
  ],
  async run(context, { args, options }) {
    const range = rangeOf({ ...options, ...prefixOf(args) });
    await using lease = await context.store.read();
    const sink = context.output.rows([keyColumn]);
    await show(
      context,
      lease,
      range,
      options.all === true,
      "key",
      "keys",
      sink,
      (limited) => mapBatches(keyBatches(lease.store, limited), (key) => ({ key })),
    );
  },
});

function prefixOf(args: readonly string[]): { prefix?: string } {
  return args[0] === undefined ? {} : { prefix: args[0] };
}

/** Writes a range to a table, on a terminal only its beginning. */
async function show<R>(
  { output, signal }: Context,
  lease: Lease,
  range: Range,
  all: boolean,
  one: string,
  many: string,
  sink: RowSink<R>,
  batchesOf: (range: Range) => AsyncGenerator<R[]>,
): Promise<void> {
  const isLimited = output.isForPeople && range.limit === undefined && !all;
  const limit = isLimited ? TERMINAL_LIMIT : Infinity;
  let count = 0;
  let hasMore = false;
  let isInterrupted = false;
  const given = {
    ...range,
    ...(isLimited ? { limit: TERMINAL_LIMIT + 1 } : {}),
    signal,
  };
  try {
    reading: for await (const batch of batchesOf(given)) {
      for (const row of batch) {
        if (count >= limit || output.isGone) {
          hasMore = true;
          break reading;
        }
        count++;
        await sink.write(row);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    isInterrupted = true;
  }
  const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
  const total = hasMore ? lease.store.approximateSize(range).entries : 0;
  await sink.end(
    isInterrupted
      ? `interrupted after ${countOf(count, one, many)}`
      : hasMore
      ? `the first ${count} of about ${countText(Math.max(total, count))} ${many}${asOf}; ` +
        `more: --limit N, --all`
      : `${countOf(count, one, many)}${asOf}`,
  );
  if (isInterrupted) signal.throwIfAborted();
}

async function* mapBatches<T, R>(
  batches: AsyncGenerator<T[]>,
  change: (item: T) => R,
): AsyncGenerator<R[]> {
  for await (const batch of batches) yield batch.map(change);
}
