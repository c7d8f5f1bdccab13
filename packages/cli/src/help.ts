/** The help, of the program and of each command. */

import { globalOptions } from "./arguments.ts";
import { commandGroups } from "./commands.ts";
import type { Command, OptionSpecs } from "./command.ts";
import type { Paint } from "./text/style.ts";

/** The help of the program. */
export function programHelp(paint: Paint): string {
  const groups = commandGroups.map(([title, group]) =>
    `${paint("bold", title)}\n${
      group.map(({ name, summary }) => `  ${paint("key", name.padEnd(14))}${summary}`).join("\n")
    }`
  );
  return [
    "tinykvs: looks into TinyKVS stores, changes them, moves their data, mends them.",
    `${paint("bold", "Usage")}
  tinykvs STORE COMMAND [ARGUMENTS] [OPTIONS]
  tinykvs STORE                       a shell
  tinykvs help COMMAND                options and examples of a command

STORE is a directory. The variable TINYKVS_STORE, or --store, may stand in for it.`,
    ...groups,
    `${paint("bold", "Options of all commands")}\n${optionLines(globalOptions, paint)}`,
    `${paint("bold", "Exit codes")}
  0 done   1 not found   2 wrong usage   3 damage   4 locked   5 the system refused`,
  ].join("\n\n") + "\n";
}

/** The help of a command. */
export function commandHelp(command: Command, paint: Paint): string {
  const { name, summary, usage, options, details, examples, needsStore } = command;
  const store = needsStore === false ? "" : " STORE";
  const parts = [
    summary,
    `${paint("bold", "Usage")}\n  tinykvs${store} ${name} ${usage}`.trimEnd(),
  ];
  if (details !== undefined) parts.push(details);
  if (Object.keys(options).length > 0) {
    parts.push(`${paint("bold", "Options")}\n${optionLines(options, paint)}`);
  }
  parts.push(
    `${paint("bold", "Examples")}\n${
      examples.map(([line, effect]) => `  tinykvs ${line}\n      ${paint("dim", effect)}`)
        .join("\n")
    }`,
    paint(
      "dim",
      "`tinykvs help` lists the options that every command understands.",
    ),
  );
  return `${parts.join("\n\n")}\n`;
}

function optionLines(options: OptionSpecs, paint: Paint): string {
  return Object.entries(options).map(
    ([name, { short, value, help, choices }]) => {
      const letter = short === undefined ? "    " : `-${short}, `;
      const head = `${letter}--${name}${value === undefined ? "" : ` ${value}`}`;
      const list = choices === undefined ? "" : `: ${choices.join(", ")}`;
      const space = head.length < 22 ? head.padEnd(22) : `${head}\n${" ".repeat(24)}`;
      return `  ${paint("key", space)}${help}${list}`;
    },
  ).join("\n");
}
