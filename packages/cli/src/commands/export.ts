/** `export`: writes entries for other programs. */

import { rename, rm, stat } from "node:fs/promises";
import { timedBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import { csvPieces } from "../convert/csv_export.ts";
import { writeFiles } from "../convert/files.ts";
import { type Format, formatOfTarget } from "../convert/formats.ts";
import { writeLevel } from "../convert/leveldb.ts";
import { shownAddress, writePostgres } from "../convert/postgres.ts";
import { writeSqlite } from "../convert/sqlite.ts";
import { EXIT, type InputError, UsageError } from "../errors.ts";
import { writeOutput } from "../io/output_file.ts";
import { boundOptions, boundsOf, describeRange, isWholeStore } from "../range_options.ts";
import type { Context } from "../context.ts";
import type { Lease } from "../store_access.ts";
import { escapeControls } from "../text/escape.ts";
import { countOf, countText, timeText } from "../text/numbers.ts";
import { toUtf8 } from "../values/bytes.ts";
import { entryJson, type StoredEntry } from "../values/json_form.ts";

const choices = [
  "csv",
  "ndjson",
  "files",
  "sqlite",
  "leveldb",
  "postgres",
] as const satisfies Format[];

export const exportCommand: Command = command({
  name: "export",
  summary: "Writes entries as CSV, JSON lines, files, SQLite, LevelDB, or to PostgreSQL.",
  usage: "TARGET",
  arity: [1, 1],
  options: {
    ...boundOptions,
    format: {
      value: "FORMAT",
      short: "f",
      choices,
      help: "what TARGET becomes",
    },
    fields: { value: "A,B,C", help: "CSV: these fields of records as columns" },
    table: { value: "NAME", help: 'PostgreSQL: the table (default "kv")' },
    "keep-going": { help: "files: leave out keys that cannot be files" },
  },
  details:
    `CSV, JSON lines and SQLite keep every type, and \`import\` restores it. JSON lines keep the
time at which an entry expires, too. Files and LevelDB
have only bytes: text and bytes stay as they are, other values become their literals. For a backup,
use checkpoint or dump. TARGET gets its name only when it is whole.
PostgreSQL: makes a table of @tinykvs/postgres equal to the store, and compares the two; of a range,
only these keys. It asks if the table has such entries. Broken off, the same command goes on: it
writes what differs.`,
  examples: [
    ["./db export all.csv", "columns key, type and value"],
    [
      "./db export users.csv --prefix user: --fields name,age",
      "fields of records as columns",
    ],
    ["./db export data.sqlite", "a table kv(k, type, v)"],
    ["./db export ./tree/ --prefix notes/", "a file for each key"],
    ["./db export - --format csv | head", "standard output"],
    ["./db export postgres://me@host/app --table kv", "a table of @tinykvs/postgres"],
  ],
  async run(context, { args, options }) {
    const { store, output, prompt, settings, signal, terminal } = context;
    const target = args[0]!;
    const format = (options.format as Format | undefined) ??
      formatOfTarget(target);
    const isText = format === "csv" || format === "ndjson";
    if (target === "-" && !isText) {
      throw new UsageError(
        `Standard output cannot be ${format}`,
        "Only csv and ndjson can.",
      );
    }
    if (options.fields !== undefined && format !== "csv") {
      throw new UsageError("--fields is for CSV");
    }
    if (options.table !== undefined && format !== "postgres") {
      throw new UsageError("--table is for PostgreSQL");
    }
    const range = boundsOf(options);
    await using lease = await store.read();
    const size = lease.store.approximateSize(range);
    if (settings.dryRun) {
      const text = `would write about ${countOf(size.entries, "entry", "entries")} as ${format}`;
      await output.result({ entries: size.entries, format }, text);
      return;
    }
    if (format === "postgres") {
      return await exportToPostgres(context, lease, range, target, options.table ?? "kv");
    }
    using bar = context.progress("exporting");
    let entries = 0;
    let problems = 0;
    const count = (): void => {
      entries++;
      if (entries % 64 === 0) {
        bar.update({ doneBytes: 0, items: entries, totalItems: size.entries });
      }
    };
    const onBad = (error: InputError): void => {
      if (options["keep-going"] !== true) throw error;
      problems++;
      void terminal.err.write(`tinykvs: ${escapeControls(error.message)}\n`);
    };
    const batches = timedBatches(lease.store, { ...range, signal });
    if (isText) {
      const counting = (async function* (): AsyncGenerator<StoredEntry[]> {
        for await (const batch of batches) {
          batch.forEach(count);
          yield batch;
        }
      })();
      const pieces = format === "csv"
        ? csvPieces(
          counting,
          options.fields?.split(",").map((field) => field.trim()),
        )
        : jsonPieces(counting);
      await writeOutput(context, target, pieces);
    } else if (format === "files") {
      await writeFiles(batches, target, onBad, count);
    } else {
      const status = await stat(target).catch(() => undefined);
      if (status?.isDirectory() === true) {
        throw new UsageError(`"${target}" is a directory that exists already`);
      }
      if (status !== undefined) {
        await prompt.confirm(`This replaces the file "${target}"`);
      }
      await writeAside(
        target,
        (partial) =>
          format === "sqlite"
            ? writeSqlite(batches, partial, count)
            : writeLevel(batches, partial, count),
      );
    }
    bar[Symbol.dispose]();
    if (settings.quiet || target === "-") return;
    const asOf = timeText(lease.asOf ?? terminal.now());
    await output.result(
      { target, format, entries, problems },
      `wrote ${countOf(entries, "entry", "entries")} to ${escapeControls(target)}` +
        `${problems === 0 ? "" : `, left out ${countOf(problems, "key")}`}` +
        output.paint("dim", `  as of ${asOf}`),
    );
    return problems > 0 ? EXIT.damage : EXIT.ok;
  },
});

type Bounds = ReturnType<typeof boundsOf>;

async function exportToPostgres(
  context: Context,
  lease: Lease,
  range: Bounds,
  address: string,
  table: string,
): Promise<void> {
  const { output, prompt, settings, signal, terminal } = context;
  const target = `${shownAddress(address)}, table ${table}`;
  const totalItems = lease.store.approximateSize(range).entries;
  using bar = context.progress("exporting");
  const { entries, written, removed, digest } = await writePostgres(lease.store, address, table, {
    range,
    replace: () =>
      prompt.confirm(
        `The table has entries: this makes ${
          isWholeStore(range) ? "it" : `its ${describeRange(range)}`
        } equal to the store, and removes what the store lacks`,
      ),
    onProgress: (progress) => bar.update({ doneBytes: 0, items: progress.entries, totalItems }),
    signal,
  });
  bar[Symbol.dispose]();
  if (settings.quiet) return;
  const changed = written === entries && removed === 0
    ? ""
    : `: wrote ${countText(written)}, removed ${countText(removed)}`;
  await output.result(
    { target, format: "postgres", entries, written, removed, digest },
    `${countOf(entries, "entry", "entries")} are in ${escapeControls(target)}${changed}` +
      output.paint("dim", `  as of ${timeText(lease.asOf ?? terminal.now())}`),
  );
}

/** Writes under another name, and gives it its own when it is whole. */
async function writeAside(
  target: string,
  write: (partial: string) => Promise<void>,
): Promise<void> {
  const partial = `${target.replace(/\/$/, "")}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    await write(partial);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function* jsonPieces(
  batches: AsyncIterable<readonly StoredEntry[]>,
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) {
    yield toUtf8(batch.map((entry) => `${entryJson(entry)}\n`).join(""));
  }
}
