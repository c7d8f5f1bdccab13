/** `repair`: saves what can be read of a damaged store. */

import { repair, type RepairReport } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../errors.ts";
import type { Column } from "../output/rows.ts";
import { escapeControls } from "../text/escape.ts";
import { countOf } from "../text/numbers.ts";
import type { Style } from "../text/style.ts";

const fileColumns: readonly Column<RepairReport["files"][number]>[] = [
  { name: "file", text: ({ file }) => file },
  {
    name: "action",
    text: ({ action }) => action,
    style: ({ action }) => styleOf(action),
  },
  { name: "detail", text: ({ detail }) => detail, flexible: true },
];

export const repairCommand: Command = command({
  name: "repair",
  summary: "Saves what can be read of a damaged store.",
  usage: "",
  arity: [0, 0],
  options: {},
  needsClosedStore: true,
  details: `Looks first, shows for each file what it would do, and asks. It deletes no damaged file,
but renames it to a name that ends with ".damaged". Copy the directory before you repair it.`,
  examples: [
    [
      "./db repair --dry-run",
      "what could be saved, and what is lost; exits with 3 if there is damage",
    ],
    ["./db repair", "shows the same, asks, and repairs"],
  ],
  async run(context) {
    const { store, output, prompt, settings } = context;
    const plan = await repaired(context, true);
    if (plan.isSound) {
      await output.result({ ...plan }, "There is nothing to repair.");
      return;
    }
    if (settings.dryRun || output.isForPeople) await show(context, plan);
    if (settings.dryRun) return EXIT.damage;
    await prompt.confirm(`This repairs ${store.path} as shown`);
    const report = await repaired(context, false);
    if (output.isForPeople) {
      const text = `repaired: ${countOf(report.salvagedEntries, "entry", "entries")} salvaged`;
      await output.stream.write(`${output.paint("good", text)}\n`);
    } else await show(context, report);
  },
});

async function repaired(
  context: Context,
  dryRun: boolean,
): Promise<RepairReport> {
  using bar = context.progress(dryRun ? "looking" : "repairing");
  return await repair(context.store.path, {
    dryRun,
    signal: context.signal,
    onProgress: ({ doneBytes, totalBytes }) => bar.update({ doneBytes, totalBytes }),
  });
}

async function show({ output }: Context, report: RepairReport): Promise<void> {
  if (!output.isForPeople) {
    await output.result({ ...report }, reportText(report));
    return;
  }
  const sink = output.rows(fileColumns);
  for (const file of report.files) await sink.write(file);
  await sink.end();
  // A detail may be cut in the table; here it is whole.
  for (const { file, action, detail } of report.files) {
    if (action === "kept" || detail === "") continue;
    await output.stream.write(
      `${output.paint("bold", escapeControls(file))}: ${escapeControls(detail)}\n`,
    );
  }
  if (report.unknown.length === 0) {
    await output.stream.write("Every key keeps the value that it had.\n");
  }
  for (const sentence of report.unknown) {
    await output.stream.write(
      `${output.paint("warning", "unknown:")} ${escapeControls(sentence)}\n`,
    );
  }
}

function reportText({ files, unknown }: RepairReport): string {
  return [
    ...files.map(({ file, action, detail }) => `${file}\t${action}\t${detail}`),
    ...unknown.map((sentence) => `unknown\t${sentence}`),
  ].map((line) => line.split("\t").map(escapeControls).join("\t")).join("\n");
}

function styleOf(action: RepairReport["files"][number]["action"]): Style {
  if (action === "lost" || action === "missing") return "bad";
  return action === "kept" ? "dim" : "warning";
}
