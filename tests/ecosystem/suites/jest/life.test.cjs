const { load, newDirectory, TIMEOUT_MS } = require("./store.cjs");

test("A store lives its whole life", async () => {
  await load().wholeLife(newDirectory());
}, TIMEOUT_MS);

test("Two copies of the library know each other's errors, batches and extensions", async () => {
  const one = load();
  jest.resetModules();
  const other = load();
  expect(one.EmbeddedBatch).not.toBe(other.EmbeddedBatch);
  const directory = newDirectory();
  const store = await one.open(directory);
  const refused = await other.open(directory).catch((error) => error);
  expect(refused).toBeInstanceOf(other.LockedError);
  expect(refused).toBeInstanceOf(one.LockedError);
  expect(refused).toBeInstanceOf(one.StoreError);
  expect(refused).not.toBeInstanceOf(one.IoError);
  const memory = other.openSync("/db", { fileSystem: one.memoryFileSystem() });
  await store.write(memory.batch().put("a", 1).delete("b"));
  await store.put("extension", { it: new other.Extension(5, Uint8Array.of(6)) });
  expect(await store.get("a")).toBe(1);
  expect((await store.get("extension")).it).toBeInstanceOf(other.Extension);
  memory.closeSync();
  await store.close();
}, TIMEOUT_MS);
