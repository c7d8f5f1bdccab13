/** `compact`: merges the tables of a store. */

import { type Command, command } from "../command.ts";
import { showPlan, showRewritten, storeTotals } from "../looking/totals.ts";
import { parseKey } from "../values/literal_parser.ts";

export const compactCommand: Command = command({
  name: "compact",
  summary: "Merges tables, and gives back the space of old versions and deletions.",
  usage: "",
  arity: [0, 0],
  options: {
    from: { value: "KEY", help: "the first key of the part to compact" },
    to: { value: "KEY", help: "the last key of it, included" },
  },
  examples: [
    ["./db compact", "the whole store"],
    ["./db compact --from log: --to log:~", "a part of it"],
  ],
  async run({ store, output, settings, terminal, progress, signal }, { options }) {
    const range = {
      ...(options.from === undefined ? {} : { start: parseKey(options.from) }),
      ...(options.to === undefined ? {} : { end: parseKey(options.to) }),
    };
    if (settings.dryRun) {
      await using lease = await store.read();
      return await showPlan(output, "compact", storeTotals(lease.store.stats()));
    }
    await using lease = await store.write();
    const before = storeTotals(lease.store.stats());
    const startedMs = terminal.now();
    {
      using bar = progress("compacting");
      // The store does not say how far it is. The clock shows that it works.
      const timer = setInterval(() => {
        const { compaction } = lease.store.stats();
        bar.update({ doneBytes: compaction.bytesRead, unit: "tables" });
      }, 200);
      try {
        // Closing the store ends a compaction after its current step.
        await untilAborted(lease.store.compact(range), signal);
      } finally {
        clearInterval(timer);
      }
    }
    const after = storeTotals(lease.store.stats());
    await showRewritten(output, before, after, (terminal.now() - startedMs) / 1000);
  },
});

/** The result of some work, or a rejection as soon as the signal is aborted. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {});
  }
}
