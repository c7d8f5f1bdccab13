/** The commands, in the order of the help. Each is a file of src/commands/. */

import type { Command } from "./command.ts";
import { benchCommand } from "./commands/bench.ts";
import { checkpointCommand } from "./commands/checkpoint.ts";
import { compactCommand } from "./commands/compact.ts";
import { countCommand } from "./commands/count.ts";
import { deleteCommand } from "./commands/delete.ts";
import { deleteRangeCommand } from "./commands/delete_range.ts";
import { destroyCommand } from "./commands/destroy.ts";
import { duCommand } from "./commands/du.ts";
import { dumpCommand } from "./commands/dump.ts";
import { explainCommand } from "./commands/explain.ts";
import { exportCommand } from "./commands/export.ts";
import { getCommand } from "./commands/get.ts";
import { importCommand } from "./commands/import.ts";
import { infoCommand } from "./commands/info.ts";
import { loadCommand } from "./commands/load.ts";
import { lsCommand } from "./commands/ls.ts";
import { putCommand } from "./commands/put.ts";
import { recompressCommand } from "./commands/recompress.ts";
import { repairCommand } from "./commands/repair.ts";
import { keysCommand, scanCommand } from "./commands/scan.ts";
import { sqlCommand } from "./commands/sql.ts";
import { statsCommand } from "./commands/stats.ts";
import { verifyCommand } from "./commands/verify.ts";
import { watchCommand } from "./commands/watch.ts";

/** The groups of the help, with their commands. */
export const commandGroups: readonly (readonly [title: string, commands: readonly Command[]])[] = [
  ["Read and write", [
    getCommand,
    putCommand,
    deleteCommand,
    deleteRangeCommand,
    scanCommand,
    keysCommand,
    countCommand,
    watchCommand,
    sqlCommand,
  ]],
  ["Look into a store", [
    lsCommand,
    duCommand,
    infoCommand,
    statsCommand,
    explainCommand,
    recompressCommand,
  ]],
  ["Move data", [dumpCommand, loadCommand, importCommand, exportCommand]],
  ["Upkeep", [
    compactCommand,
    verifyCommand,
    repairCommand,
    checkpointCommand,
    destroyCommand,
    benchCommand,
  ]],
];

/** All commands. */
export const commands: readonly Command[] = commandGroups.flatMap(([, group]) => group);

/** The command of a name. */
export function commandOf(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}
