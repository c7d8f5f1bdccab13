/**
 * @tinykvs/core from the source of this repository, with default options but what the comparison
 * is about. `none`: the operating system has every record when a put returns, fsync at flush and
 * close. `durable`: walSync "batch", fdatasync before a put resolves, shared by those in flight.
 *
 * The library is imported where it is used only, so that the processes of peers do not carry it.
 */

import { readFileSync } from "node:fs";
import type { open as openStore, Options } from "../../../mod.ts";
import type { Engine, EngineKind, LoadedEngine, OpenOptions, ScanRange } from "../engine.ts";

async function openEngine(
  open: typeof openStore,
  options: OpenOptions,
  variant: Options,
): Promise<Engine> {
  const store = await open(options.directory, {
    walSync: options.durability === "durable" ? "batch" : "none",
    blockCacheSizeBytes: options.cacheBytes,
    ...variant,
  });
  const rangeOf = ({ prefix, reverse }: ScanRange): { prefix?: string; reverse: boolean } =>
    prefix === null ? { reverse } : { prefix, reverse };
  const engine: Engine = {
    putSync: (key, value) => store.putSync(key, value),
    put: (key, value) => store.put(key, value),
    writeBatch: (keys, values) => {
      const batch = store.batch();
      for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
      return batch.write();
    },
    getSync: (key) => store.getSync(key) as Uint8Array | undefined,
    get: (key) => store.get(key) as Promise<Uint8Array | undefined>,
    getMany: (keys) => store.getMany(keys) as Promise<(Uint8Array | undefined)[]>,
    scanForOf: (range, see) => {
      for (const [key, value] of store.entries(rangeOf(range))) {
        see(key as string, value as Uint8Array);
      }
    },
    scanForAwait: async (range, see) => {
      for await (const [key, value] of store.entries(rangeOf(range))) {
        see(key as string, value as Uint8Array);
      }
    },
    scanBulk: async ({ prefix, reverse }, see) => {
      if (reverse) throw new Error("Cannot scan in reverse with a callback");
      await store.scanPrefix(
        prefix ?? "",
        (key, value) => see(key as string, value as Uint8Array),
      );
    },
    compact: () => store.compact(),
    close: () => store.close(),
  };
  // In "batch" mode putSync waits for an fsync each, which no workload measures.
  if (options.durability === "durable") delete engine.putSync;
  return engine;
}

async function load(variant: Options): Promise<LoadedEngine> {
  const { open } = await import("../../../mod.ts");
  const file = new URL("../../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return { version, open: (options) => openEngine(open, options, variant) };
}

/** The variants: default options, and uncompressed for the rows in which that matters. */
export const tinykvsKinds: readonly EngineKind[] = [
  {
    name: "tinykvs",
    runtimes: ["node", "deno", "bun"],
    isOwn: true,
    notes: "zstd level 1. none: a put is in the operating system when it returns, fsync at flush " +
      "and close. durable: fdatasync before a put resolves, shared by those in flight",
    load: () => load({}),
  },
  {
    name: "tinykvs none",
    runtimes: ["node", "deno", "bun"],
    isOwn: true,
    only: ["get-random", "get-nocache", "get-one", "get-many", "mixed-cold", "disk"],
    notes: 'as tinykvs, with compression "none"',
    load: () => load({ compression: "none" }),
  },
];
