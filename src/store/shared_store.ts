/**
 * A store that several handles share (`open` with `shared: true`): it counts them, and closes with
 * the last one.
 */

import { closeStore, closeStoreSync, settleWrites, settleWritesSync } from "./closing.ts";
import type { StoreParts } from "./closing.ts";
import type { StoreEntry } from "./store_registry.ts";

/** The store of the handles, as other copies of the library know it. */
export class SharedStore implements StoreEntry {
  readonly isShared = true;
  readonly options: Readonly<Record<string, unknown>>;
  opening: Promise<StoreParts> | undefined;
  closing: Promise<void> | undefined;
  readonly #makeHandle: (parts: StoreParts, share: SharedStore) => unknown;
  #parts: StoreParts | undefined;
  #handles = 0;

  /** Starts without handles; `started` follows. */
  constructor(
    options: Readonly<Record<string, unknown>>,
    makeHandle: (parts: StoreParts, share: SharedStore) => unknown,
  ) {
    this.options = options;
    this.#makeHandle = makeHandle;
  }

  /** Takes over the parts of the store, which is open. */
  started(parts: StoreParts): void {
    this.#parts = parts;
    this.opening = undefined;
  }

  get hasFailed(): boolean {
    return this.#open.state.failure !== undefined;
  }

  handle(): unknown {
    const parts = this.#open;
    this.#handles++;
    return this.#makeHandle(parts, this);
  }

  /**
   * Removes a handle from the count. Its writes are durable when this resolves; the last one closes
   * the store.
   *
   * @throws {BackgroundError} the store had failed, or failed now
   */
  async leave(): Promise<void> {
    this.#handles--;
    const parts = this.#open;
    // The store had failed and was given up, or is being given up.
    if (this.closing !== undefined) await this.closing;
    else if (this.#handles === 0) await this.#close();
    else await settleWrites(parts);
    if (parts.state.failure !== undefined) throw parts.state.failure;
  }

  /** As `leave`. */
  leaveSync(): void {
    this.#handles--;
    const parts = this.#open;
    if (this.closing === undefined) {
      if (this.#handles === 0) this.#closeSync();
      else settleWritesSync(parts);
    }
    if (parts.state.failure !== undefined) throw parts.state.failure;
  }

  async giveUp(): Promise<void> {
    // It had failed before, and is closed because of that. Each handle reports the failure.
    await this.#close().catch(() => {});
  }

  giveUpSync(): void {
    try {
      this.#closeSync();
    } catch {
      // It had failed before, and was closed because of that.
    }
  }

  get #open(): StoreParts {
    return this.#parts!;
  }

  #close(): Promise<void> {
    const closed = closeStore(this.#open);
    // `closing` only tells when the store is closed. The caller of `close` gets the error.
    this.closing = closed.catch(() => {});
    return closed;
  }

  #closeSync(): void {
    this.closing = Promise.resolve();
    closeStoreSync(this.#open);
  }
}
