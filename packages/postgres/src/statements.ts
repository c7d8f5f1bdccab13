/** The statements of a store. Each has a fixed text: everything that varies is a parameter. */

import type { Statement } from "./driver.ts";
import type { Names } from "./names.ts";
import { escapedColumn } from "./escaped_row.ts";
import { packedColumn } from "./page_row.ts";

/** Statements by what they do. */
export interface Statements {
  /** → what the server is, and its version. */
  readonly version: Statement;
  /** → format and the server's time in ms. */
  readonly format: Statement;
  /** key → value, time of expiry, also if it has expired. */
  readonly get: Statement;
  /** keys, offsets, lengths → index, value, version, time of expiry, also if it has expired. */
  readonly getMany: Statement;
  /** lower, upper, time → the number of keys. */
  readonly count: Statement;
  /** lower, upper, time, limit → the number of keys, up to the limit. */
  readonly countUpTo: Statement;
  /** lower, upper, time → the number and the digest of versions, as a commit checks it. */
  readonly digest: Statement;
  /**
   * A page: lower, upper, time, rows, bytes → key, value, version, time of expiry. One of small
   * values takes no bytes: see `pageIndex`.
   */
  readonly pages: readonly Statement[];
  /** See ddl.ts. */
  readonly write: Statement;
  readonly watch: Statement;
  readonly renew: Statement;
  /** position, rows → number, commits. */
  readonly log: Statement;
  /** time, rows → the number of removed entries that have expired. */
  readonly sweep: Statement;
  /** Removes a handle's row. */
  readonly forget: Statement;
  /** Removes the rows of handles that were not closed. */
  readonly forgetOld: Statement;
}

/** The longest value that a page of small values has. Longer ones are null there. */
export const SMALL_VALUE_BYTES = 2048;

/**
 * Which page statement. A plain one has neither versions nor times of expiry. One of small values
 * is bounded by its rows alone: to sum the bytes of each row before it costs the server more than
 * to find the rows. A plain one of small values has packed rows, as bytes or as text.
 */
export function pageIndex(
  reverse: boolean,
  hasUpper: boolean,
  withValues: boolean,
  isPlain: boolean,
  isSmall: boolean,
  isText: boolean,
): number {
  return (isText && isPlain && isSmall ? 32 : 0) + (isSmall ? 16 : 0) + (isPlain ? 8 : 0) +
    (reverse ? 4 : 0) + (hasUpper ? 2 : 0) + (withValues ? 1 : 0);
}

/** Makes the statements for a store. */
export function statementsOf(names: Names): Statements {
  const { table, meta, log, sessions, write, watch, renew } = names;
  const statement = (name: string, text: string): Statement => ({
    name: `tinykvs_${name}`,
    text,
  });
  const alive = "(exp IS NULL OR exp > $3::bigint)";
  const within = "k >= $1::bytea AND ($2::bytea IS NULL OR k < $2::bytea)";
  const page = (index: number): Statement => {
    const order = index & 4 ? "ORDER BY k DESC" : "ORDER BY k";
    const upper = index & 2 ? "AND k < $2::bytea" : "AND $2::bytea IS NULL";
    const value = index & 1 ? "v" : "NULL::bytea AS v";
    const rest = index & 8 ? "" : ", ver, exp";
    const where = `WHERE k >= $1::bytea ${upper} AND ${alive}`;
    if (index & 16) {
      const small = `CASE WHEN length(v) <= ${SMALL_VALUE_BYTES} THEN v END`;
      const column = index & 32 ? escapedColumn : packedColumn;
      const columns = index & 8
        ? column(index & 1 ? small : undefined)
        : `k, ${index & 1 ? `${small} AS v` : value}${rest}`;
      return statement(
        `page_${index}`,
        `SELECT ${columns} FROM ${table} ${where} ${order} LIMIT $4::bigint`,
      );
    }
    return statement(
      `page_${index}`,
      `SELECT k, v${rest} FROM (
         SELECT k, ${value}${rest},
           sum(length(k) + coalesce(length(${index & 1 ? "v" : "NULL::bytea"}), 0)) OVER (
             ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
         FROM ${table} ${where} ${order} LIMIT $4::bigint
       ) page WHERE before IS NULL OR before < $5::bigint`,
    );
  };
  return {
    version: statement("version", "SELECT version()"),
    format: statement(
      "format",
      `SELECT format, (extract(epoch FROM clock_timestamp()) * 1000)::float8 FROM ${meta}`,
    ),
    get: statement(
      "get",
      `SELECT v, exp FROM ${table} WHERE k = $1::bytea`,
    ),
    // OFFSET 0 keeps the planner from a join that reads all of the table.
    getMany: statement(
      "get_many",
      `SELECT o.i, t.v, t.ver, t.exp
       FROM unnest($2::text::integer[], $3::text::integer[]) WITH ORDINALITY o (at, k, i),
         LATERAL (
           SELECT v, ver, exp FROM ${table} WHERE k = substring($1::bytea FROM o.at FOR o.k)
           OFFSET 0
         ) t`,
    ),
    count: statement(
      "count",
      `SELECT count(*) FROM ${table} WHERE ${within} AND ${alive}`,
    ),
    countUpTo: statement(
      "count_up_to",
      `SELECT count(*) FROM (
         SELECT 1 FROM ${table} WHERE ${within} AND ${alive} LIMIT $4::bigint) counted`,
    ),
    digest: statement(
      "digest",
      `SELECT count(*), encode(sha256(convert_to(
         coalesce(string_agg(ver || ',', '' ORDER BY k), ''), 'UTF8')), 'hex')
       FROM ${table} WHERE ${within} AND ${alive}`,
    ),
    pages: Array.from({ length: 64 }, (_, index) => page(index)),
    write: statement(
      "write",
      `SELECT status, seq, watched FROM ${write}(
         $1::text::uuid, $2::bigint, $3::boolean, $4::boolean, $5::bytea, $6::bytea,
         ${list(7, 3, "integer[]")}, $10::text::bigint[], ${list(11, 7, "integer[]")},
         $18::text::bigint[], ${list(19, 2, "integer[]")}, $21::text::bigint[],
         ${list(22, 3, "integer[]")}, $25::text::boolean[], $26::text::text[], $27::bigint)`,
    ),
    watch: statement("watch", `SELECT seq FROM ${watch}()`),
    renew: statement("renew", `SELECT in_time, floor FROM ${renew}()`),
    log: statement(
      "log",
      `SELECT seq, ops FROM ${log} WHERE seq > $1::bigint ORDER BY seq LIMIT $2::bigint`,
    ),
    sweep: statement(
      "sweep",
      `WITH old AS (
         SELECT k FROM ${table} WHERE exp <= $1::bigint LIMIT $2::bigint FOR UPDATE SKIP LOCKED
       ) DELETE FROM ${table} t USING old WHERE t.k = old.k RETURNING 1`,
    ),
    forget: statement(
      "forget",
      `DELETE FROM ${sessions} WHERE id = $1::text::uuid`,
    ),
    forgetOld: statement(
      "forget_old",
      `DELETE FROM ${sessions} WHERE at < now() - interval '7 days'`,
    ),
  };
}

function list(from: number, count: number, type: string): string {
  return Array.from({ length: count }, (_, i) => `$${from + i}::text::${type}`)
    .join(", ");
}
