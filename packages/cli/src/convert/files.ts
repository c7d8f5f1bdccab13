/**
 * A directory tree as entries: the path of a file is the key, its content the value.
 *
 * A part of a key that cannot be the name of a file is written with %XX for the bytes that a name
 * cannot have, and so is every "%".
 */

import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { InputError } from "../errors.ts";
import { valueBytes } from "../output/entry_columns.ts";
import { toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { keyText } from "../values/literal_text.ts";
import { type BytesAs, valueOfBytes } from "./bytes_as.ts";

/** The entries of a tree, in the order of their keys within each directory. */
export async function* fileEntries(
  directory: string,
  bytesAs: BytesAs,
  onBad: (error: InputError) => void,
): AsyncGenerator<StoredEntry[]> {
  for await (const { key, file } of filesUnder(directory, "")) {
    const content = new Uint8Array(await readFile(file));
    try {
      yield [{ key: keyOfPath(key), value: valueOfBytes(content, bytesAs) }];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      onBad(new InputError(`"${file}": ${error.message}`));
    }
  }
}

/** The bytes of all files of a tree. */
export async function treeBytes(directory: string): Promise<number> {
  let bytes = 0;
  for await (const { file } of filesUnder(directory, "")) {
    bytes += (await stat(file)).size;
  }
  return bytes;
}

async function* filesUnder(
  directory: string,
  prefix: string,
): AsyncGenerator<{ key: string; file: string }> {
  const entries = await readdir(directory, { withFileTypes: true });
  // A directory sorts as its name with "/", as the keys in it do.
  const named = entries.map((entry) => ({
    entry,
    name: entry.isDirectory() ? `${entry.name}/` : entry.name,
  })).sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { entry, name } of named) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* filesUnder(file, prefix + name);
    else if (entry.isFile()) yield { key: prefix + name, file };
  }
}

/** Writes entries as files below a directory. */
export async function writeFiles(
  batches: AsyncIterable<readonly StoredEntry[]>,
  directory: string,
  onBad: (error: InputError) => void,
  onEntry: (bytes: number) => void,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for await (const batch of batches) {
    for (const { key, value } of batch) {
      const bytes = valueBytes(value, "raw");
      const file = path.join(directory, pathOfKey(key));
      try {
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, bytes, { flag: "wx" });
        onEntry(bytes.length);
      } catch (error) {
        const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ""];
        if (reason === undefined) throw error;
        onBad(
          new InputError(
            `The key ${keyText(key, 60)} cannot be a file: ${reason}`,
          ),
        );
      }
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: "another key is the directory in its path",
  EISDIR: "other keys need a directory of that name",
  EEXIST: "there is a file of that name, or another key has one",
  ENAMETOOLONG: "the name is too long",
};

/** The path of the file for a key, with "/" between its parts. */
export function pathOfKey(key: Uint8Array): string {
  let text = "";
  for (const byte of key) text += String.fromCharCode(byte);
  return text.split("/").map(nameOfPart).join("/");
}

/** `part` has a character for each byte. */
function nameOfPart(part: string): string {
  if (part === "") return "%";
  if (part === "." || part === "..") return part.replaceAll(".", "%2E");
  // Letters of UTF-8 stay if the part is UTF-8, so that people can read the names.
  const isText = isUtf8(part);
  const escaped = part.replace(
    // deno-lint-ignore no-control-regex
    isText ? /[\x00-\x1f%\\:*?"<>|\x7f]/g : /[\x00-\x1f%\\:*?"<>|\x7f-\xff]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return isText ? decodeUtf8(escaped) : escaped;
}

function bytesOf(units: string): Uint8Array {
  return Uint8Array.from(units, (unit) => unit.charCodeAt(0));
}

function isUtf8(units: string): boolean {
  try {
    decodeUtf8(units);
    return true;
  } catch {
    return false;
  }
}

function decodeUtf8(units: string): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    bytesOf(units),
  );
}

/** The key of a path below the directory. A "%" that is no escape stands for itself. */
export function keyOfPath(name: string): Uint8Array {
  const units = [...toUtf8(name)].map((byte) => String.fromCharCode(byte)).join(
    "",
  );
  const parts = units.split("/").map((part) =>
    part === "%"
      ? ""
      : part.replace(/%([0-9A-F]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)))
  );
  return bytesOf(parts.join("/"));
}
