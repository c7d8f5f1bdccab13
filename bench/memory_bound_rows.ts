/** The rows of bench/memory_bound.ts: reads of a store that is larger than the memory. */

import type { Engine } from "./peers/engine.ts";
import { atRandom, type Bench, type Done, get, getMany, mixed, type Order } from "./peers/loops.ts";
import { prefixScans } from "./peers/scan_loops.ts";

/**
 * Nine of ten gets are of one entry in a hundred. These lie as far apart as they can: in a
 * hundredth of the entries, but in most of the blocks.
 */
export const skewed: Order = (_position, random, entries) => {
  const drawn = random.below(entries * 10);
  const index = Math.floor(drawn / 10);
  return drawn % 10 === 0 ? index : index - index % 100;
};

/** One row. */
export interface BoundRow {
  readonly name: string;
  readonly title: string;
  readonly store: "shared" | "copy";
  readonly needs: (engine: Engine) => boolean;
  readonly run: (bench: Bench) => Promise<Done>;
}

const canGetSync = (engine: Engine): boolean => engine.getSync !== undefined;
const canGet = (engine: Engine): boolean => engine.get !== undefined;

function reads(name: string, title: string, order: Order): BoundRow[] {
  const row = { store: "shared" } as const;
  return [
    {
      ...row,
      name: `${name}-sync`,
      title: `${title}, sync`,
      needs: canGetSync,
      run: (bench) => get(bench, "sync", order),
    },
    {
      ...row,
      name: `${name}-await`,
      title: `${title}, await each`,
      needs: canGet,
      run: (bench) => get(bench, "await", order),
    },
    {
      ...row,
      name: `${name}-64`,
      title: `${title}, 64 in flight`,
      needs: canGet,
      run: (bench) => get(bench, "64", order),
    },
  ];
}

/** Every row but the cold open, which is measured apart. */
export const boundRows: readonly BoundRow[] = [
  ...reads("get", "get, random", atRandom),
  {
    name: "getmany",
    title: "getMany of 100, random, keys",
    store: "shared",
    needs: (engine) => engine.getMany !== undefined,
    run: (bench) => getMany(bench),
  },
  ...reads("skewed", "get, nine of ten in a hundredth", skewed),
  {
    name: "prefix",
    title: "prefix scans of 100",
    store: "shared",
    needs: (engine) => (engine.scanForOf ?? engine.scanBulk ?? engine.scanForAwait) !== undefined,
    run: (bench) => prefixScans(bench, bench.engine.scanForOf !== undefined, bench.entries),
  },
  {
    name: "mixed",
    title: "4 gets to 1 put",
    store: "copy",
    needs: (engine) =>
      (engine.getSync ?? engine.get) !== undefined && (engine.putSync ?? engine.put) !== undefined,
    run: (bench) => {
      const isSync = bench.engine.putSync !== undefined && bench.engine.getSync !== undefined;
      return mixed(bench, isSync ? "sync" : "await", bench.entries);
    },
  },
];

/** The row of opening a store that is not in the page cache, and getting one entry. */
export const coldOpen = { name: "open", title: "cold open and first get, ms" } as const;
