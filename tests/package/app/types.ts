import { open, openSync, type Options, StoreError, type Value } from "@tinykvs/core";

const options: Options = { compression: "zstd", walSync: "batch" };

export async function use(): Promise<Value | undefined> {
  await using store = await open("./db", options);
  await store.put("name", "Alice");
  for await (const [key, value] of store.entries({ prefix: "user:" })) {
    const text: string | Uint8Array = key;
    void text;
    void value;
  }
  const snapshot = store.snapshot();
  try {
    const found: Value | undefined = await snapshot.get("name");
    return found;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  } finally {
    snapshot.close();
  }
}

export function useSync(): number {
  const store = openSync("./db");
  // @ts-expect-error a function is not a value
  store.putSync("f", () => 1);
  const keys: (string | Uint8Array)[] = [...store.keys({ gte: "a" })];
  store.closeSync();
  return keys.length;
}
