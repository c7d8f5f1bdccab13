/** A child of snapshot_test.ts: takes a snapshot and a cursor of it and closes neither. */

import { writeSync } from "node:fs";
import { memoryFileSystem, open } from "../../mod.ts";

const store = await open("/db", { fileSystem: memoryFileSystem() });
await store.put("a", 1);
const snapshot = store.snapshot();
await store.put("a", 2);
for await (const value of snapshot.values()) writeSync(1, `${value}\n`);
snapshot.keys();
