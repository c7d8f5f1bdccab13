/** Texts of a report of a repair: what was lost, and between which keys. */

import { shownBytes } from "../../contract/sub/tuple.ts";
import { decodeUtf8 } from "../../contract/utf8.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import type { LostRange } from "./salvage_table.ts";

/** What the loss of parts of a table means. */
export function lossOf(ranges: readonly LostRange[], named: TableMetadata | number): string {
  const limits = typeof named === "number" ? undefined : named;
  const stretches = ranges.slice(0, 8).map(({ from, to }) => {
    const start = from ?? limits?.smallest;
    const end = to ?? limits?.largest;
    return `${start === undefined ? "its first key" : shown(start)} to ${
      end === undefined ? "its last one" : shown(end)
    }`;
  });
  if (ranges.length > stretches.length) stretches.push(`${ranges.length - stretches.length} more`);
  const noDeletions = limits?.tombstoneCount === 0;
  return `of keys from ${
    stretches.join(", ") || "its first to its last one"
  } values are lost, and older ones may show` +
    (noDeletions ? "" : "; keys that it deleted may be back");
}

/** Formats a key for the text of a report. */
export function shown(key: Uint8Array): string {
  const text = key.length <= 64 ? decodeUtf8(key) : undefined;
  return text === undefined ? shownBytes(key) : JSON.stringify(text);
}
