/**
 * Opens the stores that kill_child.ts left, and checks them against the history: all that was
 * acknowledged is there, what is there is a prefix with whole batches, nothing deleted is visible,
 * scans in both directions agree with gets and counts, no file is left over, and the store takes
 * new writes and keeps them. The argument is an array of tasks (kill_history.ts), a line of JSON
 * goes out for each.
 */

import assert from "node:assert/strict";
import { readdirSync, writeSync } from "node:fs";
import process from "node:process";
import { type EmbeddedStore, open, openSync, type Value } from "../../mod.ts";
import { parseFileName } from "../../src/version/file_names.ts";
import { everyKey, stateAfter, type VerifierTask } from "./kill_history.ts";

/** Every way to read, against what is expected. */
async function checkContent(store: EmbeddedStore, expected: [string, Value][]): Promise<void> {
  assert.deepEqual(await store.entries().toArray(), expected);
  assert.deepEqual([...store.entries({ reverse: true })], expected.toReversed());
  assert.equal(await store.count(), expected.length);
  const values = new Map(expected);
  const keys = everyKey();
  assert.deepEqual(await store.getMany(keys), keys.map((key) => values.get(key)));
  for (const key of keys) {
    assert.equal(store.getSync(key), values.get(key));
    assert.equal(store.hasSync(key), values.has(key));
  }
}

/** The files of a closed store: those that its version names, one manifest, CURRENT and LOCK. */
function checkFiles(directory: string, tables: number, valueFiles: number): void {
  const kinds = { manifest: 0, table: 0, log: 0, values: 0 };
  const others: string[] = [];
  for (const name of readdirSync(directory)) {
    const file = parseFileName(name);
    if (file === undefined) others.push(name);
    else kinds[file.kind]++;
  }
  const { manifest, table, log, values } = kinds;
  assert.deepEqual([manifest, table], [1, tables], "files of a closed store");
  assert.equal(log + values, valueFiles, "files of a closed store that hold large values");
  assert.deepEqual(others.sort(), ["CURRENT", "LOCK"]);
}

async function check({ directory, isReadOnly, acknowledged }: VerifierTask): Promise<void> {
  const before = readdirSync(directory).sort();
  const store = await open(directory, { readOnly: isReadOnly });
  const ordinal = await store.get("ordinal") as number | undefined ?? 0;
  assert.ok(ordinal >= acknowledged, `batch ${acknowledged} was acknowledged, ${ordinal} is there`);
  const expected = [...stateAfter(ordinal)].sort(([a], [b]) => a < b ? -1 : 1);
  await checkContent(store, expected);
  const tables = store.stats().levels.map((level) => level.tables);
  if (isReadOnly) {
    await store.close();
    const names = (all: string[]): string[] => all.filter((name) => !name.startsWith("LOCK"));
    assert.deepEqual(names(readdirSync(directory).sort()), names(before));
  } else {
    await checkWrites(store, expected, ordinal);
  }
  writeSync(1, `${JSON.stringify({ ordinal, tables })}\n`);
}

/** A recovered store takes new writes, and has them when it is opened again. */
async function checkWrites(
  store: EmbeddedStore,
  expected: [string, Value][],
  ordinal: number,
): Promise<void> {
  const { path } = store;
  await store.put("zz new", ordinal);
  await store.close();
  const again = openSync(path);
  assert.equal(again.getSync("zz new"), ordinal);
  again.deleteSync("zz new");
  await again.compact();
  await checkContent(again, expected);
  const tables = again.stats().levels.reduce((sum, level) => sum + level.tables, 0);
  const { files } = again.stats().values;
  again.closeSync();
  checkFiles(path, tables, files);
}

for (const task of JSON.parse(process.argv[2]!) as VerifierTask[]) {
  try {
    await check(task);
  } catch (error) {
    throw new Error(`Cannot verify "${task.directory}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}
