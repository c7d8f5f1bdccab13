/** `ls`: the keys as a tree, with counts and sizes. */

import { entryBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import { KeyTree, nodesOf, type TreeNode } from "../looking/key_tree.ts";
import { sizeOfValue } from "../looking/sizes.ts";
import { treeColumns, type TreeRow } from "../looking/tree_columns.ts";
import { treeOptions, treeShape } from "../looking/tree_options.ts";
import { bytesText, countOf, countText, timeText } from "../text/numbers.ts";
import { parseKey } from "../values/literal_parser.ts";

export const lsCommand: Command = command({
  name: "ls",
  summary: "Shows the keys as a tree of prefixes, with counts and sizes.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: treeOptions,
  details:
    `A prefix ends at a separator. Sizes are those of keys and values as they are, not compressed.
It reads all entries of the prefix. For large stores see du, which only estimates.`,
  examples: [
    ["./db ls", "what is in the store?"],
    ["./db ls user: --depth 2", "two levels below user:"],
    ["./db ls --bytes 2", "keys without separators, by their first two bytes"],
  ],
  async run(context, { args, options }) {
    const { output, signal } = context;
    const { division, depth, limit } = treeShape(options, output.isForPeople);
    const prefix = args[0] === undefined ? new Uint8Array() : parseKey(args[0]);
    await using lease = await context.store.read();
    const tree = new KeyTree(prefix, division, depth, limit);
    {
      using bar = context.progress("reading");
      const totalItems = lease.store.approximateSize({ prefix }).entries;
      for await (const batch of entryBatches(lease.store, { prefix, signal })) {
        for (const [key, value] of batch) {
          tree.add(key, key.length + sizeOfValue(value));
        }
        bar.update({
          doneBytes: 0,
          items: tree.root.keys,
          totalItems,
          unit: "keys",
        });
      }
    }
    const sink = output.rows<TreeRow>(treeColumns(tree.root.bytes, "keys"));
    for (const node of nodesOf(tree.finish())) await sink.write(rowOf(node));
    const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    await sink.end(
      `${countOf(tree.root.keys, "key")}, ${bytesText(tree.root.bytes)}${asOf}`,
    );
  },
});

function rowOf(node: TreeNode): TreeRow {
  return node.key === undefined ? { ...node, label: `... ${countText(node.keys)} more` } : node;
}
