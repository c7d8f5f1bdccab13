/**
 * The results of commands. A command says what it has found, as rows, as one result or as the
 * bytes of a value; the mode decides what that looks like.
 *
 * - box: for a terminal. Tables, colours, literals.
 * - jsonl: for a pipe. One JSON object a line. json: one array, or one object.
 * - csv: a header and rows.
 * - raw: keys and values as their bytes, tables as text between tabs.
 * - hex: as raw, with keys and values as hexadecimal digits.
 */

import { colourful, colourless, type Paint } from "../text/style.ts";
import type { OutputStream } from "./stream.ts";
import { boxRows } from "./box_rows.ts";
import { csvRows, jsonRows, plainRows } from "./text_rows.ts";
import type { Column, RowSink } from "./rows.ts";
import { escapeControls, escapeControlsInLines } from "../text/escape.ts";

/** The modes. */
export const modes = ["box", "json", "jsonl", "csv", "raw", "hex"] as const;

/** One of {@linkcode modes}. */
export type Mode = (typeof modes)[number];

/** Where the results of a command go. */
export class Output {
  readonly stream: OutputStream;
  readonly mode: Mode;
  /** Adds colours, if they are wanted. */
  readonly paint: Paint;

  constructor(stream: OutputStream, mode: Mode, colours: boolean) {
    this.stream = stream;
    this.mode = mode;
    this.paint = colours ? colourful : colourless;
  }

  /** Whether a person reads the results, as boxes. */
  get isForPeople(): boolean {
    return this.mode === "box";
  }

  /** Whether nobody reads the results any more. */
  get isGone(): boolean {
    return this.stream.isGone;
  }

  /** Begins a table. End it with `end`. */
  rows<R>(columns: readonly Column<R>[]): RowSink<R> {
    switch (this.mode) {
      case "box":
        return boxRows(this.stream, this.paint, columns);
      case "json":
      case "jsonl":
        return jsonRows(this.stream, columns, this.mode === "json");
      case "csv":
        return csvRows(this.stream, columns);
      case "raw":
      case "hex":
        return plainRows(this.stream, columns, this.mode);
    }
  }

  /**
   * A single result. `text` is for people and for `--raw` (whole lines, made safe by its maker;
   * `paint` may be used), `result` for JSON.
   */
  async result(
    result: Readonly<Record<string, unknown>>,
    text: string,
  ): Promise<void> {
    if (this.mode === "json" || this.mode === "jsonl" || this.mode === "csv") {
      if (this.mode === "csv") {
        const names = Object.keys(result);
        const columns = names.map((name): Column<Record<string, unknown>> => ({
          name,
          text: (row) => {
            const cell = row[name];
            return typeof cell === "string" ? cell : JSON.stringify(cell, bigints) ?? "";
          },
        }));
        const sink = this.rows(columns);
        await sink.write(result);
        await sink.end();
        return;
      }
      const space = this.mode === "json" ? 2 : undefined;
      await this.stream.write(
        `${safeJson(JSON.stringify(result, bigints, space))}\n`,
      );
    } else await this.stream.write(`${text}\n`);
  }

  /** A remark for people, in a line of its own; nothing in other modes. */
  async remark(text: string): Promise<void> {
    if (this.isForPeople) {
      await this.stream.write(`${this.paint("dim", escapeControls(text))}\n`);
    }
  }

  /** Bytes as they are, or as text that cannot harm if a terminal shows them. */
  async bytes(bytes: Uint8Array): Promise<void> {
    if (!this.stream.isTerminal) return await this.stream.write(bytes);
    await this.stream.write(
      `${escapeControlsInLines(new TextDecoder().decode(bytes))}\n`,
    );
  }
}

/** JSON has no bigint: safe ones are numbers, the others strings of digits. */
function bigints(_name: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** JSON, with the controls that it leaves as they are as escapes. Line feeds are its layout. */
function safeJson(json: string): string {
  return escapeControlsInLines(json);
}
