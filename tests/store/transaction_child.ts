/** A program that only runs a transaction, which conflicts several times. */

import { memoryFileSystem, open } from "../../mod.ts";

const store = await open("/db", { fileSystem: memoryFileSystem() });
await store.transaction(async (tx) => {
  const old = Number(await tx.get("n") ?? 0);
  if (tx.attempt < 8) store.putSync("n", old + 1);
  await tx.put("n", old + 1);
  await tx.put("attempts", tx.attempt);
});
console.log(`${await store.get("attempts")} attempts`);
await store.close();
