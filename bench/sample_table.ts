/** Tables of a report about a load: Markdown, and the columns of a sample. Pure. */

import type { Sample } from "./scale_report.ts";

/** The heads of `sampleCells`. */
export const SAMPLE_HEADER: readonly string[] = [
  "entries",
  "entries/s",
  "entries/CPU s",
  "RSS MB",
  "heap MB",
  "buffers MB",
  "files",
  "tables of each level",
  "disk MB",
];

/** A number with separators of thousands; a dash if there is none. */
export function grouped(count: number): string {
  return Number.isFinite(count) ? Math.round(count).toLocaleString("en-US") : "–";
}

/** Bytes in millions. */
export function megabytes(bytes: number, digits = 0): string {
  return (bytes / 1e6).toFixed(digits);
}

/** The columns of a sample, with the rates of entries up to it, by the clock and by CPU time. */
export function sampleCells(sample: Sample, rate: number, processorRate: number): string[] {
  return [
    grouped(sample.entries),
    grouped(rate),
    grouped(processorRate),
    megabytes(sample.residentBytes),
    megabytes(sample.heapBytes),
    megabytes(sample.bufferBytes),
    grouped(sample.files),
    sample.tables.join("/"),
    megabytes(sample.diskBytes),
  ];
}

/** A table of Markdown; all columns but the first hold numbers. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(header),
    line(header.map((_, i) => i === 0 ? "---" : "---:")),
    ...rows.map(line),
  ].join("\n");
}
