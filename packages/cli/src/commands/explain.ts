/** `explain`: what a scan reads. */

import { entryBatches, keyBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import { readingText, ReadMeter, tablesUsed, type TableUse } from "../looking/reading.ts";
import type { Output } from "../output/output.ts";
import { describeRange, rangeOf, rangeOptions } from "../range_options.ts";
import { bar } from "../text/bars.ts";
import { countOf, countText, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";

const BAR_COLUMNS = 24;

export const explainCommand: Command = command({
  name: "explain",
  summary: "Reads a range, and tells what that took: entries, blocks, cache, tables.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: {
    ...rangeOptions,
    "keys-only": { help: "read keys, and no values" },
  },
  details: `A second run in the shell shows what the cache keeps. For SQL write EXPLAIN SELECT ...`,
  examples: [
    ["./db explain user:", "what does a scan of user: read?"],
    ["./db explain --gte a --limit 10 --reverse", "any range"],
  ],
  async run({ store: access, output, signal }, { args, options }) {
    const range = rangeOf({
      ...options,
      ...(args[0] === undefined ? {} : { prefix: args[0] }),
    });
    await using lease = await access.read();
    const { store } = lease;
    const uses = tablesUsed(store, [range]);
    const { entryCount } = store.stats().memtable;
    const meter = new ReadMeter(store);
    const batches = options["keys-only"] === true
      ? keyBatches(store, { ...range, signal })
      : entryBatches(store, { ...range, signal });
    for await (const batch of batches) meter.entries += batch.length;
    const reading = meter.end();
    const used = uses.reduce((sum, use) => sum + use.used, 0);
    const skipped = uses.reduce((sum, use) => sum + use.skipped, 0);
    const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    const { entries, blocksRead, cacheHits, valuesRead, tombstones, seconds } = reading;
    await output.result(
      {
        entries,
        blocksRead,
        cacheHits,
        valuesRead,
        tombstones,
        tablesUsed: used,
        tablesSkipped: skipped,
        levels: uses,
        memtableEntries: entryCount,
        milliseconds: Math.round(seconds * 1e6) / 1e3,
      },
      [
        `${escapeControls(describeRange(range))}${output.paint("dim", asOf)}`,
        ...levelLines(uses, output),
        ...(entryCount > 0
          ? [
            `  memory   ${countOf(entryCount, "entry", "entries")} in the memtable`,
          ]
          : []),
        readingText(reading),
      ].join("\n"),
    );
  },
});

function levelLines(uses: readonly TableUse[], { paint }: Output): string[] {
  const most = Math.max(1, ...uses.map(({ used, skipped }) => used + skipped));
  return uses.map(({ level, used, skipped }) => {
    const usedColumns = Math.min(
      BAR_COLUMNS,
      Math.ceil(used / most * BAR_COLUMNS),
    );
    const skippedColumns = Math.min(
      BAR_COLUMNS - usedColumns,
      Math.ceil(skipped / most * BAR_COLUMNS),
    );
    const drawn = paint("good", bar(1, usedColumns)) +
      paint("dim", "░".repeat(skippedColumns)) +
      " ".repeat(BAR_COLUMNS - usedColumns - skippedColumns);
    return `  L${level}  ${drawn}  ${countOf(used, "table")} in the range, ${
      countText(skipped)
    } skipped`;
  });
}
