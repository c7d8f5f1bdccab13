/** Tables for other programs: JSON, CSV, bytes. */

import { Buffer } from "node:buffer";
import { escapeControls, escapeControlsInLines, quote } from "../text/escape.ts";
import { toUtf8 } from "../values/bytes.ts";
import type { Column, RowSink } from "./rows.ts";
import type { OutputStream } from "./stream.ts";

const TAB = toUtf8("\t");
const LINE_FEED = toUtf8("\n");

/** One JSON object a row; `inArray` puts them into one array. */
export function jsonRows<R>(
  stream: OutputStream,
  columns: readonly Column<R>[],
  inArray: boolean,
): RowSink<R> {
  let count = 0;
  return {
    write: (row) => {
      const members = columns.map((column) =>
        column.jsonMembers?.(row) ??
          `${quote(column.name)}:${column.json?.(row) ?? quote(column.text(row, Infinity))}`
      ).filter((member) => member !== "");
      const before = !inArray ? "" : count === 0 ? "[\n" : ",\n";
      count++;
      return stream.write(`${before}{${members.join()}}${inArray ? "" : "\n"}`);
    },
    end: async () => {
      if (inArray) await stream.write(count === 0 ? "[]\n" : "\n]\n");
    },
  };
}

/** A header and a line a row, as RFC 4180 describes. */
export function csvRows<R>(
  stream: OutputStream,
  columns: readonly Column<R>[],
): RowSink<R> {
  const line = (cells: readonly string[]): Promise<void> | void =>
    stream.write(
      `${cells.map((cell) => csvCell(cell, stream.isTerminal)).join()}\n`,
    );
  let hasHeader = false;
  const header = async (): Promise<void> => {
    if (hasHeader) return;
    hasHeader = true;
    await line(columns.map(({ name }) => name));
  };
  return {
    write: async (row) => {
      if (!hasHeader) await header();
      await line(
        columns.map((column) => column.csv?.(row) ?? plainCell(column, row)),
      );
    },
    end: header,
  };
}

/** The text of a cell for programs: numbers without separators and units. */
function plainCell<R>(column: Column<R>, row: R): string {
  const json = column.json?.(row);
  return json !== undefined && /^-?\d/.test(json) ? json : column.text(row, Infinity);
}

/** A cell of CSV. */
export function csvCell(text: string, isForTerminal: boolean = false): string {
  const safe = isForTerminal ? escapeControls(text) : text;
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The cells of a row between tabs. */
export function plainRows<R>(
  stream: OutputStream,
  columns: readonly Column<R>[],
  mode: "raw" | "hex",
): RowSink<R> {
  const shown = columns.filter(({ isDecoration }) => isDecoration !== true);
  return {
    write: (row) => {
      const pieces = shown.flatMap((column, index) => [
        ...(index === 0 ? [] : [TAB]),
        column.bytes?.(row, mode) ?? toUtf8(plainCell(column, row)),
      ]);
      const line = Buffer.concat([...pieces, LINE_FEED]);
      return stream.write(
        stream.isTerminal ? escapeControlsInLines(line.toString("utf8")) : line,
      );
    },
    end: () => Promise.resolve(),
  };
}
