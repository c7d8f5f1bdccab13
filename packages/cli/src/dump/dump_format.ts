/**
 * The format of dumps: lines of JSON. The first says that it is a dump, the last that it is whole:
 *
 *     {"tinykvsDump":1}
 *     {"key":"a","type":"int64","value":1}
 *     {"key":"b","type":"string","more":true,"value":"the first part of a large "}
 *     {"value":"value"}
 *     {"end":true,"entries":2,"sha256":"..."}
 *
 * The lines between are those of values/json_form.ts, in the order of the keys. A string or bytes
 * that are very large take several lines, so that no line is longer than a string can be. The
 * checksum is that of all lines before the last, with their line feeds.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { InputError } from "../errors.ts";
import { quote } from "../text/escape.ts";
import { toHex, toText, toUtf8 } from "../values/bytes.ts";
import { entryJson, keyJson, parseEntryJson, type StoredEntry } from "../values/json_form.ts";
import { lineGroups } from "../io/lines.ts";

const FORMAT = 1;
/** A longer string, or bytes with more digits, take several lines. */
const PART_LENGTH = 4 * 1024 * 1024;
const PIECE_LENGTH = 256 * 1024;

/** The bytes of a dump. `onEntry` is called for every entry. */
export async function* dumpPieces(
  batches: AsyncIterable<readonly StoredEntry[]>,
  onEntry: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let text = `{"tinykvsDump":${FORMAT}}\n`;
  let entries = 0;
  for await (const batch of batches) {
    for (const entry of batch) {
      entries++;
      for (const line of entryLines(entry)) {
        text += `${line}\n`;
        onEntry(line.length);
        if (text.length < PIECE_LENGTH) continue;
        const piece = toUtf8(text);
        text = "";
        hash.update(piece);
        yield piece;
      }
    }
  }
  const piece = toUtf8(text);
  hash.update(piece);
  yield piece;
  yield toUtf8(
    `{"end":true,"entries":${entries},"sha256":"${hash.digest("hex")}"}\n`,
  );
}

/** The lines of an entry: one, or several if it is very large. */
export function* entryLines(
  entry: StoredEntry,
  partLength: number = PART_LENGTH,
): Generator<string> {
  const { key, value, expiresAt } = entry;
  const isBytes = value instanceof Uint8Array;
  const length = isBytes ? value.length * 2 : typeof value === "string" ? value.length : 0;
  if (length <= partLength || (!isBytes && typeof value !== "string")) {
    yield entryJson(entry);
    return;
  }
  const expiry = expiresAt === undefined ? "" : `"expiresAt":${expiresAt},`;
  let head = `${keyJson(key)},"type":"${isBytes ? "bytes" : "string"}",${expiry}`;
  for (let at = 0; at < length;) {
    let end = Math.min(length, at + partLength);
    // No part may end in the middle of a character.
    if (
      !isBytes && end < length && isHighSurrogate(value.charCodeAt(end - 1))
    ) end++;
    const part = isBytes
      ? `"${toHex(value.subarray(at / 2, end / 2))}"`
      : quote(value.slice(at, end));
    yield `{${head}${end < length ? '"more":true,' : ""}"value":${part}}`;
    head = "";
    at = end;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** What to do about a bad line or a dump that is not whole: throw, or note it and return. */
export type OnBadLine = (error: InputError) => void;

/**
 * The entries of a dump, in groups. Lines of JSON without the first and the last line of a dump
 * are read, too, if `isWholeRequired` is false: what `scan --jsonl` writes.
 *
 * @throws {InputError} it is no dump, ends early, or its checksum is another
 */
export async function* dumpEntries(
  pieces: AsyncIterable<Uint8Array>,
  onBadLine: OnBadLine,
  isWholeRequired: boolean = true,
): AsyncGenerator<StoredEntry[]> {
  const hash = createHash("sha256");
  let state: "start" | "entries" | "end" = "start";
  let entries = 0;
  let begun: {
    line: number;
    entry: StoredEntry;
    parts: (string | Uint8Array)[];
  } | undefined;
  for await (const group of lineGroups(pieces)) {
    const found: StoredEntry[] = [];
    for (const { number, bytes, isWhole } of group) {
      const text = toText(bytes);
      const bad = (why: string): void =>
        onBadLine(new InputError(`Line ${number} is no entry: ${why}`));
      if (state === "end") {
        throw new InputError(`Line ${number} comes after the end of the dump`);
      }
      if (state === "start") {
        state = "entries";
        if (text !== undefined && isHeader(text)) {
          hash.update(bytes).update("\n");
          continue;
        }
        if (isWholeRequired) {
          throw new InputError(
            'The input is no dump: its first line is not {"tinykvsDump":1}',
            "Lines of JSON, CSV and others: tinykvs STORE import.",
          );
        }
      }
      if (text?.startsWith('{"end":true,') === true) {
        if (begun !== undefined) {
          throw new InputError("The last entry of the dump is incomplete");
        }
        const problem = endProblem(text, entries, hash.digest("hex"));
        if (problem !== undefined) onBadLine(problem);
        state = "end";
        continue;
      }
      hash.update(bytes).update("\n");
      if (text === undefined) {
        bad("it is not UTF-8");
        continue;
      }
      try {
        const part = partOf(text);
        if (begun !== undefined) {
          if (part?.value === undefined || part.hasKey) {
            throw new TypeError("a value is incomplete");
          }
          begun.parts.push(part.value);
          if (part.more) continue;
          entries++;
          found.push(joined(begun.entry, begun.parts));
          begun = undefined;
          continue;
        }
        const entry = parseEntryJson(text);
        if (part?.more === true) {
          begun = {
            line: number,
            entry,
            parts: [entry.value as string | Uint8Array],
          };
          continue;
        }
        entries++;
        found.push(entry);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof RangeError)) {
          throw error;
        }
        begun = undefined;
        // A last line that is cut off: what follows says that the dump ends early.
        if (isWhole || !isWholeRequired) bad(error.message);
      }
    }
    if (found.length > 0) yield found;
  }
  if (isWholeRequired && state !== "end") {
    onBadLine(
      new InputError(
        state === "start" ? "The input is empty" : `The dump ends early, after ${entries} entries`,
        "It was cut off. What is there can be loaded with --keep-going.",
      ),
    );
  }
}

function isHeader(line: string): boolean {
  if (!line.startsWith('{"tinykvsDump":')) return false;
  const tinykvsDump = fieldsOf(line)?.["tinykvsDump"];
  if (tinykvsDump === undefined) return false;
  if (tinykvsDump === FORMAT) return true;
  throw new InputError(
    `The dump has format ${JSON.stringify(tinykvsDump)}, this tinykvs reads ${FORMAT}`,
    "Install a newer tinykvs.",
  );
}

/** The fields of a line; undefined if it is damaged. */
function fieldsOf(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What is wrong with the last line of a dump; undefined if it is right. */
function endProblem(
  line: string,
  entries: number,
  digest: string,
): InputError | undefined {
  let end: { entries?: unknown; sha256?: unknown };
  try {
    end = JSON.parse(line);
  } catch {
    return new InputError("The last line of the dump is damaged");
  }
  if (end.entries !== entries) {
    return new InputError(
      `The dump has ${entries} entries, and its last line says ${end.entries}`,
    );
  }
  return end.sha256 === digest
    ? undefined
    : new InputError("The dump was changed: its checksum is another");
}

/** What a line says about the parts of a large value; undefined for a usual line. */
function partOf(
  line: string,
): { more: boolean; hasKey: boolean; value: string | undefined } | undefined {
  if (!line.includes('"more":true') && !line.startsWith('{"value":')) {
    return undefined;
  }
  const fields = fieldsOf(line);
  if (fields === undefined) return undefined;
  const { more, value, key, keyHex } = fields;
  return {
    more: more === true,
    hasKey: key !== undefined || keyHex !== undefined,
    value: typeof value === "string" ? value : undefined,
  };
}

function joined(
  entry: StoredEntry,
  parts: readonly (string | Uint8Array)[],
): StoredEntry {
  return typeof entry.value === "string"
    ? { ...entry, value: parts.join("") }
    : { ...entry, value: joinBytes(parts) };
}

function joinBytes(parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => typeof part === "string" ? Buffer.from(part, "hex") : part),
  );
}
