/**
 * Counts how often merges rewrite an entry in a load at random, by the real picker, in seconds
 * (decision 15).
 *
 *   npm run bench:rewrites                          330 flushes of 4 MiB: 10,000,000 entries of 16 + 100 bytes
 *   npm run bench:rewrites -- --flushes 1000 --stop 24 --pace 3
 */

import { parseArgs } from "node:util";
import { defaultOptions } from "../mod.ts";
import { compactionOptions, resolveOptions } from "../src/options.ts";
import { SeededRandom } from "./key_values.ts";
import { FLUSH_KEYS, RewriteModel } from "./rewrite_model.ts";

const { values: given } = parseArgs({
  options: {
    flushes: { type: "string", default: "330" },
    /** Bytes of a table that 4 MiB of entries come to: 1.75 MB at level -1. */
    "flush-bytes": { type: "string", default: "1750000" },
    /**
     * Merges read 2.5 times as much as is flushed meanwhile, with the low-memory preset on one
     * core.
     */
    pace: { type: "string", default: "2.5" },
    stop: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
  },
});
const flushes = Number(given.flushes);
const model = new RewriteModel({
  compaction: compactionOptions(resolveOptions(defaultOptions())),
  flushBytes: Number(given["flush-bytes"]),
  pace: Number(given.pace),
  stopTables: Number(given.stop),
});
const random = new SeededRandom(Number(given.seed));
let level0 = 0;
let [flushedBytes, rewrittenBytes] = [0, 0];
for (let flush = 1; flush <= flushes; flush++) {
  model.flush(Uint32Array.from({ length: FLUSH_KEYS }, () => random.below(2 ** 32)).sort());
  level0 = Math.max(level0, model.levels[0]!.length);
  if (flush % Math.ceil(flushes / 10) !== 0 && flush !== flushes) continue;
  const rewrites = (model.rewrittenBytes - rewrittenBytes) / (model.flushedBytes - flushedBytes);
  [flushedBytes, rewrittenBytes] = [model.flushedBytes, model.rewrittenBytes];
  console.log(
    `${String(flush).padStart(6)} flushes: ${
      rewrites.toFixed(1)
    } rewrites an entry since the line before, ` +
      `tables ${model.levels.map(({ length }) => length).join("/")}`,
  );
}
console.log(
  `all: ${
    (model.rewrittenBytes / model.flushedBytes).toFixed(2)
  } rewrites an entry, ${model.merges} merges, ` +
    `the largest of ${
      (model.largestMergeBytes / 1e6).toFixed(0)
    } MB, at most ${level0} tables in level 0`,
);
