/**
 * The results file: the settings of a run, and every process that has ended. An interrupted run
 * continues from it. The report and the verdict are made from it, also later, and beside the file
 * of another runtime. Parsing and matching are pure; run.ts reads and writes the file.
 */

import type { Column, Row, Run } from "./results.ts";
import type { Judged } from "./verdict.ts";

/** What must be the same when a run continues. */
export interface Settings {
  readonly runtime: string;
  readonly entries: number;
  readonly rounds: number;
  readonly readSeconds: number;
  readonly fillSeconds: number;
  readonly seed: number;
  readonly rows: readonly string[];
  readonly engines: readonly string[];
}

/** A run, finished or not. */
export interface Session {
  readonly format: 1;
  readonly settings: Settings;
  /** Where the stores are that reading rows share. */
  folder: string;
  /** Runtime, machine and versions, in the words of the report. */
  about: Record<string, unknown>;
  /**
   * Commits of the repository that it was run at: one, unless somebody changed something meanwhile.
   */
  commits: string[];
  /** When its parts began. */
  dates: string[];
  /** Load averages over a minute at the beginning and end of each part. */
  loads: number[];
  /** How long all parts took together. */
  seconds: number;
  columns: Column[];
  /** The rows, as the report needs them. */
  readonly rows: readonly Row[];
  runs: Run[];
  /** The outcome of the targets; empty until the run is finished. */
  verdicts: Judged[];
}

/** Differences between the settings of a file and those asked for, in words. */
export function differences(recorded: Settings, wanted: Settings): string[] {
  const found: string[] = [];
  for (const name of Object.keys(wanted) as (keyof Settings)[]) {
    const [before, now] = [recorded[name], wanted[name]].map((value) => JSON.stringify(value));
    if (before !== now) found.push(`${name} is ${before} there, ${now} here`);
  }
  return found;
}

/**
 * The run in the text of a results file.
 *
 * @throws {TypeError} the text is not a run
 */
export function parseSession(text: string): Session {
  const session = JSON.parse(text) as Partial<Session> | null;
  if (session?.format !== 1 || !Array.isArray(session.runs) || session.settings === undefined) {
    throw new TypeError("Cannot use the results: expected a file of bench/peers, format 1");
  }
  return session as Session;
}

/** Forgets the making of a store that reading rows share, because its files are gone. */
export function withoutPrepared(runs: readonly Run[], engine: string): Run[] {
  return runs.filter((run) => run.workload !== "prepare" || run.engine !== engine);
}

/** Adds to a list what is not its last item already. */
export function withItem(list: readonly string[], item: string): string[] {
  return list.at(-1) === item ? [...list] : [...list, item];
}
