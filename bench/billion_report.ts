/** What bench/billion.ts makes of its results file: the verdict, the curve and the text. Pure. */

import type { BillionRun, LoadLine } from "./billion_lines.ts";
import { drawCurves, type Panel } from "./chart.ts";
import { keyLength } from "./key_values.ts";
import { scaleValueBytes } from "./scale_data.ts";
import { median } from "./smoke_verdict.ts";

/** What such a load has to reach. */
export const billionTargets = {
  /** Least part of the rate at the start that the rate at the end must be, by order. */
  rateAtEnd: { seq: 0.9, random: 0.6 },
  residentMB: 300,
  openMs: 150,
} as const;

/** Clocks of a rate. */
export type Clock = "storeSeconds" | "wallSeconds" | "processorSeconds";

/** Entries that were written between two samples of one process, and how long it took. */
interface Step {
  readonly from: LoadLine;
  readonly to: LoadLine;
}

function stepsOf(run: BillionRun): Step[] {
  return run.parts.flatMap(({ samples }) =>
    samples.slice(1).map((to, at) => ({ from: samples[at]!, to }))
  );
}

/**
 * Entries a second of the samples that lie between two numbers of entries; NaN if none do. A killed
 * process may have written entries that the next one found missing: they count twice, and so does
 * their time.
 */
export function rateBetween(run: BillionRun, from: number, until: number, clock: Clock): number {
  let [written, seconds] = [0, 0];
  for (const step of stepsOf(run)) {
    if (step.from.entries < from || step.to.entries > until) continue;
    written += step.to.entries - step.from.entries;
    seconds += step.to[clock] - step.from[clock];
  }
  return written / seconds;
}

/** Entries that are loaded, by the last sample or the last end. */
export function loadedEntries(run: BillionRun): number {
  return run.loaded?.entries ?? run.parts.at(-1)?.samples.at(-1)?.entries ?? 0;
}

/** Rates at the start and at the end. */
export function startAndEndOf(run: BillionRun, clock: Clock): {
  start: number;
  end: number;
  ratio: number;
  words: string;
} {
  const loaded = loadedEntries(run);
  const isRandom = run.settings.order === "random";
  const start = rateBetween(run, 0, isRandom ? 1_000_000 : loaded / 10, clock);
  const end = rateBetween(run, loaded * 0.9, loaded, clock);
  const words = isRandom
    ? "the last tenth against the first million"
    : "the last tenth against the first";
  return { start, end, ratio: end / start, words };
}

/** One line of the verdict. */
export interface BillionVerdict {
  readonly what: string;
  readonly found: string;
  readonly bound: string;
  readonly isMet: boolean;
}

/** Judges what there is against the targets. */
export function judgeBillion(run: BillionRun): BillionVerdict[] {
  const { order, entries } = run.settings;
  const loaded = loadedEntries(run);
  const byProcessor = startAndEndOf(run, "processorSeconds");
  const leastRate = billionTargets.rateAtEnd[order];
  const peakMB = peakBytes(run) / 1e6;
  const verdicts: BillionVerdict[] = [
    {
      what: "entries that were loaded",
      found: grouped(loaded),
      bound: grouped(entries),
      isMet: loaded === entries,
    },
    {
      what: `rate by CPU time, ${byProcessor.words}`,
      found: percent(byProcessor.ratio),
      bound: `at least ${leastRate * 100} %`,
      isMet: byProcessor.ratio >= leastRate,
    },
    {
      what: "peak resident memory of the process",
      found: `${peakMB.toFixed(0)} MB`,
      bound: `under ${billionTargets.residentMB} MB`,
      isMet: peakMB < billionTargets.residentMB,
    },
  ];
  if (run.read !== undefined) {
    const warm = median(run.read.warmOpenMs);
    verdicts.push({
      what: "open to the first answered get, warm, median",
      found: `${warm.toFixed(1)} ms`,
      bound: `under ${billionTargets.openMs} ms`,
      isMet: warm < billionTargets.openMs,
    });
  }
  return verdicts;
}

function peakBytes(run: BillionRun): number {
  return Math.max(
    run.loaded?.peakBytes ?? 0,
    ...run.parts.flatMap(({ samples }) => samples.map((sample) => sample.peakBytes)),
    ...(run.read?.peaks.map(({ bytes }) => bytes) ?? []),
  );
}

/** At most this many points of a curve: more can't be seen. */
const curvePoints = 240;

/** Joins neighbours until few enough are left, so that the rates between them are averages. */
function thinned(samples: readonly LoadLine[], every: number): LoadLine[] {
  return samples.filter((_, at) => at % every === 0 || at === samples.length - 1);
}

/** The curve as SVG. */
export function billionChart(run: BillionRun): string {
  const count = run.parts.reduce((sum, { samples }) => sum + samples.length, 0);
  const every = Math.max(1, Math.ceil(count / curvePoints));
  const parts = run.parts.map(({ part, samples }) => ({ part, samples: thinned(samples, every) }));
  const thin: BillionRun = { ...run, parts };
  const samples = parts.flatMap(({ samples }) => samples.slice(1));
  const points = (of: (sample: LoadLine) => number): [number, number][] =>
    samples.map((sample) => [sample.entries, of(sample)]);
  const rate = (clock: Clock): [number, number][] =>
    stepsOf(thin).filter(({ from, to }) => to[clock] > from[clock]).map(({ from, to }) => [
      to.entries,
      (to.entries - from.entries) / (to[clock] - from[clock]),
    ]);
  const levels = Math.max(
    0,
    ...samples.map(({ levelBytes }) => levelBytes.findLastIndex((n) => n > 0)),
  );
  const colours = ["#d1603d", "#2a9d6f", "#4f7cac", "#b08900", "#8e6bbf", "#607080", "#a0522d"];
  const panels: Panel[] = [
    {
      title: "Entries a second",
      curves: [
        { label: "by the clock", colour: "#b0b0b0", points: rate("wallSeconds") },
        { label: "of CPU time", colour: "#2a9d6f", points: rate("processorSeconds") },
      ],
    },
    {
      title: "MB of memory",
      curves: [
        { label: "process", colour: "#d1603d", points: points((s) => s.residentBytes / 1e6) },
        {
          label: "heap and buffers",
          colour: "#4f7cac",
          points: points((s) => (s.heapBytes + s.bufferBytes) / 1e6),
        },
        ...(run.settings.limitBytes === 0 ? [] : [{
          label: "process and page cache",
          colour: "#b0b0b0",
          points: points((s) => s.groupBytes / 1e6),
        }]),
      ],
    },
    {
      title: "Number of files",
      curves: [{ label: "all", colour: "#4f7cac", points: points((s) => s.files) }],
    },
    {
      title: "GB of tables",
      curves: Array.from({ length: levels + 1 }, (_, level) => ({
        label: `level ${level}`,
        colour: colours[level % colours.length]!,
        points: points((s) => (s.levelBytes[level] ?? 0) / 1e9),
      })),
    },
  ];
  const { order } = run.settings;
  return drawCurves(
    panels,
    `A load of ${grouped(loadedEntries(run))} entries in ${
      order === "seq" ? "key" : "random"
    } order`,
    "entries that are loaded",
  );
}

/** With commas; a dash for what is not known. */
const grouped = (count: number): string =>
  Number.isFinite(count) ? Math.round(count).toLocaleString("en-US") : "–";
const percent = (ratio: number): string =>
  Number.isFinite(ratio) ? `${(ratio * 100).toFixed(0)} %` : "too few samples";

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(header),
    line(header.map((_, i) => i === 0 ? "---" : "---:")),
    ...rows.map(line),
  ].join("\n");
}

/** The curve as a table of about ten rows, each of a tenth of the entries. */
function tenths(run: BillionRun): string {
  const loaded = loadedEntries(run);
  const samples = run.parts.flatMap(({ samples }) => samples);
  const rows = Array.from({ length: 10 }, (_, at) => {
    const [from, until] = [loaded * at / 10, loaded * (at + 1) / 10];
    const last = samples.findLast(({ entries }) => entries <= until && entries > from);
    if (last === undefined) return [grouped(until), "–", "–", "–", "–", "–", "–", "–", "–"];
    return [
      grouped(last.entries),
      grouped(rateBetween(run, from, until, "wallSeconds")),
      grouped(rateBetween(run, from, until, "processorSeconds")),
      (last.residentBytes / 1e6).toFixed(0),
      (last.heapBytes / 1e6).toFixed(0),
      (last.bufferBytes / 1e6).toFixed(0),
      grouped(last.files),
      last.tables.join("/"),
      (last.diskBytes / 1e6).toFixed(0),
    ];
  });
  return table([
    "entries",
    "entries/s",
    "entries/CPU s",
    "RSS MB",
    "heap MB",
    "buffers MB",
    "files",
    "tables of each level",
    "disk MB",
  ], rows);
}

function partsText(run: BillionRun): string {
  const seconds = { storeSeconds: 0, wallSeconds: 0, processorSeconds: 0 };
  for (const { from, to } of stepsOf(run)) {
    for (const clock of Object.keys(seconds) as Clock[]) seconds[clock] += to[clock] - from[clock];
  }
  const loads = run.parts.flatMap(({ samples }) => samples.map(({ machineLoad }) => machineLoad));
  const written = grouped(loadedEntries(run));
  const parts = run.parts.length === 1
    ? "by one process"
    : `by ${run.parts.length} processes, one after the other, of which each went on from what it ` +
      `found (${run.parts.map(({ part }) => grouped(part.found)).join("; ")} entries)`;
  return `${written} entries were loaded ${parts}, in ${grouped(seconds.wallSeconds)} s ` +
    `(${grouped(seconds.storeSeconds)} s in the store, ${grouped(seconds.processorSeconds)} s of ` +
    `CPU time, the making of the data included). Other work ran on the machine: a load of ` +
    `${median(loads).toFixed(1)} in the median.` +
    (run.loaded?.stopped === undefined
      ? ""
      : ` The load was stopped, because ${run.loaded.stopped}.`);
}

function readText({ read }: BillionRun): string {
  if (read === undefined) return "Nothing was read yet.";
  const peaks = read.peaks.map(({ after, bytes }) =>
    `${(bytes / 1e6).toFixed(0)} MB after ${after}`
  );
  return `A fresh process under the same limit opened the ${grouped(read.entries)} entries: ` +
    `${read.firstOpenMs.toFixed(1)} ms to the first answered get the first time, ` +
    `${median(read.warmOpenMs).toFixed(1)} ms the median of ${read.warmOpenMs.length} more, ` +
    `${read.emptyOpenMs.toFixed(1)} ms to open an empty store. It got ${
      grouped(read.gets)
    } random ` +
    `keys at ${grouped(read.gets / read.getSeconds)} a second (` +
    `${
      grouped(read.gets / read.getProcessorSeconds)
    } a second of CPU time), all checked. It scanned ` +
    `${grouped(read.scanned)} at ${
      grouped(read.scannedPerSecond)
    } a second, all keys checked. It ` +
    `compared keys and values of ${grouped(read.verified)} entries, in runs spread over all, in ` +
    `${read.verifySeconds.toFixed(1)} s, and counted all in ${read.countSeconds.toFixed(1)} s. ` +
    `Peak resident memory: ${peaks.join(", ")}.`;
}

/** The section of the document. */
export function renderBillion(run: BillionRun, picture: string): string {
  const { order, limitBytes } = run.settings;
  const { part } = run.parts.at(-1)!;
  const verdicts = judgeBillion(run).map(({ what, found, bound, isMet }) => [
    what,
    found,
    bound,
    isMet ? "met" : "**missed**",
  ]);
  const byStore = startAndEndOf(run, "storeSeconds");
  const limit = limitBytes === 0
    ? "Nothing limited the memory."
    : `A memory cgroup held process and page cache together to ${grouped(limitBytes / 1e6)} MB.`;
  return [
    `**${grouped(loadedEntries(run))} entries in ${
      order === "seq" ? "key order" : "random order"
    }**, of ${keyLength} + ${
      scaleValueBytes[order]
    } bytes, values half compressible. ${part.about}:`,
    "",
    "```\n" + part.command + "\n```",
    "",
    `Preset "low-memory", walSync "none"; batches of 1000, each awaited, and a turn of the event ` +
    `loop after it. ${limit}`,
    "",
    table(["", "found", "target", "verdict"], verdicts),
    "",
    `By the time spent in the store, the rate of ${byStore.words} is ` +
    `${percent(byStore.ratio)}.`,
    "",
    partsText(run),
    "",
    `![Rate, memory, files and levels over the entries that are loaded](${picture})`,
    "",
    tenths(run),
    "",
    readText(run),
    "",
  ].join("\n");
}
