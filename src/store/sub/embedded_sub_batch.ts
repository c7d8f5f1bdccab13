/** Adds operations on a sub's keys to a batch of the embedded store. */

import type { Keyspace } from "../../contract/sub/keyspace.ts";
import { SubBatch } from "../../contract/sub/sub_batch.ts";
import type { WriteOptions } from "../../contract/writer.ts";
import type { SyncBatch } from "../write/sync_batch.ts";

/** As `SubBatch`, with a synchronous `write`. */
export class EmbeddedSubBatch<K, V, KeyOut, ValueIn> extends SubBatch<K, V, KeyOut, ValueIn>
  implements SyncBatch<K, ValueIn> {
  readonly #target: SyncBatch;

  /** As that of `SubBatch`. */
  constructor(
    target: SyncBatch,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen?: () => void,
  ) {
    super(target, space, requireOpen);
    this.#target = target;
  }

  /** Writes the store's batch. */
  writeSync(...rest: [options?: WriteOptions]): void {
    this.requireOpen();
    this.#target.writeSync(...rest);
  }
}
