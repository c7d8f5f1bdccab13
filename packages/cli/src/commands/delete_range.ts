/** `delete-range`: removes all keys of a range. */

import type { Range } from "@tinykvs/core";
import { keyBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { Progress } from "../output/progress.ts";
import { boundOptions, boundsOf, describeRange, isWholeStore } from "../range_options.ts";
import type { Lease } from "../store_access.ts";
import { countOf } from "../text/numbers.ts";

export const deleteRangeCommand: Command = command({
  name: "delete-range",
  summary: "Removes all keys of a range.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: { ...boundOptions, all: { help: "the whole store" } },
  details:
    `Counts the keys first, and asks. It removes them in batches: a crash in the middle leaves
the rest, and the same command goes on with it.`,
  examples: [
    ["./db delete-range session: --dry-run", "how many would go?"],
    ["./db delete-range session:", "asks, then removes them"],
    ["./db delete-range --gte 2024 --lt 2025 --yes", "does not ask"],
  ],
  async run(context, { args, options }) {
    const { store, output, prompt, settings, signal } = context;
    const range = boundsOf({
      ...options,
      ...(args[0] === undefined ? {} : { prefix: args[0] }),
    });
    if (isWholeStore(range) !== (options.all === true)) {
      throw new UsageError(
        options.all === true ? "--all and a range are given" : "No range is given",
        "Give a prefix or bounds, or --all for the whole store.",
      );
    }
    const what = describeRange(range);
    const counted = await countOfRange(store, range, signal);
    const keys = countOf(counted, "key");
    if (settings.dryRun || counted === 0) {
      const text = `would delete ${keys}: ${what}`;
      await output.result({ wouldDelete: counted }, text);
      return;
    }
    await prompt.confirm(`This deletes ${keys} of ${store.path}: ${what}`);
    await using lease = await store.write();
    using progress = context.progress("deleting");
    const deleted = await deleteRange(lease, range, signal, progress, counted);
    await output.result({ deleted }, `deleted ${countOf(deleted, "key")}`);
  },
});

async function countOfRange(
  store: { read(): Promise<Lease> },
  range: Range,
  signal: AbortSignal,
): Promise<number> {
  await using lease = await store.read();
  return await lease.store.count({ ...range, signal });
}

/** Removes the keys of a range; returns how many. */
async function deleteRange(
  { store }: Lease,
  range: Range,
  signal: AbortSignal,
  progress: Progress,
  expected: number,
): Promise<number> {
  let deleted = 0;
  for await (const keys of keyBatches(store, { ...range, signal })) {
    const batch = store.batch();
    for (const key of keys) batch.delete(key);
    await batch.write();
    deleted += keys.length;
    progress.update({
      doneBytes: 0,
      items: deleted,
      totalItems: expected,
      unit: "keys",
    });
  }
  return deleted;
}
