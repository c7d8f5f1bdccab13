/** `du`: what takes the space, by prefixes, from the indexes of the tables. */

import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { type GroupSize, sizeOfPrefix, sizesOfGroups } from "../looking/group_sizes.ts";
import { keyGroups } from "../looking/key_groups.ts";
import { treeColumns, type TreeRow } from "../looking/tree_columns.ts";
import { treeOptions, type TreeShape, treeShape } from "../looking/tree_options.ts";
import type { OpenStore } from "../store_access.ts";
import { bytesText, countOf, countText, timeText } from "../text/numbers.ts";
import { parseKey } from "../values/literal_parser.ts";

/** Prefixes that are looked at below one. */
const MAX_GROUPS = 10_000;
/** So many keys in a row that belong to no prefix, and the rest is not looked at. */
const MAX_LONE_KEYS = 10_000;

export const duCommand: Command = command({
  name: "du",
  summary: "Estimates what takes the space, by prefixes of keys, without reading all entries.",
  usage: "[PREFIX]",
  arity: [0, 1],
  options: treeOptions,
  details:
    `Sizes are those in the files, compressed, and come from the indexes of the tables. A prefix
costs one seek, however many keys it has. Small prefixes are rounded to half a block. Old versions
and deletions count until they are compacted. If there are large values, which lie apart, the first
64 keys of each prefix tell how large they are.`,
  examples: [
    ["./db du", "the largest prefixes first"],
    ["./db du user: --depth 2", "two levels below user:"],
  ],
  async run(context, { args, options }) {
    const { output } = context;
    const shape = treeShape(options, output.isForPeople);
    const prefix = args[0] === undefined ? new Uint8Array() : parseKey(args[0]);
    await using lease = await context.store.read();
    const { store } = lease;
    const total = sizeOfPrefix(store, prefix);
    const sink = output.rows<TreeRow>(treeColumns(total.bytes, "entries"));
    for (
      const row of await rowsBelow(context, store, prefix, total, 1, shape)
    ) {
      await sink.write(row);
    }
    const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    await sink.end(
      `about ${countOf(total.entries, "entry", "entries")}, ${bytesText(total.bytes)}${asOf}`,
    );
  },
});

/** The rows below a prefix, the largest first; each is followed by those below it. */
async function rowsBelow(
  context: Context,
  store: OpenStore,
  prefix: Uint8Array,
  total: GroupSize,
  depth: number,
  shape: TreeShape,
): Promise<TreeRow[]> {
  const prefixes: Uint8Array[] = [];
  let loneKeys = 0;
  let isCut = false;
  for await (
    const { key, isGroup } of keyGroups(
      store,
      prefix,
      shape.division,
      context.signal,
    )
  ) {
    if (isGroup) prefixes.push(key);
    else loneKeys++;
    if (prefixes.length >= MAX_GROUPS || loneKeys >= MAX_LONE_KEYS) {
      isCut = true;
      break;
    }
  }
  const sizes = await sizesOfGroups(store, prefixes, total);
  const groups = prefixes.map((key, at) => {
    const { entries, bytes } = sizes[at]!;
    return { key, isGroup: true, depth, keys: entries, bytes };
  });
  groups.sort((a, b) => b.bytes - a.bytes);
  const rows: TreeRow[] = [];
  for (const group of groups.slice(0, shape.limit)) {
    rows.push(group);
    if (depth < shape.depth) {
      const size = { bytes: group.bytes, entries: group.keys };
      rows.push(
        ...await rowsBelow(context, store, group.key, size, depth + 1, shape),
      );
    }
  }
  const shown = groups.slice(0, shape.limit);
  const rest = {
    keys: Math.max(0, total.entries - sum(shown, ({ keys }) => keys)),
    bytes: Math.max(0, total.bytes - sum(shown, ({ bytes }) => bytes)),
  };
  const hidden = groups.length - shown.length;
  if (hidden > 0 || loneKeys > 0 || isCut) {
    const parts = [
      ...(hidden > 0 ? [`${countText(hidden)} smaller prefixes`] : []),
      ...(loneKeys > 0 ? ["keys without a separator"] : []),
      ...(isCut ? ["what was not looked at"] : []),
      // Keys are counted by what they hold now.
      ...(store.stats().values.files > 0 ? ["old versions"] : []),
    ];
    rows.push({
      key: undefined,
      label: `(${parts.join(", ")})`,
      isGroup: false,
      depth,
      ...rest,
    });
  }
  return rows;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
