/**
 * What the processes report, and what is made of it: medians, spreads and ratios. Pure; report.ts
 * turns it into text.
 */

import type { Missing } from "./child.ts";

/** What run_one.ts prints where it measured. */
export interface Measured {
  readonly kind: "measured";
  /** Version of the store. */
  readonly version: string;
  readonly operations: number;
  /** Whether the budget of time ended it before all operations were done. */
  readonly stopped: boolean;
  readonly seconds: number;
  /** What the row shows: operations a second, or milliseconds. */
  readonly figure: number;
  /** For opens: the first in the process. */
  readonly firstMilliseconds: number | null;
  readonly longestStallMs: number | null;
  readonly peakMemoryBytes: number;
  /** Bytes on disk after closing. */
  readonly diskBytes: number;
  /** Bytes written to files for a byte of keys and values, where the row is about it. */
  readonly writeAmplification: number | null;
  /** What the store can do; told by the probe only. */
  readonly engineOperations?: readonly string[];
}

/** What run_one.ts prints, or run.ts makes of a process that did not end well. */
export type Outcome =
  | Measured
  | Missing
  | { readonly kind: "failed"; readonly reason: string };

/** One process: which store and row, in which round, and what came of it. */
export interface Run {
  readonly engine: string;
  readonly workload: string;
  readonly round: number;
  readonly outcome: Outcome;
  /** Whether the store is one that tinykvs is compared with. */
  readonly isPeer?: boolean;
  /** Seconds that the process took, setting up and checking included. */
  readonly processSeconds?: number;
}

/** A column. */
export interface Column {
  readonly engine: string;
  readonly version: string;
  readonly isFloor: boolean;
  readonly isOwn: boolean;
  /** What its writes survive, and what else a reader has to know. */
  readonly notes: string;
  /** Why it can't be measured on this runtime, or undefined if it can. */
  readonly problem: string | undefined;
  /** Names of its operations, where it can be measured. */
  readonly operations?: readonly string[];
}

/** A row that is measured. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly family: string;
  readonly isLowerBetter: boolean;
  /** Whether it fills a store: one that was stopped early had fewer entries to sort. */
  readonly isFill?: boolean;
}

/** The middle of the numbers; the mean of the two in the middle where their count is even. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new RangeError("Cannot take the median of no numbers");
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Difference of the largest and the smallest, as a part of the median. */
export function spread(numbers: readonly number[]): number {
  return (Math.max(...numbers) - Math.min(...numbers)) / median(numbers);
}

/** A cell of the table. */
export interface Cell {
  /** The median, or undefined if there is none. */
  readonly figure: number | undefined;
  readonly spread: number;
  /** Whether a round was ended by the budget of time. */
  readonly stopped: boolean;
  /** How many rounds it was measured in. */
  readonly rounds: number;
  /** Why there is no figure. */
  readonly problem: Exclude<Outcome, Measured> | undefined;
}

/** What the rounds of one store and row give: a figure only if every round measured. */
export function cellOf(
  outcomes: readonly Outcome[],
  figureOf: (measured: Measured) => number,
): Cell | undefined {
  if (outcomes.length === 0) return undefined;
  const problem = outcomes.find((outcome) => outcome.kind !== "measured");
  if (problem !== undefined) {
    return { figure: undefined, spread: 0, stopped: false, rounds: outcomes.length, problem };
  }
  const measured = outcomes as readonly Measured[];
  const figures = measured.map(figureOf);
  return {
    figure: median(figures),
    spread: spread(figures),
    stopped: measured.some(({ stopped }) => stopped),
    rounds: measured.length,
    problem: undefined,
  };
}

/** The best peer of a row, and how many times better than it the store is. */
export interface Comparison {
  readonly peer: string;
  /** Above 1 where the store is ahead. */
  readonly ratio: number;
}

/** Compares a figure with those of the peers that have one. */
export function compareWithBest(
  own: number,
  peers: ReadonlyMap<string, number>,
  isLowerBetter: boolean,
): Comparison | undefined {
  let best: string | undefined;
  for (const [name, figure] of peers) {
    const against = best === undefined ? undefined : peers.get(best)!;
    if (against === undefined || (isLowerBetter ? figure < against : figure > against)) best = name;
  }
  if (best === undefined) return undefined;
  const figure = peers.get(best)!;
  return { peer: best, ratio: isLowerBetter ? figure / own : own / figure };
}
