/**
 * Turns measurements into the markdown that stands in docs/benchmarks. Pure: run.ts reads and
 * writes the files.
 */

import { Figures } from "./figures.ts";
import { renderMemory, renderStalls, renderVerdict, renderWrites } from "./report_tables.ts";
import {
  type Cell,
  cellOf,
  type Column,
  compareWithBest,
  type Measured,
  type Outcome,
  type Row,
  type Run,
} from "./results.ts";
import { renderTable, shortNumber } from "./table_text.ts";
import type { Judged } from "./verdict.ts";

/** Everything that the report says about the circumstances. */
export interface About {
  readonly runtime: string;
  readonly version: string;
  readonly commit: string;
  readonly system: string;
  readonly cpu: string;
  readonly memoryMB: number;
  readonly date: string;
  readonly command: string;
  readonly entries: number;
  readonly rounds: number;
  readonly readSeconds: number;
  readonly fillSeconds: number;
  readonly seed: number;
  readonly minutes: number;
  /** Load averages over a minute when each part of the run started and ended. */
  readonly loads: readonly number[];
}

/** The store that all others are compared with. */
const own = "tinykvs";

function textOf(cell: Cell | undefined, rounds: number): string {
  if (cell === undefined) return "";
  if (cell.figure !== undefined) {
    return shortNumber(cell.figure) + (cell.stopped ? "*" : "") + (cell.rounds < rounds ? "°" : "");
  }
  return cell.problem?.kind === "unsupported" ? "–" : "✗";
}

/** Cells of a row by engine. */
type Cells = ReadonlyMap<string, Cell>;

/** The ratio against the best peer, and how much the rounds of the two differ. */
function comparisonOf(cells: Cells, columns: readonly Column[], isLowerBetter: boolean): string[] {
  const figure = cells.get(own)?.figure;
  const peers = new Map<string, number>();
  for (const { engine, isFloor, isOwn } of columns) {
    const against = cells.get(engine)?.figure;
    if (!isFloor && !isOwn && against !== undefined) peers.set(engine, against);
  }
  if (figure === undefined) return ["", ""];
  const best = compareWithBest(figure, peers, isLowerBetter);
  if (best === undefined) return ["no peer", ""];
  const wider = Math.max(cells.get(own)!.spread, cells.get(best.peer)!.spread);
  return [`${best.ratio.toFixed(2)} ${best.peer}`, `${Math.round(wider * 100)} %`];
}

/** The outcomes of each engine in the runs that `wanted` takes. */
function outcomesOf(runs: readonly Run[], wanted: (run: Run) => boolean): Map<string, Outcome[]> {
  const found = new Map<string, Outcome[]>();
  for (const run of runs) {
    if (!wanted(run)) continue;
    const list = found.get(run.engine) ?? [];
    list.push(run.outcome);
    found.set(run.engine, list);
  }
  return found;
}

function cellsOf(
  outcomes: ReadonlyMap<string, Outcome[]>,
  figureOf: (measured: Measured) => number,
): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const [engine, list] of outcomes) {
    const cell = cellOf(list, figureOf);
    if (cell !== undefined) cells.set(engine, cell);
  }
  return cells;
}

/**
 * Rows that are read off all measurements: the largest of each round, then the median. The store is
 * made once.
 */
function derivedRows(runs: readonly Run[]): { title: string; cells: Map<string, Cell> }[] {
  const megabytes = (bytes: number): number => bytes / 1e6;
  const largest = (
    wanted: (run: Run) => boolean,
    figureOf: (measured: Measured) => number | null,
  ): Map<string, Cell> => {
    const byRound = new Map<string, Map<number, number>>();
    for (const run of runs) {
      if (!wanted(run) || run.outcome.kind !== "measured") continue;
      const figure = figureOf(run.outcome);
      if (figure === null) continue;
      const rounds = byRound.get(run.engine) ?? new Map<number, number>();
      rounds.set(run.round, Math.max(rounds.get(run.round) ?? 0, figure));
      byRound.set(run.engine, rounds);
    }
    const cells = new Map<string, Cell>();
    for (const [engine, rounds] of byRound) {
      const outcomes = [...rounds.values()].map((figure) =>
        ({ kind: "measured", figure }) as Measured
      );
      // One preparation is all there is, not a round that was left out.
      cells.set(engine, { ...cellOf(outcomes, ({ figure }) => figure)!, rounds: Infinity });
    }
    return cells;
  };
  const isPrepare = ({ workload }: Run): boolean => workload === "prepare";
  const isRandomFill = ({ workload }: Run): boolean => workload.startsWith("fillrandom");
  return [
    {
      title: "longest stall of any awaited row, ms",
      cells: largest((run) => !isPrepare(run), ({ longestStallMs }) => longestStallMs),
    },
    {
      title: "peak RSS while putting at random, MB",
      cells: largest(isRandomFill, (measured) => megabytes(measured.peakMemoryBytes)),
    },
    {
      title: "peak RSS of any row, MB",
      cells: largest((run) => !isPrepare(run), (measured) => megabytes(measured.peakMemoryBytes)),
    },
    {
      title: "full store on disk, compacted, MB",
      cells: largest(isPrepare, (measured) => megabytes(measured.diskBytes)),
    },
  ];
}

/** The best that each engine does in any row of a family. */
function bestOfFamily(
  rows: readonly Row[],
  cellsByRow: ReadonlyMap<string, Cells>,
): Map<string, Cell> {
  const best = new Map<string, Cell>();
  for (const { name, isLowerBetter } of rows) {
    for (const [engine, cell] of cellsByRow.get(name) ?? []) {
      if (cell.figure === undefined) continue;
      const before = best.get(engine)?.figure;
      if (before === undefined || (isLowerBetter ? cell.figure < before : cell.figure > before)) {
        best.set(engine, cell);
      }
    }
  }
  return best;
}

/** Problems, each said once with the rows that it concerns. */
function problemLines(runs: readonly Run[], columns: readonly Column[]): string[] {
  const lines: string[] = [];
  for (const { engine, problem } of columns) {
    if (problem !== undefined) lines.push(`- ${engine} could not be measured: ${problem}`);
  }
  const rowsByReason = new Map<string, string[]>();
  for (const { engine, workload, outcome } of runs) {
    if (outcome.kind !== "failed" && outcome.kind !== "unavailable") continue;
    const reason = `${engine} failed: ${outcome.reason}`;
    rowsByReason.set(reason, [...rowsByReason.get(reason) ?? [], workload]);
  }
  for (const [reason, rows] of rowsByReason) lines.push(`- ${reason} (${rows.join(", ")})`);
  return lines;
}

/** Renders the whole report of one runtime. */
export function renderReport(
  about: About,
  columns: readonly Column[],
  rows: readonly Row[],
  runs: readonly Run[],
  verdicts: readonly Judged[],
): string {
  const { rounds } = about;
  const figures = new Figures(columns, rows, runs);
  const shown = columns.filter(({ problem }) => problem === undefined);
  const header = ["", ...shown.map(({ engine }) => engine), "against the best peer", "spread"];
  const cellsByRow = new Map<string, Cells>();
  for (const { name, isFill = false } of rows) {
    const outcomes = outcomesOf(runs, ({ workload }) => workload === name);
    const cells = cellsOf(outcomes, ({ figure }) => figure);
    // The rate of reads is the same however many of them there are.
    if (!isFill) {
      for (const [engine, cell] of cells) cells.set(engine, { ...cell, stopped: false });
    }
    cellsByRow.set(name, cells);
  }
  const rowOf = (title: string, cells: Cells, isLowerBetter: boolean): string[] => [
    title,
    ...shown.map(({ engine }) => textOf(cells.get(engine), rounds)),
    ...comparisonOf(cells, columns, isLowerBetter),
  ];
  const table = [
    ...rows.map(({ name, title, isLowerBetter }) =>
      rowOf(title, cellsByRow.get(name)!, isLowerBetter)
    ),
    ...derivedRows(runs).filter(({ cells }) => cells.size > 0)
      .map(({ title, cells }) => rowOf(title, cells, true)),
  ];
  const families = [...new Set(rows.map(({ family }) => family))]
    .map((family) => rows.filter((row) => row.family === family))
    .filter((members) => members.length > 1);
  const bestTable = families.map((members) =>
    rowOf(members[0]!.family, bestOfFamily(members, cellsByRow), members[0]!.isLowerBetter)
  );
  const problems = problemLines(runs, columns);
  return [
    `**${about.runtime}**, @tinykvs/core ${about.version} (${about.commit}), ${about.date}, ` +
    `${about.system}, ${about.cpu}, ${
      Math.round(about.memoryMB / 1000)
    } GB of memory, load average ` +
    `${Math.min(...about.loads).toFixed(1)} to ${Math.max(...about.loads).toFixed(1)}; ` +
    `${about.entries.toLocaleString("en-US")} entries, seed ${about.seed}, median of ` +
    `${about.rounds} interleaved rounds, ${about.minutes.toFixed(0)} minutes:`,
    "",
    "```\n" + about.command + "\n```",
    "",
    "Operations a second unless a row says otherwise. –: no such operation. ✗: see below. *: " +
    `ended by the budget of ${about.fillSeconds} s for peers that fill a store, which then has fewer entries to ` +
    `sort (rows that read take ${about.readSeconds} s). °: in the first round it was less than a third of the best ` +
    "peer, and left out of the others. The last two columns: " +
    "how many times better tinykvs is than the best peer of the row (above 1 is ahead), and by how " +
    "much the rounds of those two differ.",
    "",
    renderTable(header, table),
    "",
    ...(bestTable.length === 0 ? [] : [
      "Each store in its best way of doing the same thing:",
      "",
      renderTable(header, bestTable),
      "",
    ]),
    ...renderVerdict(verdicts),
    ...renderStalls(figures, shown, rows),
    ...renderMemory(figures, shown, rows),
    ...renderWrites(figures, shown, rows),
    ...(problems.length > 0 ? [...problems, ""] : []),
    ...shown.map(({ engine, version, notes }) =>
      `- ${engine}${version === "" ? "" : ` ${version}`}: ${notes}.`
    ),
    "",
  ].join("\n");
}
