/** `import`: puts data of other formats and stores into a store. */

import { type Command, command, type CommandInput, type ValuedOption } from "../command.ts";
import { UsageError } from "../errors.ts";
import { type BytesAs, bytesChoices } from "../convert/bytes_as.ts";
import { csvEntries } from "../convert/csv_import.ts";
import { denoKvEntries } from "../convert/deno_kv.ts";
import { fileEntries, treeBytes } from "../convert/files.ts";
import { type Format, formatOfSource, formats } from "../convert/formats.ts";
import { levelEntries } from "../convert/leveldb.ts";
import { ndjsonEntries } from "../convert/ndjson_import.ts";
import { postgresEntries, shownAddress } from "../convert/postgres.ts";
import { sqliteEntries } from "../convert/sqlite.ts";
import { spooled } from "../io/spool.ts";
import { sourceOf } from "../io/input_file.ts";
import { load, type LoadJob } from "../load/loader.ts";
import { toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { markOf } from "./load.ts";

const options = {
  format: {
    value: "FORMAT",
    short: "f",
    choices: formats,
    help: "what SOURCE is",
  },
  key: {
    value: "NAME",
    short: "k",
    help: "the column or field that is the key",
  },
  prefix: { value: "TEXT", short: "p", help: "put this before every key" },
  delimiter: {
    value: "CHAR",
    help: 'CSV: what stands between cells (default ",", .tsv: tab)',
  },
  "no-header": { help: "CSV: the first line is data" },
  "allow-short": {
    help: "CSV: cells that are missing at the end of a row are empty",
  },
  table: { value: "NAME", help: 'SQLite: the table. PostgreSQL: the table (default "kv")' },
  "all-tables": { help: "SQLite: every table; keys begin with TABLE:" },
  values: {
    value: "TYPE",
    choices: bytesChoices,
    help: "files, LevelDB: what their bytes become (default auto)",
  },
  sub: {
    value: "NAME",
    help: 'Deno KV: the part of the store for its keys (default "kv")',
  },
  "keep-going": { help: "leave out bad rows, and import the others" },
} as const;

export const importCommand: Command = command({
  name: "import",
  summary: "Puts CSV, JSON lines, files, SQLite, LevelDB, Deno KV or PostgreSQL into a store.",
  usage: "SOURCE",
  arity: [1, 1],
  options,
  details: `CSV: the first column is the key; one more column is the value, several make a record. A
header may say the type: "age:int" (${"auto, int, float, bool, string, hex, base64, json"}).
JSON lines: what scan and dump write, {"key": ..., "value": ...}, or any objects with --key.
SQLite: the primary key is the key. Files: the path is the key. PostgreSQL: a table of
@tinykvs/postgres, with every type and time of expiry. A store of the Go TinyKVS needs no import: it
just opens.
All of SOURCE is checked first, but for PostgreSQL, so a bad row changes nothing; --dry-run only
checks.`,
  examples: [
    ["./db import users.csv --prefix user:", "a record for each row"],
    ["./db import events.ndjson --key id", "objects, by their field id"],
    ["./db import app.sqlite --table users", "a table"],
    ["./db import ./leveldb-dir", "a LevelDB directory, which stays as it is"],
    ["./db import ./notes --format files", "a directory tree"],
    ["./db import postgres://me@host/app --table kv", "a table of @tinykvs/postgres"],
    ["./db import - --format csv < rows.csv", "standard input"],
  ],
  async run(context, input) {
    const name = input.args[0]!;
    const format = (input.options.format ?? await formatOfSource(name)) as Format;
    const prefix = input.options.prefix === undefined ? undefined : toUtf8(input.options.prefix);
    const isText = format === "csv" || format === "ndjson";
    if (name === "-" && !isText) {
      throw new UsageError(
        `Standard input cannot be ${format}`,
        "Only csv and ndjson can.",
      );
    }
    if (!isText) {
      return await load(
        context,
        prefixed(await directJob(name, format, input), prefix),
      );
    }
    await using source = await spooled(
      await sourceOf(name, context.terminal.input),
      context.signal,
    );
    const job: LoadJob = {
      ...commonJob(source.name, input),
      sizeBytes: source.sizeBytes,
      isRepeatable: source.isRepeatable,
      mark: name === "-" ? undefined : await markOf(source, name),
      entries: (onBad, onBytes) => {
        const pieces = source.read(onBytes);
        if (format === "ndjson") {
          return ndjsonEntries(pieces, onBad, input.options.key);
        }
        return csvEntries(pieces, onBad, {
          delimiter: delimiterOf(input.options.delimiter, name),
          hasNoHeader: input.options["no-header"] === true,
          keyColumn: input.options.key,
          allowShort: input.options["allow-short"] === true,
        });
      },
    };
    return await load(context, prefixed(job, prefix));
  },
});

type Input = CommandInput<
  typeof options & Record<"format" | "values", ValuedOption>
>;

function commonJob(
  name: string,
  input: Input,
): Omit<LoadJob, "entries" | "sizeBytes"> {
  return {
    name,
    isRepeatable: true,
    mark: undefined,
    keepGoing: input.options["keep-going"] === true,
  };
}

/** The job of a source that is no text: it is read in its own way. */
async function directJob(
  name: string,
  format: Format,
  input: Input,
): Promise<LoadJob> {
  const bytesAs = (input.options.values ?? "auto") as BytesAs;
  const common = { ...commonJob(`"${name}"`, input), sizeBytes: undefined };
  switch (format) {
    case "files":
      return {
        ...common,
        sizeBytes: await treeBytes(name),
        entries: (onBad, onBytes) => counted(fileEntries(name, bytesAs, onBad), onBytes),
      };
    case "leveldb":
      return {
        ...common,
        entries: (onBad) => levelEntries(name, bytesAs, onBad),
      };
    case "sqlite":
      return {
        ...common,
        entries: (onBad) =>
          sqliteEntries(name, onBad, {
            table: input.options.table,
            keyColumn: input.options.key,
            allTables: input.options["all-tables"] === true,
          }),
      };
    case "postgres":
      return {
        ...common,
        name: shownAddress(name),
        // Nothing in it can be bad, and to read it twice takes twice as long.
        isRepeatable: false,
        entries: () => postgresEntries(name, input.options.table ?? "kv"),
      };
    default:
      return {
        ...common,
        entries: (onBad) => denoKvEntries(name, input.options.sub ?? "kv", onBad),
      };
  }
}

async function* counted(
  groups: AsyncIterable<StoredEntry[]>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<StoredEntry[]> {
  let bytes = 0;
  for await (const group of groups) {
    for (const { value } of group) {
      bytes += typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
    }
    onBytes(bytes);
    yield group;
  }
}

/** The same job with a prefix before every key. */
function prefixed(job: LoadJob, prefix: Uint8Array | undefined): LoadJob {
  if (prefix === undefined) return job;
  const add = ({ key, ...rest }: StoredEntry): StoredEntry => {
    const whole = new Uint8Array(prefix.length + key.length);
    whole.set(prefix);
    whole.set(key, prefix.length);
    return { key: whole, ...rest };
  };
  return {
    ...job,
    async *entries(onBad, onBytes) {
      for await (const group of job.entries(onBad, onBytes)) {
        yield group.map(add);
      }
    },
  };
}

function delimiterOf(given: string | undefined, name: string): string {
  if (given === undefined) return /\.tsv(?:\.gz)?$/i.test(name) ? "\t" : ",";
  if (given === "\\t" || given === "tab") return "\t";
  if ([...given].length === 1 && !/["\r\n]/.test(given)) return given;
  throw new UsageError(
    `--delimiter is "${given}", expected one character, or "tab"`,
  );
}
