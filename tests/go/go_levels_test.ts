// Which level a table of a Go store gets; tables are written as in the tests of the picker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arrangeGoTables } from "../../src/go/go_levels.ts";
import { Version } from "../../src/version/version.ts";
import { LiveTable } from "../../src/version/version.ts";
import type { AddedTable } from "../../src/version/version_edit.ts";
import { Random } from "../support/random.ts";
import { tableOf } from "../support/store_tables.ts";

/** "level: tables | level: tables" to tables with levels. */
function tablesOf(text: string): AddedTable[] {
  return text.split("|").flatMap((part) => {
    const [level, tables] = part.split(":");
    return tables!.trim().split(" ").map((table) => ({
      level: Number(level),
      table: tableOf(`${table}g`),
    }));
  });
}

function textOf(tables: readonly AddedTable[] | undefined): string {
  if (tables === undefined) return "none";
  const levels = new Map<number, number[]>();
  for (const { level, table } of tables) {
    levels.set(level, [...(levels.get(level) ?? []), table.number]);
  }
  return [...levels].sort(([a], [b]) => a - b)
    .map(([level, numbers]) => `${level}: ${numbers.sort((a, b) => a - b).join(" ")}`).join(" | ");
}

const cases: readonly (readonly [what: string, tables: string, expected: string])[] = [
  [
    "what is in order stays",
    "0: 9[a-z] 8[a-z] | 1: 3[a-c] 4[d-f] | 2: 1[a-z]",
    "0: 8 9 | 1: 3 4 | 2: 1",
  ],
  ["a gap between levels stays", "0: 9[a-z] | 4: 3[a-c]", "0: 9 | 4: 3"],
  ["tables that touch in a key overlap", "1: 3[a-c] 4[c-f]", "1: 4 | 2: 3"],
  ["inputs beside their output go below it", "1: 3[a-c] 4[d-f] 7[a-f]", "1: 7 | 2: 3 4"],
  ["what overlaps none of it stays", "1: 3[a-c] 5[x-z] 7[a-f] | 2: 1[m-n]", "1: 5 7 | 2: 1 3"],
  [
    "the next level makes room where it has to",
    "1: 3[a-c] 7[a-f] | 2: 1[b-d] 2[x-z]",
    "1: 7 | 2: 2 3 | 3: 1",
  ],
  ["outputs of two merges that failed", "1: 3[a-c] 7[a-f] 9[b-k]", "1: 9 | 2: 7 | 3: 3"],
  ["level 0 is left alone", "0: 5[a-z] 4[a-z] | 1: 3[a-c] 7[a-f]", "0: 4 5 | 1: 7 | 2: 3"],
  ["six levels and one overlap move up", "2: 6[a-c] 5[a-c] | 6: 1[a-c]", "2: 6 | 3: 5 | 6: 1"],
  [
    "levels that Go has and we don't",
    "1: 9[a-b] | 7: 5[a-b] | 12: 1[a-b] 2[c-d]",
    "1: 2 9 | 2: 5 | 3: 1",
  ],
  ["the highest level there can be", "0: 2[a-b] | 4294967295: 1[a-b]", "0: 2 | 1: 1"],
  [
    "six that overlap fit",
    "1: 1[a-b] 2[a-b] 3[a-b] 4[a-b] 5[a-b] 6[a-b]",
    "1: 6 | 2: 5 | 3: 4 | 4: 3 | 5: 2 | 6: 1",
  ],
  ["seven do not", "1: 1[a-b] 2[a-b] 3[a-b] 4[a-b] 5[a-b] 6[a-b] 7[a-b]", "none"],
];

test("arrangeGoTables keeps tables that are in order, and puts the older of two tables below the newer", () => {
  for (const [what, tables, expected] of cases) {
    assert.equal(textOf(arrangeGoTables(tablesOf(tables))), expected, what);
  }
});

test("arrangeGoTables makes versions in which newer tables are always found first", () => {
  const random = new Random(77);
  let arranged = 0;
  for (let round = 0; round < 500; round++) {
    const tables: AddedTable[] = Array.from({ length: 1 + random.below(9) }, (_, number) => {
      const [from, to] = [random.below(20), random.below(20)].sort((a, b) => a - b);
      const key = (at: number): string => String.fromCharCode(97 + at);
      return { level: random.below(4), table: tableOf(`${number}[${key(from!)}-${key(to!)}]g`) };
    });
    const levels = arrangeGoTables(tables);
    if (levels === undefined) continue;
    arranged++;
    assert.equal(levels.length, tables.length);
    // Throws if tables of a level overlap.
    const version = Version.empty().apply(
      { removed: [], added: levels },
      (table) => new LiveTable(table, undefined as never),
    );
    const levelOf = new Map(
      version.tables.flatMap((level, at) => level.map(({ number }) => [number, at] as const)),
    );
    for (const newer of tables) {
      for (const older of tables) {
        const isNewer = newer.level < older.level ||
          (newer.level === older.level && newer.table.number > older.table.number);
        const [a, b] = [newer.table, older.table];
        const overlaps = String(a.smallest) <= String(b.largest) &&
          String(b.smallest) <= String(a.largest);
        if (!isNewer || !overlaps || (newer.level === 0 && older.level === 0)) continue;
        assert.ok(levelOf.get(a.number)! < levelOf.get(b.number)!, `round ${round}`);
      }
    }
  }
  assert.ok(arranged > 450, `${arranged}`);
});
