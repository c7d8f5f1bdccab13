/** `recompress`: compares codecs on the data of a store, or rewrites the store with one. */

import { Buffer } from "node:buffer";
import {
  type CompressionLevel,
  type CompressionName,
  memoryFileSystem,
  open,
  type Options,
} from "@tinykvs/core";
import { entryBatches } from "../batches.ts";
import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { sample } from "../looking/sample.ts";
import { sizeOfValue } from "../looking/sizes.ts";
import { fileBytes, showPlan, showRewritten, storeTotals } from "../looking/totals.ts";
import type { Column } from "../output/rows.ts";
import { wholeNumber } from "../range_options.ts";
import type { OpenStore } from "../store_access.ts";
import { bar } from "../text/bars.ts";
import { bytesText, countOf } from "../text/numbers.ts";
import type { StoredEntry } from "../values/json_form.ts";

const SAMPLE = 20_000;
/** A sample is in memory, once as it is and once for each store that is made of it. */
const MAX_SAMPLE_BYTES = 64e6;
const BLOCK_SIZES = [4, 16, 64] as const;
const CODECS: readonly (readonly [CompressionName, CompressionLevel | undefined])[] = [
  ["none", undefined],
  ["snappy", undefined],
  ["zstd", -1],
  ["zstd", 1],
  ["zstd", 2],
  ["zstd", 3],
  ["zstd", 4],
];

export const recompressCommand: Command = command({
  name: "recompress",
  summary: "Compares codecs, levels and block sizes on your data, or rewrites the store with one.",
  usage: "",
  arity: [0, 0],
  options: {
    sample: { help: "compare, and change nothing" },
    entries: {
      value: "N",
      help: `entries to compare with (default ${SAMPLE})`,
    },
    compression: {
      value: "CODEC",
      help: "rewrite with this codec",
      choices: ["zstd", "snappy", "none"],
    },
    level: {
      value: "N",
      help: "the level of zstd, from the fastest to the smallest",
      choices: ["-1", "1", "2", "3", "4"],
    },
    "block-size": {
      value: "BYTES",
      help: "the size of blocks before compression",
    },
  },
  details:
    `--sample makes stores in memory of entries from all over the store, and measures each: bytes, and
how fast it is written and scanned. Times are of this machine at this moment.
Without --sample every table is rewritten. A store that is opened with other options later writes
new tables with those.`,
  examples: [
    ["./db recompress --sample", "what would save space?"],
    ["./db recompress --compression zstd --level 4", "rewrite all tables"],
  ],
  async run(context, { options }) {
    const { compression, level } = options;
    const blockSize = options["block-size"];
    if (options.sample === true) {
      if (
        compression !== undefined || level !== undefined ||
        blockSize !== undefined
      ) {
        throw new UsageError(
          "--sample compares all codecs",
          "Leave out the other options.",
        );
      }
      const count = options.entries === undefined
        ? SAMPLE
        : wholeNumber(options.entries, "--entries", 1);
      await compareCodecs(context, count);
      return;
    }
    if (
      compression === undefined && level === undefined &&
      blockSize === undefined
    ) {
      throw new UsageError(
        "It is not said what to write",
        "Compare with --sample, or choose --compression, --level or --block-size.",
      );
    }
    await rewrite(context, {
      ...(compression === undefined ? {} : { compression: compression as CompressionName }),
      ...(level === undefined ? {} : { compressionLevel: Number(level) as CompressionLevel }),
      ...(blockSize === undefined
        ? {}
        : { blockSizeBytes: wholeNumber(blockSize, "--block-size", 256) }),
    });
  },
});

type TableOptions = Pick<
  Options,
  "compression" | "compressionLevel" | "blockSizeBytes"
>;

interface Measured {
  readonly codec: string;
  readonly blockSizeBytes: number;
  readonly bytes: number;
  /** Bytes of tables for each byte of keys and values. */
  readonly ratio: number;
  readonly writeBytesPerSecond: number;
  readonly scanBytesPerSecond: number;
}

async function compareCodecs(context: Context, count: number): Promise<void> {
  const { output, signal } = context;
  await using lease = await context.store.read();
  const entries: StoredEntry[] = [];
  let bytes = 0;
  for await (const entry of sample(lease.store, count, signal)) {
    entries.push(entry);
    bytes += entry.key.length + sizeOfValue(entry.value);
    if (bytes >= MAX_SAMPLE_BYTES) break;
  }
  const rows: Measured[] = [];
  const variants = CODECS.flatMap(([compression, level]) =>
    BLOCK_SIZES.map((size): TableOptions => ({
      compression,
      ...(level === undefined ? {} : { compressionLevel: level }),
      blockSizeBytes: size * 1024,
    }))
  );
  {
    using progress = context.progress("comparing");
    for (const [at, variant] of variants.entries()) {
      signal.throwIfAborted();
      progress.update({
        doneBytes: 0,
        items: at,
        totalItems: variants.length,
        unit: "of the codecs",
      });
      rows.push(await measure(entries, bytes, variant));
    }
  }
  const least = Math.min(...rows.map((row) => row.bytes));
  const most = Math.max(1, ...rows.map((row) => row.bytes));
  const sink = output.rows(columnsOf(least, most));
  for (const row of rows) await sink.write(row);
  await sink.end(
    `${countOf(entries.length, "entry", "entries")}, ${bytesText(bytes)} of keys and values`,
  );
}

/** Makes a store in memory, and measures it. */
async function measure(
  entries: readonly StoredEntry[],
  bytes: number,
  options: TableOptions,
): Promise<Measured> {
  await using store = await open("/sample", {
    ...options,
    fileSystem: memoryFileSystem(),
    keyEncoding: "bytes",
    memtableSizeBytes: 256 * 1024 * 1024,
    blockCacheSizeBytes: 0,
    walSync: "none",
    backgroundThread: false,
  });
  // Large values are compressed when they are put, the others by the flush.
  const startedWrite = performance.now();
  for (let at = 0; at < entries.length; at += 1000) {
    const batch = store.batch();
    for (const { key, value } of entries.slice(at, at + 1000)) {
      batch.put(key, value);
    }
    await batch.write();
  }
  await store.flush();
  const writeSeconds = (performance.now() - startedWrite) / 1000;
  const startedScan = performance.now();
  for await (const batch of entryBatches(store, {})) void batch.length;
  const scanSeconds = (performance.now() - startedScan) / 1000;
  const written = fileBytes(store.stats());
  const { compression, compressionLevel, blockSizeBytes } = options;
  return {
    codec: compressionLevel === undefined ? compression! : `${compression} ${compressionLevel}`,
    blockSizeBytes: blockSizeBytes!,
    bytes: written,
    ratio: bytes === 0 ? 1 : written / bytes,
    writeBytesPerSecond: Math.round(bytes / Math.max(writeSeconds, 1e-6)),
    scanBytesPerSecond: Math.round(bytes / Math.max(scanSeconds, 1e-6)),
  };
}

function columnsOf(least: number, most: number): readonly Column<Measured>[] {
  const number = (
    name: string,
    member: Exclude<keyof Measured, "codec">,
    text: (value: number) => string,
  ): Column<Measured> => ({
    name,
    align: "right",
    text: (row) => text(row[member]),
    jsonMembers: (row) => `"${member}":${row[member]}`,
  });
  return [
    { name: "codec", text: ({ codec }) => codec, style: () => "key" },
    number(
      "block",
      "blockSizeBytes",
      (size) => `${size / 1024} KiB`,
    ),
    {
      ...number("bytes", "bytes", bytesText),
      style: ({ bytes }) => bytes === least ? "good" : "plain",
    },
    number("ratio", "ratio", (ratio) => ratio.toFixed(2)),
    {
      name: "",
      text: ({ bytes }) => bar(bytes / most, 14),
      style: () => "dim",
      jsonMembers: () => "",
      isDecoration: true,
    },
    number("write", "writeBytesPerSecond", rateText),
    number("scan", "scanBytesPerSecond", rateText),
  ];
}

function rateText(bytesPerSecond: number): string {
  return `${bytesText(bytesPerSecond)}/s`;
}

async function rewrite(context: Context, options: TableOptions): Promise<void> {
  const { output, settings, store: access, terminal } = context;
  if (settings.dryRun) {
    await using lease = await access.read();
    return await showPlan(output, "rewrite", storeTotals(lease.store.stats()));
  }
  await using lease = await access.write(options);
  const startedMs = terminal.now();
  const before = storeTotals(lease.store.stats());
  await lease.store.flush();
  await touchAll(lease.store);
  await lease.store.compact();
  const after = storeTotals(lease.store.stats());
  await showRewritten(output, before, after, (terminal.now() - startedMs) / 1000);
}

/**
 * Makes a compaction rewrite every table: one that is alone in its place would be left as it is. So
 * two keys that do not exist, before the first and after the last one, are deleted. Their table
 * spans all others, and the compaction drops the deletions.
 */
async function touchAll(store: OpenStore): Promise<void> {
  const tables = store.tables();
  if (tables.length === 0) return;
  const first = tables.map(({ smallest }) => smallest).sort(Buffer.compare)[0]!;
  const last = tables.map(({ largest }) => largest).sort(Buffer.compare).at(
    -1,
  )!;
  const after = new Uint8Array(last.length + 1);
  after.set(last);
  const batch = store.batch().delete(after);
  // Nothing comes before the empty key.
  if (first.length > 0) batch.delete(first.subarray(0, -1));
  await batch.write();
  await store.flush();
}
