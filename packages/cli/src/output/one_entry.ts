/** One entry for people, in full: the value with its type and size, and when it expires. */

import type { RecordItem, Value } from "@tinykvs/core";
import { escapeControls, escapeControlsInLines } from "../text/escape.ts";
import { bytesText } from "../text/numbers.ts";
import type { Paint } from "../text/style.ts";
import { toHex, toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { isContainer, styleOfType, typeOf } from "../values/kinds.ts";
import { literalOf } from "../values/literal_text.ts";
import { expiryText } from "../values/times.ts";
import { widthOf } from "../text/width.ts";
import type { Output } from "./output.ts";

const DUMP_WIDTH = 16;
/** A longer dump would only push away what was on the terminal before. */
const MAX_DUMP_BYTES = 2048;

/** Writes a value in full, and its type below or beside it. */
export async function showEntry(
  output: Output,
  entry: StoredEntry,
): Promise<void> {
  const { paint, stream } = output;
  const { value, expiresAt } = entry;
  const type = typeOf(value);
  const facts = [type];
  if (typeof value === "string") {
    facts.push(bytesText(toUtf8(value).length) as typeof type);
  }
  if (value instanceof Uint8Array) {
    facts.push(bytesText(value.length) as typeof type);
  }
  const expiry = expiresAt === undefined ? "" : `, expires ${expiryText(expiresAt)}`;
  const remark = paint("dim", facts.join(", ") + expiry);
  const lines = linesOf(value, paint, stream.columns);
  const first = lines[0]!;
  if (
    lines.length === 1 &&
    first.width + facts.join().length + expiry.length + 4 <= stream.columns
  ) {
    await stream.write(`${first.text}  ${remark}\n`);
    return;
  }
  for (const { text } of lines) await stream.write(`${text}\n`);
  await stream.write(`${remark}\n`);
}

interface Line {
  readonly text: string;
  readonly width: number;
}

function linesOf(value: Value, paint: Paint, columns: number): Line[] {
  if (value instanceof Uint8Array && value.length > 32) {
    const lines = hexDump(value.subarray(0, MAX_DUMP_BYTES)).map((text) => ({
      text: paint("bytes", text),
      width: widthOf(text),
    }));
    if (value.length > MAX_DUMP_BYTES) {
      const more = `… ${bytesText(value.length - MAX_DUMP_BYTES)} more; --hex and --raw show all`;
      lines.push({ text: paint("dim", more), width: widthOf(more) });
    }
    return lines;
  }
  if (typeof value === "string" && value.includes("\n")) {
    // Text of several lines is for reading. The remark below says that it is a string.
    return escapeControlsInLines(value).split("\n").map((text) => ({
      text: paint("string", text),
      width: widthOf(text),
    }));
  }
  if (isContainer(value)) {
    const short = literalOf(value, columns + 1);
    if (widthOf(short) > columns - 10) {
      return pretty(value, "", columns).map((text) => ({
        text,
        width: widthOf(text),
      }));
    }
  }
  const text = literalOf(value);
  return [{
    text: paint(styleOfType[typeOf(value)], text),
    width: widthOf(text),
  }];
}

/** A record over several lines, indented by two spaces. What fits into a line stays in one. */
function pretty(
  item: RecordItem,
  indent: string,
  columns: number,
  label: string = "",
): string[] {
  const inLine = indent + label + literalOf(item, columns + 1);
  if (!isContainer(item) || widthOf(inLine) < columns) {
    return [indent + label + literalOf(item)];
  }
  const [open, close] = Array.isArray(item) ? ["[", "]"] : ["{", "}"];
  const members: [label: string, item: RecordItem][] = Array.isArray(item)
    ? item.map((member) => ["", member])
    : Object.entries(item).map((
      [name, member],
    ) => [`${literalOf(name)}: `, member]);
  const lines = members.flatMap(([label, member], index) => {
    const part = pretty(member, `${indent}  `, columns, label);
    if (index < members.length - 1) part[part.length - 1] += ",";
    return part;
  });
  return [`${indent}${label}${open}`, ...lines, `${indent}${close}`];
}

/** Offsets, hexadecimal digits and printable characters, 16 bytes a line. */
function hexDump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += DUMP_WIDTH) {
    const part = bytes.subarray(at, at + DUMP_WIDTH);
    const digits = toHex(part).replace(/../g, "$& ").padEnd(DUMP_WIDTH * 3);
    const text = String.fromCharCode(
      ...part.map((byte) => byte >= 32 && byte < 127 ? byte : 46),
    );
    lines.push(
      `${at.toString(16).padStart(8, "0")}  ${digits} ${escapeControls(text)}`,
    );
  }
  return lines;
}
