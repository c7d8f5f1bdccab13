/**
 * Opens the store that kill_child.ts left, and checks it against the history. Arguments: directory,
 * the highest acknowledged ordinal. Prints the ordinal of the recovered state.
 */

import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import process from "node:process";
import { open, openSync, type Value } from "../../mod.ts";
import { stateAfter } from "./kill_history.ts";

const [directory, acknowledgedText] = process.argv.slice(2) as [string, string];
const acknowledged = Number(acknowledgedText);

const store = await open(directory);
const ordinal = await store.get("ordinal") as number | undefined ?? 0;
assert.ok(ordinal >= acknowledged, `batch ${acknowledged} was acknowledged, ${ordinal} is there`);
const expected = [...stateAfter(ordinal)].sort(([a], [b]) => a < b ? -1 : 1);
assert.deepEqual(await store.entries().toArray(), expected);
assert.deepEqual([...store.entries({ reverse: true })], expected.toReversed());
for (const [key, value] of expected) assert.equal(store.getSync(key), value);
const deleted = Array.from({ length: 60 }, (_, i) => `key ${String(i).padStart(3, "0")}`)
  .filter((key) => !expected.some(([other]) => other === key));
assert.deepEqual(await store.getMany(deleted), deleted.map(() => undefined as Value | undefined));
await store.put("zz new", ordinal);
await store.close();

const again = openSync(directory);
assert.equal(again.getSync("zz new"), ordinal);
again.deleteSync("zz new");
assert.deepEqual([...again.entries()], expected);
again.closeSync();
writeSync(1, `${ordinal}\n`);
