/** The tables and functions of a store, as SQL. */

import { type Names, namesOf } from "./names.ts";

/** The version of the format that this package reads and writes. */
export const FORMAT = 1;

/** The first number of the store's advisory lock; the second one is the table's. */
const LOCK_CLASS = 0x54_4b_56_53;

/** How long somebody counts as watching after the last renewal. */
export const LEASE_SECONDS = 60;

/** For how long commits are kept for those who watch. */
export const LOG_SECONDS = 600;

/**
 * The statements that make a store, for an administrator who runs them: a role that only reads and
 * writes needs no right to create.
 *
 * @example
 * ```ts
 * import { schemaSql } from "@tinykvs/postgres";
 *
 * console.log(schemaSql({ table: "kv" }).includes('CREATE TABLE IF NOT EXISTS "public"."kv"'));
 * ```
 */
export function schemaSql(
  { table, schema = "public" }: {
    readonly table: string;
    readonly schema?: string;
  },
): string {
  return createStatements(namesOf(table, schema));
}

/** All of it, in one transaction. Several handles may run it at the same time. */
export function createStatements(names: Names): string {
  const { shown, schema, table, meta, log, sessions, sequence } = names;
  return `BEGIN;
SELECT pg_advisory_xact_lock(${LOCK_CLASS}, hashtext('${shown}'));
CREATE SCHEMA IF NOT EXISTS ${schema};
CREATE TABLE IF NOT EXISTS ${table} (
  k bytea PRIMARY KEY,
  v bytea NOT NULL,
  ver bigint NOT NULL,
  exp bigint
);
CREATE INDEX IF NOT EXISTS ${indexName(names)} ON ${table} (exp) WHERE exp IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${meta} (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  format integer NOT NULL,
  watched_until timestamptz NOT NULL DEFAULT '-infinity',
  log_floor bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS ${log} (
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  ops bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS ${sessions} (
  id uuid PRIMARY KEY,
  last bigint NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE SEQUENCE IF NOT EXISTS ${sequence};
${writeFunction(names)}
${watchFunctions(names)}
INSERT INTO ${meta} (format) VALUES (${FORMAT}) ON CONFLICT DO NOTHING;
COMMIT;`;
}

/** Removes everything that `createStatements` makes. */
export function dropStatements(names: Names): string {
  const { table, meta, log, sessions, sequence, write, watch, renew } = names;
  return `DROP TABLE IF EXISTS ${table}, ${meta}, ${log}, ${sessions};
DROP SEQUENCE IF EXISTS ${sequence};
DROP FUNCTION IF EXISTS ${write}, ${watch}, ${renew};`;
}

function indexName({ shown }: Names): string {
  return `"${shown.slice(shown.indexOf(".") + 1)}_exp"`;
}

/**
 * Every write is one call of this function, and so one transaction and one turn of the network.
 *
 * The lock makes commits of transactions exact: a writer has it in shared mode, and a transaction
 * that has read something has it alone. So nothing is under way while what it read is checked.
 * While somebody watches, every writer has it alone, so that the log is in the order of commits.
 * A statement of the function sees everything that was committed before the statement began
 * (READ COMMITTED), and so everything from before the lock.
 *
 * Keys and values are pieces of `p_data`, given by offsets and lengths: clients differ in how they
 * send arrays of bytes.
 */
function writeFunction(
  { table, meta, log, sessions, sequence, write, channel }: Names,
): string {
  const lock = `${LOCK_CLASS}, '${table}'::regclass::oid::integer`;
  const piece = (at: string, length: string): string =>
    `substring(p_data FROM ${at} FOR ${length})`;
  const conflict = "RAISE EXCEPTION USING ERRCODE = 'TK409', MESSAGE = 'conflict'";
  return `CREATE OR REPLACE FUNCTION ${write}(
  p_session uuid, p_batch bigint, p_alone boolean, p_sync boolean, p_data bytea, p_log bytea,
  p_put_at integer[], p_put_k integer[], p_put_v integer[], p_put_exp bigint[],
  p_del_at integer[], p_del_k integer[],
  p_range_at integer[], p_range_lower integer[], p_range_upper integer[],
  p_if_at integer[], p_if_k integer[], p_if_ver bigint[],
  p_read_at integer[], p_read_k integer[], p_read_ver bigint[],
  p_scan_at integer[], p_scan_lower integer[], p_scan_upper integer[], p_scan_reverse boolean[],
  p_scan_digest text[], p_scan_time bigint,
  OUT status integer, OUT seq bigint, OUT watched boolean
) LANGUAGE plpgsql AS $tinykvs$
DECLARE
  v_last bigint;
  v_seq bigint;
  v_count bigint;
  v_digest text;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = '25001', MESSAGE =
      'writes need the isolation level "read committed", found ' ||
      current_setting('transaction_isolation');
  END IF;
  IF p_sync THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  IF p_alone THEN
    PERFORM pg_advisory_xact_lock(${lock});
  ELSE
    PERFORM pg_advisory_xact_lock_shared(${lock});
  END IF;
  SELECT m.watched_until > clock_timestamp() INTO watched FROM ${meta} m;
  IF p_session IS NOT NULL THEN
    SELECT s.last, s.seq INTO v_last, v_seq FROM ${sessions} s WHERE s.id = p_session FOR UPDATE;
    IF NOT FOUND THEN
      INSERT INTO ${sessions} (id, last, seq) VALUES (p_session, 0, 0) ON CONFLICT DO NOTHING;
      SELECT s.last, s.seq INTO v_last, v_seq FROM ${sessions} s WHERE s.id = p_session FOR UPDATE;
    END IF;
    IF v_last >= p_batch THEN
      status := 0;
      seq := v_seq;
      RETURN;
    END IF;
  END IF;
  IF watched AND (p_log IS NULL OR NOT p_alone) THEN
    status := 1;
    RETURN;
  END IF;
  seq := nextval('${sequence}');
  IF p_read_at IS NOT NULL THEN
    PERFORM 1 FROM unnest(p_read_at, p_read_k, p_read_ver) r (at, k, ver)
      LEFT JOIN ${table} t ON t.k = ${piece("r.at", "r.k")}
      WHERE coalesce(t.ver, 0) <> r.ver;
    IF FOUND THEN ${conflict}; END IF;
  END IF;
  IF p_scan_at IS NOT NULL THEN
    FOR i IN 1 .. cardinality(p_scan_at) LOOP
      SELECT count(*) || ':' || encode(sha256(convert_to(coalesce(
          CASE WHEN p_scan_reverse[i] THEN string_agg(t.ver || ',', '' ORDER BY t.k DESC)
          ELSE string_agg(t.ver || ',', '' ORDER BY t.k) END, ''), 'UTF8')), 'hex')
        INTO v_digest FROM ${table} t
        WHERE t.k >= ${piece("p_scan_at[i]", "p_scan_lower[i]")}
          AND (p_scan_upper[i] < 0
            OR t.k < ${piece("p_scan_at[i] + p_scan_lower[i]", "greatest(p_scan_upper[i], 0)")})
          AND (t.exp IS NULL OR t.exp > p_scan_time);
      IF v_digest <> p_scan_digest[i] THEN ${conflict}; END IF;
    END LOOP;
  END IF;
  IF p_if_at IS NOT NULL THEN
    SELECT count(*) INTO v_count FROM (
      SELECT 1 FROM unnest(p_if_at, p_if_k, p_if_ver) e (at, k, ver)
        JOIN ${table} t ON t.k = ${piece("e.at", "e.k")} AND t.ver = e.ver
        ORDER BY t.k FOR UPDATE OF t
    ) found;
    INSERT INTO ${table} (k, v, ver)
      SELECT ${piece("e.at", "e.k")}, '', seq
        FROM unnest(p_if_at, p_if_k, p_if_ver) e (at, k, ver) WHERE e.ver = 0 ORDER BY 1
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      IF v_count <> cardinality(p_if_at) THEN ${conflict}; END IF;
    ELSE
      GET DIAGNOSTICS v_last = ROW_COUNT;
      IF v_count + v_last <> cardinality(p_if_at) THEN ${conflict}; END IF;
    END IF;
  END IF;
  IF p_range_at IS NOT NULL THEN
    FOR i IN 1 .. cardinality(p_range_at) LOOP
      IF p_range_upper[i] < 0 THEN
        DELETE FROM ${table} t WHERE t.k >= ${piece("p_range_at[i]", "p_range_lower[i]")};
      ELSE
        DELETE FROM ${table} t WHERE t.k >= ${piece("p_range_at[i]", "p_range_lower[i]")}
          AND t.k < ${piece("p_range_at[i] + p_range_lower[i]", "p_range_upper[i]")};
      END IF;
    END LOOP;
  END IF;
  IF p_del_at IS NOT NULL THEN
    DELETE FROM ${table} t USING unnest(p_del_at, p_del_k) d (at, k)
      WHERE t.k = ${piece("d.at", "d.k")};
  END IF;
  IF p_put_at IS NOT NULL THEN
    INSERT INTO ${table} (k, v, ver, exp)
      SELECT ${piece("p.at", "p.k")}, ${piece("p.at + p.k", "p.v")}, seq, p.exp
        FROM unnest(p_put_at, p_put_k, p_put_v, p_put_exp) p (at, k, v, exp)
      ON CONFLICT (k) DO UPDATE SET v = excluded.v, ver = excluded.ver, exp = excluded.exp;
  END IF;
  IF watched THEN
    INSERT INTO ${log} (seq, ops) VALUES (seq, p_log);
    PERFORM pg_notify('${channel}', '');
  END IF;
  IF p_session IS NOT NULL THEN
    UPDATE ${sessions} s SET last = p_batch, seq = ${write}.seq, at = now() WHERE s.id = p_session;
  END IF;
  status := 0;
END $tinykvs$;`.replaceAll(`${write}.seq`, functionLabel(write) + ".seq");
}

/** A variable of a function is qualified by the function's name without its schema. */
function functionLabel(quoted: string): string {
  return quoted.slice(quoted.indexOf(".") + 1);
}

/**
 * To begin: wait for the writers that do not know of it yet, then note until when somebody watches.
 * To go on: note it again, tell whether it was noted in time, and drop old commits.
 */
function watchFunctions(
  { table, meta, log, sequence, watch, renew }: Names,
): string {
  return `CREATE OR REPLACE FUNCTION ${watch}(OUT seq bigint) LANGUAGE plpgsql AS $tinykvs$
BEGIN
  PERFORM pg_advisory_xact_lock(${LOCK_CLASS}, '${table}'::regclass::oid::integer);
  UPDATE ${meta} SET watched_until =
    greatest(watched_until, clock_timestamp() + interval '${LEASE_SECONDS} seconds');
  SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO seq FROM ${sequence} s;
END $tinykvs$;
CREATE OR REPLACE FUNCTION ${renew}(OUT in_time boolean, OUT floor bigint)
LANGUAGE plpgsql AS $tinykvs$
DECLARE
  v_dropped bigint;
BEGIN
  -- A writer may have judged by the time just before this one is committed.
  SELECT m.watched_until > clock_timestamp() + interval '10 seconds', m.log_floor
    INTO in_time, floor FROM ${meta} m FOR UPDATE;
  WITH dropped AS (
    DELETE FROM ${log} l WHERE l.at < now() - interval '${LOG_SECONDS} seconds' RETURNING l.seq
  ) SELECT max(d.seq) INTO v_dropped FROM dropped d;
  floor := greatest(floor, v_dropped);
  UPDATE ${meta} SET log_floor = renew_floor.value, watched_until =
    greatest(watched_until, clock_timestamp() + interval '${LEASE_SECONDS} seconds')
    FROM (SELECT floor AS value) renew_floor;
END $tinykvs$;`;
}
