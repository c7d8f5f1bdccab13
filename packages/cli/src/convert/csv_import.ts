/**
 * Entries of CSV.
 *
 * The first line names the columns. The first column is the key, or the one that `--key` names. One
 * other column is the value by itself; several make a record. A name may say the type: `age:int`.
 * The columns "key,type,value", which `export` writes, restore every type.
 */

import { Readable } from "node:stream";
import type { Info } from "csv-parse";
import type { RecordItem, Value } from "@tinykvs/core";
import { InputError, UsageError } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import { toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { typeNames } from "../values/kinds.ts";
import { parseKey, parseValue, typeChoiceOf } from "../values/literal_parser.ts";
import { type Hint, hints, isHint, itemInRecord, itemOfCell, valueOfItem } from "./cells.ts";

/** How to read CSV. */
export interface CsvOptions {
  readonly delimiter: string;
  /** Whether the first line is data, and the columns are called c1, c2, ... */
  readonly hasNoHeader: boolean;
  /** The name of the column of keys. */
  readonly keyColumn: string | undefined;
  /** Whether cells that are missing at the end of a row are empty, and no mistake. */
  readonly allowShort: boolean;
}

interface Row {
  readonly record: string[];
  readonly info: Info;
}

const GROUP = 256;

/** The entries of a CSV text. */
export async function* csvEntries(
  pieces: AsyncIterable<Uint8Array>,
  onBad: (error: InputError) => void,
  options: CsvOptions,
): AsyncGenerator<StoredEntry[]> {
  // Only an import of CSV pays for the parser.
  const { CsvError, parse } = await import("csv-parse");
  const parser = parse({
    bom: true,
    delimiter: options.delimiter,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  const source = Readable.from(checkedText(pieces), { objectMode: false });
  source.on("error", (error) => parser.destroy(error));
  let toEntry: ((cells: readonly string[]) => StoredEntry) | undefined;
  let group: StoredEntry[] = [];
  try {
    for await (
      const { record, info } of source.pipe(parser) as AsyncIterable<Row>
    ) {
      if (toEntry === undefined) {
        const names = options.hasNoHeader ? record.map((_, index) => `c${index + 1}`) : record;
        toEntry = converter(names, options);
        if (!options.hasNoHeader) continue;
      }
      try {
        group.push(toEntry(record));
      } catch (error) {
        if (!(error instanceof InputError || error instanceof UsageError)) {
          throw error;
        }
        onBad(new InputError(`Row at line ${info.lines}: ${error.message}`));
      }
      if (group.length >= GROUP) {
        yield group;
        group = [];
      }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // After a quote that is not closed, nobody knows where the next row begins.
    throw new InputError(
      `The input is not CSV: ${escapeControls(error.message)}`,
    );
  } finally {
    source.destroy();
  }
  if (group.length > 0) yield group;
}

/** Refuses bytes that are not UTF-8: the parser would replace them. */
async function* checkedText(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of pieces) {
      const text = decoder.decode(piece, { stream: true });
      if (text !== "") yield text;
    }
    decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) {
      throw new InputError("The input is not UTF-8");
    }
    throw error;
  }
}

interface ColumnPlan {
  readonly name: string;
  readonly hint: Hint;
}

/** What makes entries of rows, given the names of the columns. */
function converter(
  names: readonly string[],
  { keyColumn, allowShort }: CsvOptions,
): (cells: readonly string[]) => StoredEntry {
  const requireCells = (cells: readonly string[]): void => {
    if (
      cells.length === names.length ||
      (allowShort && cells.length < names.length)
    ) return;
    throw new InputError(
      `it has ${cells.length} columns, expected ${names.length}`,
    );
  };
  if (names.join() === "key,type,value" && keyColumn === undefined) {
    return (cells) => {
      requireCells(cells);
      return typedEntry(cells[0] ?? "", cells[1] ?? "", cells[2] ?? "");
    };
  }
  const columns = names.map(planOf);
  const keyIndex = keyColumn === undefined
    ? 0
    : columns.findIndex(({ name }) => name === keyColumn);
  if (keyIndex === -1) {
    throw new UsageError(
      `There is no column "${keyColumn}"`,
      `The columns are: ${columns.map(({ name }) => name).join(", ")}`,
    );
  }
  if (columns.length < 2) {
    throw new InputError(
      "The input has one column, expected at least a key and a value",
    );
  }
  const others = columns.flatMap((plan, index) => index === keyIndex ? [] : [{ ...plan, index }]);
  return (cells) => {
    requireCells(cells);
    const key = keyOfCell(cells[keyIndex] ?? "", columns[keyIndex]!.hint);
    const only = others[0]!;
    if (others.length === 1) {
      return {
        key,
        value: named(
          only,
          () => valueOfItem(itemOfCell(cells[only.index] ?? "", only.hint)),
        ),
      };
    }
    const fields = others.map((plan): [string, RecordItem] => [
      plan.name,
      named(
        plan,
        () => itemInRecord(itemOfCell(cells[plan.index] ?? "", plan.hint)),
      ),
    ]);
    return { key, value: Object.fromEntries(fields) };
  };
}

function named<T>({ name }: ColumnPlan, convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`column "${escapeControls(name)}": ${error.message}`);
  }
}

function planOf(text: string): ColumnPlan {
  const at = text.lastIndexOf(":");
  const hint = at === -1 ? "auto" : text.slice(at + 1).trim();
  if (at === -1) return { name: text.trim(), hint: "auto" };
  if (isHint(hint)) return { name: text.slice(0, at).trim(), hint };
  throw new InputError(
    `The column "${escapeControls(text)}" asks for the type "${escapeControls(hint)}"`,
    `The types are: ${hints.join(", ")}`,
  );
}

function keyOfCell(cell: string, hint: Hint): Uint8Array {
  if (hint !== "hex" && hint !== "base64") return toUtf8(cell);
  const item = itemOfCell(cell, hint);
  return item instanceof Uint8Array ? item : new Uint8Array();
}

function typedEntry(keyText: string, type: string, text: string): StoredEntry {
  const name = typeNames.find((one) => one === type);
  if (name === undefined) {
    throw new InputError(`its type is "${escapeControls(type)}"`);
  }
  const value: Value = parseValue(text, typeChoiceOf(name));
  return { key: parseKey(keyText), value };
}
