/**
 * The store that an adapter uses. It may be an open store, which stays its owner's. Otherwise the
 * adapter opens a store at the first use, shares it with all other users in the process, and closes
 * it.
 */

import type { Store } from "../contract/store.ts";
import { ClosedError } from "../errors.ts";
import type { Options } from "../options.ts";
import { open } from "../store/open.ts";

/** The options that an adapter passes on when it opens a store. */
export type HandleOptions = Omit<
  Options,
  "shared" | "keyEncoding" | "int64" | "readOnly"
>;

/** A store that opens at its first use. */
export class StoreHandle {
  readonly #location: string | URL | undefined;
  readonly #options: HandleOptions;
  readonly #what: string;
  #store: Store | undefined;
  #opening: Promise<Store> | undefined;
  #isClosed = false;

  /** Opens nothing yet. `what` is the adapter's name in errors. */
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

  /** The store, or a promise of it while it is being opened. */
  get(): Store | Promise<Store> {
    if (this.#isClosed) throw new ClosedError(this.#what);
    return this.#store ?? (this.#opening ??= this.#open(this.#location!));
  }

  /** Closes the store if this handle has opened it. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#location === undefined) return;
    // If the store could not be opened, its user has already received the error.
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
      // If this attempt has failed, the next call tries again.
      this.#opening = undefined;
    }
  }
}
