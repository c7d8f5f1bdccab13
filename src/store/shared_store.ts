/**
 * A store that several handles share (`open` with `shared: true`): it counts them, and is closed with the last.
 */

import { closeStore, closeStoreSync, settleWrites, settleWritesSync } from "./closing.ts";
import type { StoreParts } from "./closing.ts";
import type { StoreEntry } from "./store_registry.ts";

/** The store behind the handles, as other copies of the library know it. */
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
   * Counts a handle out. What it wrote is durable when this resolves; the last one closes the store.
   *
   * @throws {BackgroundError} the store had failed, or failed now
   */
  async leave(): Promise<void> {
    this.#handles--;
    const parts = this.#open;
    // The store was given up, because it had failed, or is being.
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
    await this.#close().catch(() => {});
  }

  giveUpSync(): void {
    try {
      this.#closeSync();
    } catch {
      // It had failed before, and that is why it is closed.
    }
  }

  get #open(): StoreParts {
    return this.#parts!;
  }

  #close(): Promise<void> {
    const closed = closeStore(this.#open);
    this.closing = closed.catch(() => {});
    return closed;
  }

  #closeSync(): void {
    this.closing = Promise.resolve();
    closeStoreSync(this.#open);
  }
}
