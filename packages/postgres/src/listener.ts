/** The connection by which a store is told of commits, for as long as somebody watches. */

import type { Driver } from "./driver.ts";

/** Listens to a channel. It does not connect again by itself: see {@linkcode Listener.wake}. */
export class Listener {
  readonly #driver: Driver;
  readonly #channel: string;
  readonly #onNotify: () => void;
  #isWanted = false;
  #connection: { close(): Promise<void> } | undefined;
  /** A connection is being made. */
  #connecting: Promise<void> | undefined;

  constructor(driver: Driver, channel: string, onNotify: () => void) {
    this.#driver = driver;
    this.#channel = channel;
    this.#onNotify = onNotify;
  }

  /** Begins to listen. Resolves when it listens, or cannot: then `wake` tries again. */
  async start(): Promise<void> {
    this.#isWanted = true;
    await this.wake();
  }

  /** Connects if it should listen and does not. Never throws. */
  async wake(): Promise<void> {
    if (!this.#isWanted || this.#connection !== undefined) return;
    this.#connecting ??= this.#connect().finally(() => this.#connecting = undefined);
    await this.#connecting;
  }

  /** Resolves when no connection is left. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    const connection = this.#connection;
    this.#connection = undefined;
    await Promise.all([connection?.close(), this.#connecting]);
  }

  async #connect(): Promise<void> {
    let isLost = false;
    let connection: { close(): Promise<void> } | undefined;
    try {
      connection = await this.#driver.listen?.(
        this.#channel,
        this.#onNotify,
        () => {
          isLost = true;
          if (this.#connection === connection) this.#connection = undefined;
        },
      );
    } catch {
      // Whoever watches reads the log from time to time.
      return;
    }
    if (isLost) return;
    if (!this.#isWanted) return await connection?.close();
    this.#connection = connection;
    // What was sent before has not reached this connection.
    this.#onNotify();
  }
}
