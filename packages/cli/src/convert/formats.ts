/** The formats of `import` and `export`, and which one a name means. */

import { stat } from "node:fs/promises";
import { UsageError } from "../errors.ts";

/** The formats. */
export const formats = [
  "csv",
  "ndjson",
  "files",
  "sqlite",
  "leveldb",
  "denokv",
  "postgres",
] as const;

/** One of {@linkcode formats}. */
export type Format = (typeof formats)[number];

/** Whether a name is the address of a server of PostgreSQL. */
export function isPostgres(name: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(name);
}

/** The format that a name stands for: by its beginning, or by its end. */
function formatOfName(name: string): Format | undefined {
  if (isPostgres(name)) return "postgres";
  const plain = name.replace(/\.gz$/, "");
  if (/\.(?:csv|tsv)$/i.test(plain)) return "csv";
  if (/\.(?:ndjson|jsonl)$/i.test(plain)) return "ndjson";
  return /\.(?:db|sqlite|sqlite3)$/i.test(plain) ? "sqlite" : undefined;
}

/** The format of something to import: by what it is, else by its name. */
export async function formatOfSource(name: string): Promise<Format> {
  if (name !== "-" && !isPostgres(name)) {
    const status = await stat(name);
    if (status.isDirectory()) {
      const isLevel = await stat(`${name}/CURRENT`).then(
        () => true,
        () => false,
      );
      return isLevel ? "leveldb" : "files";
    }
  }
  return required(formatOfName(name), name);
}

/** The format of something to export. */
export function formatOfTarget(name: string): Format {
  return required(
    name.endsWith("/") && !isPostgres(name) ? "files" : formatOfName(name),
    name,
  );
}

function required(format: Format | undefined, name: string): Format {
  if (format !== undefined) return format;
  throw new UsageError(
    `The name "${name}" does not say which format is meant`,
    `Add --format: ${formats.join(", ")}.`,
  );
}
