/** The micro benches, in the order in which an entry passes through the modules. */

import { blockCases } from "./block_bench.ts";
import { bloomCases } from "./bloom_bench.ts";
import { cacheCases } from "./cache_bench.ts";
import { codecCases } from "./codec_bench.ts";
import { crcCases } from "./crc_bench.ts";
import { indexCases } from "./index_bench.ts";
import { keyCases } from "./key_bench.ts";
import { logCases } from "./log_bench.ts";
import { memtableCases } from "./memtable_bench.ts";
import { mergeCases } from "./merge_bench.ts";
import type { MicroBench } from "./micro_case.ts";
import { valueCases } from "./value_bench.ts";

/** All of them. */
export const benches: readonly MicroBench[] = [
  { name: "key", makeCases: keyCases },
  { name: "value", makeCases: valueCases },
  { name: "crc", makeCases: crcCases },
  { name: "log", makeCases: logCases },
  { name: "memtable", makeCases: memtableCases },
  { name: "block", makeCases: blockCases },
  { name: "index", makeCases: indexCases },
  { name: "codec", makeCases: codecCases },
  { name: "bloom", makeCases: bloomCases },
  { name: "cache", makeCases: cacheCases },
  { name: "merge", makeCases: mergeCases },
];
