/** Compactions for tests: levels from text, and choices as text. */

import assert from "node:assert/strict";
import type { Compaction } from "../../src/compaction/compaction.ts";
import type { Levels } from "../../src/compaction/plan.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import { tableOf } from "./store_tables.ts";

/** Levels from text: a line a level, tables as `tableOf` takes them. */
export function levelsOf(text: string): Levels {
  const levels: TableMetadata[][] = [[], [], [], [], [], [], []];
  for (const line of text.trim().split("\n")) {
    const [level, tables] = line.trim().split(": ");
    levels[Number(level)] = tables!.split(" ").map(tableOf);
  }
  levels[0]!.sort((a, b) => b.number - a.number);
  return levels;
}

/** The numbers of tables. */
export function numbers(tables: readonly TableMetadata[]): string {
  return tables.map(({ number }) => number).join(" ");
}

/** A compaction as text: `merge 0: 4 1 | 1: 9 -> 1 deeper 20 / 30`. */
export function describe(compaction: Compaction | undefined): string {
  if (compaction === undefined) return "nothing";
  const inputs = compaction.inputs.map(({ level, tables }) => `${level}: ${numbers(tables)}`);
  const deeper = compaction.deeper.map(numbers);
  while (deeper.at(-1) === "") deeper.pop();
  return `${compaction.kind} ${inputs.join(" | ")} -> ${compaction.outputLevel}` +
    (deeper.length === 0 ? "" : ` deeper ${deeper.join(" / ")}`);
}

/** Runs scripts: a comment, levels, `=>`, the expected choice. */
export function runScripts(text: string, run: (levels: Levels) => string): void {
  for (const script of text.trim().split("\n\n")) {
    const [levels, expected] = script.replace(/^ *#.*\n/gm, "").split("=>");
    assert.equal(run(levelsOf(levels!)), expected!.trim(), script);
  }
}
