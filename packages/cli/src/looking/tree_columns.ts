/** The columns of `ls` and `du`. */

import type { Column } from "../output/rows.ts";
import { bar, percentText } from "../text/bars.ts";
import { bytesText, countText } from "../text/numbers.ts";
import { toHex, toUtf8 } from "../values/bytes.ts";
import { keyJson } from "../values/json_form.ts";
import { keyText } from "../values/literal_text.ts";

/** A row of a tree. */
export interface TreeRow {
  /** Undefined for what has no row of its own. */
  readonly key: Uint8Array | undefined;
  /** What stands in place of a key. */
  readonly label?: string;
  readonly isGroup: boolean;
  readonly depth: number;
  readonly keys: number;
  readonly bytes: number;
}

const BAR_COLUMNS = 12;

/** The columns; sizes are shown as shares of `totalBytes`. */
export function treeColumns(
  totalBytes: number,
  keysName: string,
): readonly Column<TreeRow>[] {
  const shareOf = ({ bytes }: TreeRow): number => totalBytes === 0 ? 0 : bytes / totalBytes;
  return [
    {
      name: "key",
      flexible: true,
      text: ({ key, label, depth }, limit) =>
        "  ".repeat(depth - 1) +
        (key === undefined ? label ?? "" : keyText(key, limit)),
      style: ({ key, isGroup }) => key === undefined ? "dim" : isGroup ? "bold" : "key",
      jsonMembers: ({ key, label, isGroup, depth }) =>
        [
          key === undefined ? `"rest":${JSON.stringify(label)}` : keyJson(key),
          `"isGroup":${isGroup}`,
          `"depth":${depth}`,
        ].join(),
      bytes: ({ key, label }, mode) =>
        key === undefined ? toUtf8(label ?? "") : mode === "hex" ? toUtf8(toHex(key)) : key,
    },
    number(keysName, ({ keys }) => keys, countText),
    number("bytes", ({ bytes }) => bytes, bytesText),
    {
      name: "share",
      text: (row) => `${percentText(shareOf(row)).padStart(6)} ${bar(shareOf(row), BAR_COLUMNS)}`,
      style: () => "dim",
      jsonMembers: () => "",
      isDecoration: true,
    },
  ];
}

function number(
  name: string,
  value: (row: TreeRow) => number,
  text: (value: number) => string,
): Column<TreeRow> {
  return {
    name,
    align: "right",
    text: (row) => text(value(row)),
    json: (row) => String(value(row)),
    bytes: (row) => toUtf8(String(value(row))),
  };
}
