/** `watch`: shows what changes in a range. */

import { type Command, command } from "../command.ts";
import { followOptions, followRange, intervalOf } from "../follow.ts";
import { boundOptions, boundsOf } from "../range_options.ts";

export const watchCommand: Command = command({
  name: "watch",
  summary: "Shows what is written and deleted in a range, until Ctrl-C.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: { ...boundOptions, interval: followOptions.interval },
  details: `Looks at the store every second, beside a running writer. If a key changes twice between
two looks, only its last value shows. A shell that has the store open for writing shows every change.`,
  examples: [
    ["./db watch", "every key"],
    [
      "./db watch order: --interval 0.2",
      "keys that begin with order:, five times a second",
    ],
    ["./db watch --jsonl | while read -r line; do ...; done", "for scripts"],
  ],
  async run(context, { args, options }) {
    const range = boundsOf({
      ...options,
      ...(args[0] === undefined ? {} : { prefix: args[0] }),
    });
    const intervalMs = intervalOf(options);
    await using lease = await context.store.read();
    await followRange(context, lease, range, intervalMs);
  },
});
