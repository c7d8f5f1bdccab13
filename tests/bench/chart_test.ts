import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { barsOf, drawChart } from "../../bench/chart.ts";

const folder = new URL("../../docs/benchmarks/", import.meta.url);
const table = readFileSync(new URL("node.md", folder), "utf8");

test("The picture of the benchmarks shows what the table beside it says", () => {
  const svg = readFileSync(new URL("node.svg", folder), "utf8");
  const bars = barsOf(table);
  const title = /<title>(.*)<\/title>/.exec(svg)![1]!;
  assert.equal(drawChart(bars, title), svg, "run `npm run bench:chart`");
});

test("The chart has rows in which another store is faster", () => {
  const bars = barsOf(table);
  assert.ok(bars.some(({ ratio }) => ratio < 1) && bars.some(({ ratio }) => ratio > 1));
});

test("A table without a row of the chart is an error that names the row", () => {
  assert.throws(
    () => barsOf(table.replaceAll("| put, random keys, sync |", "| something else |")),
    /the table lacks "put, random keys, sync"/,
  );
});
