/** Rows of a table, as commands describe them. */

import type { Style } from "../text/style.ts";

/** A column of a table. */
export interface Column<R> {
  readonly name: string;
  /**
   * The text of a cell. It need not be safe for a terminal: the writer escapes it. `limit`
   * is how many characters of it are shown at most, so that a large value need not be built whole.
   */
  text(row: R, limit: number): string;
  readonly align?: "left" | "right";
  /** The style of a cell. */
  style?(row: R): Style;
  /** Whether the column may be cut if the terminal is too narrow. */
  readonly flexible?: boolean;
  /** JSON for the cell, as text; by default the text as a string of JSON. */
  json?(row: R): string;
  /** What CSV has in the cell; by default `json` if that is a number, else the text. */
  csv?(row: R): string;
  /** The members of a JSON object that the cell makes, in place of one with the column's name. */
  jsonMembers?(row: R): string;
  /** What `--raw` and `--hex` write; by default the text. */
  bytes?(row: R, mode: "raw" | "hex"): Uint8Array;
  /** Whether a box leaves it out if none of the rows that it measures has text there. */
  readonly hidesIfEmpty?: boolean;
  /** Whether `--raw`, `--hex` and a box on a narrow terminal leave it out. */
  readonly isDecoration?: boolean;
}

/** Takes the rows of a table one by one. */
export interface RowSink<R> {
  write(row: R): Promise<void> | void;
  /** Ends the table. The remark stands below it, for people. */
  end(remark?: string): Promise<void>;
}
