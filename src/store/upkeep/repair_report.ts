/** The report of a repair. */

/** What the repair has done with a file. */
export type RepairAction =
  /** The file is whole. The store keeps it unchanged. */
  | "kept"
  /** A new file holds what could be read of it. */
  | "salvaged"
  /** A copy with a new number takes its place, because the order of level 0 requires it. */
  | "renumbered"
  /** New tables hold its entries. */
  | "replayed"
  /** Nothing of it could be read. */
  | "lost"
  /** The store needs the file, but it is missing. */
  | "missing"
  /** The repair has made it. */
  | "made";

/** What a repair has done with one file, or would do. */
export interface RepairedFile {
  /** The file's name in the store's directory. */
  readonly file: string;
  /** What the repair has done with it. */
  readonly action: RepairAction;
  /** What the repair has found, in words. Empty if there is nothing to report. */
  readonly detail: string;
}

/** What a repair has done, or would do. */
export interface RepairReport {
  /** Whether there was nothing to repair. The repair has then written nothing. */
  readonly isSound: boolean;
  /** Whether this was a dry run, which writes nothing. */
  readonly dryRun: boolean;
  /** The report on each file. */
  readonly files: readonly RepairedFile[];
  /**
   * What the repair cannot know: where older values may show, and where deleted keys may be back.
   * If this is empty, every key has the value that it had.
   */
  readonly unknown: readonly string[];
  /** The number of entries from damaged files that are in the store now. */
  readonly salvagedEntries: number;
}
