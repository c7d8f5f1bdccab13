/** `get`: the values of keys. */

import { type Command, command } from "../command.ts";
import { CommandError, EXIT } from "../errors.ts";
import { entryColumns, valueBytes } from "../output/entry_columns.ts";
import { showEntry } from "../output/one_entry.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { parseKey } from "../values/literal_parser.ts";
import { keyText } from "../values/literal_text.ts";

export const getCommand: Command = command({
  name: "get",
  summary: "Shows the value of a key, or of several.",
  usage: "KEY...",
  arity: [1, Infinity],
  options: {},
  details: "Exits with 1 if a key is not there. --raw writes nothing but the bytes of the value.",
  examples: [
    ["./db get user:1", "the value, with its type"],
    ["./db get user:1 --raw > file", "its bytes alone"],
    ["./db get \"x'00ff'\" 'two words'", "two keys; the first is bytes"],
  ],
  async run({ store, output }, { args }) {
    const keys = args.map(parseKey);
    await using lease = await store.read();
    // All keys as of one moment.
    using snapshot = lease.store.snapshot();
    const entries = await Promise.all(keys.map((key) => snapshot.getEntry(key)));
    const found: StoredEntry[] = entries.filter((entry) => entry !== undefined);
    const only = found[0];
    if (keys.length === 1 && only !== undefined) {
      if (output.mode === "raw") {
        await output.bytes(valueBytes(only.value, "raw"));
      } else if (output.isForPeople) await showEntry(output, only);
      else await writeAll(output, found);
    } else if (found.length > 0) await writeAll(output, found);
    const missing = keys.filter((_, index) => entries[index] === undefined);
    if (missing.length > 0) {
      const names = missing.map((key) => keyText(key, 60)).join(", ");
      throw new CommandError(EXIT.notFound, `Not found: ${names}`);
    }
  },
});

async function writeAll(
  output: Parameters<typeof showEntry>[0],
  entries: readonly StoredEntry[],
): Promise<void> {
  const sink = output.rows(
    entryColumns(entries.some((entry) => entry.expiresAt !== undefined)),
  );
  for (const entry of entries) await sink.write(entry);
  await sink.end();
}
