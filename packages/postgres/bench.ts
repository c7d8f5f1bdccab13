/**
 * The store beside raw SQL by the same client on the same server.
 *
 *     node packages/postgres/bench.ts [pg|postgres] [part of a name]
 *
 * The two run in turns, each for some tens of milliseconds. "raw" and "store" are medians of
 * operations a second; "of raw" is the median of the relations of the turns. "by CPU" is the same
 * from the processor time of the client and the server together, which other programs on the
 * machine disturb less (Linux only). Raw SQL has one connection for each caller, at most 16, as a
 * pool does. The first one is that of the store.
 */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Connection, Driver, Parameter, Statement } from "./mod.ts";
import { openPostgres } from "./mod.ts";
import { clients } from "./tests/clients.ts";
import { startServer } from "./tests/server.ts";

const KEYS = 20_000;
const ROUNDS = 41;
const CONNECTIONS = 16;
const key = (i: number): string => `key:${String(i % KEYS).padStart(8, "0")}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const value = "x".repeat(100);
const decoder = new TextDecoder();

const [onlyClient, onlyName = ""] = process.argv.slice(2);

/**
 * Processor time of this process and of `serverProcesses`, in ms; NaN if the system does not say.
 * To list the processes takes another process. This one would pay for it in the turn that follows,
 * because the system then copies each page that it writes to. So they are listed once a row.
 */
function processorMs(serverProcesses: readonly number[]): number {
  const { user, system } = process.cpuUsage();
  try {
    const nanoseconds = serverProcesses
      .map((pid) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]));
    return (user + system) / 1000 + nanoseconds.reduce((sum, n) => sum + n, 0) / 1e6;
  } catch {
    return NaN;
  }
}

/** Milliseconds of one turn. */
interface Measured {
  readonly wall: number;
  readonly cpu: number;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((x, y) => x - y)[numbers.length >> 1]!;
}

/** Measures both in turns, and prints how they compare. */
async function compare(
  name: string,
  count: number,
  raw: () => Promise<unknown>,
  store: () => Promise<unknown>,
): Promise<void> {
  if (!name.includes(onlyName)) return;
  const measure = async (run: () => Promise<unknown>): Promise<Measured> => {
    const cpu = processorMs(pids);
    const start = performance.now();
    await run();
    return { wall: performance.now() - start, cpu: processorMs(pids) - cpu };
  };
  await raw();
  await store();
  const pids = server.processes();
  const rounds: { readonly raw: Measured; readonly store: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Each goes first as often as the other.
    if (round % 2 === 0) {
      const first = await measure(raw);
      rounds.push({ raw: first, store: await measure(store) });
    } else {
      const first = await measure(store);
      rounds.push({ raw: await measure(raw), store: first });
    }
  }
  const rate = (milliseconds: number[]): string =>
    `${Math.round(count / median(milliseconds) * 1000)}/s`.padStart(12);
  const percent = (n: number): string => `${Math.round(n * 100)} %`.padStart(9);
  console.log(
    name.padEnd(24) + rate(rounds.map((round) => round.raw.wall)) +
      rate(rounds.map((round) => round.store.wall)) +
      percent(
        median(rounds.map((round) => round.raw.wall / round.store.wall)),
      ) +
      percent(median(rounds.map((round) => round.raw.cpu / round.store.cpu))),
  );
}

/** Runs `each` for numbers up to `count`, a number of them at a time. */
async function many(
  count: number,
  width: number,
  each: (i: number, worker: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const work = async (_: unknown, worker: number): Promise<void> => {
    while (next < count) await each(next++, worker);
  };
  await Promise.all(Array.from({ length: width }, work));
}

async function bench(driver: Driver): Promise<void> {
  const connections: Connection[] = [];
  const first: Driver = {
    ...driver,
    async connect() {
      const connection = await driver.connect();
      if (connections.length === 0) connections.push(connection);
      return connection;
    },
  };
  await using store = await openPostgres(first, {
    table: "bench",
    connections: CONNECTIONS,
  });
  while (connections.length < CONNECTIONS) {
    connections.push(await driver.connect());
  }
  await connections[0]!.run(
    "CREATE TABLE IF NOT EXISTS raw (k bytea PRIMARY KEY, v bytea NOT NULL)",
  );
  const raw = (name: string, text: string) => {
    const statement: Statement = { name, text };
    return (parameters: readonly Parameter[], worker = 0) =>
      connections[worker % CONNECTIONS]!.query(statement, parameters);
  };
  const rawGet = raw("raw_get", "SELECT v FROM raw WHERE k = $1::bytea");
  const rawPut = raw(
    "raw_put",
    "INSERT INTO raw VALUES ($1::bytea, $2::bytea) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
  );
  const rawPage = raw(
    "raw_page",
    "SELECT k, v FROM raw WHERE k > $1::bytea ORDER BY k LIMIT 8192",
  );
  const rawBatch = raw(
    "raw_batch",
    "INSERT INTO raw SELECT * FROM unnest($1::text::bytea[], $2::text::bytea[]) " +
      "ON CONFLICT (k) DO UPDATE SET v = excluded.v",
  );
  const hex = (text: string): string => `"\\\\x${Buffer.from(text).toString("hex")}"`;
  const writeRaw = (from: number): Promise<unknown> => {
    const indexes = Array.from({ length: 1000 }, (_, i) => from + i);
    return rawBatch([
      `{${indexes.map((i) => hex(key(i))).join(",")}}`,
      `{${indexes.map(() => hex(value)).join(",")}}`,
    ]);
  };
  const writeStore = async (from: number): Promise<void> => {
    const batch = store.batch();
    for (let i = from; i < from + 1000; i++) batch.put(key(i), value);
    await batch.write();
  };
  for (let i = 0; i < KEYS; i += 1000) {
    await writeRaw(i);
    await writeStore(i);
  }
  await connections[0]!.run("ANALYZE");
  console.log(
    `${driver.name.padEnd(24)}${"raw".padStart(12)}${"store".padStart(12)}${"of raw".padStart(9)}${
      "by CPU".padStart(9)
    }`,
  );
  let at = 0;
  const someKey = (): string => key(at += 7919);
  for (const width of [1, 8, 64]) {
    const count = width === 1 ? 200 : 1000;
    await compare(
      `get, ${width} in flight`,
      count,
      () => many(count, width, (_, worker) => rawGet([bytes(someKey())], worker)),
      () => many(count, width, () => store.get(someKey())),
    );
  }
  const scanRaw = async (each?: (value: Uint8Array) => unknown): Promise<void> => {
    let last = new Uint8Array();
    for (;;) {
      const rows = await rawPage([last]);
      if (rows.length === 0) return;
      if (each !== undefined) {
        for (const row of rows) each(row[1] as Uint8Array);
      }
      last = rows.at(-1)![0] as typeof last;
    }
  };
  const scanOneByOne = async (): Promise<void> => {
    for await (const _ of store.entries({ keyEncoding: "bytes" })) {
      /* read */
    }
  };
  const scanMany = async (): Promise<void> => {
    await using cursor = store.entries({ keyEncoding: "bytes" });
    while ((await cursor.nextMany(1000)).length > 0) {
      /* read */
    }
  };
  await compare("scan, one by one", KEYS, () => scanRaw(), scanOneByOne);
  await compare("scan, 1000 at a time", KEYS, () => scanRaw(), scanMany);
  // What a program does that wants the same strings as the store shows.
  const decoded = (): Promise<void> => scanRaw((value) => decoder.decode(value));
  await compare("scan one, raw decodes", KEYS, decoded, scanOneByOne);
  await compare("scan 1000, raw decodes", KEYS, decoded, scanMany);
  await compare(
    "batches of 1000",
    1000,
    () => writeRaw(at += 1000),
    () => writeStore(at += 1000),
  );
  for (const width of [1, 8, 64]) {
    const count = width === 1 ? 10 : width * 4;
    await compare(
      `put, ${width} in flight`,
      count,
      () =>
        many(
          count,
          width,
          (_, worker) => rawPut([bytes(someKey()), bytes(value)], worker),
        ),
      () => many(count, width, () => store.put(someKey(), value)),
    );
  }
  for (const connection of connections.slice(1)) connection.destroy();
}

const server = await startServer();
try {
  for (const [name, connect] of Object.entries(clients)) {
    if (onlyClient === undefined || onlyClient === name) {
      await bench(connect(server.url));
    }
  }
} finally {
  await server.stop();
}
