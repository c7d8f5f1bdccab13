import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CompactionOptions,
  maxFileSize,
  maxLevelSize,
  totalSize,
} from "../../src/compaction/compaction.ts";
import { tableOf } from "../support/store_tables.ts";

const MIB = 1024 * 1024;

const options: CompactionOptions = {
  l0CompactionTrigger: 4,
  levelSizeMultiplier: 10,
  maxLevels: 7,
  baseLevelSizeBytes: 16 * MIB,
  baseFileSizeBytes: 2 * MIB,
};

test("maxFileSize doubles from level 1 on up to 64 MiB", () => {
  const sizes = [0, 1, 2, 3, 4, 5, 6].map((level) => maxFileSize(options, level) / MIB);
  assert.deepEqual(sizes, [2, 2, 4, 8, 16, 32, 64]);
});

test("maxFileSize never falls below the size for level 1, however large that is", () => {
  const large = { ...options, baseFileSizeBytes: 512 * MIB };
  for (let level = 0; level < 7; level++) assert.equal(maxFileSize(large, level), 512 * MIB);
});

test("maxLevelSize multiplies level by level and leaves the last one without a limit", () => {
  assert.equal(maxLevelSize(options, 1), 16 * MIB);
  assert.equal(maxLevelSize(options, 2), 160 * MIB);
  assert.equal(maxLevelSize(options, 5), 160_000 * MIB);
  assert.equal(maxLevelSize(options, 6), Infinity);
  assert.equal(maxLevelSize({ ...options, maxLevels: 2 }, 1), Infinity);
  assert.equal(maxLevelSize({ ...options, maxLevels: 3 }, 1), 16 * MIB);
});

test("totalSize sums up the sizes of tables", () => {
  assert.equal(totalSize([]), 0);
  assert.equal(totalSize([tableOf("1[a-b]x3"), tableOf("2[c-d]")]), 400);
});
