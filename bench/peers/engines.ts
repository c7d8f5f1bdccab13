/** Every store that can be measured, in the order of the table's columns. */

import type { EngineKind } from "./engine.ts";
import { classicLevelKind } from "./engines/classic_level.ts";
import { denoKvKind } from "./engines/deno_kv.ts";
import { floorKinds } from "./engines/floors.ts";
import { lmdbKind } from "./engines/lmdb.ts";
import { rippledbKind } from "./engines/rippledb.ts";
import { rocksdbKind, rocksdbNativeKind } from "./engines/rocksdb.ts";
import { sqliteKinds } from "./engines/sqlite.ts";
import { tinykvsKinds } from "./engines/tinykvs.ts";

/** Every store. */
export const engineKinds: readonly EngineKind[] = [
  ...tinykvsKinds,
  lmdbKind,
  classicLevelKind,
  rocksdbKind,
  rocksdbNativeKind,
  ...sqliteKinds,
  denoKvKind,
  rippledbKind,
  ...floorKinds,
];
