/**
 * One row of bench/memory_bound.ts on one store, in this process, which is in a memory cgroup.
 * Prints what was measured as one line of JSON.
 */

import { parseArgs } from "node:util";
import { keyOf, SeededRandom, ValuePool } from "../key_values.ts";
import { peakMemoryBytes, processorSeconds, Stopwatch } from "../measure.ts";
import { boundRows, coldOpen } from "../memory_bound_rows.ts";
import { finish, finishWithoutOperation, ioBytes, loadEngine, type Missing } from "./child.ts";
import { engineKinds } from "./engines.ts";
import type { Bench } from "./loops.ts";

/** What a process prints. */
export type BoundOutcome =
  | Missing
  | {
    readonly kind: "measured";
    readonly version: string;
    readonly operations: number;
    readonly seconds: number;
    readonly processorSeconds: number;
    /** Read from the disk. */
    readonly diskBytes: number;
    readonly peakBytes: number;
  };

const { values: given } = parseArgs({
  options: {
    engine: { type: "string" },
    row: { type: "string" },
    directory: { type: "string" },
    entries: { type: "string" },
    seed: { type: "string", default: "1" },
    cache: { type: "string" },
    warm: { type: "string" },
    budget: { type: "string" },
  },
});

/** Bytes that this process made the system fetch from the disk, page faults included. */
const diskBytes = (): number => ioBytes("read_bytes")!;

const kind = engineKinds.find(({ name }) => name === given.engine)!;
const loaded = await loadEngine(kind);
const { version } = loaded;
const open = () =>
  loaded.open({
    directory: given.directory!,
    durability: "none",
    cacheBytes: Number(given.cache),
    isBeyondMemory: true,
  });
const seed = Number(given.seed);
const entries = Number(given.entries);
const values = new ValuePool(seed);

if (given.row === coldOpen.name) {
  const index = new SeededRandom(seed).below(entries);
  const [key, before, cpu] = [keyOf(index), diskBytes(), processorSeconds()];
  const startedMs = performance.now();
  const engine = await open();
  const value = engine.getSync === undefined ? await engine.get!(key) : engine.getSync(key);
  const seconds = (performance.now() - startedMs) / 1000;
  if (value === undefined || value === null || value[0] !== values.valueOf(index)[0]) {
    throw new Error(`Wrong answer for key "${key}"`);
  }
  finish<BoundOutcome>({
    kind: "measured",
    version,
    operations: 1,
    seconds,
    processorSeconds: processorSeconds() - cpu,
    diskBytes: diskBytes() - before,
    peakBytes: peakMemoryBytes(),
  });
}

const row = boundRows.find(({ name }) => name === given.row)!;
const engine = await open();
if (!row.needs(engine)) finishWithoutOperation();
const benchOf = (seed: number, budget: string | undefined): Bench => ({
  engine,
  isFloor: false,
  entries,
  budgetSeconds: Number(budget),
  values,
  newRandom: () => new SeededRandom(seed),
  stopwatch: new Stopwatch(),
});
// Other keys than those that are measured, so that caches hold what they would in a long run. What
// a mix has put would be an answer that the next run does not expect.
if (row.store === "shared") await row.run(benchOf(seed + 1, given.warm));
const bench = benchOf(seed, given.budget);
const [before, cpu] = [diskBytes(), processorSeconds()];
const done = await row.run(bench);
done.check?.();
finish<BoundOutcome>({
  kind: "measured",
  version,
  operations: done.operations,
  seconds: bench.stopwatch.seconds,
  processorSeconds: processorSeconds() - cpu,
  diskBytes: diskBytes() - before,
  peakBytes: peakMemoryBytes(),
});
