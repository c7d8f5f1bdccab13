/**
 * Runs one workload on one store in this process, and prints what was measured as one line of JSON,
 * the last of stdout. run.ts starts it: a fresh process each, so that memory, compiled code and
 * caches are each measurement's own.
 *
 *   node bench/peers/run_one.ts --engine lmdb --workload fillseq-64 --directory /tmp/empty
 *
 * `--no-verify` leaves out the comparison of everything after a writing row, not that of what is
 * read.
 *
 * A store that this runtime can't load, or that lacks the operation, is a result; a wrong answer is
 * an exit with 1.
 */

import { readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { keyLength, SeededRandom, valueLength, ValuePool } from "../key_values.ts";
import { peakMemoryBytes, StallMeter, Stopwatch } from "../measure.ts";
import { finish, finishWithoutOperation, loadEngine } from "./child.ts";
import { engineKinds } from "./engines.ts";
import type { Bench } from "./loops.ts";
import { dropFromPageCache } from "./page_cache.ts";
import type { Measured } from "./results.ts";
import { prepareWorkload, probeWorkload, verify, workloads } from "./workloads.ts";

const { values: given } = parseArgs({
  options: {
    engine: { type: "string" },
    workload: { type: "string" },
    directory: { type: "string" },
    entries: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    budget: { type: "string", default: "10" },
    "no-verify": { type: "boolean", default: false },
  },
});
const kind = engineKinds.find(({ name }) => name === given.engine);
const workload = [prepareWorkload, probeWorkload, ...workloads].find(({ name }) =>
  name === given.workload
);
const { directory } = given;
if (kind === undefined || workload === undefined || directory === undefined) {
  throw new RangeError(
    `Cannot run workload "${given.workload}" on "${given.engine}" in "${directory}": expected ` +
      `one of ${workloads.map(({ name }) => name).join(", ")}, one of ` +
      `${engineKinds.map(({ name }) => name).join(", ")}, and a directory`,
  );
}

/** Bytes that the files of a directory take on disk; files may have holes. */
function allocatedBytes(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) total += allocatedBytes(name);
    else total += statSync(name).blocks * 512;
  }
  return total;
}

const loaded = await loadEngine(kind);
const { durability, cacheBytes } = workload;
const open = () => loaded.open({ directory, durability, cacheBytes });
let engine;
try {
  engine = await open();
} catch (error) {
  const { message } = error as Error;
  if (/^Cannot open durably/.test(message)) finish({ kind: "unsupported", reason: message });
  throw error;
}
if (!workload.needs(engine)) finishWithoutOperation();

const seed = Number(given.seed);
const bench: Bench = {
  engine,
  isFloor: kind.isFloor === true,
  entries: Number(given.entries),
  budgetSeconds: Number(given.budget),
  values: new ValuePool(seed),
  newRandom: () => new SeededRandom(seed),
  stopwatch: new Stopwatch(),
  ...(workload.isFromDisk === true && {
    beforeChunk() {
      const reason = dropFromPageCache(directory);
      if (reason !== undefined) finish({ kind: "unsupported", reason });
    },
  }),
};
await workload.setUp?.(bench);
const stalls = new StallMeter();
const done = await workload.run(bench, open);
const longestStallMs = stalls.stop();
done.check?.();
const peak = peakMemoryBytes();
const userBytes = done.operations * (keyLength + valueLength);
const written = workload.showsWriteAmplification
  ? await engine.writtenBytes?.(done.operations)
  : undefined;
if (workload.name !== "open") await engine.close();

const measured: Measured = {
  kind: "measured",
  version: loaded.version,
  operations: done.operations,
  stopped: done.stopped,
  seconds: bench.stopwatch.seconds,
  figure: workload.unit === "operations a second"
    ? done.operations / bench.stopwatch.seconds
    : done.milliseconds ?? longestStallMs,
  firstMilliseconds: done.firstMilliseconds ?? null,
  longestStallMs: workload.isAsync && done.wasSync !== true ? longestStallMs : null,
  peakMemoryBytes: peak,
  diskBytes: allocatedBytes(directory),
  writeAmplification: written === undefined ? null : written / userBytes,
  ...(workload === probeWorkload ? { engineOperations: Object.keys(engine) } : {}),
};
if (workload.leaves !== undefined && !bench.isFloor && !given["no-verify"]) {
  const reopened = await open();
  await verify(workload, { ...bench, engine: reopened }, done);
  await reopened.close();
}
finish(measured);
