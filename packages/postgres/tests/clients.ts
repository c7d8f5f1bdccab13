/** The clients that the tests use. */

import pg from "pg";
import postgres from "postgres";
import { type Driver, type DriverOptions, pgDriver, postgresDriver } from "../mod.ts";

/** Drivers by the name of their client. */
export const clients: Readonly<
  Record<"pg" | "postgres", (url: string, options?: DriverOptions) => Driver>
> = {
  pg: (url, options) => pgDriver(pg, url, options),
  postgres: (url, options) => postgresDriver(postgres, url, { ...options }),
};
