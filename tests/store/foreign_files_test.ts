// A store's directory that holds files of others, also under names that a store might have given,
// and one that was moved to another place.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { open } from "../../mod.ts";
import { MAX_FILE_NUMBER_LEAD, parseFileName, tableName } from "../../src/version/file_names.ts";
import { refused } from "../support/cloneable_file_system.ts";
import {
  contentOf,
  DIRECTORY,
  makeLog,
  makeStoreFiles,
  openFiles,
  putRecords,
} from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Names with numbers that no session of a small store can have handed out. */
const DISTANT = [
  "4294967294.sst",
  "4294967295.sst",
  "4294967293.wal",
  "MANIFEST-4294967292",
  `${tableName(MAX_FILE_NUMBER_LEAD + 100)}`,
];

test("Files with numbers far beyond the store's own use up no numbers and stay", () => {
  const fileSystem = makeStoreFiles({
    tables: [{ level: 1, number: 4, entries: [["a", "1"]] }],
    lastSequence: 1,
  });
  const letter = Uint8Array.of(1, 2, 3);
  for (const name of DISTANT) fileSystem.setContent(`${DIRECTORY}/${name}`, letter);
  const created: number[] = [];
  fileSystem.after = (operation, name) => {
    const number = parseFileName(name.slice(DIRECTORY.length + 1))?.number;
    if (operation === "create" && number !== undefined) created.push(number);
  };
  for (let round = 0; round < 4; round++) {
    const store = openFiles(fileSystem);
    store.putSync(`key ${round}`, "value");
    // What a kill would leave is recovered, too.
    const killed = fileSystem.clone();
    assert.equal(Object.keys(contentOf(openFiles(killed))).length, round + 2);
    for (const name of DISTANT) assert.deepEqual(killed.content(`${DIRECTORY}/${name}`), letter);
    store.closeSync();
  }
  assert.ok(created.length > 8, `created ${created}`);
  assert.ok(created.every((number) => number < 100), `created ${created}`);
  assert.equal(new Set(created).size, created.length);
  for (const name of DISTANT) {
    assert.deepEqual(fileSystem.content(`${DIRECTORY}/${name}`), letter, name);
  }
});

test("A store can be made beside a manifest with the largest number", () => {
  const fileSystem = makeStoreFiles();
  for (const name of fileSystem.listSync(DIRECTORY)) {
    fileSystem.removeSync(`${DIRECTORY}/${name}`);
  }
  fileSystem.setContent(`${DIRECTORY}/MANIFEST-4294967294`, Uint8Array.of(7));
  for (let round = 0; round < 2; round++) {
    const store = openFiles(fileSystem);
    store.putSync(`key ${round}`, "value");
    store.closeSync();
  }
  assert.deepEqual(Object.keys(contentOf(openFiles(fileSystem))), ["key 0", "key 1"]);
});

test("A file belongs to the store up to a distance from its own numbers, and not beyond", () => {
  const crashed = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(crashed, 9, 1, putRecords("k", 3, true));
  const nextNumber = 11; // The log's is 9, the manifest's 10.
  const at = (number: number): string => `${DIRECTORY}/${tableName(number)}`;
  const edge = nextNumber + MAX_FILE_NUMBER_LEAD;
  const cases = [
    { numbers: [edge - 1], stay: [] },
    { numbers: [edge], stay: [edge] },
    // Next to an orphan a file could have a number that is handed out later.
    { numbers: [edge - 1, edge], stay: [] },
  ];
  for (const { numbers, stay } of cases) {
    const fileSystem = crashed.clone();
    for (const number of numbers) fileSystem.setContent(at(number), Uint8Array.of(1));
    const store = openFiles(fileSystem);
    assert.deepEqual(
      numbers.filter((number) => fileSystem.statSync(at(number)) !== undefined),
      stay,
    );
    assert.equal(Object.keys(contentOf(store)).length, 3);
    store.closeSync();
  }
});

test("Files of desktops, and folders with the store's names, are neither read nor touched", async () => {
  const directory = temporaryDirectory("foreign");
  try {
    const files = [
      ".DS_Store",
      "._CURRENT",
      "._000003.sst",
      "Thumbs.db",
      "desktop.ini",
      "000003.SST",
    ];
    const folders = ["000900.sst", "MANIFEST-000902", "sub"];
    for (const name of files) fs.writeFileSync(path.join(directory.path, name), name);
    for (let round = 0; round < 3; round++) {
      const store = await open(directory.path, { memtableSizeBytes: 4096 });
      for (let n = 0; n < 100; n++) await store.put(`key ${round} ${n}`, "x".repeat(100));
      await store.compact();
      assert.equal(await store.count(), 100 * (round + 1));
      await store.close();
      if (round > 0) continue;
      // Not earlier: in a directory without a store they would count as its remains.
      for (const name of folders) fs.mkdirSync(path.join(directory.path, name));
    }
    for (const name of files) {
      assert.equal(fs.readFileSync(path.join(directory.path, name), "utf8"), name);
    }
    for (const name of folders) {
      assert.ok(fs.statSync(path.join(directory.path, name)).isDirectory(), name);
    }
  } finally {
    directory.dispose();
  }
});

test("A directory in the place of a log is an error of open that names it", () => {
  const fileSystem = makeStoreFiles({ tables: [{ level: 1, number: 4, entries: [["a", "1"]] }] });
  fileSystem.setContent(`${DIRECTORY}/000050.wal`, new Uint8Array(0));
  fileSystem.before = (operation, name) => {
    if (operation === "open" && name.endsWith("000050.wal")) throw refused("open", name, "EISDIR");
  };
  assert.throws(() => openFiles(fileSystem), { name: "IoError", osCode: "EISDIR" });
  assert.equal(fileSystem.openHandles, 0);
});

test("A store that was moved to another directory opens there with everything in it", async () => {
  const directory = temporaryDirectory("moved");
  try {
    const from = path.join(directory.path, "from");
    const to = path.join(directory.path, "elsewhere", "to");
    const store = await open(from, { memtableSizeBytes: 4096 });
    for (let n = 0; n < 200; n++) await store.put(`key ${n}`, "x".repeat(100));
    await store.close();
    fs.mkdirSync(path.dirname(to));
    fs.renameSync(from, to);
    const moved = await open(to);
    assert.equal(await moved.count(), 200);
    await moved.put("more", 1);
    await moved.close();
    assert.equal(fs.existsSync(from), false);
    const again = await open(to);
    assert.equal(await again.count(), 201);
    await again.close();
  } finally {
    directory.dispose();
  }
});
