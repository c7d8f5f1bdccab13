/**
 * Which processes a run consists of, in which order, which of them can be left out, and how long
 * that may take. Pure: run.ts runs them.
 *
 * Rounds are interleaved: all stores of a row one after another, in an order that rotates, then the
 * next row, then the next round.
 */

import type { Engine, EngineKind } from "./engine.ts";
import type { Run } from "./results.ts";
import type { Workload } from "./workloads.ts";

/** One process. */
export interface PlannedRun {
  readonly kind: EngineKind;
  readonly row: Workload;
  readonly round: number;
}

/** How long loops may take, in seconds. */
export interface Budgets {
  /** Of rows that read, and of those that wait for the disk. */
  readonly readSeconds: number;
  /** Of rows that fill a store. */
  readonly fillSeconds: number;
}

/**
 * Most seconds that tinykvs may take to fill a store. They are enough for all entries, so that none
 * of its figures comes from a smaller store. A shorter limit for a peer makes the peer look better.
 */
const ownFillSeconds = 60;

/** Seconds after which the loop of a row stops. */
export function budgetOf(kind: EngineKind, row: Workload, budgets: Budgets): number {
  if (row.isFill !== true) return budgets.readSeconds;
  return kind.isOwn === true ? Math.max(ownFillSeconds, budgets.fillSeconds) : budgets.fillSeconds;
}

/** Whether a store is of interest in a row. */
export function isFor(
  kind: EngineKind,
  row: { readonly name: string; readonly isFromDisk?: boolean },
): boolean {
  if (row.isFromDisk === true && kind.isOwn !== true) return false;
  return kind.rowsOfInterest?.some((prefix) => row.name.startsWith(prefix)) ?? true;
}

/**
 * Whether a store with these operations can run a row; a durable store may have fewer, and tells
 * itself.
 */
export function canRun(row: Workload, operations: readonly string[]): boolean {
  if (row.durability === "durable") return true;
  return row.needs(
    Object.fromEntries(operations.map((name) => [name, () => {}])) as never as Engine,
  );
}

/** Every process of the rounds, in order. */
export function plannedRuns(
  kinds: readonly EngineKind[],
  rows: readonly Workload[],
  rounds: number,
): PlannedRun[] {
  const planned: PlannedRun[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const [at, row] of rows.entries()) {
      const able = kinds.filter((kind) => isFor(kind, row));
      // Nobody is always first, nor always after the same neighbour.
      const first = (at + round) % Math.max(1, able.length);
      for (const kind of [...able.slice(first), ...able.slice(0, first)]) {
        planned.push({ kind, row, round });
      }
    }
  }
  return planned;
}

/**
 * How many times worse than the best peer of a row a peer has to be in the first round for the
 * others to leave it out: no noise makes it the best, and that is all that its figure is needed
 * for.
 */
export const farBehind = 3;

/** The state of a process: still to run, already run, or not worth running. */
export type Standing = "due" | "done" | "failed before" | "far behind";

/** The state of a process of the rounds after the runs so far. */
export function standingOf({ kind, row, round }: PlannedRun, runs: readonly Run[]): Standing {
  const own = runs.filter(({ engine, workload }) =>
    engine === kind.name && (workload === row.name || workload === "prepare")
  );
  if (own.some((run) => run.workload === row.name && run.round === round)) return "done";
  const hasFailed = own.some(({ workload, outcome }) =>
    outcome.kind !== "measured" && (workload !== "prepare" || row.store !== "empty")
  );
  // The first round says why.
  if (hasFailed && round > 1) return "failed before";
  if (round === 1 || kind.isOwn === true || kind.isFloor === true) return "due";
  const firstOf = (wanted: (engine: string) => boolean): number[] =>
    runs.flatMap(({ engine, workload, round: of, outcome }) =>
      workload === row.name && of === 1 && outcome.kind === "measured" && wanted(engine)
        ? [outcome.figure]
        : []
    );
  const [figure] = firstOf((engine) => engine === kind.name);
  if (figure === undefined) return "due";
  const peers = new Set(
    runs.filter(({ isPeer }) => isPeer === true).map(({ engine }) => engine),
  );
  const figures = firstOf((engine) => peers.has(engine));
  const isBehind = row.unit === "milliseconds"
    ? figure > farBehind * Math.min(...figures)
    : figure * farBehind < Math.max(...figures);
  return isBehind ? "far behind" : "due";
}

/** Seconds that a process takes on average, from runs at 1,000,000 entries on two cores. */
const typicalSeconds = { prepare: 12, aside: 1.6 } as const;

/**
 * About how long the rest will take, in minutes: a guess before anything has run, and after that
 * from the time that processes took. Later rounds leave out about half of the peers.
 */
export function minutesLeft(
  planned: readonly PlannedRun[],
  unprepared: number,
  runs: readonly Run[],
  budgets: Budgets,
  entries: number,
): number {
  const scale = entries / 1_000_000;
  let seconds = unprepared * typicalSeconds.prepare * scale;
  const took = new Map<string, number>();
  for (const { engine, workload, processSeconds } of runs) {
    if (processSeconds !== undefined) took.set(`${engine} ${workload}`, processSeconds);
  }
  for (const run of planned) {
    if (standingOf(run, runs) !== "due") continue;
    const { kind, row, round } = run;
    const before = took.get(`${kind.name} ${row.name}`);
    const isPeer = kind.isOwn !== true && kind.isFloor !== true;
    const isGuess = before === undefined;
    const budget = row.isFill === true ? budgets.fillSeconds : budgets.readSeconds;
    const guess = kind.isFloor === true
      ? 1
      : (typicalSeconds.aside + (isPeer ? 0.8 : 1) * budget) * Math.min(1, 0.3 + 0.7 * scale);
    seconds += (before ?? guess) * (isGuess && isPeer && round > 1 ? 0.5 : 1);
  }
  return seconds / 60;
}
