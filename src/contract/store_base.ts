/** What a store has besides reads and writes, for those who implement one. */

import { markClass } from "../class_marks.ts";
import type { Snapshot } from "./reader.ts";
import type { AnySub, Store, StoreStatus, Sub } from "./store.ts";
import type { SubOptions } from "./sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./sub/key_codec.ts";
import { subOf } from "./sub/sub_store.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./sub/value_codec.ts";
import type { Transaction, TransactionOptions } from "./transaction.ts";
import type { Key, Value } from "./value.ts";
import type { Watch, WatchOptions, WatchRange } from "./watch.ts";
import { WriterBase } from "./writer_base.ts";

/**
 * A store that is made from two reads, `write`, `update`, `transaction`, `watch`, `snapshot` and
 * `close`. An implementation overrides what it can do better.
 *
 * @example
 * ```ts
 * import { open, memoryFileSystem } from "@tinykvs/core";
 * import { type Key, StoreBase, type Value } from "@tinykvs/core/contract";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(store instanceof StoreBase); // true
 * ```
 */
export abstract class StoreBase<KeyOut = Key, V = Value> extends WriterBase<Key, V, KeyOut, Value>
  implements Store<Key, V, KeyOut, Value> {
  /** See {@linkcode Store}. */
  abstract readonly status: StoreStatus;
  /** See {@linkcode Store}. */
  abstract transaction<T>(
    body: (transaction: Transaction<Key, V, KeyOut, Value>) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /** See {@linkcode Store}. */
  abstract snapshot(): Snapshot<Key, V, KeyOut>;
  /** See {@linkcode Store}. */
  abstract watch(range?: WatchRange, options?: WatchOptions): Watch<KeyOut, V>;
  /** See {@linkcode Store}. */
  abstract close(): Promise<void>;

  /** See {@linkcode Store}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Sub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Store}. */
  sub<V extends Value>(path: string | readonly string[]): Sub<Key, V>;
  sub(path: string | readonly string[], options?: SubOptions): AnySub {
    return subOf(this as unknown as Store, path, options);
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

markClass(StoreBase, Symbol.for("@tinykvs/core store"), true);
