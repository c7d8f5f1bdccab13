/**
 * The contract of TinyKVS stores over PostgreSQL, for data that outgrows one machine. An
 * application that is written against `@tinykvs/core/contract` moves here without change.
 *
 * @example
 * ```ts ignore
 * import { openPostgres, pgDriver } from "@tinykvs/postgres";
 * import pg from "pg";
 *
 * const driver = pgDriver(pg, "postgres://localhost/app");
 * await using store = await openPostgres(driver, { table: "kv" });
 * await store.put("user:1", { name: "Alice" });
 * for await (const [key, value] of store.entries({ prefix: "user:" })) console.log(key, value);
 * ```
 *
 * @module
 */

export {
  type CopyOptions,
  type CopyProgress,
  type CopyRange,
  type CopyReport,
  copyStore,
  digestOf,
} from "./src/copy.ts";
export { schemaSql } from "./src/ddl.ts";
export type { Connection, Driver, DriverOptions, Parameter, Row, Statement } from "./src/driver.ts";
export { OutcomeUnknownError, PostgresError, type PostgresReason } from "./src/errors.ts";
export { openPostgres, type PostgresOptions } from "./src/open.ts";
export {
  MAX_POSTGRES_KEY_BYTES,
  MAX_POSTGRES_VALUE_BYTES,
  MAX_POSTGRES_WRITE_BYTES,
} from "./src/operations.ts";
export { type PgClient, pgDriver, type PgModule } from "./src/pg_driver.ts";
export { postgresDriver, type PostgresModule } from "./src/postgres_driver.ts";
export type { PostgresStore } from "./src/store.ts";
