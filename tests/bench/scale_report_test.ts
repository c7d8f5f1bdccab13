/** The pure parts of bench/scale.ts: the data, rates, verdict, extrapolation and chart. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { scaleData, scatter } from "../../bench/scale_data.ts";
import {
  extrapolate,
  judgeScale,
  rates,
  renderScale,
  type Sample,
  type ScaleResult,
  slope,
  sparkline,
  startAndEnd,
} from "../../bench/scale_report.ts";

function sample(entries: number, more: Partial<Sample> = {}): Sample {
  return {
    entries,
    storeSeconds: entries / 1e6,
    wallSeconds: entries / 5e5,
    processorSeconds: entries / 2e6,
    residentBytes: 100e6 + entries / 10,
    peakBytes: 200e6,
    heapBytes: 20e6,
    bufferBytes: 30e6,
    files: 3 + entries / 1e5,
    diskBytes: entries * 12,
    manifestBytes: entries / 100,
    tables: [0, entries / 1e5],
    tableBytes: entries * 10,
    writtenBytes: entries * 10,
    stalls: 0,
    ...more,
  };
}

function result(samples: readonly Sample[], more: Partial<ScaleResult["read"]> = {}): ScaleResult {
  const last = samples.at(-1)!;
  return {
    order: "seq",
    runtime: "Node 24",
    about: "a machine",
    command: "npm run bench:scale -- seq",
    entries: last.entries,
    keyBytes: 16,
    valueBytes: 20,
    load: {
      samples,
      closeSeconds: 0.1,
      peakBytes: last.peakBytes,
      files: last.files,
      diskBytes: last.diskBytes,
      manifestBytes: last.manifestBytes,
    },
    read: {
      firstOpenMs: 30,
      openMs: [30, 12, 12],
      openOnlyMs: 10,
      emptyOpenMs: 2,
      randomGets: 100,
      getsPerSecond: 5000,
      rangeLength: 1000,
      scannedPerSecond: 1e6,
      counted: last.entries,
      countSeconds: 1,
      indexBytes: last.tables.reduce((sum, n) => sum + n, 0) * 7000,
      filterBytes: 0,
      tables: last.tables,
      peaks: [{ after: "opening", bytes: 120e6 }, { after: "counting all", bytes: 150e6 }],
      peakBytes: 150e6,
      files: last.files,
      diskBytes: last.diskBytes,
      manifestBytes: last.manifestBytes,
      ...more,
    },
  };
}

const steady = Array.from({ length: 21 }, (_, i) => sample(i * 1e6));

test("scatter() gives every number below its limit exactly once, in a scattered order", () => {
  for (const entries of [1, 2, 1000, 4097]) {
    const at = scatter(entries, 7);
    const found = Array.from({ length: entries }, (_, position) => at(position));
    assert.deepEqual(
      [...found].sort((a, b) => a - b),
      Array.from({ length: entries }, (_, i) => i),
    );
    if (entries > 2) assert.notDeepEqual(found, [...found].sort((a, b) => a - b));
  }
});

test("The data of a run follows from its seed, in key order or scattered", () => {
  const seq = scaleData("seq", 1000, 1);
  assert.equal(seq.indexAt(17), 17);
  assert.equal(seq.valueOf(17).length, 20);
  assert.deepEqual(seq.valueOf(17).subarray(0, 10), seq.valueOf(17).subarray(10));
  const random = scaleData("random", 1000, 1);
  assert.equal(random.valueOf(17).length, 100);
  assert.equal(random.indexAt(17), scaleData("random", 1000, 1).indexAt(17));
});

test("Rates are those between samples, and start and end are each the median of a tenth", () => {
  const found = rates([sample(0), sample(1e6), sample(3e6, { storeSeconds: 5 })], "storeSeconds");
  assert.deepEqual(found, [1e6, 500_000]);
  const line = [10, 9, ...Array.from({ length: 16 }, () => 5), 8, 9.5];
  assert.deepEqual(startAndEnd(line), { start: 9.5, end: 8.75, ratio: 8.75 / 9.5, samples: 2 });
});

test("A load that slows down, takes too much memory or opens slowly misses its target", () => {
  const met = (one: ScaleResult): boolean[] => judgeScale(one).map(({ isMet }) => isMet);
  assert.deepEqual(met(result(steady)), [true, true, true]);
  const slower = steady.map((one, i) => i < 18 ? one : sample(i * 1e6, { storeSeconds: i * i }));
  assert.deepEqual(met(result(slower)), [false, true, true]);
  const last = sample(20e6, { peakBytes: 256e6 });
  assert.deepEqual(met(result([...steady.slice(0, -1), last])), [true, false, true]);
  assert.deepEqual(met(result(steady, { peakBytes: 300e6 })), [true, false, true]);
  assert.deepEqual(met(result(steady, { firstOpenMs: 101 })), [true, true, false]);
});

test("The extrapolation continues the samples in a straight line", () => {
  assert.equal(slope([[0, 1], [1, 3], [2, 5]]), 2);
  assert.equal(slope([[1, 1]]), 0);
  const more = extrapolate(result(steady), 1e9);
  assert.equal(more.tables, 10_000);
  assert.equal(more.diskBytes, 12e9);
  assert.equal(more.bytesPerTable, 1e6);
  assert.equal(more.indexBytesPerTable, 7000);
  assert.equal(more.metadataBytes, 70e6);
  assert.equal(more.manifestBytes, 10e6);
  assert.ok(Math.abs(more.residentBytesPerEntry - 0.1) < 1e-9);
  assert.ok(Math.abs(more.residentBytes - 200e6) < 1);
  assert.equal(more.openMs, 2 + 8 * 50 + 2);
  assert.equal(Math.round(more.loadSeconds), 1000);
});

test("A sparkline is as long as there are numbers, at most as wide as asked, and shows the highest", () => {
  assert.equal(sparkline([0, 4, 8], 10), "▁▅█");
  assert.equal(sparkline(Array.from({ length: 100 }, () => 1), 10), "██████████");
});

test("The report says what was missed and how the load went", () => {
  const text = renderScale(result(steady, { firstOpenMs: 150 }));
  assert.ok(text.includes("| 150.0 ms | within 100 ms | **missed** |"));
  assert.ok(text.includes("- 10,000 tables of 1.00 MB"));
  assert.ok(text.includes("20,000,000 entries, in key order"));
});
