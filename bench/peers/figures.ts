/**
 * The figures of a run that the report's tables and the verdict are made of: medians over the
 * rounds, by row and store. Pure.
 */

import {
  cellOf,
  type Column,
  compareWithBest,
  type Comparison,
  type Measured,
  median,
  type Row,
  type Run,
} from "./results.ts";
import type { FigureSource } from "./targets.ts";

/** The row whose empty loop represents rows without an empty loop. */
const stallRow = "stall";
const emptyLoop = "empty loop";

/** Looks up what a run has measured. */
export class Figures {
  readonly #outcomes = new Map<string, Run["outcome"][]>();
  readonly #peers: readonly string[];
  readonly #rows: readonly Row[];

  constructor(columns: readonly Column[], rows: readonly Row[], runs: readonly Run[]) {
    this.#rows = rows;
    this.#peers = columns.filter(({ isFloor, isOwn }) => !isFloor && !isOwn)
      .map(({ engine }) => engine);
    for (const { workload, engine, outcome } of runs) {
      const key = `${workload} ${engine}`;
      this.#outcomes.set(key, [...this.#outcomes.get(key) ?? [], outcome]);
    }
  }

  /** The median of something that was measured in each round of a row, or undefined. */
  median(
    row: string,
    engine: string,
    numberOf: (measured: Measured) => number | null,
  ): number | undefined {
    const outcomes = this.#outcomes.get(`${row} ${engine}`) ?? [];
    const numbers: number[] = [];
    for (const outcome of outcomes) {
      if (outcome.kind !== "measured") return undefined;
      const found = numberOf(outcome);
      if (found !== null) numbers.push(found);
    }
    return numbers.length === 0 ? undefined : median(numbers);
  }

  /** The figure of a row. */
  figure(row: string, engine: string): number | undefined {
    return cellOf(this.#outcomes.get(`${row} ${engine}`) ?? [], ({ figure }) => figure)?.figure;
  }

  /** The best of the peers in a row. */
  bestPeer(row: string, own: number, only: readonly string[] | "all"): Comparison | undefined {
    const figures = new Map<string, number>();
    for (const peer of only === "all" ? this.#peers : only) {
      const figure = this.figure(row, peer);
      if (figure !== undefined) figures.set(peer, figure);
    }
    return compareWithBest(own, figures, this.isLowerBetter(row));
  }

  /** Whether a row shows milliseconds. */
  isLowerBetter(row: string): boolean {
    return this.#rows.find(({ name }) => name === row)?.isLowerBetter === true;
  }

  /** The longest stall of a row, of the store and of the empty loop, or undefined. */
  stall(row: string, engine: string): { own: number; floor: number | undefined } | undefined {
    const stallOf = (of: string, name: string): number | undefined =>
      this.median(of, name, ({ longestStallMs }) => longestStallMs);
    const own = stallOf(row, engine);
    if (own === undefined) return undefined;
    return { own, floor: stallOf(row, emptyLoop) ?? stallOf(stallRow, emptyLoop) };
  }

  /** Peak resident memory of a row in MB. */
  memoryMB(row: string, engine: string): number | undefined {
    return this.median(row, engine, ({ peakMemoryBytes }) => peakMemoryBytes / 1e6);
  }

  /** Bytes written to files for a byte of keys and values. */
  writeAmplification(row: string, engine: string): number | undefined {
    return this.median(row, engine, ({ writeAmplification }) => writeAmplification);
  }

  /** What a target is about; undefined if nothing was measured. */
  find(source: FigureSource): number | undefined {
    switch (source.of) {
      case "row":
        return this.figure(source.row, source.engine);
      case "stall":
        return this.#worst((row) => {
          const stall = this.stall(row, "tinykvs");
          return stall?.floor === undefined ? undefined : stall.own - stall.floor;
        });
      case "memory":
        return this.#worst((row) => this.memoryMB(row, source.engine));
      case "disk":
        return this.median("prepare", source.engine, ({ diskBytes }) => diskBytes / 1e6);
      case "write amplification":
        return this.#worst((row) => this.writeAmplification(row, "tinykvs"));
    }
  }

  #worst(numberOf: (row: string) => number | undefined): number | undefined {
    const found = this.#rows.map(({ name }) => numberOf(name)).filter((one) => one !== undefined);
    return found.length === 0 ? undefined : Math.max(...found);
  }
}
