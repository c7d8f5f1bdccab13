/**
 * What the library is to reach, as data: the words and numbers of the issue that asked for it.
 * Absolute figures come from another machine; beside them verdict.ts shows the ratios against peers
 * of the same run and against what the Go TinyKVS did on that machine. Nothing here may be lowered
 * to fit a run.
 */

/** Something that a run has measured. */
export type FigureSource =
  /** The median of a row. */
  | { readonly of: "row"; readonly row: string; readonly engine: string }
  /** The longest stall of any row with awaited calls, less that of the empty loop, in ms. */
  | { readonly of: "stall" }
  /** Peak resident memory of any row, in MB. */
  | { readonly of: "memory"; readonly engine: string }
  /** The full store on disk after compaction, in MB. */
  | { readonly of: "disk"; readonly engine: string }
  /** Bytes written to files for each byte of keys and values, in any way of putting at random. */
  | { readonly of: "write amplification" };

/** What a figure is compared with. */
export type Against =
  | { readonly is: "number"; readonly number: number }
  | { readonly is: "peers"; readonly times: number; readonly peers: readonly string[] | "all" }
  | { readonly is: "figure"; readonly times: number; readonly figure: FigureSource }
  | { readonly is: "go"; readonly times: number; readonly version: GoVersion };

/** One comparison. */
export interface Check {
  readonly what: string;
  readonly figure: FigureSource;
  readonly bound: "at least" | "at most";
  readonly against: Against;
  /**
   * For a bound that is measured beside the figure and can't be passed: part of it that is put down
   * to the noise between the two.
   */
  readonly noise?: number;
}

/** One line of the table. */
export interface Target {
  /** The workload, in the words. */
  readonly workload: string;
  /** What it says under "at least". */
  readonly words: string;
  readonly checks: readonly Check[];
}

/** Releases of the Go TinyKVS that were measured. */
export type GoVersion = "v0.4.0" | "v0.11.1";

/**
 * Operations a second of the Go TinyKVS, measured once on a machine of this class at the same
 * sizes; the better end of each range.
 */
export const goRecorded: Readonly<Record<string, Readonly<Record<GoVersion, number>>>> = {
  "fillseq-sync": { "v0.4.0": 142_000, "v0.11.1": 545_000 },
  "fillrandom-sync": { "v0.4.0": 97_000, "v0.11.1": 420_000 },
  "get-hot-sync": { "v0.4.0": 680_000, "v0.11.1": 673_000 },
  "get-random-sync": { "v0.4.0": 59_000, "v0.11.1": 87_000 },
  "get-nocache-sync": { "v0.4.0": 25_000, "v0.11.1": 55_000 },
  "get-missing-sync": { "v0.4.0": 2_900_000, "v0.11.1": 71_000 },
  "get-seq-sync": { "v0.4.0": 860_000, "v0.11.1": 902_000 },
  "scan-for-of": { "v0.4.0": 1_900_000, "v0.11.1": 1_000_000 },
  "scan-for-await": { "v0.4.0": 1_900_000, "v0.11.1": 1_000_000 },
  "scan-bulk": { "v0.4.0": 1_900_000, "v0.11.1": 1_000_000 },
  "prefix100-sync": { "v0.4.0": 14_000, "v0.11.1": 13_000 },
  "mixed-cold-sync": { "v0.4.0": 59_000, "v0.11.1": 70_000 },
};

const rowOf = (row: string, engine = "tinykvs"): FigureSource => ({ of: "row", row, engine });
const number = (value: number): Against => ({ is: "number", number: value });

function atLeast(row: string, rate: number, engine?: string): Check {
  return {
    what: engine === undefined ? row : `${row}, ${engine}`,
    figure: rowOf(row, engine),
    bound: "at least",
    against: number(rate),
  };
}

function timesPeers(row: string, times: number, peers: readonly string[] | "all"): Check {
  const against: Against = { is: "peers", times, peers };
  return { what: row, figure: rowOf(row), bound: "at least", against };
}

function timesGo(row: string, times: number, version: GoVersion): Check {
  const against: Against = { is: "go", times, version };
  return { what: row, figure: rowOf(row), bound: "at least", against };
}

function timesFigure(row: string, times: number, figure: FigureSource): Check {
  const against: Against = { is: "figure", times, figure };
  return { what: row, figure: rowOf(row), bound: "at least", against };
}

function atMost(what: string, figure: FigureSource, most: number): Check {
  return { what, figure, bound: "at most", against: number(most) };
}

/** Milliseconds that the longest stall may be above that of an empty loop. */
const stallMs: Readonly<Record<string, number>> = { node: 4, bun: 4, deno: 6 };

/** The target for stalls, the only number that differs between the runtimes. */
export function stallTarget(runtime: string): Target {
  return {
    workload: "longest event-loop stall in any of them",
    words: "at most 4 ms (Deno 6) above an empty loop's in the same run",
    checks: [atMost("any awaited row, ms", { of: "stall" }, stallMs[runtime]!)],
  };
}

/** The table: Node, 1,000,000 entries of 16 + 100 bytes. */
export const nodeTargets: readonly Target[] = [
  {
    workload: "fillseq / fillrandom, `putSync`",
    words: "4x / 3x the best JS peer and 2.5x Go v0.4: about 370k / 250k a second",
    checks: [
      timesPeers("fillseq-sync", 4, "all"),
      timesGo("fillseq-sync", 2.5, "v0.4.0"),
      atLeast("fillseq-sync", 370_000),
      timesPeers("fillrandom-sync", 3, "all"),
      timesGo("fillrandom-sync", 2.5, "v0.4.0"),
      atLeast("fillrandom-sync", 250_000),
    ],
  },
  {
    workload: "fillseq, `await put` one at a time / 64 in flight",
    words: "250k/s / 400k/s",
    checks: [atLeast("fillseq-await", 250_000), atLeast("fillseq-64", 400_000)],
  },
  {
    workload: "fillbatch of 1000: sequential / random",
    words: "1.0M/s / 400k/s, ahead of lmdb and classic-level",
    checks: [
      atLeast("fillbatch-seq", 1_000_000),
      timesPeers("fillbatch-seq", 1, ["lmdb", "classic-level"]),
      atLeast("fillbatch-random", 400_000),
      timesPeers("fillbatch-random", 1, ["lmdb", "classic-level"]),
    ],
  },
  {
    workload: "get hot, `getSync` / `await get`",
    words: "2x lmdb's sync get (about 1.0M/s) / 600k/s",
    checks: [
      timesPeers("get-hot-sync", 2, ["lmdb"]),
      atLeast("get-hot-sync", 1_000_000),
      atLeast("get-hot-await", 600_000),
    ],
  },
  {
    workload: "get in key order",
    words: "2x lmdb",
    checks: [timesPeers("get-seq-sync", 2, ["lmdb"])],
  },
  { workload: "get missing", words: "2.0M/s", checks: [atLeast("get-missing-sync", 2_000_000)] },
  {
    workload: "get random, 64 MB cache, zstd / `none`",
    words: "90k/s, ahead of Go v0.11 / 300k/s",
    checks: [
      atLeast("get-random-sync", 90_000),
      timesGo("get-random-sync", 1, "v0.11.1"),
      atLeast("get-random-sync", 300_000, "tinykvs none"),
    ],
  },
  {
    workload: "get, no cache, zstd / `none`",
    words: "40k/s (decompression-bound) / 200k/s",
    checks: [
      atLeast("get-nocache-sync", 40_000),
      atLeast("get-nocache-sync", 200_000, "tinykvs none"),
    ],
  },
  {
    workload: "full scan: `for (… of entries())` / `for await` / `scanPrefix` callback",
    words: "2.0M/s / 1.2M/s / 2.5M/s, ahead of Go; reverse at least half of that",
    checks: [
      atLeast("scan-for-of", 2_000_000),
      atLeast("scan-for-await", 1_200_000),
      atLeast("scan-bulk", 2_500_000),
      timesGo("scan-for-of", 1, "v0.4.0"),
      timesGo("scan-for-of", 1, "v0.11.1"),
      atLeast("scan-reverse", 1_000_000),
      timesFigure("scan-reverse", 0.5, rowOf("scan-for-of")),
    ],
  },
  {
    workload: "prefix scans of 100, cached",
    words: "25k/s",
    checks: [atLeast("prefix100-sync", 25_000)],
  },
  {
    workload: "getMany of 100, cold, async",
    words: "2x the same keys one by one",
    checks: [
      // Out of the page cache, single gets read at once, too: there is nothing left to do side by
      // side.
      timesFigure("get-many100", 2, rowOf("get-nocache-await")),
      timesFigure("get-disk-many100", 2, rowOf("get-disk-await")),
    ],
  },
  {
    workload: "mixed 80/20: all cached / over 1M with 64 MB cache, zstd",
    words: "400k/s / ahead of Go v0.11",
    checks: [atLeast("mixed-hot-sync", 400_000), timesGo("mixed-cold-sync", 1, "v0.11.1")],
  },
  {
    workload: "durable single put / 64 in flight",
    words: "the fsync rate of the disk (a floor bench shows it) / 100k/s",
    checks: [
      // Nothing is faster than the disk: two measurements of the same rate differ by as much.
      { ...timesFigure("durable-one", 1, rowOf("durable-one", "append")), noise: 0.1 },
      atLeast("durable-64", 100_000),
    ],
  },
  stallTarget("node"),
  {
    workload: "resident memory: default / low-memory preset",
    words: "150 MB / 100 MB at the peak of any workload",
    checks: [
      atMost("any row, MB", { of: "memory", engine: "tinykvs" }, 150),
      atMost("any row, low-memory, MB", { of: "memory", engine: "tinykvs low-memory" }, 100),
    ],
  },
  {
    workload: "bytes on disk after compaction",
    words: "Go's 59.3 MB or less, zstd level 1",
    checks: [
      atMost("MB", { of: "disk", engine: "tinykvs" }, 59.3),
      atMost("MB, level 1", { of: "disk", engine: "tinykvs level 1" }, 59.3),
    ],
  },
  {
    workload: "write amplification in fillrandom",
    words: "reported, and at most 6",
    checks: [atMost("any fillrandom row", { of: "write amplification" }, 6)],
  },
  {
    workload: "open of 1,000,000 entries",
    words: "5 ms to the first answered get",
    checks: [atMost("open, ms", rowOf("open"), 5)],
  },
];

/** What part of Node's figure the other runtimes have to reach in every row. */
export const partOfNode = 0.6;
