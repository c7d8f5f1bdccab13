import { expect, test } from "vitest";
import { load, newDirectory, TIMEOUT_MS } from "./store.mjs";

test("A store lives its whole life", { timeout: TIMEOUT_MS }, async () => {
  const { wholeLife } = await load();
  await wholeLife(newDirectory());
});

test("Two copies of the library know each other's errors and batches", {
  timeout: TIMEOUT_MS,
}, async () => {
  const [one, other] = [await load(), await load("copy")];
  expect(one.EmbeddedBatch).not.toBe(other.EmbeddedBatch);
  const directory = newDirectory();
  const store = await one.open(directory);
  const refused = await other.open(directory).catch((error) => error);
  expect(refused).toBeInstanceOf(one.LockedError);
  const memory = other.openSync("/db", { fileSystem: one.memoryFileSystem() });
  await store.write(memory.batch().put("a", 1));
  expect(await store.get("a")).toBe(1);
  memory.closeSync();
  await store.close();
});
