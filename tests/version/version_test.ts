import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "../../src/errors.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import {
  firstEndingAtOrAfter,
  LiveTable,
  Version,
  VersionBuilder,
} from "../../src/version/version.ts";
import type { VersionEdit } from "../../src/version/version_edit.ts";
import { TableReader } from "../../src/sstable/table_reader.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { bytesOf, resourcesOf, tableOf } from "../support/store_tables.ts";

const resources = resourcesOf(memoryFileSystem());

function live(table: TableMetadata): LiveTable {
  return new LiveTable(table, new TableReader(`/db/${table.number}`, table, resources));
}

/** Levels from text, such as `0: 7[a-f] 5[c-k]`, one level a line. */
function added(text: string): VersionEdit["added"] {
  return text.trim().split("\n").flatMap((line) => {
    const [level, tables] = line.trim().split(": ");
    return tables!.split(" ").map((table) => ({ level: Number(level), table: tableOf(table) }));
  });
}

function versionOf(text: string): Version {
  return Version.empty().apply({ removed: [], added: added(text) }, live);
}

function numbersOf(version: Version): number[][] {
  return version.tables.map((level) => level.map(({ number }) => number));
}

test("Version.apply puts the newest table of level 0 first and sorts the others by key", () => {
  const version = versionOf(`
    0: 5[a-z] 9[b-c] 7[a-k]
    1: 3[m-p] 4[a-c] 2[q-z]`);
  assert.deepEqual(numbersOf(version).slice(0, 3), [[9, 7, 5], [4, 3, 2], []]);
});

test("Version.apply leaves the version that it starts from as it was", () => {
  const before = versionOf("0: 5[a-z]\n1: 3[m-p]");
  before.apply({ removed: [{ level: 0, number: 5 }], added: added("1: 6[a-c]") }, live);
  assert.deepEqual(numbersOf(before).slice(0, 2), [[5], [3]]);
});

test("Version.apply moves a table with its reader", () => {
  const before = versionOf("0: 5[a-z]");
  const edit = { removed: [{ level: 0, number: 5 }], added: added("1: 5[a-z]") };
  const after = before.apply(edit, () => assert.fail("made a second reader"));
  assert.deepEqual(numbersOf(after).slice(0, 2), [[], [5]]);
  assert.equal(after.levels[1]![0], before.levels[0]![0]);
});

test("Version.apply refuses edits that do not fit", () => {
  const before = versionOf("0: 5[a-z]\n1: 3[m-p] 4[r-t]");
  const bad: [string, VersionEdit][] = [
    ["removes a table that is not there", { removed: [{ level: 0, number: 6 }], added: [] }],
    ["removes a table of another level", { removed: [{ level: 1, number: 5 }], added: [] }],
    ["removes a table twice", {
      removed: [{ level: 0, number: 5 }, { level: 0, number: 5 }],
      added: [],
    }],
    ["adds a table that is there", { removed: [], added: added("0: 5[a-z]") }],
    ["adds a table of another level", { removed: [], added: added("2: 5[a-z]") }],
    ["adds a table twice", { removed: [], added: added("0: 6[a-z] 6[a-z]") }],
    ["makes ranges overlap", { removed: [], added: added("1: 6[p-q]") }],
    ["makes ranges contain each other", { removed: [], added: added("1: 6[a-z]") }],
    ["adds tables that overlap", { removed: [], added: added("2: 6[a-c] 7[c-d]") }],
    ["adds equal ranges", { removed: [], added: added("3: 6[a-a] 7[a-a]") }],
  ];
  for (const [what, edit] of bad) {
    assert.throws(() => before.apply(edit, live), DecodeError, what);
    assert.deepEqual(numbersOf(before).slice(0, 2), [[5], [3, 4]], what);
  }
});

test("Version.apply accepts tables of level 0 that overlap", () => {
  assert.deepEqual(numbersOf(versionOf("0: 5[a-z] 6[a-z] 7[c-c]"))[0], [7, 6, 5]);
});

test("Version.tableFor finds the one table of a level that can hold a key", () => {
  const version = versionOf("1: 3[b-d] 4[f-f] 5[h-k]");
  const find = (key: string): number | undefined => {
    const bytes = bytesOf(`??${key}!`);
    const view = new DataView(bytes.buffer);
    return version.tableFor(1, view, 2, bytes.length - 1)?.metadata.number;
  };
  const expected: [string, number | undefined][] = [
    ["", undefined],
    ["a", undefined],
    ["az", undefined],
    ["b", 3],
    ["c", 3],
    ["d", 3],
    ["d\0", undefined],
    ["e", undefined],
    ["f", 4],
    ["f\0", undefined],
    ["h", 5],
    ["k", 5],
    ["ka", undefined],
    ["z", undefined],
  ];
  // Each after each: the search looks first at the place of the last hit.
  for (const [last] of expected) {
    for (const [key, number] of expected) {
      find(last);
      assert.equal(find(key), number, `${JSON.stringify(key)} after ${JSON.stringify(last)}`);
    }
  }
  const view = new DataView(bytesOf("b").buffer);
  assert.equal(version.tableFor(2, view, 0, 1), undefined);
});

test("firstEndingAtOrAfter agrees with a search from the front", () => {
  const tables = versionOf("1: 3[b-d] 4[f-f] 5[h-k] 6[m-m\0]").levels[1]!;
  for (let code = 0x60; code < 0x70; code++) {
    for (const suffix of ["", "\0", "a"]) {
      const key = String.fromCharCode(code) + suffix;
      const bytes = bytesOf(key);
      const expected = tables.findIndex(({ metadata }) =>
        String.fromCharCode(...metadata.largest) >= key
      );
      const found = firstEndingAtOrAfter(tables, new DataView(bytes.buffer), 0, bytes.length);
      assert.equal(found, expected < 0 ? tables.length : expected, JSON.stringify(key));
    }
  }
  assert.equal(firstEndingAtOrAfter([], new DataView(new ArrayBuffer(0)), 0, 0), 0);
});

test("A builder of many edits gives the same versions, and refuses the same edits, as single edits do", () => {
  const edits: VersionEdit[] = [
    { removed: [], added: added("0: 5[a-c] 6[d-f] 7[a-z]\n2: 1[a-b] 2[e-g] 3[p-q]") },
    { removed: [{ level: 0, number: 5 }], added: added("1: 5[a-c]") },
    { removed: [{ level: 0, number: 6 }], added: added("1: 6[d-f]") },
    { removed: [{ level: 2, number: 2 }], added: added("2: 8[c-d] 9[h-i]\n3: 2[e-g]") },
  ];
  let oneByOne = Version.empty();
  const builder = new VersionBuilder(Version.empty(), Infinity);
  for (const edit of edits) {
    oneByOne = oneByOne.apply(edit, live);
    builder.apply(edit, live);
  }
  assert.deepEqual(numbersOf(builder.build()), numbersOf(oneByOne));
  assert.deepEqual(numbersOf(oneByOne).slice(0, 4), [[7], [5, 6], [1, 8, 9, 3], [2]]);
  const bad: VersionEdit[] = [
    { removed: [{ level: 1, number: 7 }], added: [] },
    { removed: [{ level: 2, number: 5 }], added: [] },
    { removed: [{ level: 2, number: 4 }], added: [] },
    { removed: [{ level: 2, number: 1 }, { level: 2, number: 1 }], added: [] },
    { removed: [], added: added("3: 3[x-y]") },
    { removed: [], added: added("2: 4[d-e]") },
    { removed: [], added: added("2: 4[a-z]") },
    { removed: [], added: added("2: 4[j-p]") },
    { removed: [], added: added("1: 4[c-c]") },
  ];
  for (const edit of bad) {
    const messages = [0, Infinity].map((changes) => {
      try {
        new VersionBuilder(oneByOne, changes).apply(edit, live);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        return error.message;
      }
      assert.fail(JSON.stringify(edit));
    });
    assert.equal(messages[0], messages[1]);
  }
});
