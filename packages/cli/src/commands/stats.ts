/** `stats`: the levels as a drawing, and how large keys and values are. */

import type { Stats } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { sample } from "../looking/sample.ts";
import { Histogram, sizeOfValue } from "../looking/sizes.ts";
import { tableTotals, totalsText } from "../looking/totals.ts";
import type { Output } from "../output/output.ts";
import { wholeNumber } from "../range_options.ts";
import type { OpenStore } from "../store_access.ts";
import { bar, percentText } from "../text/bars.ts";
import { bytesText, countOf, countText, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";
import type { Style } from "../text/style.ts";
import { styleOfType, typeNames, typeOf } from "../values/kinds.ts";

/** Entries of the histograms. */
const SAMPLE = 10_000;
const MOST_BAR_COLUMNS = 60;

export const statsCommand: Command = command({
  name: "stats",
  summary: "Draws the levels, and the sizes and types of a sample of keys and values.",
  usage: "",
  arity: [0, 0],
  options: {
    sample: {
      value: "N",
      help: `entries to look at (default ${SAMPLE}, 0 for none)`,
    },
    full: { help: "look at all entries" },
  },
  examples: [
    ["./db stats", "levels, memory, sizes"],
    ["./db stats --full", "the sizes of all entries"],
    ["./db stats --json | jq .levels", "for other programs"],
  ],
  async run(context, { options }) {
    const { output } = context;
    const count = options.full === true
      ? Infinity
      : options.sample === undefined
      ? SAMPLE
      : wholeNumber(options.sample, "--sample");
    await using lease = await context.store.read();
    const stats = lease.store.stats();
    const sizes = count === 0 ? undefined : await look(context, lease.store, count);
    const result = {
      ...stats,
      ...(sizes === undefined ? {} : {
        sampledEntries: sizes.keys.count,
        keySizes: sizes.keys.classes(),
        valueSizes: sizes.values.classes(),
        types: Object.fromEntries(sizes.types),
      }),
    };
    const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    const title = output.paint("bold", escapeControls(context.store.path)) +
      output.paint("dim", asOf);
    const parts = [
      [title],
      levelLines(stats, output),
      memoryLines(stats, output),
    ];
    if (sizes !== undefined) {
      const { keys, values } = sizes;
      const isAll = lease.store.approximateSize().entries <= count;
      const what = isAll
        ? countOf(keys.count, "entry", "entries")
        : `a sample of ${countOf(keys.count, "entry", "entries")}`;
      parts.push(
        histogramLines(
          `Keys`,
          `${what}, ${average(keys)}`,
          keys,
          "key",
          output,
        ),
        histogramLines(`Values`, average(values), values, "number", output),
        typeLines(sizes.types, output),
      );
    }
    const text = parts.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"))
      .join("\n\n");
    await output.result(result, text);
  },
});

interface Sizes {
  readonly keys: Histogram;
  readonly values: Histogram;
  readonly types: ReadonlyMap<string, number>;
}

async function look(
  context: Context,
  store: OpenStore,
  count: number,
): Promise<Sizes> {
  const keys = new Histogram();
  const values = new Histogram();
  const types = new Map<string, number>();
  const totalItems = Math.min(count, store.approximateSize().entries);
  using progress = context.progress("looking");
  for await (const { key, value } of sample(store, count, context.signal)) {
    keys.add(key.length);
    values.add(sizeOfValue(value));
    types.set(typeOf(value), (types.get(typeOf(value)) ?? 0) + 1);
    progress.update({ doneBytes: 0, items: keys.count, totalItems });
  }
  return { keys, values, types };
}

/** The columns of a bar beside this number of columns of text. */
function barColumns({ stream }: Output, besides: number): number {
  return Math.max(8, Math.min(MOST_BAR_COLUMNS, stream.columns - besides));
}

/** A line a level: a bar of its size, and what is in it. */
function levelLines(stats: Stats, output: Output): string[] {
  const { levels, pendingCompactionBytes } = stats;
  const { paint } = output;
  const filled = levels.filter(({ tables }) => tables > 0);
  const most = Math.max(1, ...filled.map(({ sizeBytes }) => sizeBytes));
  const columns = barColumns(output, 52);
  const last = filled.at(-1)?.level ?? -1;
  const lines = levels.filter(({ level }) => level <= last).map((level) => {
    const drawn = bar(level.sizeBytes / most, columns);
    const dead = level.tombstones === 0 ? "" : `, ${countText(level.tombstones)} deletions`;
    return `  L${level.level} ${paint("good", drawn)}${" ".repeat(columns - drawn.length)} ${
      bytesText(level.sizeBytes).padStart(8)
    }  ${countOf(level.tables, "table")}, ${countOf(level.entries, "entry", "entries")}${dead}`;
  });
  const waiting = pendingCompactionBytes > 0
    ? `, ${bytesText(pendingCompactionBytes)} to compact`
    : "";
  return [
    `${paint("bold", "Levels")}  ${paint("dim", `${totalsText(tableTotals(stats))}${waiting}`)}`,
    ...lines,
    ...valueLines(stats, output),
  ];
}

/** A line about the files of large values, if there are some. */
function valueLines({ values }: Stats, { paint }: Output): string[] {
  const { files, sizeBytes, usedBytes } = values;
  if (files === 0) return [];
  const size = `${bytesText(sizeBytes)} in ${countOf(files, "file")}`;
  const used = sizeBytes === 0 ? "" : `, ${percentText(usedBytes / sizeBytes)} in use`;
  return [`  large values apart  ${size}${paint("dim", used)}`];
}

function memoryLines(stats: Stats, { paint }: Output): string[] {
  const { memtable, wal, cache, indexBytes, filterBytes, immutableMemtables } = stats;
  const line = (name: string, text: string): string => `  ${name.padEnd(10)}${text}`;
  const reads = cache.hits + cache.misses;
  return [
    paint("bold", "Memory"),
    line(
      "memtable",
      `${bytesText(memtable.sizeBytes)}, ${countOf(memtable.entryCount, "entry", "entries")}${
        immutableMemtables > 0 ? `, ${immutableMemtables} waiting for a flush` : ""
      }`,
    ),
    line("log", bytesText(wal.sizeBytes)),
    line(
      "cache",
      `${bytesText(cache.sizeBytes)} of ${bytesText(cache.capacityBytes)}${
        reads > 0 ? `, ${percentText(cache.hits / reads)} hits` : ""
      }`,
    ),
    line("indexes", bytesText(indexBytes)),
    line("filters", bytesText(filterBytes)),
  ];
}

function average({ count, total, largest }: Histogram): string {
  return count === 0
    ? "none"
    : `${bytesText(total / count)} on average, ${bytesText(largest)} at most`;
}

function histogramLines(
  title: string,
  remark: string,
  histogram: Histogram,
  style: Style,
  output: Output,
): string[] {
  const { paint } = output;
  const classes = histogram.classes();
  const most = Math.max(1, ...classes.map(({ count }) => count));
  const columns = barColumns(output, 32);
  return [
    `${paint("bold", title)}  ${paint("dim", remark)}`,
    ...classes.map(({ from, to, count }) => {
      const name = from === to ? bytesText(from) : `${bytesText(from)} to ${bytesText(to)}`;
      const drawn = bar(count / most, columns);
      return `  ${name.padStart(18)} ${paint(style, drawn)} ${
        paint("dim", percentText(count / histogram.count))
      }`;
    }),
  ];
}

function typeLines(
  types: ReadonlyMap<string, number>,
  output: Output,
): string[] {
  const { paint } = output;
  const all = [...types.values()].reduce((sum, count) => sum + count, 0);
  if (all === 0) return [];
  const columns = barColumns(output, 32);
  return [
    paint("bold", "Types"),
    ...typeNames.filter((name) => types.has(name)).map((name) => {
      const share = types.get(name)! / all;
      return `  ${name.padStart(18)} ${paint(styleOfType[name], bar(share, columns))} ${
        paint("dim", percentText(share))
      }`;
    }),
  ];
}
