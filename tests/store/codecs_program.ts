/**
 * A program of without_web_assembly_test.ts, which bundles it: writes or reads stores of every
 * codec in the directory of its second argument, and prints what came of it.
 *
 *     write       a store a codec, with blocks of every size and several tables
 *     read        what `write` has written, found and not found, and a compaction of it
 *     life        the whole life of a store, with its thread
 *     refuse      first makes WebAssembly refuse every module, as a policy does; then writes and reads
 */

import process from "node:process";

const codecs = ["zstd", "snappy", "none"] as const;
const COUNT = 3_000;
const [act, directory] = process.argv.slice(2) as [string, string];

if (act === "refuse") {
  WebAssembly.Module = class {
    constructor() {
      throw new WebAssembly.CompileError("code generation is disallowed by a policy");
    }
  } as never;
}

// After the line above.
const { open, StoreError } = await import("../../mod.ts");
const { wholeLife } = await import("../ecosystem/life.ts");
const { hasWebAssembly } = await import("../../src/platform/web_assembly.ts");

function valueOf(i: number): string {
  return `value ${i} `.repeat(1 + i % 30);
}

async function write(): Promise<void> {
  for (const compression of codecs) {
    try {
      const store = await open(`${directory}/${compression}`, {
        compression,
        memtableSizeBytes: 64 * 1024,
        blockSizeBytes: 256,
        walSync: "none",
      });
      for (let i = 0; i < COUNT; i++) store.putSync(`key ${i}`, valueOf(i));
      store.putSync("large", "compressible ".repeat(20_000));
      await store.close();
      console.log(`wrote ${compression}`);
    } catch (error) {
      report(`${compression}`, error);
    }
  }
}

async function read(): Promise<void> {
  for (const compression of codecs) {
    try {
      const store = await open(`${directory}/${compression}`, { compression: "none" });
      let found = 0;
      for (let i = 0; i < COUNT; i++) {
        if (await store.get(`key ${i}`) === valueOf(i)) found++;
        if (store.hasSync(`no key ${i}`)) found = -Infinity;
      }
      if (await store.get("large") === "compressible ".repeat(20_000)) found++;
      await store.compact();
      if (await store.count() === COUNT + 1) found++;
      await store.close();
      console.log(`read ${compression} ${found === COUNT + 2}`);
    } catch (error) {
      report(`${compression}`, error);
    }
  }
}

function report(what: string, error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
  console.log(`${what} ${error.name} ${error.code} ${error.message.replaceAll(/".*?"/g, "_")}`);
}

console.log(`WebAssembly ${hasWebAssembly}`);
if (act === "write" || act === "refuse") await write();
if (act === "read" || act === "refuse") await read();
if (act === "life") {
  await wholeLife(`${directory}/life`);
  console.log("lived");
}
