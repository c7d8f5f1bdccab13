/**
 * The results file of bench/billion.ts: one JSON object a line, added while it runs, so that a run
 * that was killed goes on from it. Pure.
 */

import type { ScaleOrder } from "./scale_data.ts";
import type { Sample } from "./scale_report.ts";

/** What a run is; the first line. */
export interface Settings {
  readonly kind: "settings";
  readonly format: 1;
  readonly order: ScaleOrder;
  readonly entries: number;
  readonly seed: number;
  /** Limit of the memory of the processes and their page cache; 0 without one. */
  readonly limitBytes: number;
}

/** A loading process begins; several do if one was killed or stopped. */
export interface Part {
  readonly kind: "part";
  readonly date: string;
  readonly about: string;
  readonly command: string;
  /** Entries that were found. */
  readonly found: number;
}

/** A sample of a load: the times are since the beginning of its part. */
export interface LoadLine extends Sample {
  readonly kind: "sample";
  /** Bytes of the tables of each level. */
  readonly levelBytes: readonly number[];
  /** Memory of the group with its page cache; 0 without a group. */
  readonly groupBytes: number;
  readonly groupCacheBytes: number;
  readonly freeDiskBytes: number;
  /** Processes that wanted to run on the machine, over the last minute. */
  readonly machineLoad: number;
}

/** A loading process ended by itself. */
export interface LoadedLine {
  readonly kind: "loaded";
  readonly entries: number;
  /** Why it ended before the last entry. */
  readonly stopped?: string;
  readonly closeSeconds: number;
  readonly peakBytes: number;
  readonly files: number;
  readonly diskBytes: number;
  readonly manifestBytes: number;
}

/** What a fresh process read. */
export interface ReadLine {
  readonly kind: "read";
  readonly entries: number;
  readonly limitBytes: number;
  readonly firstOpenMs: number;
  readonly warmOpenMs: readonly number[];
  readonly emptyOpenMs: number;
  readonly gets: number;
  readonly getSeconds: number;
  readonly getProcessorSeconds: number;
  readonly scanned: number;
  readonly scannedPerSecond: number;
  /** Entries of which key and value were compared, in runs spread over all. */
  readonly verified: number;
  readonly verifySeconds: number;
  readonly countSeconds: number;
  readonly indexBytes: number;
  readonly peaks: readonly { readonly after: string; readonly bytes: number }[];
  readonly groupPeakBytes: number;
}

export type Line = Settings | Part | LoadLine | LoadedLine | ReadLine;

/** Everything that a results file says. */
export interface BillionRun {
  readonly settings: Settings;
  readonly parts: readonly { readonly part: Part; readonly samples: readonly LoadLine[] }[];
  /** The last one. */
  readonly loaded: LoadedLine | undefined;
  /** The last one. */
  readonly read: ReadLine | undefined;
}

/**
 * Reads a results file. The last line may be half written.
 *
 * @throws {TypeError} another line is not JSON, or the first is not of this format
 */
export function parseLines(text: string): BillionRun {
  const lines = text.split("\n");
  // What follows the last line break is empty, or half a line of a killed process.
  const whole = lines.slice(0, -1).map((line, at) => {
    try {
      return JSON.parse(line) as Line;
    } catch {
      throw new TypeError(`Cannot use the results: line ${at + 1} is not JSON`);
    }
  });
  const settings = whole[0];
  if (settings?.kind !== "settings" || settings.format !== 1) {
    throw new TypeError("Cannot use the results: expected a file of bench/billion, format 1");
  }
  const parts: { part: Part; samples: LoadLine[] }[] = [];
  let loaded: LoadedLine | undefined;
  let read: ReadLine | undefined;
  for (const line of whole) {
    if (line.kind === "part") parts.push({ part: line, samples: [] });
    else if (line.kind === "sample") parts.at(-1)!.samples.push(line);
    else if (line.kind === "loaded") loaded = line;
    else if (line.kind === "read") read = line;
  }
  return { settings, parts, loaded, read };
}

/** What is different between the settings of a file and those asked for, in words. */
export function settingsDiffer(there: Settings, here: Settings): string | undefined {
  const names = ["order", "entries", "seed", "limitBytes"] as const;
  const found = names.filter((name) => there[name] !== here[name])
    .map((name) => `${name} is ${there[name]} there, ${here[name]} here`);
  return found.length === 0 ? undefined : found.join(", ");
}
