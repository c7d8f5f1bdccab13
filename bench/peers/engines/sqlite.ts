/**
 * SQLite through three drivers, with the same file and statements:
 *
 * - better-sqlite3, docs/performance.md: WAL mode; README: prepared statements, `pluck`, `raw`,
 *   "select 100 rows" by `all()` faster than one by one;
 * - node:sqlite (Node and Deno), https://nodejs.org/api/sqlite.html: prepared statements,
 *   `setReturnArrays`;
 * - bun:sqlite, https://bun.com/docs/runtime/sqlite: WAL mode recommended, `query` caches
 *   statements, `values()` returns arrays.
 *
 * WITHOUT ROWID: https://sqlite.org/withoutrowid.html "Benefits": one B-tree search instead of two
 * where the key is not an integer and rows are small. https://sqlite.org/pragma.html: `cache_size`
 * in KiB where negative; `locking_mode` EXCLUSIVE "to reduce the number of system calls";
 * `synchronous` OFF "continues without syncing as soon as it has handed data off to the operating
 * system", FULL with WAL fsyncs the log in each commit. All of it is synchronous: there is no
 * `await` form and nothing can be in flight.
 */

import {
  type Engine,
  type EngineKind,
  type LoadedEngine,
  type OpenOptions,
  type ScanRange,
  type See,
  versionOf,
} from "../engine.ts";

/** What a statement that reads entries gives. */
type Row = [string, Uint8Array];

/** A prepared statement, in the words of better-sqlite3; the other drivers are given this shape. */
interface Statement {
  run(...parameters: unknown[]): unknown;
  /** The first column of the first row. */
  value(...parameters: unknown[]): unknown;
  iterate(...parameters: unknown[]): Iterable<Row>;
  all(...parameters: unknown[]): Row[];
}

/** A driver's open database. */
interface Driver {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

const pageLength = 1000;

function openEngine(driver: Driver, { durability, cacheBytes }: OpenOptions): Engine {
  driver.exec("PRAGMA locking_mode = EXCLUSIVE");
  driver.exec("PRAGMA journal_mode = WAL");
  driver.exec(`PRAGMA synchronous = ${durability === "durable" ? "FULL" : "OFF"}`);
  driver.exec(`PRAGMA cache_size = ${cacheBytes === 0 ? 0 : -Math.floor(cacheBytes / 1024)}`);
  driver.exec(
    "CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID",
  );
  const insert = driver.prepare("INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)");
  const select = driver.prepare("SELECT v FROM kv WHERE k = ?");
  const begin = driver.prepare("BEGIN");
  const commit = driver.prepare("COMMIT");
  const forward = driver.prepare("SELECT k, v FROM kv ORDER BY k");
  const backward = driver.prepare("SELECT k, v FROM kv ORDER BY k DESC");
  const between = driver.prepare("SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k");
  const after = driver.prepare(`SELECT k, v FROM kv WHERE k > ? ORDER BY k LIMIT ${pageLength}`);
  const keys = driver.prepare("SELECT k FROM kv ORDER BY k");
  const own = {
    get: (key: string) => select.value(key) as Uint8Array | undefined,
    put: (key: string, value: Uint8Array) => void insert.run(key, value),
  };
  return {
    putSync: (key, value) => void insert.run(key, value),
    transactionSync: (body) => {
      begin.run();
      body(own);
      commit.run();
    },
    writeBatch: (keys, values) => {
      begin.run();
      for (let i = 0; i < keys.length; i++) insert.run(keys[i], values[i]);
      commit.run();
    },
    getSync: (key) => select.value(key) as Uint8Array | undefined,
    scanForOf: ({ prefix, end, reverse }: ScanRange, see: See) => {
      if (prefix !== null) {
        for (const row of between.iterate(prefix, end)) see(row[0], row[1]);
      } else for (const row of (reverse ? backward : forward).iterate()) see(row[0], row[1]);
    },
    scanBulk: ({ prefix, end }: ScanRange, see: See) => {
      if (prefix !== null) {
        for (const row of between.all(prefix, end)) see(row[0], row[1]);
        return;
      }
      for (let last = "";;) {
        const page = after.all(last);
        for (let i = 0; i < page.length; i++) see(page[i]![0], page[i]![1]);
        if (page.length < pageLength) return;
        last = page[page.length - 1]![0];
      }
    },
    listKeys: (see) => {
      for (const [key] of keys.iterate()) see(key);
    },
    compact: () => {
      driver.exec("VACUUM");
      driver.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    close: () => driver.close(),
  };
}

interface BetterStatement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): unknown;
  iterate(...parameters: unknown[]): Iterable<Row>;
  all(...parameters: unknown[]): Row[];
  pluck(): BetterStatement;
  raw(): BetterStatement;
  readonly reader: boolean;
}

interface BetterModule {
  default: new (file: string) => {
    exec(sql: string): void;
    prepare(sql: string): BetterStatement;
    close(): void;
  };
}

async function loadBetterSqlite(): Promise<LoadedEngine> {
  const name = "better-sqlite3";
  const { default: Database } = await import(name) as BetterModule;
  const open = (options: OpenOptions): Engine => {
    const db = new Database(`${options.directory}/kv.db`);
    const prepare = (sql: string): Statement => {
      const statement = db.prepare(sql);
      if (statement.reader) sql.startsWith("SELECT v") ? statement.pluck() : statement.raw();
      return {
        run: statement.run.bind(statement),
        value: statement.get.bind(statement),
        iterate: statement.iterate.bind(statement),
        all: statement.all.bind(statement),
      };
    };
    return openEngine({ exec: (sql) => db.exec(sql), prepare, close: () => db.close() }, options);
  };
  return { version: await versionOf(name), open };
}

interface NodeStatement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): Row | undefined;
  iterate(...parameters: unknown[]): Iterable<Row>;
  all(...parameters: unknown[]): Row[];
  setReturnArrays(enabled: boolean): void;
}

interface NodeModule {
  DatabaseSync: new (file: string) => {
    exec(sql: string): void;
    prepare(sql: string): NodeStatement;
    close(): void;
  };
}

async function loadNodeSqlite(): Promise<LoadedEngine> {
  const name = "node:sqlite";
  const { DatabaseSync } = await import(name) as NodeModule;
  const memory = new DatabaseSync(":memory:");
  const found = memory.prepare("SELECT sqlite_version() AS version").get() as unknown;
  memory.close();
  const open = (options: OpenOptions): Engine => {
    const db = new DatabaseSync(`${options.directory}/kv.db`);
    const prepare = (sql: string): Statement => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return {
        run: statement.run.bind(statement),
        value: (...parameters) => statement.get(...parameters)?.[0],
        iterate: statement.iterate.bind(statement),
        all: statement.all.bind(statement),
      };
    };
    return openEngine({ exec: (sql) => db.exec(sql), prepare, close: () => db.close() }, options);
  };
  return { version: `SQLite ${(found as { version: string }).version}`, open };
}

interface BunStatement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): { v: Uint8Array } | null;
  values(...parameters: unknown[]): Row[];
  iterate(...parameters: unknown[]): Iterable<{ k: string; v: Uint8Array }>;
}

interface BunModule {
  Database: new (file: string) => {
    run(sql: string): void;
    query(sql: string): BunStatement;
    close(): void;
  };
}

async function loadBunSqlite(): Promise<LoadedEngine> {
  const name = "bun:sqlite";
  const { Database } = await import(name) as BunModule;
  const memory = new Database(":memory:");
  const [found] = memory.query("SELECT sqlite_version()").values();
  memory.close();
  const open = (options: OpenOptions): Engine => {
    const db = new Database(`${options.directory}/kv.db`);
    const prepare = (sql: string): Statement => {
      const statement = db.query(sql);
      return {
        run: statement.run.bind(statement),
        value: (...parameters) => statement.get(...parameters)?.v,
        // Rows of `iterate` are objects in this driver, so it has no arrays to hand over.
        iterate: function* (...parameters): Generator<Row> {
          for (const row of statement.iterate(...parameters)) yield [row.k, row.v];
        },
        all: statement.values.bind(statement),
      };
    };
    return openEngine({ exec: (sql) => db.run(sql), prepare, close: () => db.close() }, options);
  };
  return { version: `SQLite ${String(found?.[0])}`, open };
}

const notes = "none: WAL with synchronous OFF, in the operating system when a put returns, never " +
  "fsynced; the file may be corrupt after power loss. durable: WAL with synchronous FULL, fsync " +
  "in each commit. Uncompressed; synchronous only";

/** The drivers. */
export const sqliteKinds: readonly EngineKind[] = [
  { name: "better-sqlite3", runtimes: ["node"], notes, load: loadBetterSqlite },
  { name: "node:sqlite", runtimes: ["node", "deno"], notes, load: loadNodeSqlite },
  { name: "bun:sqlite", runtimes: ["bun"], notes, load: loadBunSqlite },
];
