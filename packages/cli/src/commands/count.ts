/** `count`: how many keys a range has. */

import { type Command, command } from "../command.ts";
import { boundOptions, boundsOf, describeRange } from "../range_options.ts";
import { bytesText, countOf, countText, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";

export const countCommand: Command = command({
  name: "count",
  summary: "Counts the keys of a range.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: {
    ...boundOptions,
    estimate: { help: "from the indexes, without reading the entries" },
  },
  details: `--estimate is quick for any size. It counts old versions and deletions, too, until they
are compacted.`,
  examples: [
    ["./db count", "all keys"],
    ["./db count user:", "keys that begin with user:"],
    ["./db count user: --estimate", "about as many, at once"],
  ],
  async run({ store, output, signal }, { args, options }) {
    const range = boundsOf({
      ...options,
      ...(args[0] === undefined ? {} : { prefix: args[0] }),
    });
    await using lease = await store.read();
    const freshness = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    const where = escapeControls(describeRange(range));
    if (options.estimate === true) {
      const { entries, bytes } = lease.store.approximateSize(range);
      const text = `about ${countOf(entries, "entry", "entries")}, ${bytesText(bytes)}`;
      await output.result(
        { entries, bytes, isEstimate: true },
        output.isForPeople
          ? `${text}${output.paint("dim", `  ${where}${freshness}`)}`
          : `${entries}`,
      );
      return;
    }
    const count = await lease.store.count({ ...range, signal });
    await output.result(
      { count },
      output.isForPeople
        ? `${countText(count)}${output.paint("dim", `  ${where}${freshness}`)}`
        : String(count),
    );
  },
});
