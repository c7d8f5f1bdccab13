/**
 * Tables of PostgreSQL, by the packages @tinykvs/postgres and pg, which are optional. Both ways
 * keep every type and the times at which entries expire.
 */

import type { CopyProgress, CopyRange, CopyReport, PostgresStore } from "@tinykvs/postgres";
import { CommandError, EXIT, UsageError } from "../errors.ts";
import type { OpenStore } from "../store_access.ts";
import type { StoredEntry } from "../values/json_form.ts";

const GROUP = 512;

/** A copy of everything takes as long as it takes. */
const SNAPSHOT_MS = 7 * 24 * 3600 * 1000;

/** The address of a server as it may be shown: without a password. */
export function shownAddress(address: string): string {
  const { protocol, host, pathname } = urlOf(address);
  return `${protocol}//${host}${pathname}`;
}

function urlOf(address: string): URL {
  try {
    return new URL(address);
  } catch {
    // The address may have a password, so it is not shown.
    throw new UsageError(
      "The address of the server cannot be read",
      "Write postgres://user@host/database, and the password in PGPASSWORD.",
    );
  }
}

/** The entries of a table, as of one moment. */
export async function* postgresEntries(
  address: string,
  table: string,
): AsyncGenerator<StoredEntry[]> {
  await using store = await openTable(address, table, false);
  using snapshot = store.snapshot();
  await using cursor = snapshot.timedEntries({ keyEncoding: "bytes" });
  for (;;) {
    const entries = await cursor.nextMany(GROUP);
    if (entries.length > 0) yield entries.map(storedEntry);
    if (entries.length < GROUP) return;
  }
}

function storedEntry(
  { key, value, expiresAt }: Awaited<ReturnType<PostgresStore["getEntry"]>> & object,
): StoredEntry {
  const entry = { key: key as Uint8Array, value };
  return expiresAt === undefined ? entry : { ...entry, expiresAt };
}

/**
 * Makes a range of a table equal to that of a store, as it is at this moment, and compares the two.
 *
 * @param replace is asked before anything is changed, if the table has entries in the range
 */
export async function writePostgres(
  store: OpenStore,
  address: string,
  table: string,
  options: {
    readonly range: CopyRange;
    readonly replace: () => Promise<void>;
    readonly onProgress: (progress: CopyProgress) => void;
    readonly signal: AbortSignal;
  },
): Promise<CopyReport> {
  const { copyStore } = await packages();
  await using target = await openTable(address, table, true);
  const { range, onProgress, signal } = options;
  const isFilled = (await target.keys({ ...range, limit: 1 }).toArray()).length > 0;
  if (isFilled) await options.replace();
  return await copyStore(store, target, { range, resume: isFilled, onProgress, signal });
}

/** Opens a table. Its name is checked before anything is sent. */
async function openTable(
  address: string,
  table: string,
  create: boolean,
): Promise<PostgresStore> {
  urlOf(address);
  const { openPostgres, pgDriver, pg } = await packages();
  try {
    return await openPostgres(pgDriver(pg, address), {
      table,
      create,
      keyEncoding: "bytes",
      snapshotMs: SNAPSHOT_MS,
      queryTimeoutMs: 10 * 60 * 1000,
      sweepIntervalMs: Infinity,
      listen: false,
    });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

async function packages(): Promise<
  typeof import("@tinykvs/postgres") & { readonly pg: typeof import("pg").default }
> {
  try {
    const [own, { default: pg }] = await Promise.all([
      import("@tinykvs/postgres"),
      import("pg"),
    ]);
    return { ...own, pg };
  } catch (error) {
    throw new CommandError(
      EXIT.refused,
      "PostgreSQL needs the packages @tinykvs/postgres and pg, which are not here",
      "Install them beside this command: npm install @tinykvs/postgres pg. The compiled file has " +
        "none.",
      { cause: error },
    );
  }
}
