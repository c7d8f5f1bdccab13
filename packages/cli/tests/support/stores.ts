/** Stores for tests of what looks into them. */

import { open, type Value } from "@tinykvs/core";

/** Makes a store of these entries, with all of them in tables of the lowest level. */
export async function makeStore(
  path: string,
  entries: readonly (readonly [key: string | Uint8Array, value: Value])[],
): Promise<void> {
  await using store = await open(path, {
    walSync: "none",
    blockSizeBytes: 1024,
  });
  for (const [key, value] of entries) await store.put(key, value);
  await store.compact();
}
