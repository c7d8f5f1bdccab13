/** Shows changes of a store as they come: a line for people, an object for programs. */

import type { DeletedRange, Value } from "@tinykvs/core";
import { describeRange } from "../range_options.ts";
import { escapeControls } from "../text/escape.ts";
import { timeText } from "../text/numbers.ts";
import { cut } from "../text/width.ts";
import { toUtf8 } from "../values/bytes.ts";
import { entryJson, keyJson } from "../values/json_form.ts";
import { styleOfType, typeOf } from "../values/kinds.ts";
import { keyText, literalOf } from "../values/literal_text.ts";
import { keyColumn } from "./entry_columns.ts";
import type { Output } from "./output.ts";
import type { Column, RowSink } from "./rows.ts";

/** A key that was written or removed. */
export interface KeyChange {
  readonly key: Uint8Array;
  /** The new value; undefined if the key is gone. */
  readonly value: Value | undefined;
}

/** All keys of a range were removed. */
export interface RangeChange {
  readonly range: DeletedRange;
}

/** One change. */
export type Change = KeyChange | RangeChange;

function nameOf(change: Change): "put" | "delete" | "deleteRange" {
  if ("range" in change) return "deleteRange";
  return change.value === undefined ? "delete" : "put";
}

const columns: readonly Column<Change>[] = [
  { name: "change", text: nameOf },
  {
    name: "key",
    text: (change, limit) =>
      "range" in change ? describeRange(change.range) : keyText(change.key, limit),
  },
  {
    name: "value",
    text: (change) =>
      "range" in change || change.value === undefined ? "" : literalOf(change.value),
  },
];

/** In the modes of bytes, a key a line; a range has none, so it is described. */
const byteColumns: readonly Column<Change>[] = [{
  name: "key",
  text: (change) => "range" in change ? describeRange(change.range) : keyText(change.key, Infinity),
  bytes: (change, mode) =>
    "range" in change
      ? toUtf8(escapeControls(describeRange(change.range)))
      : keyColumn.bytes!(change, mode),
}];

/** Writes changes one by one. */
export class ChangeOutput {
  readonly #output: Output;
  /** CSV has one header, so all rows go into one table. */
  #rows: RowSink<Change> | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows a change. `at` is when it was seen, in ms since 1970; undefined if nobody knows. */
  async write(change: Change, at: number | undefined): Promise<void> {
    const { mode, stream } = this.#output;
    if (mode === "box") await stream.write(`${this.#line(change, at)}\n`);
    else if (mode === "json" || mode === "jsonl") await stream.write(`${json(change)}\n`);
    else {
      this.#rows ??= this.#output.rows(mode === "csv" ? columns : byteColumns);
      await this.#rows.write(change);
    }
  }

  #line(change: Change, at: number | undefined): string {
    const { stream, paint } = this.#output;
    const time = at === undefined ? "" : `${timeText(at)}  `;
    const isPut = nameOf(change) === "put";
    const head = `${paint("dim", time)}${paint(isPut ? "good" : "bad", isPut ? "+" : "-")} `;
    const room = stream.columns - time.length - 5;
    if ("range" in change) return head + cut(escapeControls(describeRange(change.range)), room + 2);
    const { key, value } = change;
    const name = cut(
      escapeControls(keyText(key, room)),
      Math.max(10, Math.floor(room / 2)),
    );
    if (value === undefined) return head + paint("key", name);
    const rest = room - name.length;
    const shown = cut(escapeControls(literalOf(value, rest)), Math.max(8, rest));
    return `${head}${paint("key", name)} = ${paint(styleOfType[typeOf(value)], shown)}`;
  }
}

function json(change: Change): string {
  const name = nameOf(change);
  if ("range" in change) {
    const bounds = Object.entries(change.range).map(([bound, key]) =>
      `"${bound}":{${keyJson(typeof key === "string" ? toUtf8(key) : key)}}`
    );
    return `{"change":"${name}","range":{${bounds.join()}}}`;
  }
  const { key, value } = change;
  const members = value === undefined ? keyJson(key) : entryJson({ key, value }).slice(1, -1);
  return `{"change":"${name}",${members}}`;
}
