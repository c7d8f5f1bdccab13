/** What every program of this folder does with the library; prints one line that the test expects. */

export async function check(library, directory) {
  const { open, openSync, LockedError, memoryFileSystem } = library;
  const printed = [];
  for (const compression of ["zstd", "snappy", "none"]) {
    const path = `${directory}/${compression}`;
    const store = await open(path, { compression, memtableSizeBytes: 1 << 20 });
    await store.put("user:1", { name: "Alice", tags: ["a", "b"] });
    await store.write([
      { type: "put", key: "user:2", value: 30n },
      { type: "put", key: "user:3", value: new Uint8Array([1, 2, 3]) },
    ]);
    // Enough for flushes that the background thread does.
    for (let batch = 0; batch < 8; batch++) {
      const writes = store.batch();
      for (let i = 0; i < 1000; i++) writes.put(`key ${batch} ${i}`, "x".repeat(500) + i);
      await writes.write();
    }
    await store.flush();
    const { background } = store.stats();
    const locked = await open(path).catch((error) => error);
    if (!(locked instanceof LockedError)) throw new Error(`expected a LockedError: ${locked}`);
    let count = 0;
    for await (const [key] of store.entries({ prefix: "key " })) if (key !== "") count++;
    await store.close();
    const again = openSync(path);
    const name = again.getSync("user:1").name;
    again.closeSync();
    printed.push(`${compression} ${count} ${name} ${background}`);
  }
  const memory = openSync("/db", { fileSystem: memoryFileSystem() });
  memory.putSync("a", true);
  printed.push(`memory ${memory.getSync("a")}`);
  memory.closeSync();
  return printed.join(", ");
}
