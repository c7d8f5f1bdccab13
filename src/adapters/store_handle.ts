/**
 * The store that an adapter uses: one that is open and stays its owner's, or one that the adapter
 * opens when it is first needed, shared with all others of the process, and closes.
 */

import type { Store } from "../contract/store.ts";
import { ClosedError } from "../errors.ts";
import type { Options } from "../options.ts";
import { open } from "../store/open.ts";

/** What an adapter lets its user choose of the store that it opens. */
export type HandleOptions = Omit<
  Options,
  "shared" | "keyEncoding" | "int64" | "readOnly"
>;

/** A store that opens by itself. */
export class StoreHandle {
  readonly #location: string | URL | undefined;
  readonly #options: HandleOptions;
  readonly #what: string;
  #store: Store | undefined;
  #opening: Promise<Store> | undefined;
  #isClosed = false;

  /** Opens nothing yet. `what` is what errors call the adapter. */
  constructor(
    place: string | URL | Store,
    options: HandleOptions,
    what: string,
  ) {
    this.#what = what;
    this.#options = options;
    if (typeof place === "object" && !("href" in place)) this.#store = place;
    else this.#location = place;
  }

  /** The store; a promise only while it is being opened. */
  get(): Store | Promise<Store> {
    if (this.#isClosed) throw new ClosedError(this.#what);
    return this.#store ?? (this.#opening ??= this.#open(this.#location!));
  }

  /** Closes what was opened here. Twice is legal. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#location === undefined) return;
    // A store that could not be opened has told its user so.
    const store = this.#store ?? await this.#opening?.catch(() => undefined);
    this.#store = undefined;
    await store?.close();
  }

  async #open(location: string | URL): Promise<Store> {
    try {
      const store = await open(location, { ...this.#options, shared: true });
      this.#store = store;
      return store;
    } finally {
      // The next call tries again if this one has failed.
      this.#opening = undefined;
    }
  }
}
