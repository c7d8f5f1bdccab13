/**
 * The store beside raw SQL by the same client on the same server.
 *
 *     node packages/postgres/bench.ts [pg|postgres]
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import type { Driver, Parameter, Statement } from "./mod.ts";
import { openPostgres } from "./mod.ts";
import { clients } from "./tests/clients.ts";
import { startServer } from "./tests/server.ts";

const KEYS = 20_000;
const ROUNDS = 5;
const key = (i: number): string => `key:${String(i % KEYS).padStart(8, "0")}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const value = "x".repeat(100);

/** Operations a second, the median of some rounds in turns. */
async function compare(
  name: string,
  count: number,
  raw: () => Promise<unknown>,
  store: () => Promise<unknown>,
): Promise<void> {
  const rates: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, run] of [raw, store].entries()) {
      const start = performance.now();
      await run();
      rates[at]!.push(count / (performance.now() - start) * 1000);
    }
  }
  const [a, b] = rates.map((list) => list.sort((x, y) => x - y)[Math.floor(ROUNDS / 2)]!);
  const rate = (n: number): string => `${Math.round(n)}/s`.padStart(10);
  console.log(
    `${name.padEnd(28)}${rate(a!)}${rate(b!)}${`${Math.round(b! / a! * 100)} %`.padStart(7)}`,
  );
}

/** Runs `each` for numbers up to `count`, a number of them at a time. */
async function many(
  count: number,
  width: number,
  each: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: width }, work));
}

async function bench(driver: Driver): Promise<void> {
  const store = await openPostgres(driver, { table: "bench" });
  const connection = await driver.connect();
  await connection.run(
    "CREATE TABLE IF NOT EXISTS raw (k bytea PRIMARY KEY, v bytea NOT NULL)",
  );
  const raw = (name: string, text: string) => (parameters: readonly Parameter[]) =>
    connection.query({ name, text } satisfies Statement, parameters);
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
  console.log(
    `${driver.name.padEnd(28)}${"raw".padStart(10)}${"store".padStart(10)}`,
  );
  await compare(
    "batches of 1000",
    KEYS,
    () => many(KEYS / 1000, 1, (i) => writeRaw(i * 1000)),
    () => many(KEYS / 1000, 1, (i) => writeStore(i * 1000)),
  );
  await compare(
    "get, one at a time",
    1000,
    () => many(1000, 1, (i) => rawGet([bytes(key(i * 7919))])),
    () => many(1000, 1, (i) => store.get(key(i * 7919))),
  );
  await compare(
    "put, one at a time",
    200,
    () => many(200, 1, (i) => rawPut([bytes(key(i * 7919)), bytes(value)])),
    () => many(200, 1, (i) => store.put(key(i * 7919), value)),
  );
  await compare("scan of everything", KEYS, async () => {
    let last = new Uint8Array();
    for (;;) {
      const rows = await rawPage([last]);
      if (rows.length === 0) return;
      last = rows.at(-1)![0] as typeof last;
    }
  }, async () => {
    for await (const _ of store.entries({ keyEncoding: "bytes" })) {
      /* read */
    }
  });
  for (const width of [4, 16, 64]) {
    await compare(
      `put, ${width} in flight`,
      1000,
      () => many(1000, width, (i) => rawPut([bytes(key(i * 7919)), bytes(value)])),
      () => many(1000, width, (i) => store.put(key(i * 7919), value)),
    );
  }
  connection.destroy();
  await store.close();
}

const server = await startServer();
try {
  const [only] = process.argv.slice(2);
  for (const [name, connect] of Object.entries(clients)) {
    if (only === undefined || only === name) await bench(connect(server.url));
  }
} finally {
  await server.stop();
}
