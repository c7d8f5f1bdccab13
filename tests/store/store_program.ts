/**
 * A small program for bundles_test.ts: a store on the disk under each codec, in the directory
 * `store` of the working directory, is written, flushed, compacted, killed and read again; then one
 * whose jobs are large enough for the worker thread. It imports nothing but the library, so a
 * bundle of it contains only the library.
 */

import { type CompressionName, type EmbeddedStore, open, openSync } from "../../mod.ts";

/** Not at the top level, where CommonJS, and so a single executable of Node, has no `await`. */
async function main(): Promise<void> {
  const lines: string[] = [];
  for (const compression of ["zstd", "snappy", "none"] as CompressionName[]) {
    const options = { compression, memtableSizeBytes: 16384, blockSizeBytes: 1024 };
    const store = await open(`store/${compression}`, options);
    for (let i = 0; i < 1000; i++) {
      const put = store.put(`key ${i * 7 % 1000}`, { i, text: "x".repeat(50) });
      if (i % 100 === 0) await put;
    }
    await store.flush();
    store.deleteSync("key 5");
    await store.compact();
    await store.put("bytes", new Uint8Array([1, 2, 3]));
    let refused = "";
    try {
      await open(`store/${compression}`);
    } catch (error) {
      refused = (error as { code: string }).code;
    }
    await store.close();
    const again = openSync(`store/${compression}`);
    const count = await again.count();
    const keys = [...again.keys({ gte: "key 998", limit: 2 })].join();
    const bytes = again.getSync("bytes") as Uint8Array;
    lines.push(
      `${compression} ${count} ${keys} ${bytes.join()} ${again.getSync("key 5")} ${refused}`,
    );
    again.closeSync();
  }
  lines.push(await backgroundOf(openSync("store/large", { memtableSizeBytes: 1 << 20 })));
  console.log(lines.join("\n"));
}

/** Where large jobs run, when a thread has had time to come up. */
async function backgroundOf(store: EmbeddedStore): Promise<string> {
  // Larger values would lie apart, and the jobs be small.
  const text = "x".repeat(5000);
  for (let i = 0; i < 20_000 && store.stats().background === "inline"; i++) {
    await store.put(`key ${i % 1000}`, `${text}${i}`);
    // On a busy machine this thread could otherwise be done before the other one is up.
    if (i > 1000 && i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { background } = store.stats();
  await store.compact();
  store.closeSync();
  return background;
}

void main();
