/**
 * Imports a file with one JSON object a line, in batches of 1,000, with little memory whatever the
 * size of the file is. The number of the last line is in the same batch as the lines, so an import
 * that was interrupted goes on where it stopped.
 *
 *     node examples/import_ndjson.ts ./imported [file.ndjson]
 *
 * Prints:
 *
 *     imported 2500 lines, 2500 entries
 *     again: imported 0 lines, 2500 entries
 *     line 1234 is town 1234
 */

import { createReadStream, writeFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { open } from "@tinykvs/core";

const directory = process.argv[2] ?? "./imported";
await using store = await open(directory);

/** Imports what is not imported yet, and says how many lines that were. */
async function importFile(file: string): Promise<number> {
  const from = Number(await store.get("line") ?? 0n);
  let line = 0;
  let batch = store.batch();
  const finish = () => batch.put("line", BigInt(line)).write();
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (++line <= from) continue;
    const record = JSON.parse(text);
    batch.put(`row:${String(record.id).padStart(10, "0")}`, record);
    if (line % 1_000 !== 0) continue;
    await finish();
    batch = store.batch();
  }
  await finish();
  return line - from;
}

let file = process.argv[3];
if (file === undefined) {
  file = `${directory}/../towns.ndjson`;
  const line = (i: number) => `${JSON.stringify({ id: i, name: `town ${i}` })}\n`;
  writeFileSync(file, Array.from({ length: 2_500 }, (_, i) => line(i)).join(""));
}
const entries = () => store.count({ prefix: "row:" });
console.log(`imported ${await importFile(file)} lines, ${await entries()} entries`);
console.log(`again: imported ${await importFile(file)} lines, ${await entries()} entries`);
const town = await store.getMap("row:0000001234") as { name: string } | undefined;
console.log(`line 1234 is ${town?.name}`);
