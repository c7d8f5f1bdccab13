/** `load`: puts the entries of a dump into a store. */

import { stat } from "node:fs/promises";
import * as path from "node:path";
import { type Command, command } from "../command.ts";
import { dumpEntries } from "../dump/dump_format.ts";
import { type Source, sourceOf } from "../io/input_file.ts";
import { load } from "../load/loader.ts";
import type { LoadMark } from "../load/marker.ts";

export const loadCommand: Command = command({
  name: "load",
  summary: "Puts the entries of a dump into a store, and makes the store if there is none.",
  usage: "FILE",
  arity: [1, 1],
  options: {
    "keep-going": { help: "leave out bad lines, and load the others" },
  },
  details:
    `Checks a file first, so a damaged dump changes nothing. Entries that have expired since the dump are
left out. Killed in the middle, the same
command goes on. Standard input ("-") cannot be checked first: if it is damaged, what came before the
damage is in the store, unless the load made the store: then it removes it. If bad lines were left
out, it exits with 3.`,
  examples: [
    ["./new load backup.ndjson.gz", "a new store"],
    [
      "./db load backup.ndjson --dry-run",
      "is the dump whole, and how large is it?",
    ],
    ["./db load - --yes < part.ndjson", "into a store that is not empty"],
  ],
  async run(context, { args, options }) {
    const source = await sourceOf(args[0]!, context.terminal.input);
    return await load(context, {
      name: source.name,
      sizeBytes: source.sizeBytes,
      isRepeatable: source.isRepeatable,
      mark: await markOf(source, args[0]!),
      keepGoing: options["keep-going"] === true,
      entries: (onBad, onBytes) => dumpEntries(source.read(onBytes), onBad),
    });
  },
});

/** How to recognise a file when the command is repeated. */
export async function markOf(
  source: Source,
  name: string,
): Promise<LoadMark | undefined> {
  if (!source.isRepeatable) return undefined;
  const { size, mtimeMs } = await stat(name);
  return { source: path.resolve(name), sizeBytes: size, modifiedMs: mtimeMs };
}
