/** `bench`: how fast a store is on this machine, on a new store that is removed at the end. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { type CompressionName, type EmbeddedStore, open, type WalSync } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import type { Context } from "../context.ts";
import { fileBytes } from "../looking/totals.ts";
import type { Column } from "../output/rows.ts";
import { wholeNumber } from "../range_options.ts";
import { escapeControls } from "../text/escape.ts";
import { bytesText, countText, durationText } from "../text/numbers.ts";

const BATCH = 1000;
const COMPRESSIONS = ["zstd", "snappy", "none"] as const;
/** Puts that wait for their own fsync are slow; fewer of them say enough. */
const DURABLE_PUTS = 500;

interface Result {
  readonly name: string;
  readonly operations: number;
  readonly seconds: number;
}

const columns: readonly Column<Result>[] = [
  { name: "workload", text: ({ name }) => name, style: () => "key" },
  {
    name: "operations",
    align: "right",
    text: ({ operations }) => countText(operations),
    json: ({ operations }) => String(operations),
  },
  {
    name: "seconds",
    align: "right",
    text: ({ seconds }) => durationText(seconds),
    json: ({ seconds }) => seconds.toFixed(6),
  },
  {
    name: "perSecond",
    align: "right",
    text: (result) => countText(rate(result)),
    json: (result) => String(Math.round(rate(result))),
    style: () => "bold",
  },
];

export const benchCommand: Command = command({
  name: "bench",
  summary: "Measures writes, reads and scans on this machine, with a store of its own.",
  usage: "",
  arity: [0, 0],
  needsStore: false,
  options: {
    entries: {
      value: "N",
      short: "n",
      help: "the number of entries (default 100000)",
    },
    "value-bytes": { value: "N", help: "the size of a value (default 100)" },
    compression: { value: "NAME", choices: COMPRESSIONS, help: "default zstd" },
    directory: {
      value: "DIR",
      help: "where to make the store (default: the temporary folder)",
    },
  },
  details: "Makes a new folder for its store, and removes it. It touches no other store.",
  examples: [
    ["bench", "100,000 entries in the temporary folder"],
    [
      "bench --directory /mnt/data --value-bytes 1000",
      "another disk, larger values",
    ],
    ["bench --compression none --json", "for comparisons by a script"],
  ],
  async run(context, { options }) {
    const entries = wholeNumber(options.entries ?? "100000", "--entries", 1);
    const valueBytes = wholeNumber(
      options["value-bytes"] ?? "100",
      "--value-bytes",
      1,
    );
    const parent = options.directory ?? tmpdir();
    const directory = await mkdtemp(path.join(parent, "tinykvs-bench-"));
    try {
      const compression = (options.compression ?? "zstd") as CompressionName;
      const sink = context.output.rows(columns);
      const bench = new Bench(
        context,
        directory,
        entries,
        valueBytes,
        compression,
      );
      for await (const result of bench.run()) await sink.write(result);
      await sink.end(
        `${countText(entries)} entries of ${bytesText(valueBytes)}, ${compression}, in ${
          escapeControls(parent)
        }; ${bytesText(bench.storeBytes)} on disk`,
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
});

/** The workloads, one after the other on the same store. */
class Bench {
  readonly #context: Context;
  readonly #directory: string;
  readonly #entries: number;
  readonly #valueBytes: number;
  readonly #compression: CompressionName;
  storeBytes = 0;

  constructor(
    context: Context,
    directory: string,
    entries: number,
    valueBytes: number,
    compression: CompressionName,
  ) {
    this.#context = context;
    this.#directory = directory;
    this.#entries = entries;
    this.#valueBytes = valueBytes;
    this.#compression = compression;
  }

  async *run(): AsyncGenerator<Result> {
    const entries = this.#entries;
    const order = shuffled(entries);
    {
      await using store = await this.#open("none");
      yield await this.#measure(
        "load in batches, sequential",
        entries,
        async (step) => {
          for (let at = 0; at < entries; at += BATCH) {
            const batch = store.batch();
            const end = Math.min(entries, at + BATCH);
            for (let i = at; i < end; i++) batch.put(keyOf(i), this.#value(i));
            await batch.write();
            step(end);
          }
        },
      );
      yield await this.#measure("put, random", entries, async (step) => {
        for (let i = 0; i < entries; i++) {
          store.putSync(keyOf(order[i]!), this.#value(i));
          if (i % BATCH === 0) await step(i);
        }
      });
      await store.compact();
      this.storeBytes = fileBytes(store.stats());
      yield await this.#measure("get, random", entries, async (step) => {
        for (let i = 0; i < entries; i++) {
          store.getSync(keyOf(order[i]!));
          if (i % BATCH === 0) await step(i);
        }
      });
      yield await this.#measure("get, missing", entries, async (step) => {
        for (let i = 0; i < entries; i++) {
          store.getSync(`${keyOf(order[i]!)}-`);
          if (i % BATCH === 0) await step(i);
        }
      });
      yield await this.#measure("scan", entries, async (step) => {
        let count = 0;
        for (const _ of store.entries()) {
          if (++count % BATCH === 0) await step(count);
        }
      });
    }
    await using store = await this.#open("batch");
    const puts = Math.min(DURABLE_PUTS, entries);
    yield await this.#measure(
      "put, durable, one by one",
      puts,
      async (step) => {
        for (let i = 0; i < puts; i++) {
          await store.put(keyOf(i), this.#value(i));
          step(i);
        }
      },
    );
    yield await this.#measure(
      "put, durable, 64 at a time",
      puts * 8,
      async (step) => {
        for (let at = 0; at < puts * 8; at += 64) {
          const some = Array.from(
            { length: Math.min(64, puts * 8 - at) },
            (_, index) => at + index,
          );
          await Promise.all(
            some.map((i) => store.put(keyOf(i), this.#value(i))),
          );
          step(at);
        }
      },
    );
  }

  #open(walSync: WalSync): Promise<EmbeddedStore> {
    return open(this.#directory, { walSync, compression: this.#compression });
  }

  async #measure(
    name: string,
    operations: number,
    work: (step: (done: number) => Promise<void>) => Promise<void>,
  ): Promise<Result> {
    const { signal } = this.#context;
    using bar = this.#context.progress(name);
    const started = performance.now();
    await work((done) => {
      signal.throwIfAborted();
      bar.update({
        doneBytes: 0,
        items: done,
        totalItems: operations,
        unit: "operations",
      });
      // The event loop has to see Ctrl-C.
      return new Promise((resolve) => setImmediate(resolve));
    });
    return { name, operations, seconds: (performance.now() - started) / 1000 };
  }

  /** Text that compresses about as well as JSON does. */
  #value(number: number): string {
    let text = "";
    let state = number + 1;
    while (text.length < this.#valueBytes) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      text += `{"id":${state % 10_000},"on":true},`;
    }
    return text.slice(0, this.#valueBytes);
  }
}

function keyOf(number: number): string {
  return `key:${String(number).padStart(10, "0")}`;
}

function rate({ operations, seconds }: Result): number {
  return operations / Math.max(seconds, 1e-9);
}

/** The numbers below `count`, in an order that is the same in every run. */
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  let state = 12345;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    const other = order[j]!;
    order[j] = order[i]!;
    order[i] = other;
  }
  return order;
}
