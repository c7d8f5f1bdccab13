/**
 * Backups of a store that is in use: `checkpoint` makes a directory that opens as a store, and
 * shows the store at the moment of the call. The program keeps the newest two, and checks each one
 * by opening it.
 *
 *     node examples/backup.ts ./data
 *
 * Prints:
 *
 *     backup 1 has 100 entries
 *     backup 2 has 200 entries
 *     backup 3 has 300 entries
 *     kept 2, 3
 */

import { readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { open } from "@tinykvs/core";

const directory = process.argv[2] ?? "./data";
const backups = `${directory}-backups`;
const KEPT = 2;

await using store = await open(directory);

async function backup(name: string): Promise<number> {
  await store.checkpoint(`${backups}/${name}`);
  await using copy = await open(`${backups}/${name}`, { createIfMissing: false });
  const count = await copy.count();
  for (const old of readdirSync(backups).sort().slice(0, -KEPT)) {
    rmSync(`${backups}/${old}`, { recursive: true });
  }
  return count;
}

for (let number = 1; number <= 3; number++) {
  for (let i = 0; i < 100; i++) await store.put(`${number}:${i}`, i);
  console.log(`backup ${number} has ${await backup(String(number))} entries`);
}
console.log(`kept ${readdirSync(backups).sort().join(", ")}`);
