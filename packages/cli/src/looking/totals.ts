/** How large a store is as a whole: for commands that rewrite it, and for those that look. */

import type { Stats } from "@tinykvs/core";
import type { Output } from "../output/output.ts";
import { bytesText, countOf, durationText } from "../text/numbers.ts";

/** The tables of all levels, and their bytes. */
export interface Totals {
  readonly tables: number;
  readonly bytes: number;
}

/** The tables and their bytes. */
export function tableTotals({ levels }: Pick<Stats, "levels">): Totals {
  return {
    tables: levels.reduce((sum, level) => sum + level.tables, 0),
    bytes: levels.reduce((sum, level) => sum + level.sizeBytes, 0),
  };
}

/** The bytes of tables and of the large values that lie apart. */
export function fileBytes(stats: Pick<Stats, "levels" | "values">): number {
  return tableTotals(stats).bytes + stats.values.sizeBytes;
}

/** The tables, and all bytes; what only the log has counts as bytes that a flush would write. */
export function storeTotals(stats: Pick<Stats, "levels" | "wal" | "values">): Totals {
  const { tables } = tableTotals(stats);
  return { tables, bytes: fileBytes(stats) + stats.wal.sizeBytes };
}

/** Totals in words: "3 tables, 1.2 MB". */
export function totalsText({ tables, bytes }: Totals): string {
  return `${countOf(tables, "table")}, ${bytesText(bytes)}`;
}

/** Shows what a command would rewrite. */
export async function showPlan(output: Output, verb: string, totals: Totals): Promise<void> {
  await output.result({ ...totals }, `would ${verb} ${totalsText(totals)}`);
}

/** Shows what a command that has rewritten tables made of them. */
export async function showRewritten(
  output: Output,
  before: Totals,
  after: Totals,
  seconds: number,
): Promise<void> {
  await output.result(
    {
      tablesBefore: before.tables,
      bytesBefore: before.bytes,
      tables: after.tables,
      bytes: after.bytes,
      seconds,
    },
    `${totalsText(before)} → ${totalsText(after)}` +
      output.paint("dim", `  ${durationText(seconds)}`),
  );
}
