/** `checkpoint`: a copy of a store, also of one that is in use. */

import { readdir, stat } from "node:fs/promises";
import * as path from "node:path";
import type { CheckpointFormat } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import { bytesText, countOf, durationText, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";

export const checkpointCommand: Command = command({
  name: "checkpoint",
  summary: "Copies a store to another directory, also while it is in use.",
  usage: "DIRECTORY",
  arity: [1, 1],
  options: {
    format: {
      value: "FORMAT",
      choices: ["tinykvs", "go-v0.4"],
      help: "who will open it (default tinykvs)",
    },
  },
  details: `The copy is the store as it is at one moment, with every write that was durable then. If
the command fails or is interrupted, it leaves no directory that opens as a store.`,
  examples: [
    ["./db checkpoint ./backup", "a backup beside a running writer"],
    ["./db checkpoint ./for-go --format go-v0.4", "a store for the Go program"],
  ],
  async run({ store, output, settings, signal, terminal }, { args, options }) {
    const directory = args[0]!;
    await using lease = await store.read();
    const freshness = timeText(lease.asOf ?? terminal.now());
    if (settings.dryRun) {
      const { bytes } = lease.store.approximateSize();
      const text = `would copy about ${bytesText(bytes)} to ${escapeControls(directory)}`;
      await output.result({ bytes, directory }, text);
      return;
    }
    const startedMs = terminal.now();
    const format = (options.format ?? "tinykvs") as CheckpointFormat;
    await lease.store.checkpoint(directory, { format, signal });
    const { files, bytes } = await contentOf(directory);
    const seconds = (terminal.now() - startedMs) / 1000;
    await output.result(
      { directory, files, bytes, seconds },
      `copied ${countOf(files, "file")}, ${bytesText(bytes)} to ${escapeControls(directory)}` +
        output.paint("dim", `  as of ${freshness}, ${durationText(seconds)}`),
    );
  },
});

async function contentOf(
  directory: string,
): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (const name of await readdir(directory)) {
    files++;
    bytes += (await stat(path.join(directory, name))).size;
  }
  return { files, bytes };
}
