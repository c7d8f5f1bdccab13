/**
 * Draws the pictures of the benches as SVG. Bars: docs/benchmarks/node.svg from the table in
 * docs/benchmarks/node.md, how many times as fast as the best other store this library is, one bar
 * a row, on a logarithmic scale; `npm run bench:chart` runs it, and so does bench/peers/run.ts when
 * it updates the table. Curves: what bench/billion.ts measured on the way. Pure but for the last
 * lines.
 */

import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** One bar. */
export interface Bar {
  readonly label: string;
  /** Times as fast (or as small) as the best other store; above 1 is better. */
  readonly ratio: number;
  /** The best other store. */
  readonly peer: string;
}

/** Rows of the table that the picture shows, and what it calls them. */
const shown: ReadonlyMap<string, string> = new Map([
  ["put, in key order, sync", "put in key order"],
  ["put, random keys, sync", "put at random"],
  ["put, random keys, 64 in flight", "put at random, 64 in flight"],
  ["batches of 1000, random keys", "batches of 1,000 at random"],
  ["durable put, 64 in flight", "durable put, 64 in flight"],
  ["durable batches of 64, entries", "durable batches of 64"],
  ["get, cached, sync", "get, cached"],
  ["get, missing key, sync", "get of a missing key"],
  ["get, in key order, sync", "get in key order"],
  ["get, random, 64 MB cache, sync", "get at random over the cache"],
  ["getMany of 100, random, no cache, keys", "getMany of 100, no cache"],
  ["full scan, for…of", "full scan"],
  ["full scan, reverse", "full scan in reverse"],
  ["prefix scans of 100, cached, sync", "prefix scans of 100"],
  ["open and first get, ms", "open and first get"],
  ["full store on disk, compacted, MB", "size on disk"],
]);

/** The bars of the table in a document that bench/peers wrote. Throws if a row is missing. */
export function barsOf(document: string): Bar[] {
  const rows = new Map<string, { ratio: number; peer: string }>();
  for (const line of document.split("\n")) {
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
    const label = cells[0];
    const against = /^([\d.]+) ([\w:-]+)$/.exec(cells.at(-2) ?? "");
    if (label === undefined || against === null || rows.has(label)) continue;
    rows.set(label, { ratio: Number(against[1]), peer: against[2]! });
  }
  return [...shown].map(([row, label]) => {
    const found = rows.get(row);
    if (found === undefined) throw new Error(`Cannot draw the chart: the table lacks "${row}"`);
    return { label, ...found };
  });
}

const ROW_HEIGHT = 24;
const LEFT = 200;
const WIDTH = 760;
const RIGHT = 130;
const TOP = 56;
const TICKS = [0.1, 0.25, 0.5, 1, 2, 4];

/** The picture. Colours are readable on light and dark pages. */
export function drawChart(bars: readonly Bar[], title: string): string {
  const least = Math.log(Math.min(TICKS[0]!, ...bars.map(({ ratio }) => ratio)));
  const most = Math.log(Math.max(TICKS.at(-1)!, ...bars.map(({ ratio }) => ratio)));
  const x = (ratio: number): number =>
    Math.round(LEFT + (WIDTH - LEFT - RIGHT) * (Math.log(ratio) - least) / (most - least));
  const height = TOP + bars.length * ROW_HEIGHT + 16;
  const lines = TICKS.map((tick) =>
    `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${height - 12}" ` +
    `stroke="#888" stroke-opacity="${tick === 1 ? 1 : 0.3}"/>` +
    `<text x="${x(tick)}" y="${TOP - 14}" text-anchor="middle">${tick}x</text>`
  );
  const rows = bars.map(({ label, ratio, peer }, row) => {
    const y = TOP + row * ROW_HEIGHT;
    const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
    const colour = ratio >= 1 ? "#2a9d6f" : "#d1603d";
    return `<text x="${LEFT - 10}" y="${y + 14}" text-anchor="end">${label}</text>` +
      `<rect x="${from}" y="${y + 3}" width="${
        Math.max(1, to - from)
      }" height="15" fill="${colour}"/>` +
      `<text x="${Math.max(x(1), to) + 6}" y="${y + 14}">${ratio.toFixed(2)}x ${peer}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#808080">`,
    `<title>${title}</title>`,
    `<text x="10" y="20" font-size="14">${title}</text>`,
    ...lines,
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

/** A line of a panel. */
export interface Curve {
  readonly label: string;
  readonly colour: string;
  /** x and y of each point, from left to right. */
  readonly points: readonly (readonly [number, number])[];
}

/** A diagram of curves that share an axis. */
export interface Panel {
  /** What is shown, and in which unit. */
  readonly title: string;
  readonly curves: readonly Curve[];
}

const PANEL_HEIGHT = 130;
const PANEL_LEFT = 70;
const PANEL_RIGHT = 20;

/** Panels one above the other over the same x axis, each from 0 to a little above its maximum. */
export function drawCurves(panels: readonly Panel[], title: string, xTitle: string): string {
  const most = Math.max(
    ...panels.flatMap(({ curves }) => curves.flatMap(({ points }) => points.map(([x]) => x))),
  );
  const width = WIDTH - PANEL_LEFT - PANEL_RIGHT;
  const x = (value: number): number => PANEL_LEFT + width * value / most;
  const height = TOP + panels.length * PANEL_HEIGHT + 24;
  const parts = panels.map(({ title, curves }, at) => {
    const top = TOP + at * PANEL_HEIGHT;
    const bottom = top + PANEL_HEIGHT - 45;
    const largest = Math.max(
      Number.MIN_VALUE,
      ...curves.flatMap(({ points }) => points.map(([, y]) => y)),
    );
    const y = (value: number): number => bottom - (bottom - top) * value / (largest * 1.05);
    const axis = [0, largest / 2, largest].map((value) =>
      `<line x1="${PANEL_LEFT}" x2="${PANEL_LEFT + width}" y1="${y(value).toFixed(1)}" ` +
      `y2="${y(value).toFixed(1)}" stroke="#888" stroke-opacity="0.3"/>` +
      `<text x="${PANEL_LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${
        shortNumber(value)
      }</text>`
    );
    const lines = curves.map(({ colour, points }) =>
      `<polyline fill="none" stroke="${colour}" stroke-width="1.3" points="${
        points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ")
      }"/>`
    );
    const labels = curves.map(({ label, colour }) => `<tspan fill="${colour}">${label}</tspan>`);
    return `<text x="${PANEL_LEFT}" y="${top - 6}">${title}: ${labels.join(", ")}</text>` +
      axis.join("") + lines.join("");
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    `<text x="${x(part * most).toFixed(1)}" y="${height - 28}" text-anchor="middle">${
      shortNumber(part * most)
    }</text>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#808080">`,
    `<title>${title}</title>`,
    `<text x="10" y="20" font-size="14">${title}</text>`,
    ...parts,
    ...ticks,
    `<text x="${PANEL_LEFT + width / 2}" y="${height - 8}" text-anchor="middle">${xTitle}</text>`,
    "</svg>",
    "",
  ].join("\n");
}

/** Three digits and k, M or G. */
function shortNumber(value: number): string {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

const TITLE = "Times as fast as the best other store on Node (above 1: faster; logarithmic)";

/** Draws the picture again from the table beside it. */
export function updateChart(root: string): void {
  const folder = path.join(root, "docs", "benchmarks");
  const document = readFileSync(path.join(folder, "node.md"), "utf8");
  writeFileSync(path.join(folder, "node.svg"), drawChart(barsOf(document), TITLE));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  updateChart(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
}
