/**
 * The connections of one store. A connection that fails, or does not answer in time, is thrown
 * away; the next caller makes a new one.
 */

import { Deadlines } from "./deadlines.ts";
import type { Connection, Driver, Parameter, Row, Statement } from "./driver.ts";
import { failureOf, PostgresError, shownError } from "./errors.ts";

/** The bounds of a pool. */
export interface PoolOptions {
  /** The most connections at a time. */
  readonly connections: number;
  /** How long a caller waits for a free one. */
  readonly acquireTimeoutMs: number;
  /** How long a statement may take, for the client. */
  readonly queryTimeoutMs: number;
  /** For how long reads are tried again when the connection is lost. */
  readonly retryMs: number;
}

interface Waiting<T> {
  resolve(result: T): void;
  reject(error: unknown): void;
}

/** Connections to use one after the other. */
export class Pool {
  readonly #driver: Driver;
  readonly #options: PoolOptions;
  #idle: Connection[] = [];
  readonly #waiting: Waiting<Connection>[] = [];
  readonly #waitingLong: Waiting<undefined>[] = [];
  /** Connections that are in use for a long time. */
  #long = 0;
  /** Connections that are open, or being opened. */
  #count = 0;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;
  /** Of the statements that are under way. */
  readonly #deadlines: Deadlines;

  constructor(driver: Driver, options: PoolOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#deadlines = new Deadlines(options.queryTimeoutMs);
  }

  /** The number of connections, idle ones included. */
  get size(): number {
    return this.#count;
  }

  /**
   * A connection for the caller alone, who gives it back by `release`.
   *
   * @throws {PostgresError} none became free in time
   * @throws the client's error: none could be made
   */
  async acquire(): Promise<Connection> {
    if (this.#isClosed) throw new Error("the pool is closed");
    const idle = this.#takeIdle();
    if (idle !== undefined) return idle;
    if (this.#count < this.#options.connections) return await this.#connect();
    return await this.#wait(this.#waiting, "");
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined || !idle.isClosed) return idle;
      this.#count--;
    }
  }

  #wait<T>(list: Waiting<T>[], by: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const { acquireTimeoutMs, connections } = this.#options;
      const timer = setTimeout(() => {
        list.splice(list.indexOf(waiting), 1);
        reject(
          new PostgresError(
            "pool",
            `Cannot get a connection: of ${connections}, none became free within ` +
              `${acquireTimeoutMs} ms (they are in use${by === "" ? "" : ` ${by}`}); close ` +
              "snapshots and cursors, or allow more connections",
            undefined,
          ),
        );
      }, acquireTimeoutMs);
      const waiting: Waiting<T> = {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      list.push(waiting);
    });
  }

  /**
   * As `acquire`, for a long time. Two connections are kept for others, so that the store can be
   * read and written while all snapshots are in use.
   */
  async acquireLong(): Promise<Connection> {
    if (this.#isClosed) throw new Error("the pool is closed");
    if (this.#long >= Math.max(1, this.#options.connections - 2)) {
      await this.#wait(
        this.#waitingLong,
        "by snapshots, cursors and transactions",
      );
    } else this.#long++;
    try {
      return await this.acquire();
    } catch (error) {
      this.#endLong();
      throw error;
    }
  }

  /** Gives a connection of `acquireLong` back. */
  releaseLong(connection: Connection): void {
    this.release(connection);
    this.#endLong();
  }

  #endLong(): void {
    const waiting = this.#waitingLong.shift();
    if (waiting === undefined) this.#long--;
    else waiting.resolve(undefined);
  }

  /** Gives a connection back. */
  release(connection: Connection): void {
    if (connection.isClosed || this.#isClosed) {
      if (!connection.isClosed) connection.close();
      this.#count--;
      if (this.#isClosed) {
        if (this.#count === 0) this.#onEmpty?.();
      } else this.#refill();
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#idle.push(connection);
    else waiting.resolve(connection);
  }

  /**
   * Runs a statement on a connection. If it is not answered in time, or the connection is lost,
   * the connection is closed.
   */
  queryOn(
    connection: Connection,
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> {
    return this.#inTime(connection, connection.query(statement, parameters));
  }

  /** As `queryOn`, for statements without parameters. */
  runOn(connection: Connection, text: string): Promise<void> {
    return this.#inTime(connection, connection.run(text));
  }

  /** Runs a statement on any connection. Rejects with the client's error. */
  async once(
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> {
    const connection = await this.acquire();
    try {
      return await this.queryOn(connection, statement, parameters);
    } finally {
      this.release(connection);
    }
  }

  /**
   * Runs a statement that changes nothing, or that may be repeated: again if the connection is
   * lost, or the server is busy, for as long as the options say.
   *
   * @throws {PostgresError} it failed
   */
  read(
    action: string,
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> {
    const failed = (error: unknown): Promise<readonly Row[]> =>
      this.#readAgain(action, statement, parameters, error);
    // A read of one key costs little more than its round trip, so promises count.
    const idle = this.#isClosed ? undefined : this.#takeIdle();
    if (idle === undefined) {
      return this.once(statement, parameters).catch(failed);
    }
    return this.queryOn(idle, statement, parameters).then((rows) => {
      this.release(idle);
      return rows;
    }, (error) => {
      this.release(idle);
      return failed(error);
    });
  }

  async #readAgain(
    action: string,
    statement: Statement,
    parameters: readonly Parameter[],
    failure: unknown,
  ): Promise<readonly Row[]> {
    const patience = new Patience(this.#options.retryMs);
    for (let error = failure;;) {
      const isFinal = error instanceof PostgresError ||
        failureOf(error).kind === "refused";
      if (isFinal || this.#isClosed || !await patience.wait()) {
        throw shownError(action, error);
      }
      try {
        return await this.once(statement, parameters);
      } catch (again) {
        error = again;
      }
    }
  }

  /** Closes every connection, when it is given back. Resolves when there is none. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const idle = this.#idle;
    this.#idle = [];
    for (
      const { reject } of [
        ...this.#waiting.splice(0),
        ...this.#waitingLong.splice(0),
      ]
    ) {
      reject(new Error("the pool is closed"));
    }
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    await Promise.all(idle.map((connection) => connection.close()));
    this.#count -= idle.length;
    if (this.#count > 0) await empty;
    this.#deadlines.close();
  }

  async #connect(): Promise<Connection> {
    this.#count++;
    try {
      return await this.#driver.connect();
    } catch (error) {
      this.#count--;
      if (this.#isClosed && this.#count === 0) this.#onEmpty?.();
      else this.#refill();
      throw error;
    }
  }

  /** A connection is gone: those who wait for one can have a new one. */
  #refill(): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#connect().then(waiting.resolve, waiting.reject);
    }
  }

  /** The result of a statement, or an error if it does not come in time. */
  #inTime<T>(connection: Connection, result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (failureOf(error).kind === "lost") connection.destroy();
        reject(error);
      };
      const deadline = this.#deadlines.start(fail);
      result.then((value) => {
        this.#deadlines.end(deadline);
        resolve(value);
      }, (error) => {
        this.#deadlines.end(deadline);
        fail(error);
      });
    });
  }
}

/** Pauses between attempts: longer each time, at random, for a limited time in all. */
export class Patience {
  readonly #end: number;
  #next = 5;

  constructor(ms: number) {
    this.#end = performance.now() + ms;
  }

  /** Waits; false if the time is over. */
  async wait(): Promise<boolean> {
    if (performance.now() >= this.#end) return false;
    const ms = this.#next * (0.5 + Math.random());
    this.#next = Math.min(this.#next * 2, 500);
    await new Promise((resolve) => setTimeout(resolve, ms));
    return true;
  }
}
