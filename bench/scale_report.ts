/**
 * What bench/scale.ts makes of its samples: the verdict, the curve, and the extrapolation. Pure.
 */

import { grouped, markdownTable, megabytes, SAMPLE_HEADER, sampleCells } from "./sample_table.ts";
import { median } from "./smoke_verdict.ts";

/** The state of a load at one point. Times are since its beginning. */
export interface Sample {
  readonly entries: number;
  /** Spent in the store: data is made outside of it. */
  readonly storeSeconds: number;
  readonly wallSeconds: number;
  /** Of the whole process, threads and the making of data included. */
  readonly processorSeconds: number;
  readonly residentBytes: number;
  /** The most that was ever resident. */
  readonly peakBytes: number;
  readonly heapBytes: number;
  readonly bufferBytes: number;
  readonly files: number;
  readonly diskBytes: number;
  readonly manifestBytes: number;
  /** Number of tables of each level. */
  readonly tables: readonly number[];
  readonly tableBytes: number;
  /** Bytes of tables that flushes and compactions wrote. */
  readonly writtenBytes: number;
  readonly stalls: number;
}

/** What loading gave. */
export interface LoadResult {
  readonly samples: readonly Sample[];
  readonly closeSeconds: number;
  readonly peakBytes: number;
  readonly files: number;
  readonly diskBytes: number;
  readonly manifestBytes: number;
}

/** What a process that opened the loaded store gave. */
export interface ReadResult {
  /** The first in the process. */
  readonly firstOpenMs: number;
  readonly openMs: readonly number[];
  /** Median without the get. */
  readonly openOnlyMs: number;
  /** Median for a store without tables, without a get. */
  readonly emptyOpenMs: number;
  readonly randomGets: number;
  readonly getsPerSecond: number;
  readonly rangeLength: number;
  readonly scannedPerSecond: number;
  readonly counted: number;
  readonly countSeconds: number;
  readonly indexBytes: number;
  readonly filterBytes: number;
  readonly tables: readonly number[];
  /** The most that was ever resident, after each step. */
  readonly peaks: readonly { readonly after: string; readonly bytes: number }[];
  readonly peakBytes: number;
  readonly files: number;
  readonly diskBytes: number;
  readonly manifestBytes: number;
}

/** Everything about a run. */
export interface ScaleResult {
  readonly order: string;
  readonly runtime: string;
  readonly about: string;
  readonly command: string;
  readonly entries: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly load: LoadResult;
  readonly read: ReadResult;
}

/** What the issue asks for. */
export const scaleTargets = {
  /** Least part of the rate at the start that the rate at the end must be. */
  rateAtEnd: 0.9,
  residentMB: 256,
  openMs: 100,
} as const;

/** The part of the samples that counts as the start, and as the end. */
export const windowPart = 0.1;

/** Entries a second between each sample and the one before it, by one of its clocks. */
export function rates(
  samples: readonly Sample[],
  clock: "storeSeconds" | "wallSeconds" | "processorSeconds",
): number[] {
  return samples.slice(1).map((sample, at) => {
    const before = samples[at]!;
    return (sample.entries - before.entries) / (sample[clock] - before[clock]);
  });
}

/** Median rates of the first and the last tenth of the samples, and one over the other. */
export function startAndEnd(found: readonly number[]): {
  start: number;
  end: number;
  ratio: number;
  samples: number;
} {
  const samples = Math.max(1, Math.round(found.length * windowPart));
  const start = median(found.slice(0, samples));
  const end = median(found.slice(-samples));
  return { start, end, ratio: end / start, samples };
}

/** One line of the verdict. */
export interface ScaleVerdict {
  readonly what: string;
  readonly found: string;
  readonly bound: string;
  readonly isMet: boolean;
}

const MB = 1e6;

/** Judges a run against the targets. */
export function judgeScale({ load, read }: ScaleResult): ScaleVerdict[] {
  const rate = startAndEnd(rates(load.samples, "storeSeconds"));
  const peakMB = Math.max(load.peakBytes, read.peakBytes) / MB;
  return [
    {
      what: `rate of the last ${rate.samples} samples against the first ${rate.samples}, medians`,
      found: `${(rate.ratio * 100).toFixed(0)} %`,
      bound: `at least ${scaleTargets.rateAtEnd * 100} %`,
      isMet: rate.ratio >= scaleTargets.rateAtEnd,
    },
    {
      what: "peak resident memory of the whole process, loading and reading",
      found: `${peakMB.toFixed(0)} MB`,
      bound: `under ${scaleTargets.residentMB} MB`,
      isMet: peakMB < scaleTargets.residentMB,
    },
    {
      what: "open to the first answered get, first time in a process",
      found: `${read.firstOpenMs.toFixed(1)} ms`,
      bound: `within ${scaleTargets.openMs} ms`,
      isMet: read.firstOpenMs <= scaleTargets.openMs,
    },
  ];
}

/** What a larger store would take, if growth continues in a straight line. */
export interface Extrapolation {
  readonly entries: number;
  readonly tables: number;
  readonly files: number;
  readonly diskBytes: number;
  readonly bytesPerTable: number;
  readonly indexBytesPerTable: number;
  readonly filterBytesPerTable: number;
  /** Indexes and filters of all tables, which a budget bounds. */
  readonly metadataBytes: number;
  readonly manifestBytes: number;
  /** By which the memory of the loading process grows for each entry, over the second half. */
  readonly residentBytesPerEntry: number;
  readonly residentBytes: number;
  readonly openMs: number;
  readonly loadSeconds: number;
}

/** Slope of the straight line that fits best, by least squares. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const meanOf = (of: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [meanX, meanY] = [meanOf(0), meanOf(1)];
  let [above, below] = [0, 0];
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** Goes on from the samples of a run to more entries. */
export function extrapolate({ entries, load, read }: ScaleResult, to: number): Extrapolation {
  const factor = to / entries;
  const tables = Math.max(1, read.tables.reduce((sum, count) => sum + count, 0));
  const second = load.samples.slice(load.samples.length >> 1);
  const grows = slope(second.map((sample) => [sample.entries, sample.residentBytes]));
  const last = load.samples.at(-1)!;
  const indexBytesPerTable = read.indexBytes / tables;
  const filterBytesPerTable = read.filterBytes / tables;
  const { end } = startAndEnd(rates(load.samples, "storeSeconds"));
  return {
    entries: to,
    tables: Math.round(tables * factor),
    files: Math.round(load.files * factor),
    diskBytes: load.diskBytes * factor,
    bytesPerTable: last.tableBytes / Math.max(1, last.tables.reduce((sum, n) => sum + n, 0)),
    indexBytesPerTable,
    filterBytesPerTable,
    metadataBytes: (indexBytesPerTable + filterBytesPerTable) * tables * factor,
    manifestBytes: load.manifestBytes * factor,
    residentBytesPerEntry: grows,
    residentBytes: last.residentBytes + Math.max(0, grows) * (to - entries),
    openMs: read.emptyOpenMs + Math.max(0, read.openOnlyMs - read.emptyOpenMs) * factor +
      Math.max(0, median(read.openMs) - read.openOnlyMs),
    loadSeconds: to / end,
  };
}

const bars = "▁▂▃▄▅▆▇█";

/** A line of bars, each as high as its number in comparison to the largest. */
export function sparkline(numbers: readonly number[], width: number): string {
  const largest = Math.max(...numbers);
  const count = Math.min(width, numbers.length);
  let text = "";
  for (let i = 0; i < count; i++) {
    const from = Math.floor(i * numbers.length / count);
    const until = Math.max(from + 1, Math.floor((i + 1) * numbers.length / count));
    const share = largest > 0 ? median(numbers.slice(from, until)) / largest : 0;
    text += bars[Math.min(bars.length - 1, Math.floor(share * bars.length))]!;
  }
  return text;
}

const shownRows = 20;
const chartWidth = 80;

/** The curve as a table of at most about 20 of the samples, the first and last among them. */
function curve({ load }: ScaleResult): string {
  const { samples } = load;
  const byStore = rates(samples, "storeSeconds");
  const byProcessor = rates(samples, "processorSeconds");
  const step = Math.max(1, Math.ceil(byStore.length / shownRows));
  const rows: string[][] = [];
  for (let at = 1; at < samples.length; at++) {
    if (at !== 1 && at % step !== 0 && at !== samples.length - 1) continue;
    const sample = samples[at]!;
    rows.push([
      ...sampleCells(sample, byStore[at - 1]!, byProcessor[at - 1]!),
      (sample.writtenBytes / Math.max(1, sample.tableBytes)).toFixed(2),
    ]);
  }
  return markdownTable([...SAMPLE_HEADER, "written / live"], rows);
}

function chart({ load }: ScaleResult): string {
  const { samples } = load;
  const row = (title: string, numbers: readonly number[], unit: string): string =>
    `${title.padEnd(12)} ${sparkline(numbers, chartWidth)}  0 to ${
      grouped(Math.max(...numbers))
    } ${unit}`;
  const rest = samples.slice(1);
  return [
    "```",
    row("rate", rates(samples, "storeSeconds"), "entries/s"),
    row("rate by CPU", rates(samples, "processorSeconds"), "entries/s of CPU"),
    row("resident", rest.map(({ residentBytes }) => residentBytes / MB), "MB"),
    row("files", rest.map(({ files }) => files), "files"),
    row("disk", rest.map(({ diskBytes }) => diskBytes / MB), "MB"),
    "```",
  ].join("\n");
}

/** Entries that the extrapolation goes to. */
export const billion = 1_000_000_000;

function extrapolationText(result: ScaleResult): string {
  const more = extrapolate(result, billion);
  const perKey = more.residentBytesPerEntry;
  return [
    `Extrapolated to ${
      grouped(billion)
    } such entries, on the assumptions that tables, disk, manifest and what an ` +
    "open takes more than that of an empty store are proportional to entries, that a first get takes what it " +
    "took here, that loading goes on at the rate of the last tenth, and that the memory of the loading " +
    "process goes on growing as it did over the second half of the samples:",
    "",
    `- ${grouped(more.tables)} tables of ${megabytes(more.bytesPerTable, 2)} MB, ${
      grouped(more.files)
    } files, ${(more.diskBytes / 1e9).toFixed(1)} GB`,
    `- an index of ${grouped(more.indexBytesPerTable)} bytes and a filter of ${
      grouped(more.filterBytesPerTable)
    } bytes a table in memory, ${
      megabytes(more.metadataBytes)
    } MB for all of them; they are loaded when needed, and a budget bounds them`,
    `- a manifest of ${megabytes(more.manifestBytes, 1)} MB`,
    `- resident: ${perKey.toFixed(4)} bytes more for each entry, so ${
      megabytes(more.residentBytes)
    } MB`,
    `- ${more.openMs.toFixed(0)} ms from open to the first answered get`,
    `- ${(more.loadSeconds / 60).toFixed(0)} minutes to load`,
  ].join("\n");
}

/** The section of docs/benchmarks/scale.md. */
export function renderScale(result: ScaleResult): string {
  const { load, read, entries, keyBytes, valueBytes } = result;
  const last = load.samples.at(-1)!;
  const sorted = median(read.openMs);
  const cpu = startAndEnd(rates(load.samples, "processorSeconds"));
  const verdicts = judgeScale(result).map(({ what, found, bound, isMet }) => [
    what,
    found,
    bound,
    isMet ? "met" : "**missed**",
  ]);
  return [
    `**${grouped(entries)} entries, ${
      result.order === "seq" ? "in key order" : "in random order"
    }** of ${keyBytes} + ${valueBytes} bytes, half compressible, ${result.runtime}, ${result.about}:`,
    "",
    "```\n" + result.command + "\n```",
    "",
    'Preset "low-memory", walSync "none"; batches of 1000, each awaited, and a turn of the event loop after it. ' +
    "A rate is over the time spent in the store, without the making of keys and batches.",
    "",
    markdownTable(["", "found", "target", "verdict"], verdicts),
    "",
    `Loading took ${last.wallSeconds.toFixed(0)} s (${
      last.storeSeconds.toFixed(0)
    } s in the store, ${last.processorSeconds.toFixed(0)} s of CPU), closing ${
      load.closeSeconds.toFixed(2)
    } s; by CPU time the end is at ${
      (cpu.ratio * 100).toFixed(0)
    } % of the start. In a fresh process, files in the page cache: open to first get ${
      read.firstOpenMs.toFixed(1)
    } ms the first time, ${sorted.toFixed(1)} ms the median of ${read.openMs.length}, ${
      read.emptyOpenMs.toFixed(1)
    } ms for an empty store; ${grouped(read.getsPerSecond)} random gets a second (${
      grouped(read.randomGets)
    }, all checked); a scan of ${grouped(read.rangeLength)} entries at ${
      grouped(read.scannedPerSecond)
    } a second, checked; all ${grouped(read.counted)} counted in ${
      read.countSeconds.toFixed(1)
    } s. Peak resident memory: ${megabytes(load.peakBytes)} MB while loading; ${
      read.peaks.map(({ after, bytes }) => `${megabytes(bytes)} MB after ${after}`).join(", ")
    }.`,
    "",
    chart(result),
    "",
    curve(result),
    "",
    extrapolationText(result),
    "",
  ].join("\n");
}
