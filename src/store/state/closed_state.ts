/**
 * The state of a store that is closed and always was empty. A closed handle gets it while others
 * keep its store open, so that every call on it fails as on a closed store.
 */

import { WeightedCache } from "../../cache/weighted_cache.ts";
import { Memtable } from "../../memtable/memtable.ts";
import { BlockCache } from "../../sstable/block_cache.ts";
import { HandlePool } from "../../sstable/handle_pool.ts";
import type { TableResources } from "../../sstable/table_reader.ts";
import { VersionSet } from "../../version/version_set.ts";
import { emptyVersionState } from "../../version/version_state.ts";
import { StoreState } from "./store_state.ts";

/** Makes such a state, "closing" at first, for a handle on the store of `state`. */
export function closedState(state: StoreState): StoreState {
  const { directory, options, scheduler } = state;
  const { buffers: _, ...tableOutput } = state.tableOutput;
  const resources: TableResources = {
    handles: new HandlePool(options.fileSystem, 1),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
  const closed = new StoreState({
    directory,
    options,
    scheduler,
    resources,
    tableOutput,
    versions: new VersionSet(
      options.fileSystem,
      directory,
      resources,
      0,
      emptyVersionState(),
      undefined,
    ),
    jobThread: undefined,
    lastSequence: 0,
    memtable: new Memtable(1, 1),
  });
  closed.release();
  closed.status = "closing";
  return closed;
}
