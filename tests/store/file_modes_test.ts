// Who may read a store's files: the owner alone, or whom the options name. Every file that a store
// makes is looked at, whichever thread has made it, under several umasks.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { memoryFileSystem, open, type Options } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** The modes of all that is in a directory, by kinds of names, each as text in octal. */
function modesIn(directory: string): Map<string, Set<string>> {
  const modes = new Map<string, Set<string>>();
  for (const name of fs.readdirSync(directory)) {
    const kind = name.replace(/\d{6,}/, "N");
    const mode = (fs.statSync(join(directory, name)).mode & 0o777).toString(8);
    modes.set(kind, (modes.get(kind) ?? new Set()).add(mode));
  }
  return modes;
}

function modeOf(path: string): string {
  return (fs.statSync(path).mode & 0o777).toString(8);
}

/** A store that has made files of every kind, its checkpoints, and what their modes were. */
async function modesOfAll(path: string, options: Options): Promise<Map<string, Set<string>>> {
  const directory = join(path, "above", "db");
  const all = new Map<string, Set<string>>();
  const look = (at: string): void => {
    for (const [kind, modes] of modesIn(at)) all.set(kind, modes.union(all.get(kind) ?? new Set()));
  };
  const store = await open(directory, { ...options, memtableSizeBytes: 2 << 20, walSync: "none" });
  // Until the thread has started flushes are made here; then one is made there, and a compaction.
  for (let rounds = 0, isThere = false; !isThere; rounds++) {
    assert.ok(rounds < 100, "the thread does not start");
    isThere = store.stats().background === "worker";
    for (let i = 0; i < 1300; i++) {
      await store.put(`key ${i}`, crypto.getRandomValues(new Uint8Array(1000)));
    }
    await store.flush();
  }
  look(directory);
  await store.compact();
  await store.put("last", 1);
  look(directory);
  await store.checkpoint(join(path, "copies", "ours"));
  await store.checkpoint(join(path, "copies", "go"), { format: "go-v0.4" });
  look(join(path, "copies", "ours"));
  look(join(path, "copies", "go"));
  await store.close();
  look(directory);
  const directories = ["above", "above/db", "copies", "copies/ours", "copies/go"];
  all.set("directories", new Set(directories.map((name) => modeOf(join(path, name)))));
  return all;
}

const cases: readonly [Options, umask: number, files: string, directories: string][] = [
  [{}, 0, "600", "700"],
  [{ fileMode: 0o640, directoryMode: 0o750 }, 0o022, "640", "750"],
  [{ fileMode: 0o660, directoryMode: 0o770 }, 0o007, "660", "770"],
  [{ fileMode: 0o664 }, 0o022, "644", "700"],
  [{ directoryMode: 0o755 }, 0o027, "600", "750"],
];

for (const [options, umask, files, directories] of cases) {
  const given = Object.entries(options).map(([name, mode]) => `${name} 0o${mode.toString(8)}`);
  const what = `${given.join(", ") || "no option"}, umask ${umask.toString(8).padStart(3, "0")}`;
  test(`No other user can read a store's files, whatever is asked for: ${what}`, async () => {
    const { path, dispose } = temporaryDirectory("modes");
    const before = process.umask(umask);
    try {
      const modes = await modesOfAll(path, options);
      for (const kind of ["N.sst", "N.wal", "MANIFEST-N", "CURRENT", "LOCK", "wal.log"]) {
        assert.ok(modes.has(kind), kind);
      }
      for (const [kind, found] of modes) {
        assert.deepEqual([...found], [kind === "directories" ? directories : files], kind);
      }
    } finally {
      process.umask(before);
      dispose();
    }
  });
}

test("A store that is opened with other modes leaves existing files as they are", async () => {
  const { path, dispose } = temporaryDirectory("modes");
  try {
    const directory = join(path, "db");
    await using first = await open(directory);
    await first.put("a", 1);
    await first.close();
    const before = new Set(fs.readdirSync(directory));
    await using store = await open(directory, { fileMode: 0o644, directoryMode: 0o755 });
    await store.put("b", 2);
    await store.flush();
    assert.equal(modeOf(directory), "700");
    for (const name of fs.readdirSync(directory).filter((name) => !/^(LOCK|CURRENT)/.test(name))) {
      assert.equal(modeOf(join(directory, name)), before.has(name) ? "600" : "644", name);
    }
  } finally {
    dispose();
  }
});

test("Modes are ignored on a file system without modes", async () => {
  for (const modes of [{ fileMode: 0o640 }, { directoryMode: 0o750 }]) {
    await assert.rejects(open("/db", { ...modes, fileSystem: memoryFileSystem() }), {
      name: "TypeError",
      message: /"fileMode" and "directoryMode" are for the file system of the runtime/,
    });
  }
});
