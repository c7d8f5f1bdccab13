/**
 * Tables for people. The first rows decide how wide the columns are, and the later ones are cut to
 * that, so a table of any length takes little memory.
 *
 *     ┌────────┬─────────┐
 *     │ key    │ value   │
 *     ├────────┼─────────┤
 *     │ user:1 │ "Alice" │
 *     └────────┴─────────┘
 */

import { escapeControls } from "../text/escape.ts";
import type { Paint } from "../text/style.ts";
import { cut, pad, widthOf } from "../text/width.ts";
import type { Column, RowSink } from "./rows.ts";
import type { OutputStream } from "./stream.ts";

/** The rows that are measured before the table begins. */
const MEASURED_ROWS = 200;
/** A flexible column gets no narrower than this. */
const LEAST_COLUMNS = 8;

/** A table in a box. */
export function boxRows<R>(
  stream: OutputStream,
  paint: Paint,
  possibleColumns: readonly Column<R>[],
): RowSink<R> {
  let columns = possibleColumns;
  // No cell can show more characters than the terminal has columns.
  const limit = stream.columns;
  let measured: R[] | undefined = [];
  let widths: number[] = [];

  const cell = (row: R, column: Column<R>): string => escapeControls(column.text(row, limit + 1));
  const rule = (left: string, middle: string, right: string): string =>
    paint(
      "dim",
      left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right,
    ) + "\n";
  const line = (row: R): string => {
    const bar = paint("dim", "│");
    const cells = columns.map((column, index) => {
      const width = widths[index]!;
      const text = pad(cut(cell(row, column), width), width, column.align);
      return ` ${paint(column.style?.(row) ?? "plain", text)} `;
    });
    return `${bar}${cells.join(bar)}${bar}\n`;
  };
  const begin = async (): Promise<void> => {
    const rows = measured!;
    measured = undefined;
    columns = columns.filter((column) =>
      column.hidesIfEmpty !== true || rows.some((row) => column.text(row, limit) !== "")
    );
    widths = columnWidths(
      columns,
      rows.map((row) => columns.map((c) => cell(row, c))),
      limit,
    );
    const bar = paint("dim", "│");
    const names = columns.map(({ name, align }, index) => {
      const text = pad(cut(name, widths[index]!), widths[index]!, align);
      return ` ${paint("bold", text)} `;
    });
    await stream.write(
      rule("┌", "┬", "┐") + `${bar}${names.join(bar)}${bar}\n` +
        rule("├", "┼", "┤"),
    );
    for (const row of rows) await stream.write(line(row));
  };
  return {
    write: async (row) => {
      if (measured === undefined) return await stream.write(line(row));
      measured.push(row);
      if (measured.length >= MEASURED_ROWS) await begin();
    },
    end: async (remark) => {
      const isEmpty = measured?.length === 0;
      if (!isEmpty) {
        if (measured !== undefined) await begin();
        await stream.write(rule("└", "┴", "┘"));
      }
      if (remark !== undefined) {
        await stream.write(`${paint("dim", escapeControls(remark))}\n`);
      }
    },
  };
}

/** The widths of the columns, so that the table fits into `available` columns if it can. */
export function columnWidths<R>(
  columns: readonly Pick<Column<R>, "name" | "flexible">[],
  cells: readonly (readonly string[])[],
  available: number,
): number[] {
  const natural = columns.map(({ name }, index) =>
    cells.reduce(
      (most, row) => Math.max(most, widthOf(row[index]!)),
      widthOf(name),
    )
  );
  const frame = 3 * columns.length + 1;
  const flexible = columns.map(({ flexible }) => flexible === true);
  let room = available - frame -
    natural.reduce(
      (sum, width, index) => sum + (flexible[index] ? 0 : width),
      0,
    );
  const widths = [...natural];
  // Narrow columns get all they need; the others share the rest.
  const open = new Set(natural.keys().filter((index) => flexible[index]));
  while (open.size > 0) {
    const share = Math.max(LEAST_COLUMNS, Math.floor(room / open.size));
    const fitting = [...open].filter((index) => natural[index]! <= share);
    if (fitting.length === 0) {
      for (const index of open) widths[index] = share;
      break;
    }
    for (const index of fitting) {
      room -= natural[index]!;
      open.delete(index);
    }
  }
  return widths;
}
