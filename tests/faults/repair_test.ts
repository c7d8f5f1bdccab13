/**
 * Tests repair after every kind of damage. Each file is lost, cut, or changed at many places, alone
 * and with others. checkRepair states what holds after every repair. This file states what must
 * still be readable after each kind.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { repairSync } from "../../mod.ts";
import { IoError, StoreError } from "../../src/errors.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { reportFigure } from "../support/figures.ts";
import {
  checkRepair,
  type Repaired,
  type RepairVictim,
  repairVictim,
} from "../support/repair_stores.ts";
import { DIRECTORY } from "../support/store_files.ts";

const victim = await repairVictim();
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
/** The distance between two changed bytes. */
const stride = Math.max(1, Math.round(127 / Math.min(scale, 10)));

function repaired(
  what: string,
  damage: (files: CloneableFileSystem) => void,
  of: RepairVictim = victim,
): Repaired {
  const files = of.fileSystem.clone();
  damage(files);
  try {
    return checkRepair(files, of);
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`;
    throw error;
  }
}

const pathOf = (name: string): string => `${DIRECTORY}/${name}`;
const lose = (name: string) => (files: CloneableFileSystem): void => files.removeSync(pathOf(name));

/** Damages a file in place: changes a byte, writes a range of zeros, or cuts the file off. */
function* damages(
  name: string,
  of: RepairVictim = victim,
  distance: number = stride,
): Generator<[string, (files: CloneableFileSystem) => void]> {
  const content = of.fileSystem.content(pathOf(name));
  for (let at = 0; at < content.length; at += distance) {
    yield [`${name} with another byte at ${at}`, (files) => {
      const bytes = content.slice();
      bytes[at]! ^= 1 + (at % 255);
      files.setContent(pathOf(name), bytes);
    }];
  }
  for (let at = 0; at < content.length; at += distance * 8) {
    yield [`${name} with zeros at ${at}`, (files) => {
      files.setContent(pathOf(name), content.slice().fill(0, at, at + 100));
    }];
    yield [`${name} cut to ${at} bytes`, (files) => {
      files.setContent(pathOf(name), content.slice(0, at));
    }];
  }
}

test("A store without CURRENT is whole after a repair", () => {
  const { report, wrong } = repaired("CURRENT lost", lose("CURRENT"));
  assert.deepEqual(report.unknown, []);
  assert.deepEqual(wrong, []);
  for (const [what, damage] of damages("CURRENT")) {
    const { report, wrong } = repaired(what, damage);
    assert.deepEqual([report.unknown, wrong], [[], []], what);
  }
});

test("A store without a manifest has all its tables and logs after a repair, and the report says what is a guess", () => {
  for (const names of [[victim.manifest], [victim.manifest, "CURRENT"]]) {
    const { report, wrong } = repaired(`${names} lost`, (files) => {
      for (const name of names) lose(name)(files);
    });
    // The guess by levels and numbers is right here: no table was moved, and no replaced table is
    // left.
    assert.deepEqual(wrong, [], names.join());
    assert.ok(report.unknown.length > 0);
    for (const name of victim.tables) {
      const file = report.files.find(({ file }) => file === name);
      assert.ok(["kept", "renumbered"].includes(file!.action), `${name}: ${file?.action}`);
    }
  }
  for (const [what, damage] of damages(victim.manifest)) {
    const { wrong } = repaired(what, damage);
    assert.deepEqual(wrong, [], what);
  }
});

test("A store that has lost a table has all that the others hold, and the report names the keys", () => {
  for (const name of victim.tables) {
    const { report, wrong } = repaired(`${name} lost`, lose(name));
    assert.ok(wrong.length > 0, `nothing is in ${name}`);
    const said = report.unknown.find((text) => text.includes(name));
    assert.match(said ?? "", /is missing; it held \d+ entries/);
    assert.equal(report.files.find(({ file }) => file === name)?.action, "missing");
  }
});

test("Of a damaged table all blocks but the damaged ones are there after a repair", () => {
  let salvaged = 0;
  let count = 0;
  for (const name of victim.tables) {
    for (const [what, damage] of damages(name)) {
      const { report, wrong } = repaired(what, damage);
      count++;
      salvaged += report.salvagedEntries;
      const isCut = what.includes("cut to");
      // A block has at most a dozen entries, and a range of zeros may touch two blocks.
      if (!isCut) assert.ok(wrong.length <= 30, `${what}: ${wrong.length} keys are wrong`);
      assert.equal(report.isSound, false, what);
    }
  }
  reportFigure("repaired stores", count);
  assert.ok(salvaged > count * 10, `only ${salvaged} entries from ${count} tables`);
});

test("Of a log with damage in its middle the records before and after it are there", () => {
  const [log] = victim.logs.slice(-1);
  let count = 0;
  for (const [what, damage] of damages(log!)) {
    const { report, wrong } = repaired(what, damage);
    count++;
    const isCut = what.includes("cut to");
    if (!isCut) assert.ok(wrong.length <= 6, `${what}: ${wrong.length} keys are wrong`);
    if (!report.isSound && !isCut && wrong.length > 0) {
      assert.ok(report.unknown.some((text) => text.includes(log!)), what);
    }
  }
  reportFigure("repaired stores", count);
  const { report } = repaired(`${log} lost`, lose(log!));
  assert.ok(report.unknown.some((text) => text.includes(`${log} is missing`)));
});

test("Several files that are lost or damaged at once leave what the others hold", () => {
  const names = ["CURRENT", victim.manifest, ...victim.tables, ...victim.logs];
  let count = 0;
  for (const [i, a] of names.entries()) {
    for (const b of names.slice(i + 1)) {
      repaired(`${a} lost and ${b} damaged`, (files) => {
        lose(a)(files);
        const content = files.content(pathOf(b));
        content[content.length >> 1]! ^= 5;
        files.setContent(pathOf(b), content);
      });
      repaired(`${a} and ${b} lost`, (files) => {
        lose(a)(files);
        lose(b)(files);
      });
      count += 2;
    }
  }
  reportFigure("repaired stores", count);
});

test("Deleted ranges, values that expire and large values are repaired, and nothing is back unsaid", async () => {
  const all = await repairVictim(true);
  let count = 0;
  let wrongs = 0;
  const names = ["CURRENT", all.manifest, ...all.tables, ...all.logs];
  for (const name of names) {
    const isSmall = name === "CURRENT" || name === all.manifest;
    const cases = [[`${name} lost`, lose(name)] as const, ...damages(name, all, stride * 3)];
    for (const [what, damage] of cases) {
      const { report, wrong } = repaired(what, damage, all);
      if (isSmall) assert.deepEqual(wrong, [], what);
      if (name === "CURRENT") assert.deepEqual(report.unknown, [], what);
      count++;
      wrongs += wrong.length;
    }
  }
  assert.ok(wrongs > count, `only ${wrongs} keys have old values after ${count} repairs`);
  reportFigure("repaired stores", count);
});

test("A repair that is killed at any operation can be repeated", () => {
  const kinds: [string, (files: CloneableFileSystem) => void][] = [
    ["CURRENT lost", lose("CURRENT")],
    ["manifest lost", lose(victim.manifest)],
    ["table lost", lose(victim.tables[1]!)],
  ];
  for (const name of [victim.tables[0]!, victim.tables[2]!, victim.logs.at(-1)!]) {
    kinds.push([`${name} damaged`, (files) => {
      const content = files.content(pathOf(name));
      content[600]! ^= 9;
      files.setContent(pathOf(name), content);
    }]);
  }
  let count = 0;
  for (const [what, damage] of kinds) {
    for (let operation = 1, isOver = false; !isOver; operation++) {
      const files = victim.fileSystem.clone();
      damage(files);
      let left = operation;
      files.before = (): void => {
        if (left-- <= 0) throw new IoError("write", DIRECTORY, "killed", "EIO");
      };
      try {
        repairSync(DIRECTORY, { fileSystem: files });
        isOver = left >= 0;
      } catch (error) {
        assert.ok(error instanceof StoreError, `${what}, operation ${operation}: ${error}`);
      }
      // The process has ended, with its handles and its lock.
      const { wrong } = checkRepairAgain(files.clone(), `${what}, killed at ${operation}`);
      assert.ok(wrong.length <= 40, `${what}, killed at ${operation}: ${wrong.length} are wrong`);
      count++;
    }
  }
  reportFigure("repaired stores", count);
});

/** As checkRepair. The killed repair may already have reported what is lost. */
function checkRepairAgain(files: CloneableFileSystem, what: string): Repaired {
  files.before = undefined;
  try {
    return checkRepair(files, victim, true);
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`;
    throw error;
  }
}
