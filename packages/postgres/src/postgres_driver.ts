/** The driver for the client `postgres` (postgres.js). */

import type { Connection, Driver, DriverOptions, Parameter, Row, Statement } from "./driver.ts";

/** The part of a query of postgres.js that the driver uses. */
interface Query extends PromiseLike<unknown> {
  values(): PromiseLike<unknown>;
  simple(): PromiseLike<unknown>;
}

/** The part of the object `sql` of postgres.js that the driver uses. */
export interface Sql {
  unsafe(
    text: string,
    parameters?: readonly Parameter[],
    options?: { prepare: boolean },
  ): Query;
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen?: () => void,
  ): Promise<{ unlisten(): Promise<void> }>;
  end(options?: { timeout?: number }): Promise<void>;
}

/** The default export of the module `postgres`. */
// deno-lint-ignore no-explicit-any
export type PostgresModule = (...parameters: any[]) => any;

/**
 * Connects by postgres.js: `postgresDriver(postgres, "postgres://localhost/app")`. The third
 * argument takes the options of `postgres()`, too.
 *
 * @example
 * ```ts ignore
 * import { openPostgres, postgresDriver } from "@tinykvs/postgres";
 * import postgres from "postgres";
 *
 * const driver = postgresDriver(postgres, "postgres://localhost/app");
 * await using store = await openPostgres(driver, { table: "kv" });
 * ```
 */
export function postgresDriver(
  postgres: PostgresModule,
  url: string,
  options: DriverOptions & { readonly [name: string]: unknown } = {},
): Driver {
  const { prepare = true, connectTimeoutMs = 10_000, ...given } = options;
  const start = (onclose: () => void): Sql =>
    postgres(url, {
      connect_timeout: connectTimeoutMs / 1000,
      onnotice: () => {},
      ...given,
      connection: {
        application_name: "tinykvs",
        ...given["connection"] as object,
      },
      // One object, one connection: so that it can be thrown away, and nothing is sent on another
      // one when it is lost.
      max: 1,
      max_lifetime: null,
      idle_timeout: 0,
      fetch_types: false,
      prepare,
      onclose,
    });
  return {
    name: "postgres",
    async connect() {
      const connection = new PostgresConnection(prepare);
      await connection.open(start(() => connection.onClose()));
      return connection;
    },
    async listen(channel, onNotify) {
      // It connects again by itself, and calls the third argument each time.
      const sql = start(() => {});
      try {
        await sql.listen(channel, onNotify, onNotify);
      } catch (error) {
        await sql.end({ timeout: 0 }).catch(() => {});
        throw error;
      }
      return { close: () => sql.end({ timeout: 0 }).catch(() => {}) };
    },
  };
}

class PostgresConnection implements Connection {
  readonly #prepare: boolean;
  #sql: Sql | undefined;
  #isClosed = false;
  /** The last query, if it has not ended. */
  #last: Promise<void> | undefined;

  constructor(prepare: boolean) {
    this.#prepare = prepare;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async open(sql: Sql): Promise<void> {
    this.#sql = sql;
    try {
      await sql.unsafe("SELECT 1").simple();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** The client would connect again for the next query, and lose the transaction. */
  onClose(): void {
    if (!this.#isClosed) this.destroy();
  }

  async query(
    { text }: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]> {
    const rows = await this.#inTurn((sql) =>
      sql.unsafe(text, parameters, { prepare: this.#prepare }).values()
    );
    return rows as readonly Row[];
  }

  async run(text: string): Promise<void> {
    await this.#inTurn((sql) => sql.unsafe(text).simple());
  }

  destroy(): void {
    this.#isClosed = true;
    this.#sql?.end({ timeout: 0 }).catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sql?.end({ timeout: 1 }).catch(() => {});
  }

  /** One query at a time: none may be waiting in the client when the connection is lost. */
  #inTurn(run: (sql: Sql) => PromiseLike<unknown>): Promise<unknown> {
    const result = this.#last === undefined
      ? this.#begin(run)
      : this.#last.then(() => this.#begin(run));
    const end = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last = result.then(end, end);
    this.#last = last;
    return result;
  }

  async #begin(run: (sql: Sql) => PromiseLike<unknown>): Promise<unknown> {
    if (this.#isClosed) throw new Error("the connection is closed");
    return await run(this.#sql!);
  }
}
