/** The options that say how keys make a tree. */

import type { OptionValues, ValuedOption } from "../command.ts";
import { UsageError } from "../errors.ts";
import { wholeNumber } from "../range_options.ts";
import { DEFAULT_SEPARATORS, type Division } from "./key_groups.ts";

export const treeOptions: Readonly<
  Record<"separator" | "bytes" | "depth" | "limit", ValuedOption>
> = {
  separator: {
    value: "CHARS",
    short: "s",
    help: `characters that end a part of a key (default ${DEFAULT_SEPARATORS})`,
  },
  bytes: { value: "N", help: "parts of N bytes, for keys without separators" },
  depth: { value: "N", short: "d", help: "levels of the tree (default 1)" },
  limit: {
    value: "N",
    short: "n",
    help: "rows below one prefix (default 40 on a terminal)",
  },
};

/** Rows below one prefix unless a person says it: what fits a screen, or what fits in memory. */
const TERMINAL_ROWS = 40;
const MAX_ROWS = 100_000;

/** How keys make a tree. */
export interface TreeShape {
  readonly division: Division;
  readonly depth: number;
  readonly limit: number;
}

/** Reads the options. */
export function treeShape(
  options: OptionValues<typeof treeOptions>,
  isForPeople: boolean,
): TreeShape {
  const { separator, bytes, depth, limit } = options;
  if (separator !== undefined && bytes !== undefined) {
    throw new UsageError("--separator and --bytes are given: choose one");
  }
  if (separator !== undefined && !/^[\x20-\x7e]+$/.test(separator)) {
    throw new UsageError(
      `--separator is "${separator}", expected characters of ASCII`,
      "For other keys use --bytes.",
    );
  }
  return {
    division: bytes === undefined
      ? { separators: separator ?? DEFAULT_SEPARATORS }
      : { bytes: wholeNumber(bytes, "--bytes", 1) },
    depth: depth === undefined ? 1 : wholeNumber(depth, "--depth", 1),
    limit: limit === undefined
      ? (isForPeople ? TERMINAL_ROWS : MAX_ROWS)
      : wholeNumber(limit, "--limit", 1),
  };
}
