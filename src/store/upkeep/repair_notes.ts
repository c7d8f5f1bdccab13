/** What a repair notes for its report while it plans. */

import type { RepairAction, RepairedFile } from "./repair_report.ts";

/** The notes of one repair. */
export class RepairNotes {
  /** The report on each file. */
  readonly files: RepairedFile[] = [];
  /** What the repair cannot know, in sentences. */
  readonly unknown: string[] = [];
  /** The names of files to set aside at the end. */
  readonly damaged: string[] = [];
  /** The names of files in which large values are damaged, by number. */
  readonly badValues: Map<number, string> = new Map();
  /** The number of entries that it reads from damaged files. */
  salvagedEntries = 0;
  /** Whether every file so far can stay as it is. */
  isSound = true;

  /** Notes what the repair does with a file. */
  note(file: string, action: RepairAction, detail = ""): void {
    this.files.push({ file, action, detail });
    if (action !== "kept") this.isSound = false;
  }
}
