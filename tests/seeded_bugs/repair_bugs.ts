/**
 * Bugs in verification and repair: a wrong order that brings old values back, losses that the
 * report omits, dry runs that write.
 */

import type { Bug } from "./bug.ts";
import { directed } from "./commands.ts";

const FAULTS = "tests/faults/repair_test.ts";

/** The bugs. */
export const repairBugs: readonly Bug[] = [
  {
    name: "repair-puts-salvage-on-top",
    item: "beyond the list",
    does: "puts what it salvages of an old table of level 0 before the newer ones",
    edits: [{
      file: "src/store/upkeep/repair_plan.ts",
      find: "      const isRenumbered = level === 0 && isSound && isLater;\n",
      replace: "      const isRenumbered = level < 0 && isSound && isLater;\n",
    }],
    caughtBy: directed(FAULTS, /^Of a damaged table all blocks but the damaged ones are there/),
    symptom: /keys are wrong|nothing is said/,
  },
  {
    name: "repair-turns-ages-around",
    item: "beyond the list",
    does: "takes older tables for newer ones if there is no manifest",
    edits: [{
      file: "src/store/upkeep/table_order.ts",
      find: "a.level - b.level || b.table.number - a.table.number",
      replace: "a.level - b.level || a.table.number - b.table.number",
    }],
    caughtBy: directed(FAULTS, /^A store without a manifest has all its tables and logs/),
    symptom: /MANIFEST-000001/,
  },
  {
    name: "repair-is-silent-about-a-table",
    item: "beyond the list",
    does: "does not say that a lost table may have held deletions",
    edits: [{
      file: "src/store/upkeep/repair_plan.ts",
      find: "    for (const { table } of missing) this.#noteMissing(table);\n",
      replace:
        '    for (const { table } of missing) this.#notes.note(tableName(table.number), "missing");\n',
    }],
    caughtBy: directed(FAULTS, /^A store that has lost a table has all that the others hold/),
    symptom: /have old values, and nothing is said/,
  },
  {
    name: "repair-stops-at-a-hole",
    item: "beyond the list",
    does: "drops the records of a log after a damaged one",
    edits: [{
      file: "src/wal/log_salvage.ts",
      find: "      offset++;\n      if (offset % 4096 === 0) yield undefined;\n      continue;\n",
      replace: "      break;\n",
    }],
    caughtBy: directed(FAULTS, /^Of a log with damage in its middle the records before and after/),
    symptom: /keys are wrong/,
  },
  {
    name: "repair-puts-files-aside-too-early",
    item: "beyond the list",
    does: "puts damaged files aside before the manifest that does without them is in place",
    edits: [{
      file: "src/store/upkeep/repair.ts",
      find: "  versions.reserveFileNumber(plan.lastFileNumber);\n",
      replace: `  versions.reserveFileNumber(plan.lastFileNumber);
  for (const { table, action } of plan.tables) {
    const path = fileSystem.joinPath(directory, tableName(table.number));
    if (action === "renumbered") fileSystem.renameSync(path, path + DAMAGED_SUFFIX);
  }
`,
    }],
    caughtBy: directed(FAULTS, /^A repair that is killed at any operation can be repeated/),
    symptom: /are wrong|ENOENT|no such|Cannot open/,
  },
  {
    name: "verify-trusts-blocks",
    item: "beyond the list",
    does: "verifies indexes and filters and not the blocks",
    edits: [{
      file: "src/store/upkeep/check_table.ts",
      find: "    yield* this.#checkBlocks(index, onBytes);\n",
      replace: "    this.entries = index.entryCount;\n",
    }],
    caughtBy: directed(
      "tests/store/verify_test.ts",
      /^verify names every damaged block of every table/,
    ),
    symptom: /Expected values to be strictly deep-equal|Expected values to be strictly equal/,
  },
  {
    name: "repair-forgets-damaged-values",
    item: "beyond the list",
    does: "leaves a damaged file of large values under its name, so the next open deletes it",
    edits: [{
      file: "src/store/upkeep/repair.ts",
      find: "      if (!versions.values.isUsed(number)) aside.add(name);\n",
      replace: "      if (versions.values.isUsed(number)) aside.add(name);\n",
    }],
    caughtBy: directed(
      "tests/store/repair_test.ts",
      /^A repair keeps the bytes of a damaged large value under another name/,
    ),
    symptom: /ENOENT|no such/,
  },
];
