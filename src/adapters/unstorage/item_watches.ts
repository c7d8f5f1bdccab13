/** The watches of a driver: each turns commits of the store into the events of unstorage. */

import type { Store } from "../../contract/store.ts";
import type { Commit, Watch } from "../../contract/watch.ts";
import { LaggedError } from "../../errors.ts";
import { decodeText } from "../../value/text_codec.ts";

/** What unstorage wants to know of a change. */
export type ItemCallback = (event: "update" | "remove", key: string) => unknown;

/** Ends the keys in which unstorage keeps facts about an item. It reports no changes of them. */
const META = "$";

/** Watches of the items whose keys begin with a base. */
export class ItemWatches {
  readonly #base: string;
  readonly #all = new Set<ItemWatch>();

  /** Watches nothing yet. */
  constructor(base: string) {
    this.#base = base;
  }

  /** Whether nobody watches. */
  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Starts to report changes. The result ends this, after the changes made before its call. */
  start(store: Store, callback: ItemCallback): () => Promise<void> {
    const watch = new ItemWatch(store, this.#base, callback);
    this.#all.add(watch);
    return async () => {
      this.#all.delete(watch);
      await watch.end();
    };
  }

  /** Ends all watches. */
  async endAll(): Promise<void> {
    const all = [...this.#all];
    this.#all.clear();
    await Promise.all(all.map((watch) => watch.end()));
  }
}

/** One watch, from its start to its end. */
class ItemWatch {
  readonly #store: Store;
  readonly #base: string;
  readonly #callback: ItemCallback;
  #watch: Watch<Uint8Array>;
  #isEnding = false;
  readonly #ended: Promise<void>;

  constructor(store: Store, base: string, callback: ItemCallback) {
    this.#store = store;
    this.#base = base;
    this.#callback = callback;
    this.#watch = this.#open();
    this.#ended = this.#follow();
  }

  /** Resolves when all changes before the call have been reported. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#watch.close();
    await this.#ended;
  }

  #open(): Watch<Uint8Array> {
    // Others may have keys in the store that are not text.
    const range = { prefix: this.#base, keyEncoding: "bytes" } as const;
    return this.#store.watch(range) as Watch<Uint8Array>;
  }

  async #follow(): Promise<void> {
    while (!this.#isEnding) {
      try {
        for await (const commit of this.#watch) this.#report(commit);
        return;
      } catch (error) {
        // In one turn of the event loop more was written than a watch keeps: some of it is lost.
        if (!(error instanceof LaggedError)) throw error;
        if (!this.#isEnding) this.#watch = this.#open();
      }
    }
  }

  #report({ operations }: Commit<Uint8Array>): void {
    for (const operation of operations) {
      if (operation.type === "deleteRange") continue;
      const bytes = operation.key;
      const key = decodeText(bytes, 0, bytes.length)?.slice(this.#base.length);
      if (key === undefined || key.endsWith(META)) continue;
      this.#callback(operation.type === "put" ? "update" : "remove", key);
    }
  }
}
