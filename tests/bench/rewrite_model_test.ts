/** The model that counts rewrites: loads whose count is known. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FLUSH_KEYS, RewriteModel } from "../../bench/rewrite_model.ts";
import { Random } from "../support/random.ts";

const options = {
  compaction: {
    l0CompactionTrigger: 4,
    levelSizeMultiplier: 10,
    maxLevels: 7,
    baseLevelSizeBytes: 16e6,
    baseFileSizeBytes: 2e6,
  },
  flushBytes: 1.5e6,
  pace: 2.5,
  stopTables: 20,
};

function tableBytes({ levels }: RewriteModel): number {
  return levels.flat().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

test("RewriteModel rewrites nothing that comes in key order", () => {
  const model = new RewriteModel(options);
  for (let flush = 0; flush < 200; flush++) {
    model.flush(Uint32Array.from({ length: FLUSH_KEYS }, (_, i) => flush * FLUSH_KEYS + i));
  }
  assert.equal(model.rewrittenBytes, 0);
  assert.equal(tableBytes(model), model.flushedBytes);
});

test("RewriteModel keeps every byte, and keeps levels from 1 on in order, in a random load", () => {
  const random = new Random(1);
  const model = new RewriteModel(options);
  for (let flush = 0; flush < 100; flush++) {
    model.flush(Uint32Array.from({ length: FLUSH_KEYS }, () => random.below(2 ** 32)).sort());
    assert.ok(model.levels[0]!.length < 20);
  }
  assert.ok(Math.abs(tableBytes(model) - model.flushedBytes) < 1000, `${tableBytes(model)} bytes`);
  for (const level of model.levels.slice(1)) {
    for (let i = 1; i < level.length; i++) {
      assert.ok(level[i - 1]!.largestView.getUint32(0) <= level[i]!.smallestView.getUint32(0));
    }
  }
  const rewrites = model.rewrittenBytes / model.flushedBytes;
  assert.ok(rewrites > 1 && rewrites < 5, `${rewrites} rewrites`);
});
