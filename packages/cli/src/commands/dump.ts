/** `dump`: writes a store, or a range of it, as text without loss. */

import { timedBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import { dumpPieces } from "../dump/dump_format.ts";
import { writeOutput } from "../io/output_file.ts";
import { boundOptions, boundsOf } from "../range_options.ts";
import { bytesText, countOf, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";

export const dumpCommand: Command = command({
  name: "dump",
  summary: "Writes all entries as lines of JSON, without loss. `load` reads them.",
  usage: "[FILE]",
  arity: [0, 1],
  options: {
    ...boundOptions,
    gzip: { short: "z", help: "packed; so is a FILE that ends with .gz" },
  },
  details: `Shows the store as it is at one moment, beside a running writer. The last line has a
checksum, so a dump that was cut off is noticed. FILE gets its name only when it is whole.`,
  examples: [
    ["./db dump backup.ndjson.gz", "a packed file"],
    [
      "./db dump --prefix user: | ssh host tinykvs ./db load -",
      "a part, to another machine",
    ],
    ["./db dump | zstd > backup.zst", "another packer"],
  ],
  async run(context, { args, options }) {
    const { store, output, signal, terminal, settings } = context;
    const range = boundsOf(options);
    await using lease = await store.read();
    const size = lease.store.approximateSize(range);
    const file = args[0];
    if (settings.dryRun) {
      const text = `would write about ${countOf(size.entries, "entry", "entries")}`;
      await output.result({ entries: size.entries }, text);
      return;
    }
    using bar = context.progress("dumping");
    let entries = 0;
    let bytes = 0;
    const pieces = dumpPieces(
      timedBatches(lease.store, { ...range, signal }),
      (lineBytes) => {
        entries++;
        bytes += lineBytes;
        if (entries % 64 === 0) {
          bar.update({
            doneBytes: bytes,
            items: entries,
            totalItems: size.entries,
          });
        }
      },
    );
    const gzip = options.gzip === true ? true : undefined;
    await writeOutput(context, file, pieces, gzip);
    bar[Symbol.dispose]();
    if (settings.quiet || file === undefined || file === "-") return;
    const asOf = timeText(lease.asOf ?? terminal.now());
    await output.result(
      { file, entries, bytes },
      `wrote ${countOf(entries, "entry", "entries")}, ${bytesText(bytes)} of text to ${
        escapeControls(file)
      }${output.paint("dim", `  as of ${asOf}`)}`,
    );
  },
});
