/** The tables that bench/large_values.ts makes of its results. Pure. */

import type { LargeOutcome, LargeStep, Taken } from "./large_values_steps.ts";
import { median } from "./peers/results.ts";
import { renderTable, shortNumber } from "./peers/table_text.ts";

/** One step on one store. */
export interface LargeResult {
  readonly engine: string;
  /** Bytes of a value. */
  readonly bytes: number;
  readonly step: LargeStep;
  readonly outcome: LargeOutcome;
}

type Measured = LargeOutcome & { readonly kind: "measured" };

/** A row of the table of one size. */
interface Row {
  readonly title: string;
  /** A step that the row is about has this number; of several steps the highest is shown. */
  readonly steps: readonly LargeStep[];
  readonly figure: (measured: Measured) => number | null | undefined;
  /** Shown in brackets after it. */
  readonly beside?: (measured: Measured) => number;
}

const perSecond = ({ bytes, seconds }: Taken): number => bytes / 1e6 / seconds;
const perProcessorSecond = ({ bytes, processorSeconds }: Taken): number =>
  bytes / 1e6 / processorSeconds;

function rates(title: string, step: LargeStep, index: number): Row {
  return {
    title: `${title}, MB/s`,
    steps: [step],
    figure: ({ taken }) => perSecond(taken[index]!),
    beside: ({ taken }) => perProcessorSecond(taken[index]!),
  };
}

const puts = ["put-sync", "put-await"] as const;
const gets = ["get-sync", "get-await"] as const;

/** The name of a row. */
export type LargeRowName =
  | "putSync"
  | "putAwait"
  | "getSync"
  | "getSyncAgain"
  | "getAwait"
  | "getAwaitAgain"
  | "keysFirst"
  | "keys"
  | "written"
  | "stall"
  | "peak";

/** Every row, by the name that targets use. */
const largeRows: Readonly<Record<LargeRowName, Row>> = {
  putSync: rates("put, sync", "put-sync", 0),
  putAwait: rates("put, awaited", "put-await", 0),
  getSync: rates("get, sync, first time", "get-sync", 0),
  getSyncAgain: rates("get, sync, again", "get-sync", 1),
  getAwait: rates("get, awaited, first time", "get-await", 0),
  getAwaitAgain: rates("get, awaited, again", "get-await", 1),
  keysFirst: { title: "list keys, first, ms", steps: ["keys"], figure: (of) => of.keysMs[0] },
  keys: { title: "list keys, ms", steps: ["keys"], figure: (of) => of.keysMs[1] },
  written: {
    title: "bytes written for each that was put",
    steps: puts,
    figure: ({ writtenBytes, taken }) =>
      writtenBytes === null ? null : writtenBytes / taken[0]!.bytes,
  },
  stall: { title: "longest stall, ms", steps: [...puts, ...gets], figure: (of) => of.stallMs },
  peak: {
    title: "peak memory, MB",
    steps: [...puts, ...gets, "keys"],
    figure: ({ peakBytes }) => peakBytes / 1e6,
  },
};

/** Medians of the rounds of a run. */
export class LargeFigures {
  readonly #results: readonly LargeResult[];

  constructor(results: readonly LargeResult[]) {
    this.#results = results;
  }

  /** The stores, in the order in which they were measured. */
  get engines(): readonly string[] {
    return [...new Set(this.#results.map(({ engine }) => engine))];
  }

  /** The lengths of values. */
  get sizes(): readonly number[] {
    return [...new Set(this.#results.map(({ bytes }) => bytes))];
  }

  /** The figure of a row; undefined if it was not measured. */
  find(name: LargeRowName, engine: string, bytes: number): number | undefined {
    return this.#highest(largeRows[name], engine, bytes, largeRows[name].figure);
  }

  /** As `find`, for each second of processor time. */
  perProcessor(name: LargeRowName, engine: string, bytes: number): number | undefined {
    const { beside } = largeRows[name];
    return beside && this.#highest(largeRows[name], engine, bytes, beside);
  }

  /** What is shown of a row. */
  cell(name: LargeRowName, engine: string, bytes: number): string {
    const figure = this.find(name, engine, bytes);
    if (figure === undefined) return "–";
    const more = this.perProcessor(name, engine, bytes);
    return shortNumber(figure) + (more === undefined ? "" : ` (${shortNumber(more)})`);
  }

  #highest(
    { steps }: Row,
    engine: string,
    bytes: number,
    numberOf: (measured: Measured) => number | null | undefined,
  ): number | undefined {
    const found = steps.flatMap((step) => {
      const numbers = this.#results.flatMap((result) => {
        if (result.engine !== engine || result.bytes !== bytes || result.step !== step) return [];
        if (result.outcome.kind !== "measured") return [];
        const number = numberOf(result.outcome);
        return number === null || number === undefined ? [] : [number];
      });
      return numbers.length === 0 ? [] : [median(numbers)];
    });
    return found.length === 0 ? undefined : Math.max(...found);
  }
}

/** A target, and what was reached. */
export interface LargeVerdict {
  readonly words: string;
  readonly figure: number;
  readonly bound: number;
  readonly isMet: boolean;
}

/** The store of which the loops are, without any store. */
const EMPTY = "empty loop";

/** What the issue asks of a store of ours; only what was measured. */
export function judgeLarge(figures: LargeFigures, own: string): LargeVerdict[] {
  const verdicts: LargeVerdict[] = [];
  const judge = (
    words: string,
    figure: number | undefined,
    bound: number | undefined,
    isLess: boolean,
  ): void => {
    if (figure === undefined || bound === undefined) return;
    verdicts.push({ words, figure, bound, isMet: isLess ? figure <= bound : figure >= bound });
  };
  const best = (
    names: readonly LargeRowName[],
    engine: string,
    bytes: number,
    ofProcessor: boolean,
  ): number | undefined => {
    const all = names.map((name) =>
      ofProcessor ? figures.perProcessor(name, engine, bytes) : figures.find(name, engine, bytes)
    ).filter((one) => one !== undefined);
    return all.length === 0 ? undefined : Math.max(...all);
  };
  const times = (number: number | undefined, factor: number) =>
    number === undefined ? undefined : number * factor;
  const ofPut = ["putSync", "putAwait"] as const;
  const ofGet = ["getSync", "getSyncAgain", "getAwait", "getAwaitAgain"] as const;
  for (const bytes of figures.sizes) {
    const size = `${bytes / 1000} KB`;
    const rate = (
      words: string,
      names: readonly LargeRowName[],
      peer: string,
      factor: number,
    ): void => {
      for (const ofProcessor of [false, true]) {
        judge(
          `${size}: ${words}, MB/s${ofProcessor ? " of processor time" : ""}`,
          best(names, own, bytes, ofProcessor),
          times(best(names, peer, bytes, ofProcessor), factor),
          false,
        );
      }
    };
    if (bytes >= 100_000) {
      rate("put, 2 times node:sqlite", ofPut, "node:sqlite", 2);
      rate("put, lmdb", ofPut, "lmdb", 1);
      rate("get, node:sqlite", ofGet, "node:sqlite", 1);
    } else if (bytes >= 10_000) {
      for (const peer of ["node:sqlite", "lmdb"]) {
        rate(`put, ${peer}`, ofPut, peer, 1);
        rate(`get, ${peer}`, ofGet, peer, 1);
      }
    }
    if (bytes < 10_000) continue;
    judge(`${size}: bytes written`, figures.find("written", own, bytes), 1.3, true);
    judge(
      `${size}: list keys, 2 times lmdb, ms`,
      figures.find("keys", own, bytes),
      times(figures.find("keys", "lmdb", bytes), 2),
      true,
    );
    const floor = figures.find("stall", EMPTY, bytes);
    judge(
      `${size}: longest stall, 10 ms above the empty loop's`,
      figures.find("stall", own, bytes),
      floor === undefined ? undefined : floor + 10,
      true,
    );
    judge(`${size}: peak memory, MB`, figures.find("peak", own, bytes), 200, true);
  }
  return verdicts;
}

/** The tables, one for each length of values, and one of targets for each store of ours. */
export function renderLarge(
  figures: LargeFigures,
  { about, command }: { readonly about: string; readonly command: string },
): string {
  const { engines } = figures;
  const names = Object.keys(largeRows) as LargeRowName[];
  const tables = figures.sizes.map((bytes) =>
    renderTable(
      [`values of ${bytes / 1000} KB`, ...engines],
      names.map((name) => [
        largeRows[name].title,
        ...engines.map((engine) => figures.cell(name, engine, bytes)),
      ]),
    )
  );
  const targets = engines.filter((engine) => engine.startsWith("tinykvs")).map((engine) =>
    renderTable(
      [`target, ${engine}`, "reached", "bound", ""],
      judgeLarge(figures, engine).map(({ words, figure, bound, isMet }) => [
        words,
        shortNumber(figure),
        shortNumber(bound),
        isMet ? "met" : "missed",
      ]),
    )
  );
  return [
    `**Values of which half is compressible**, half of them overwritten, nothing synced, ${about}:`,
    "```\n" + command + "\n```",
    "A rate in brackets is that for each second of processor time, of all threads; for puts with " +
    "the closing of the store. Of rows about several steps the highest figure is shown.",
    ...tables,
    ...targets,
  ].join("\n\n");
}
