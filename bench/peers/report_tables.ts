/** The tables of the report below the main one: stalls, memory, writes, and the verdict. Pure. */

import type { Figures } from "./figures.ts";
import type { Column, Row } from "./results.ts";
import { renderTable, shortNumber } from "./table_text.ts";
import type { Judged } from "./verdict.ts";

function textOf(value: number | undefined, digits = 1): string {
  return value === undefined ? "" : value.toFixed(digits);
}

/** Rows of a table without those in which nothing was measured. */
function tableOf(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string | undefined {
  const filled = rows.filter((cells) => cells.slice(1).some((cell) => cell !== ""));
  return filled.length === 0 ? undefined : renderTable(header, filled);
}

/** The longest stalls of awaited rows, with the empty loop's taken off for tinykvs. */
export function renderStalls(
  figures: Figures,
  columns: readonly Column[],
  rows: readonly Row[],
): string[] {
  const stallOf = (row: string, engine: string): number | undefined =>
    figures.stall(row, engine)?.own;
  const shown = columns.filter(({ engine }) =>
    engine !== "empty loop" && rows.some(({ name }) => stallOf(name, engine) !== undefined)
  );
  const table = tableOf(
    ["longest stall, ms", "tinykvs above it", "empty loop", ...shown.map(({ engine }) => engine)],
    rows.map(({ name, title }) => {
      const stall = figures.stall(name, "tinykvs");
      return [
        title,
        stall?.floor === undefined ? "" : textOf(stall.own - stall.floor),
        textOf(stallOf(name, "empty loop")),
        ...shown.map(({ engine }) => textOf(stallOf(name, engine))),
      ];
    }),
  );
  if (table === undefined) return [];
  return [
    "The longest time for which a timer of 1 ms could not run, medians; rows with awaited calls. Where " +
    "the empty loop has no part, its figure is that of the row about stalls:",
    "",
    table,
    "",
  ];
}

/** Peak memory of the variants of tinykvs in each row, beside that of a process without a store. */
export function renderMemory(
  figures: Figures,
  columns: readonly Column[],
  rows: readonly Row[],
): string[] {
  const shown = columns.filter(({ engine, isOwn }) => isOwn || engine === "empty loop");
  const table = tableOf(
    ["peak RSS, MB", ...shown.map(({ engine }) => engine)],
    rows.map(({ name, title }) => [
      title,
      ...shown.map(({ engine }) => textOf(figures.memoryMB(name, engine), 0)),
    ]),
  );
  if (table === undefined) return [];
  return [
    "Peak resident memory of the process, runtime and test data included (`empty loop`: those alone):",
    "",
    table,
    "",
  ];
}

/** Bytes written for each byte of keys and values. */
export function renderWrites(
  figures: Figures,
  columns: readonly Column[],
  rows: readonly Row[],
): string[] {
  const shown = columns.filter(({ isOwn }) => isOwn);
  const table = tableOf(
    ["write amplification", ...shown.map(({ engine }) => engine)],
    rows.map(({ name, title }) => [
      title,
      ...shown.map(({ engine }) => textOf(figures.writeAmplification(name, engine), 2)),
    ]),
  );
  if (table === undefined) return [];
  return [
    "Bytes of logs, flushes and compactions for each byte of keys and values:",
    "",
    table,
    "",
  ];
}

/** How many are met, and a table of all, those that are not in bold. */
export function renderVerdict(judged: readonly Judged[]): string[] {
  if (judged.length === 0) return [];
  const met = judged.filter(({ verdict }) => verdict === "met").length;
  const missing = judged.filter(({ verdict }) => verdict === "not measured").length;
  const rows = judged.map((one, at) => [
    at > 0 && judged[at - 1]!.target === one.target
      ? ""
      : `${one.target}: ${one.target === one.words ? "" : one.words}`.replace(/: $/, ""),
    one.what,
    one.figure === null ? "" : shortNumber(one.figure),
    one.boundWords,
    one.bestPeer === null ? "" : `${one.bestPeer.ratio.toFixed(2)} ${one.bestPeer.peer}`,
    one.go === null ? "" : one.go.map((ratio) => ratio.toFixed(2)).join(" / "),
    one.verdict === "met" ? "met" : `**${one.verdict}**`,
  ]);
  return [
    `Targets: ${met} of ${judged.length} comparisons met` +
    `${
      missing === 0 ? "" : `, ${missing} not measured`
    }. The absolute figures come from another machine; the ` +
    "columns beside them hold for this run (best peer) and against what the Go TinyKVS did on that " +
    "machine (v0.4.0 / v0.11.1, recorded, not run here):",
    "",
    renderTable(
      ["target", "row", "figure", "bound", "x best peer", "x Go", "verdict"],
      rows,
      2,
    ),
    "",
  ];
}
