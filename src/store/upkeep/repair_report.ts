/** What a repair says. */

/** What became of a file. */
export type RepairAction =
  /** It is whole and goes on to be used as it is. */
  | "kept"
  /** What could be read of it is in a new file. */
  | "salvaged"
  /** A copy with a new number takes its place: the order of level 0 asks for that. */
  | "renumbered"
  /** Its entries are in new tables now. */
  | "replayed"
  /** Nothing of it could be read. */
  | "lost"
  /** The store needs it and it is not there. */
  | "missing"
  /** The repair has made it. */
  | "made";

/** What a repair has done with a file, or would do. */
export interface RepairedFile {
  /** Name of the file in the store's directory. */
  readonly file: string;
  /** What became of it. */
  readonly action: RepairAction;
  /** What was found, in words; empty if there is nothing to say. */
  readonly detail: string;
}

/** What a repair has done, or would do. */
export interface RepairReport {
  /** Whether there was nothing to repair: then nothing was written. */
  readonly isSound: boolean;
  /** Whether nothing was written because only a report was asked for. */
  readonly dryRun: boolean;
  /** File by file. */
  readonly files: readonly RepairedFile[];
  /**
   * What can't be known: where older values may show, and where deleted keys may be back. If this
   * is empty, every key has the value that it had.
   */
  readonly unknown: readonly string[];
  /** Entries that were read from damaged files and are in the store now. */
  readonly salvagedEntries: number;
}
