/** The driver for the client `pg` (node-postgres). */

import {
  type Connection,
  type Driver,
  type DriverOptions,
  GOODBYE_MS,
  type Parameter,
  type Row,
  type Statement,
  timerMs,
} from "./driver.ts";

/** The part of a `pg.Client` that the driver uses. */
export interface PgClient {
  /** Opens the connection. */
  connect(): Promise<unknown>;
  /** Runs statements. */
  // deno-lint-ignore no-explicit-any
  query(config: any): Promise<any>;
  /** Closes the connection. */
  end(): Promise<void>;
  /** Events: "error", "end", "notification". */
  // deno-lint-ignore no-explicit-any
  on(event: any, listener: (...parameters: any[]) => void): unknown;
}

/** The part of the module `pg` that the driver uses. */
export interface PgModule {
  /** The class of connections. */
  // deno-lint-ignore no-explicit-any
  readonly Client: new (config: any) => PgClient;
}

/**
 * Connects by `pg`: `pgDriver(pg, "postgres://localhost/app")`. The second argument is what
 * `new pg.Client()` takes.
 *
 * @example
 * ```ts ignore
 * import { openPostgres, pgDriver } from "@tinykvs/postgres";
 * import pg from "pg";
 *
 * await using store = await openPostgres(pgDriver(pg, process.env.DATABASE_URL), { table: "kv" });
 * ```
 */
export function pgDriver(
  pg: PgModule,
  config: string | object = {},
  { prepare = true, connectTimeoutMs = 10_000 }: DriverOptions = {},
): Driver {
  const given = typeof config === "string" ? { connectionString: config } : config;
  const full = {
    application_name: "tinykvs",
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    ...given,
  };
  const connect = async (): Promise<PgConnection> => {
    const client = new pg.Client(full);
    const connection = new PgConnection(client, prepare);
    try {
      await client.connect();
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  };
  return {
    name: "pg",
    connect,
    async listen(channel, onNotify, onLost) {
      const connection = await connect();
      connection.client.on("notification", () => onNotify());
      connection.client.on("end", () => onLost());
      const timer = setTimeout(() => connection.destroy(), timerMs(connectTimeoutMs));
      try {
        await connection.run(`LISTEN "${channel}"`);
      } catch (error) {
        connection.destroy();
        throw error;
      } finally {
        clearTimeout(timer);
      }
      return connection;
    },
  };
}

class PgConnection implements Connection {
  readonly client: PgClient;
  readonly #prepare: boolean;
  #isClosed = false;
  /** The last query, if it has not ended. */
  #last: Promise<void> | undefined;

  constructor(client: PgClient, prepare: boolean) {
    this.client = client;
    this.#prepare = prepare;
    const onEnd = (): void => {
      this.#isClosed = true;
    };
    client.on("error", onEnd);
    client.on("end", onEnd);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async query(
    { text, name }: Statement,
    values: readonly Parameter[],
  ): Promise<readonly Row[]> {
    const config = { text, values, rowMode: "array" };
    const result = await this.#inTurn(
      this.#prepare ? { ...config, name } : config,
    );
    return result.rows;
  }

  async run(text: string): Promise<void> {
    await this.#inTurn(text);
  }

  /** The client wants one query at a time. */
  #inTurn(query: string | object): Promise<{ rows: readonly Row[] }> {
    const result: Promise<{ rows: readonly Row[] }> = this.#last === undefined
      ? this.client.query(query)
      : this.#last.then(() => this.client.query(query));
    const end = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last = result.then(end, end);
    this.#last = last;
    return result;
  }

  destroy(): void {
    this.#isClosed = true;
    // `end` waits for queries that are under way; the socket does not.
    this.#destroySocket();
    this.client.end().catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const timer = setTimeout(() => this.#destroySocket(), GOODBYE_MS);
    await this.client.end().catch(() => {});
    clearTimeout(timer);
  }

  #destroySocket(): void {
    const { connection } = this.client as {
      connection?: { stream?: { destroy?(): void } };
    };
    connection?.stream?.destroy?.();
  }
}
