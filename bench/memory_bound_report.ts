/** The tables that bench/memory_bound.ts makes of its results. Pure. */

import type { BoundOutcome } from "./peers/memory_bound_run.ts";

/** One row on one store. */
export interface BoundResult {
  readonly engine: string;
  readonly row: string;
  readonly title: string;
  /** Limit of the memory. */
  readonly megabytes: number;
  readonly outcome: BoundOutcome;
}

/** What a reader has to know about a run. */
export interface BoundAbout {
  readonly about: string;
  readonly command: string;
  readonly entries: number;
  readonly cacheMB: number;
}

/** Rows of which milliseconds are shown: less is better. */
const isTime = (row: string): boolean => row === "open";

const grouped = (count: number): string => Math.round(count).toLocaleString("en-US");

function cell({ outcome, row }: BoundResult): string {
  if (outcome.kind !== "measured") return outcome.reason === "out of memory" ? "killed" : "–";
  const { operations, seconds, diskBytes, processorSeconds } = outcome;
  if (isTime(row)) return `${(seconds * 1000).toFixed(0)} (${(diskBytes / 1e3).toFixed(0)} kB)`;
  const disk = (diskBytes / operations / 1e3).toFixed(1);
  const cpu = (processorSeconds / operations * 1e6).toFixed(0);
  return `${grouped(operations / seconds)} (${disk} kB, ${cpu} µs)`;
}

/** How many times better the first engine is than the best other one, and which that is. */
export function against(results: readonly BoundResult[], own: string): string {
  const figureOf = (result: BoundResult): number =>
    result.outcome.kind !== "measured"
      ? 0
      : isTime(result.row)
      ? 1 / result.outcome.seconds
      : result.outcome.operations / result.outcome.seconds;
  const mine = results.find(({ engine }) => engine === own);
  const others = results.filter((result) => result.engine !== own && figureOf(result) > 0);
  if (mine === undefined || others.length === 0) return "–";
  const best = others.reduce((a, b) => figureOf(b) > figureOf(a) ? b : a);
  return `${(figureOf(mine) / figureOf(best)).toFixed(2)} ${best.engine}`;
}

/** The section of the document. */
export function renderBound(results: readonly BoundResult[], about: BoundAbout): string {
  const engines = [...new Set(results.map(({ engine }) => engine))];
  const own = engines[0]!;
  const sections = [...new Set(results.map(({ megabytes }) => megabytes))].map((megabytes) => {
    const here = results.filter((result) => result.megabytes === megabytes);
    const rows = [...new Set(here.map(({ row }) => row))].map((row) => {
      const ofRow = here.filter((result) => result.row === row);
      return [
        ofRow[0]!.title,
        ...engines.map((engine) => {
          const found = ofRow.find((result) => result.engine === engine);
          return found === undefined ? "–" : cell(found);
        }),
        against(ofRow, own),
      ];
    });
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    const header = [`in ${megabytes} MB`, ...engines, `${own} / best other`];
    return [
      line(header),
      line(header.map((_, i) => i === 0 ? "---" : "---:")),
      ...rows.map(line),
    ].join("\n");
  });
  return [
    `**${grouped(about.entries)} entries of 16 + 100 bytes**, half compressible, ${about.about}:`,
    "",
    "```\n" + about.command + "\n```",
    "",
    `Operations a second; in brackets what one took from the disk, and its CPU time. A cache of ` +
    `${about.cacheMB} MB where one can be set.`,
    "",
    sections.join("\n\n"),
    "",
  ].join("\n");
}
