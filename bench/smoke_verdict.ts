/**
 * The pure parts of bench/smoke.ts: ratios of a workload to its floor, the record of them, and when
 * a workload has lost too much. The record is bench/smoke_ratios.json.
 */

/** What a run measures beside a workload, to tell a slow machine from a slow store. */
export type FloorName = "memory" | "append";

/** Ratios that were once measured on one runtime. */
export interface RecordedRatios {
  /** Processor and number of cores. */
  readonly machine: string;
  /** Name and version of the runtime. */
  readonly runtime: string;
  /** Day of the measurement, YYYY-MM-DD. */
  readonly date: string;
  /** For each workload its rate divided by that of its floor. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** The record: for each runtime, by its name. */
export type SmokeRecord = Readonly<Record<string, RecordedRatios>>;

/** What part of its recorded ratio a workload may lose: a third. */
export const MAX_LOSS: number = 1 / 3;

/** One round: seconds an operation of the workload, and of its floor before and after it. */
export interface SmokeRound {
  readonly workload: number;
  readonly floorBefore: number;
  readonly floorAfter: number;
}

/** The middle of the numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new RangeError("Cannot take the median of no numbers");
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Rate of the workload divided by that of its floor: the median over the rounds, each of which has
 * its own floor, as the machine may slow down from one to the next.
 */
export function ratioOf(rounds: readonly SmokeRound[]): number {
  return median(
    rounds.map(({ workload, floorBefore, floorAfter }) =>
      (floorBefore + floorAfter) / 2 / workload
    ),
  );
}

/** What is said of a workload. */
export type Verdict = "ok" | "faster" | "lost" | "not recorded";

/**
 * Compares the ratio with the recorded one. "faster" is as much above it as "lost" is below: a
 * reason to record again, or the next loss goes unseen.
 */
export function verdictOf(ratio: number, recorded: number | undefined): Verdict {
  if (recorded === undefined) return "not recorded";
  if (!(ratio >= recorded * (1 - MAX_LOSS))) return "lost";
  return ratio > recorded / (1 - MAX_LOSS) ? "faster" : "ok";
}

/** The better of two attempts: noise on the machine takes away more often than it gives. */
export function betterRatio(a: number, b: number): number {
  return Math.max(a, b);
}

/**
 * The record with one runtime's ratios replaced, runtimes in alphabetical order. Ratios that were
 * not measured now are kept.
 */
export function withRecorded(
  record: SmokeRecord,
  runtime: string,
  measured: RecordedRatios,
): SmokeRecord {
  const ratios = { ...record[runtime]?.ratios, ...measured.ratios };
  const entries = Object.entries({ ...record, [runtime]: { ...measured, ratios } });
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * The record in the text of its file.
 *
 * @throws {TypeError} it is not one
 */
export function parseRecord(text: string): SmokeRecord {
  const record = JSON.parse(text) as SmokeRecord;
  for (const [runtime, { machine, runtime: version, date, ratios }] of Object.entries(record)) {
    const isNamed = [machine, version, date].every((field) => typeof field === "string");
    const isSound = Object.values(ratios).every((ratio) => Number.isFinite(ratio) && ratio > 0);
    if (!isNamed || !isSound) {
      throw new TypeError(`Cannot use the recorded ratios of "${runtime}": a field is wrong`);
    }
  }
  return record;
}
