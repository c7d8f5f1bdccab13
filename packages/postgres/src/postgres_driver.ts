/** The driver for the client `postgres` (postgres.js). */

import { Buffer } from "node:buffer";
import { byteaText } from "./bytea_text.ts";
import {
  type Connection,
  type Driver,
  type DriverOptions,
  GOODBYE_MS,
  type Parameter,
  type Row,
  type Statement,
} from "./driver.ts";
import { type MakeSocket, Sockets } from "./sockets.ts";

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

/** The number of PostgreSQL's type of bytes. */
const BYTEA_TYPE = 17;

/** How bytes are sent and read. The client sends all parameters as text. */
const BYTEA = {
  to: BYTEA_TYPE,
  from: [BYTEA_TYPE],
  serialize: byteaText,
  parse: (text: string): Uint8Array => Buffer.from(text.slice(2), "hex"),
};

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
  const { prepare = true, connectTimeoutMs, ...given } = options;
  const limitMs = connectTimeoutMs ??
    1000 * Number(given["connect_timeout"] ?? 10);
  const start = (sockets: Sockets, onclose: () => void): Sql =>
    postgres(url, {
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
      // The limit of the client begins again with each attempt.
      connect_timeout: 0,
      socket: sockets.make,
      fetch_types: false,
      types: { ...given["types"] as object, bytea: BYTEA },
      prepare,
      onclose,
    });
  const newSockets = (): Sockets => new Sockets(given["socket"] as MakeSocket | undefined);
  return {
    name: "postgres",
    async connect() {
      const sockets = newSockets();
      const connection = new PostgresConnection(sockets, prepare);
      await connection.open(
        start(sockets, () => connection.onClose()),
        limitMs,
      );
      return connection;
    },
    async listen(channel, onNotify, onLost) {
      const sockets = newSockets();
      const sql = start(sockets, () => {});
      const close = (): Promise<void> => end(sql, sockets, 0);
      try {
        await sockets.first(sql.listen(channel, onNotify), limitMs);
      } catch (error) {
        await close();
        throw error;
      }
      // The client would listen again by itself. It gets no socket for it.
      sockets.onLost = () => {
        void close();
        onLost();
      };
      return { close };
    },
  };
}

/**
 * Closes everything. First the client's end: it writes to its socket, and nobody would catch the
 * error if TLS had lost its own meanwhile.
 */
async function end(sql: Sql, sockets: Sockets, limitMs: number): Promise<void> {
  sockets.makeNoMore();
  await sql.end({ timeout: limitMs / 1000 }).catch(() => {});
  sockets.destroy();
}

class PostgresConnection implements Connection {
  readonly #sockets: Sockets;
  readonly #prepare: boolean;
  #sql: Sql | undefined;
  #isClosed = false;
  /** The last query, if it has not ended. */
  #last: Promise<void> | undefined;

  constructor(sockets: Sockets, prepare: boolean) {
    this.#sockets = sockets;
    this.#prepare = prepare;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async open(sql: Sql, limitMs: number): Promise<void> {
    this.#sql = sql;
    try {
      await this.#sockets.first(sql.unsafe("SELECT 1").simple(), limitMs);
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
    void this.#end(0);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end(GOODBYE_MS);
  }

  async #end(limitMs: number): Promise<void> {
    if (this.#sql !== undefined) await end(this.#sql, this.#sockets, limitMs);
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
