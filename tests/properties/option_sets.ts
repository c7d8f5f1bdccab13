/** Options that a history may be run with; what they have in common is that tables are small. */

import type { Options } from "../../mod.ts";

/** The sets; a history names them by index. */
export const optionSets: readonly Options[] = [
  { memtableSizeBytes: 4096, blockSizeBytes: 256, compression: "none", l0CompactionTrigger: 2 },
  {
    memtableSizeBytes: 4096,
    blockSizeBytes: 1024,
    compression: "zstd",
    compressionLevel: 3,
    blockCacheSizeBytes: 0,
    maxLevels: 2,
    l0CompactionTrigger: 2,
    walSync: "write",
    largeValueBytes: 1000,
  },
  {
    memtableSizeBytes: 8192,
    blockSizeBytes: 512,
    compression: "snappy",
    // Enough for some entries without their blocks.
    blockCacheSizeBytes: 6000,
    bloomFalsePositiveRate: false,
    l0CompactionTrigger: 3,
    levelSizeMultiplier: 2,
    maxLevels: 4,
    walSync: "none",
    flushOnClose: false,
    largeValueBytes: 100,
  },
  {
    memtableSizeBytes: 65536,
    blockSizeBytes: 4096,
    compression: "none",
    bloomFalsePositiveRate: 0.5,
    blockCacheSizeBytes: 20_000,
    verifyChecksums: false,
    walSync: "interval",
    maxLevels: 3,
  },
  {
    preset: "low-memory",
    memtableSizeBytes: 16384,
    l0CompactionTrigger: 2,
    maxLevels: 7,
    largeValueBytes: 64,
  },
  {
    memtableSizeBytes: 4096,
    compression: "snappy",
    levelSizeMultiplier: 2,
    maxLevels: 7,
    flushOnClose: false,
    largeValueBytes: false,
  },
  // Large enough for tables to be small neighbours.
  { memtableSizeBytes: 262_144, blockSizeBytes: 256, compression: "none", l0CompactionTrigger: 2 },
];
