/** `delete-range`: removes all keys of a range. */

import type { Range } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import { UsageError } from "../errors.ts";
import { boundOptions, boundsOf, describeRange, isWholeStore } from "../range_options.ts";
import { type Lease, SMALL_WRITE } from "../store_access.ts";
import { countOf } from "../text/numbers.ts";

export const deleteRangeCommand: Command = command({
  name: "delete-range",
  summary: "Removes all keys of a range.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: { ...boundOptions, all: { help: "the whole store" } },
  details:
    `Counts the keys first, and asks. It removes them all by one write, or none. Their space comes
back with compactions. Until then, versions that know no deleted ranges refuse the store.`,
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
    const counted = await countOfRange(await store.read(), range, signal);
    const keys = countOf(counted, "key");
    if (settings.dryRun || counted === 0) {
      const text = `would delete ${keys}: ${what}`;
      await output.result({ wouldDelete: counted }, text);
      return;
    }
    await prompt.confirm(`This deletes ${keys} of ${store.path}: ${what}`);
    await using lease = await store.write(SMALL_WRITE);
    // Counted again: between the question and the answer others may have written.
    const deleted = await lease.store.count({ ...range, signal });
    if (options.all === true) await lease.store.clear();
    else await lease.store.deleteRange(range);
    await output.result({ deleted }, `deleted ${countOf(deleted, "key")}`);
  },
});

async function countOfRange(
  opened: Lease,
  range: Range,
  signal: AbortSignal,
): Promise<number> {
  await using lease = opened;
  return await lease.store.count({ ...range, signal });
}
