/** The results file of bench/billion, and what is made of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type LoadLine,
  parseLines,
  type Settings,
  settingsDiffer,
} from "../../bench/billion_lines.ts";
import {
  billionChart,
  judgeBillion,
  rateBetween,
  renderBillion,
  startAndEndOf,
} from "../../bench/billion_report.ts";

const settings: Settings = {
  kind: "settings",
  format: 1,
  order: "seq",
  entries: 100_000,
  seed: 1,
  limitBytes: 1e9,
};

/** A sample; a CPU second loads `rate` entries, a second half of them. */
function sample(entries: number, processorSeconds: number): LoadLine {
  return {
    kind: "sample",
    entries,
    storeSeconds: processorSeconds,
    wallSeconds: 2 * processorSeconds,
    processorSeconds,
    residentBytes: 120e6,
    peakBytes: 125e6,
    heapBytes: 10e6,
    bufferBytes: 20e6,
    files: 10,
    diskBytes: 1e6,
    manifestBytes: 1000,
    tables: [1, 2],
    tableBytes: 1e6,
    writtenBytes: 2e6,
    stalls: 0,
    levelBytes: [5e5, 5e5],
    groupBytes: 900e6,
    groupCacheBytes: 700e6,
    freeDiskBytes: 1e11,
    machineLoad: 3,
  };
}

const part = (found: number) => ({
  kind: "part",
  date: "2026-11-30T00:00:00.000Z",
  about: "Node 1",
  command: "npm run bench:billion",
  found,
});

/** Two processes: the second finds less than the first has sampled, and is half as fast. */
const lines = [
  settings,
  part(0),
  ...Array.from({ length: 7 }, (_, i) => sample(i * 10_000, i)),
  part(50_000),
  ...Array.from({ length: 6 }, (_, i) => sample(50_000 + i * 10_000, 7 + i * 2)),
  {
    kind: "loaded",
    entries: 100_000,
    closeSeconds: 1,
    peakBytes: 130e6,
    files: 12,
    diskBytes: 1,
    manifestBytes: 1,
  },
];
const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");

test("parseLines reads what a killed process has left, up to half a line", () => {
  const run = parseLines(`${text}{"kind":"sam`);
  assert.deepEqual(run.parts.map(({ samples }) => samples.length), [7, 6]);
  assert.equal(run.loaded?.entries, 100_000);
  assert.throws(() => parseLines(`${text}{"kind"\n`), /line 18 is not JSON/);
  assert.throws(
    () => parseLines(`{"kind":"part"}\n`),
    /expected a file of bench\/billion, format 1/,
  );
});

test("settingsDiffer names what another run was asked for", () => {
  assert.equal(settingsDiffer(settings, settings), undefined);
  assert.match(settingsDiffer(settings, { ...settings, seed: 2 })!, /seed is 1 there, 2 here/);
});

test("A rate never spans the time between two processes", () => {
  const run = parseLines(text);
  assert.equal(rateBetween(run, 0, 50_000, "processorSeconds"), 10_000);
  assert.equal(rateBetween(run, 60_000, 100_000, "processorSeconds"), 5000);
  assert.equal(rateBetween(run, 60_000, 100_000, "wallSeconds"), 2500);
  assert.equal(startAndEndOf(run, "processorSeconds").ratio, 0.5);
});

test("The verdict of a load says what is missed, and the report what was found", () => {
  const run = parseLines(text);
  const verdicts = judgeBillion(run);
  assert.deepEqual(verdicts.map(({ isMet }) => isMet), [true, false, true]);
  const report = renderBillion(run, "curve.svg");
  assert.match(report, /by 2 processes/);
  assert.match(report, /50 %/);
  assert.match(report, /!\[[^\]]*\]\(curve.svg\)/);
  assert.match(report, /Nothing was read yet/);
  const short = parseLines(lines.slice(0, 4).map((line) => `${JSON.stringify(line)}\n`).join(""));
  assert.match(renderBillion(short, "curve.svg"), /too few samples/);
});

test("The curve has a line for each clock and level, and stays in its picture", () => {
  const svg = billionChart(parseLines(text));
  assert.equal(svg.match(/<polyline/g)?.length, 8);
  const points = [...svg.matchAll(/points="([^"]*)"/g)].flatMap(([, list]) => list!.split(" "));
  for (const point of points) {
    const [x, y] = point.split(",").map(Number);
    assert.ok(x! >= 70 && x! <= 740 && y! >= 50 && y! <= 600, point);
  }
});
