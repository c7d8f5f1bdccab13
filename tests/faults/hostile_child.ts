/**
 * The child of hostile_fields_test.ts: opens and reads every hostile store, or the one whose number
 * is the argument, and counts what it allocates. It has its own process for a cap on its heap, and
 * because it replaces the constructors of buffers before anything else is loaded.
 */

import process from "node:process";

/** What the parent gets to know. */
export interface HostileReport {
  readonly mutants: number;
  readonly refused: number;
  readonly failedReads: number;
  /** The largest buffer that was made for a whole store, and for any hostile one, in bytes. */
  readonly largestWhole: number;
  readonly largestHostile: number;
  /** The most by which one store made the memory of buffers grow, in bytes. */
  readonly mostGrowth: number;
}

let largest = 0;
const global = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
const elementBytes: Record<string, number> = {
  ArrayBuffer: 1,
  Uint8Array: 1,
  Uint16Array: 2,
  Uint32Array: 4,
  Int32Array: 4,
  Float64Array: 8,
  BigUint64Array: 8,
};
for (const [name, bytes] of Object.entries(elementBytes)) {
  global[name] = new Proxy(global[name]!, {
    construct(target, args: unknown[], newTarget): object {
      const [length] = args;
      if (typeof length === "number") largest = Math.max(largest, length * bytes);
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
}

const { smallStore } = await import("../support/corruption_stores.ts");
const { requireTyped } = await import("../support/corruption_sweep.ts");
const { hostileMutants } = await import("../support/hostile_mutants.ts");
const { openFiles } = await import("../support/store_files.ts");

const only = process.argv[2];
const victim = smallStore(0);
const counts = { mutants: 0, refused: 0, failedReads: 0, mostGrowth: 0 };

/** Opens, reads and closes a store. */
function use(files: typeof victim.fileSystem, what: string): void {
  let operations = 0;
  const attempt = <T>(call: () => T): T | undefined => {
    try {
      return call();
    } catch (error) {
      requireTyped(error);
      counts.failedReads++;
      return undefined;
    }
  };
  files.before = () => {
    if (++operations > 20_000) throw new Error("too many file operations");
  };
  try {
    const refused = counts.failedReads;
    const store = attempt(() => openFiles(files, { l0CompactionTrigger: 1000 }));
    if (store === undefined) {
      counts.refused++;
      counts.failedReads = refused;
      return;
    }
    for (const key of victim.keys) attempt(() => store.getSync(key));
    for (const reverse of [false, true]) {
      // A hostile store may hold any number of entries, but only as many as its bytes have room
      // for.
      let entries = 0;
      attempt(() => {
        for (const _ of store.entries({ reverse })) {
          if (++entries > 10_000) throw new Error("too many entries");
        }
      });
    }
    attempt(() => store.closeSync());
    if (files.openHandles !== 0) throw new Error("handles are left open");
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

use(victim.fileSystem.clone(), "whole");
if (counts.refused + counts.failedReads > 0) throw new Error("the whole store can't be read");
const largestWhole = largest;
largest = 0;
let number = -1;
for (const { what, files } of hostileMutants(victim.fileSystem)) {
  number++;
  if (only !== undefined && Number(only) !== number) continue;
  counts.mutants++;
  const before = process.memoryUsage().arrayBuffers;
  use(files, `mutant ${number}, ${what}`);
  counts.mostGrowth = Math.max(counts.mostGrowth, process.memoryUsage().arrayBuffers - before);
}
const report: HostileReport = { ...counts, largestWhole, largestHostile: largest };
console.log(JSON.stringify(report));
