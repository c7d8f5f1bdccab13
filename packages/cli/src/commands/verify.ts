/** `verify`: checks every byte of a store. */

import { LockedError, type VerifyOptions, type VerifyReport, verifyStore } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../errors.ts";
import type { Column } from "../output/rows.ts";
import { escapeControls } from "../text/escape.ts";
import { bytesText, countOf, countText } from "../text/numbers.ts";

const problemColumns: readonly Column<VerifyReport["problems"][number]>[] = [
  { name: "file", text: ({ file }) => file, flexible: true },
  {
    name: "offset",
    align: "right",
    text: ({ offset }) => countText(offset),
    json: ({ offset }) => String(offset),
  },
  {
    name: "problem",
    text: ({ message }) => message,
    flexible: true,
    style: () => "bad",
  },
];

export const verifyCommand: Command = command({
  name: "verify",
  summary: "Checks every byte of tables, logs and manifest.",
  usage: "",
  arity: [0, 0],
  options: {},
  details: `Writes nothing, and works on a store that does not open, and beside a writer. Exits with
3 if there is damage.`,
  examples: [
    ["./db verify", "is everything as it was written?"],
    ["./db verify --jsonl", "the damage, one problem a line"],
  ],
  async run(context) {
    const { output } = context;
    const report = await verified(context);
    const { isSound, problems, tables, logs, entries, bytes } = report;
    const checked = `${countOf(tables, "table")}, ${countOf(logs, "log")}, ` +
      `${countOf(entries, "entry", "entries")}, ${bytesText(bytes)}`;
    if (isSound) {
      await output.result(
        { isSound, tables, logs, entries, bytes },
        `sound: ${checked} checked`,
      );
      return EXIT.ok;
    }
    if (output.isForPeople) {
      for (const { file, offset, message } of problems) {
        await output.stream.write(problemText(context, file, offset, message));
      }
      await output.remark(
        `${countOf(problems.length, "problem")}: ${checked} checked`,
      );
      await output.remark("What can be saved: tinykvs STORE repair --dry-run");
    } else {
      const sink = output.rows(problemColumns);
      for (const problem of problems) await sink.write(problem);
      await sink.end();
    }
    return EXIT.damage;
  },
});

function problemText(
  { output }: Context,
  file: string,
  offset: number,
  message: string,
): string {
  const where = `${file}, offset ${countText(offset)}`;
  return `${output.paint("bad", "damaged")} ${output.paint("bold", escapeControls(where))}\n` +
    `        ${escapeControls(message)}\n`;
}

/** Verifies the files; if somebody has the store open, what a reader sees of it. */
async function verified(
  { store, signal, progress }: Context,
): Promise<VerifyReport> {
  using bar = progress("verifying");
  const options: VerifyOptions = {
    signal,
    onProgress: ({ doneBytes, totalBytes }) => bar.update({ doneBytes, totalBytes }),
  };
  try {
    return await verifyStore(store.path, options);
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    await using lease = await store.read();
    return await lease.store.verify(options);
  }
}
