/** The commands, in the order of the help. Each is a file of src/commands/. */

import type { Command } from "./command.ts";
import { getCommand } from "./commands/get.ts";
import { putCommand } from "./commands/put.ts";

/** The groups of the help, with their commands. */
export const commandGroups:
  readonly (readonly [title: string, commands: readonly Command[]])[] = [
    ["Read and write", [getCommand, putCommand]],
  ];

/** All commands. */
export const commands: readonly Command[] = commandGroups.flatMap(([, group]) =>
  group
);

/** The command of a name. */
export function commandOf(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}
