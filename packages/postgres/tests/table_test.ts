/** Limits, the order of keys, names, expiry, and what several handles of one table see. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { compareKeys, type Value } from "@tinykvs/core/contract";
import {
  type Driver,
  MAX_POSTGRES_KEY_BYTES,
  MAX_POSTGRES_VALUE_BYTES,
  openPostgres,
  type PostgresOptions,
  type PostgresStore,
} from "../mod.ts";
import { Random } from "../../../tests/support/random.ts";
import { requireSize } from "../src/operations.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

let server: Server;
let tables = 0;

before(async () => {
  server = await startServer({ synchronous_commit: "off" });
});

after(async () => {
  await server.stop();
});

/** A driver that counts what is sent. */
function counting(driver: Driver): Driver & { readonly sent: () => number } {
  let sent = 0;
  return {
    name: driver.name,
    sent: () => sent,
    async connect() {
      const connection = await driver.connect();
      const { query, run } = connection;
      connection.query = (...given) => {
        sent++;
        return query.apply(connection, given);
      };
      connection.run = (text) => {
        sent++;
        return run.call(connection, text);
      };
      return connection;
    },
  };
}

for (const [client, connect] of Object.entries(clients)) {
  const openTable = (
    table: string,
    options: Partial<PostgresOptions> = {},
  ): Promise<PostgresStore> => openPostgres(connect(server.url), { table, ...options });
  const newTable = (): string => `${client}_${++tables}`;

  test(`By ${client}: keys come in the order of their bytes`, async () => {
    await using store = await openTable(newTable(), { keyEncoding: "bytes" });
    const random = new Random(7);
    const bytes = [0, 1, 0x27, 0x5c, 0x7f, 0x80, 0xfe, 0xff];
    const keys = new Map<string, Uint8Array>();
    for (let i = 0; i < 2000; i++) {
      const length = random.below(8);
      const key = Uint8Array.from(
        { length },
        () => bytes[random.below(bytes.length)]!,
      );
      keys.set(key.join(), key);
    }
    keys.set("longest", new Uint8Array(MAX_POSTGRES_KEY_BYTES).fill(0xff));
    const sorted = [...keys.values()].sort(compareKeys);
    const batch = store.batch();
    for (const [i, key] of [...keys.values()].entries()) batch.put(key, i);
    await batch.write();
    const plain = (key: unknown): string => (key as Uint8Array).join();
    const shown = await store.keys().toArray();
    assert.deepEqual(shown.map(plain), sorted.map(plain));
    const reversed = await store.keys({ reverse: true }).toArray();
    assert.deepEqual(reversed.map(plain), sorted.map(plain).reverse());
    const some = sorted.filter((key) => key[0] === 0xff);
    const prefixed = await store.keys({ prefix: Uint8Array.of(0xff) })
      .toArray();
    assert.deepEqual(prefixed.map(plain), some.map(plain));
    const values = await store.getMany(sorted);
    assert.deepEqual(
      values,
      sorted.map((key) => [...keys.values()].indexOf(key)),
    );
  });

  test(`By ${client}: what is too large is refused before anything is sent`, async () => {
    const driver = counting(connect(server.url));
    await using store = await openPostgres(driver, { table: newTable() });
    const before = driver.sent();
    const key = "k".repeat(MAX_POSTGRES_KEY_BYTES + 1);
    const large = new Uint8Array(MAX_POSTGRES_VALUE_BYTES);
    const calls: (() => Promise<unknown>)[] = [
      () => store.put(key, 1),
      () => store.get(key),
      () => store.getMany(["a", key]),
      () => store.delete(key),
      () => store.increment(key),
      () =>
        store.write([{ type: "put", key: "a", value: 1 }, {
          type: "delete",
          key,
        }]),
      () => store.put("a", large),
      () => store.putIfNotExists("a", large),
    ];
    for (const call of calls) {
      await assert.rejects(call, RangeError, String(call));
    }
    await assert.rejects(() => store.put(key, 1), /2704/);
    // By the function that every write calls: copies of such values would take long.
    const bytes = new Uint8Array();
    const change = { key: bytes, id: "", value: large, expiresAt: Infinity };
    assert.throws(() => requireSize([change, change]), RangeError);
    assert.equal(driver.sent(), before);
    await store.put("k".repeat(MAX_POSTGRES_KEY_BYTES), 1);
  });

  test(`By ${client}: names that are not plain are refused, and keys and values are never SQL`, async () => {
    for (
      const table of [
        "",
        "Kv",
        "a b",
        'kv"; DROP TABLE x; --',
        "1a",
        "a".repeat(41),
        "ü",
      ]
    ) {
      await assert.rejects(() => openTable(table), RangeError, table);
    }
    await assert.rejects(() => openTable("kv", { schema: 'a"b' }), RangeError);
    await assert.rejects(
      () => openTable("kv", { tables: 1 } as never),
      TypeError,
    );
    await assert.rejects(() => openTable("kv", { connections: 2 }), RangeError);
    await assert.rejects(
      () => openTable("kv", { create: "yes" } as never),
      TypeError,
    );
    await using store = await openTable(newTable(), { schema: "other_schema" });
    const nasty = [
      "'; DROP TABLE kv; --",
      "$1",
      '"',
      "\\x00",
      "{NULL}",
      "\u0000",
      "%_",
    ];
    for (const text of nasty) await store.put(text, text);
    assert.deepEqual(await store.getMany(nasty), nasty);
    assert.equal(await store.count({ prefix: "%" }), 1);
  });

  test(`By ${client}: an entry expires for every read, and is removed later`, async () => {
    let time = 1_000_000;
    await using store = await openTable(newTable(), {
      clock: () => time,
      sweepIntervalMs: Infinity,
    });
    const put = (
      key: string,
      value: Value,
      options: { ttlMs?: number; expiresAt?: number | Date },
    ): Promise<void> => store.put(key, value, options);
    await put("a", 1n, { ttlMs: 100 });
    await put("b", 2, { expiresAt: new Date(time + 200) });
    await put("c", 3, { ttlMs: Infinity });
    assert.deepEqual(await store.getEntry("a"), {
      key: "a",
      value: 1n,
      expiresAt: 1_000_100,
    });
    assert.deepEqual(await store.getEntry("c"), { key: "c", value: 3 });
    // It keeps its time.
    await store.increment("a");
    using snapshot = store.snapshot();
    assert.equal(await snapshot.count(), 3);
    time += 100;
    assert.deepEqual(await store.getMany(["a", "b", "c"]), [undefined, 2, 3]);
    assert.equal(await store.get("a"), undefined);
    assert.deepEqual(await store.keys().toArray(), ["b", "c"]);
    assert.equal(await store.count(), 2);
    // A snapshot judges by the time at which it began.
    assert.deepEqual(await snapshot.keys().toArray(), ["a", "b", "c"]);
    await store.transaction(async (tx) => {
      assert.equal(await tx.has("a"), false);
      assert.equal(await tx.count(), 2);
      await tx.put("d", 1);
    });
    assert.equal(await store.increment("a"), 1n);
    assert.equal(
      (await store.getEntry("a") as { expiresAt?: number }).expiresAt,
      undefined,
    );
    await put("b", 2, {});
    time += 1000;
    assert.equal(await store.get("b"), 2);
    await put("e", 1, { ttlMs: 1 });
    time += 60_000;
    assert.equal(await store.sweep(), 0);
    time += 1;
    assert.equal(await store.sweep(), 1);
    assert.deepEqual(await store.keys().toArray(), ["a", "b", "c", "d"]);
    for (
      const wrong of [{ ttlMs: -1 }, { ttlMs: NaN }, { expiresAt: -Infinity }]
    ) {
      await assert.rejects(() => put("x", 1, wrong), RangeError);
    }
    await assert.rejects(
      () => put("x", 1, { ttlMs: 1, expiresAt: 1 }),
      TypeError,
    );
    await assert.rejects(() => put("x", 1, { ttlMs: "1" as never }), TypeError);
  });

  test(`By ${client}: every way to put has the times of the store's clock`, async () => {
    // By the program's clock, all of these times have come.
    let time = 1_000_000;
    await using store = await openTable(newTable(), {
      clock: () => time,
      sweepIntervalMs: Infinity,
    });
    const expiresAt = time + 100;
    const cleared = store.batch().put("x", 0, { ttlMs: 1 }).clear();
    await cleared.put("x", 0).put("a", 1, { ttlMs: 100 }).delete("x").write();
    await store.write([
      { type: "delete", key: "x" },
      { type: "put", key: "b", value: 1, ttlMs: 100 },
      { type: "put", key: "over", value: 1, expiresAt: time },
    ]);
    await store.transaction(async (tx) => {
      await tx.batch().put("c", 1, { expiresAt }).write();
      await tx.write(store.batch().put("d", 1, { ttlMs: 100 }));
      await tx.write([{ type: "put", key: "e", value: 1, ttlMs: 100 }]);
      assert.equal((await tx.getEntry("c"))?.expiresAt, expiresAt);
    });
    await store.sub("s").batch().put("f", 1, { ttlMs: 100 }).write();
    assert.equal((await store.sub("s").getEntry("f"))?.expiresAt, expiresAt);
    const keys = ["a", "b", "c", "d", "e"];
    for (const key of keys) {
      assert.deepEqual(await store.getEntry(key), { key, value: 1, expiresAt });
    }
    assert.equal(await store.has("over"), false);
    time += 100;
    assert.equal(await store.count(), 0);
  });

  test(`By ${client}: a snapshot has its own time, also if it shares the moment of an older one`, async () => {
    let time = 1_000_000;
    await using store = await openTable(newTable(), {
      clock: () => time,
      sweepIntervalMs: Infinity,
    });
    await store.put("a", 1, { ttlMs: 100 });
    using older = store.snapshot();
    time += 100;
    using newer = store.snapshot();
    assert.deepEqual([await older.get("a"), await older.count()], [1, 1]);
    assert.deepEqual([await newer.get("a"), await newer.count()], [undefined, 0]);
    assert.deepEqual(await newer.entries().toArray(), []);
  });

  test(`By ${client}: a sweep takes nothing from a snapshot that was made before the expiry`, async () => {
    const table = newTable();
    let time = 1_000_000;
    const options = { clock: () => time, sweepIntervalMs: Infinity };
    await using store = await openTable(table, options);
    await store.put("a", 1, { ttlMs: 100 });
    // None of these has read anything yet, so none has begun on the server.
    using snapshot = store.snapshot();
    await using cursor = store.keys();
    time += 60_100;
    assert.equal(await store.sweep(), 1);
    assert.equal(await snapshot.get("a"), 1);
    assert.deepEqual(await cursor.nextMany(2), ["a"]);
    assert.equal(await store.count(), 0);
  });

  test(`By ${client}: a sweep of another handle takes nothing from a snapshot either`, async () => {
    const table = newTable();
    let time = 1_000_000;
    const options = { clock: () => time, sweepIntervalMs: Infinity };
    await using store = await openTable(table, { ...options, sweepDelayMs: 100 });
    await using other = await openTable(table, options);
    await store.put("a", 1, { ttlMs: 100 });
    using snapshot = store.snapshot();
    time += 101;
    assert.equal(await other.sweep(), 0);
    // It begins by itself, before others may remove what it shows.
    const begun = `SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'`;
    for (let i = 0; i < 500 && Number(server.sql(begun)) === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    time += 60_000;
    assert.equal(await other.sweep(), 1);
    assert.equal(await snapshot.get("a"), 1);
    assert.equal(await store.get("a"), undefined);
  });

  test(`By ${client}: the reads of one turn share a statement, and each gets its own answer`, async () => {
    let time = 1_000_000;
    const driver = counting(connect(server.url));
    await using store = await openPostgres(driver, { table: newTable(), clock: () => time });
    const batch = store.batch();
    for (let i = 0; i < 200; i++) batch.put(`k${i}`, i);
    await batch.put("short", 1, { ttlMs: 100 }).write();
    time += 100;
    let before = driver.sent();
    assert.equal(await store.get("k7"), 7);
    assert.equal(driver.sent() - before, 1, "a read that is alone is one statement");
    before = driver.sent();
    const keys = Array.from({ length: 200 }, (_, i) => `k${199 - i}`);
    const asked = [...keys, "k5", "none", "short", "k5"];
    const answers = await Promise.all(asked.map((key) => store.get(key)));
    const numbers = keys.map((key) => Number(key.slice(1)));
    assert.deepEqual(answers, [...numbers, 5, undefined, undefined, 5]);
    assert.equal(driver.sent() - before, 4);
    // One value that cannot be decoded is the trouble of its reader alone.
    server.sql(`UPDATE ${client}_${tables} SET v = '\\xff' WHERE k = 'k5'`);
    const settled = await Promise.allSettled(["k4", "k5", "k6"].map((key) => store.get(key)));
    assert.deepEqual(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  });

  test(`By ${client}: a scan shows large values among small ones, in both directions`, async () => {
    await using store = await openTable(newTable());
    const key = (i: number): string => `k${String(i).padStart(5, "0")}`;
    const isLarge = (i: number): boolean => [400, 401, 3000, 3001, 5999].includes(i) || i === 0;
    const valueOf = (i: number): Value => isLarge(i) ? "v".repeat(2048 + i % 5) : i;
    for (let i = 0; i < 6000;) {
      const batch = store.batch();
      for (const end = i + 1000; i < end; i++) batch.put(key(i), valueOf(i));
      await batch.write();
    }
    const all = Array.from({ length: 6000 }, (_, i): [string, Value] => [key(i), valueOf(i)]);
    assert.deepEqual(await store.entries().toArray(), all);
    assert.deepEqual(await store.entries({ reverse: true }).toArray(), all.toReversed());
    const some = { gte: key(200), limit: 3000 };
    assert.deepEqual(await store.entries(some).toArray(), all.slice(200, 3200));
    assert.deepEqual(await store.keys().toArray(), all.map(([shown]) => shown));
    await store.transaction(async (tx) => {
      assert.deepEqual(await tx.entries().toArray(), all);
    });
  });

  test(`By ${client}: a scan shows keys of every length with values of every type`, async () => {
    await using store = await openTable(newTable(), { keyEncoding: "bytes" });
    const values = [7n, -0.5, true, "", "text", "漢字", new Uint8Array(), { a: [1, "é"] }];
    const all = Array.from({ length: 700 }, (_, i): [Uint8Array, Value] => {
      const key = new Uint8Array(3 + i * 2045 / 699 | 0).fill(1);
      key.set([i >> 8, i & 255]);
      return [key, values[i % values.length]!];
    });
    const batch = store.batch();
    for (const [key, value] of all) batch.put(key, value);
    await batch.write();
    const found = await store.entries().toArray();
    assert.deepEqual(found, all);
    // What a reader gets is its own.
    for (const [key, value] of found) {
      (key as Uint8Array).fill(255);
      if (value instanceof Uint8Array) value.fill(255);
    }
    const backwards: [Uint8Array, Value][] = [];
    for await (const [key, value] of store.entries({ reverse: true })) {
      backwards.push([key.slice() as Uint8Array, value]);
      (key as Uint8Array).fill(255);
    }
    assert.deepEqual(backwards, all.toReversed());
    assert.deepEqual(await store.keys().toArray(), all.map(([key]) => key));
  });

  test(`By ${client}: handles of one table see each other's writes, and are woken by them`, async () => {
    const table = newTable();
    await using one = await openTable(table, { pollMs: 2 ** 31 - 1 });
    await using other = await openTable(table);
    await using watch = one.watch({ prefix: "a" });
    await one.put("b", 1);
    await other.put("a1", 1);
    assert.deepEqual((await watch.next()).value, {
      operations: [{ type: "put", key: "a1", value: 1 }],
    });
    const add = async (store: PostgresStore): Promise<void> => {
      for (let i = 0; i < 20; i++) await store.increment("n");
    };
    await Promise.all([add(one), add(other), add(one)]);
    assert.equal(await other.get("n"), 60n);
  });

  test(`By ${client}: statements that are not prepared give the same`, async () => {
    const driver = connect(server.url, { prepare: false });
    await using store = await openPostgres(driver, {
      table: newTable(),
      listen: false,
      pollMs: 20,
    });
    await using watch = store.watch();
    await store.batch().put("a", 1).put("b", { x: [1n] }).write();
    assert.deepEqual(await store.entries().toArray(), [["a", 1], ["b", {
      x: [1n],
    }]]);
    await store.transaction(async (tx) => await tx.put("c", await tx.count()));
    assert.equal((await watch.next()).value?.operations.length, 2);
    assert.equal(await store.get("c"), 2);
  });

  test(`By ${client}: a scan of large values holds bounded bytes, and shows all`, async () => {
    await using store = await openTable(newTable());
    const value = new Uint8Array(300_000).fill(7);
    for (let i = 0; i < 20; i++) {
      await store.put(`k${String(i).padStart(2, "0")}`, value);
    }
    for (const reverse of [false, true]) {
      const entries = await store.entries({ reverse }).toArray();
      assert.equal(entries.length, 20);
      assert.ok(
        entries.every(([, bytes]) => (bytes as Uint8Array).length === value.length),
      );
    }
    await using cursor = store.keys();
    cursor.seek("k15");
    assert.equal((await cursor.nextMany(100)).length, 5);
    cursor.seek("k00");
    assert.equal((await cursor.nextMany(100)).length, 20);
  });

  test(`By ${client}: a cursor with a limit goes on after a seek, and shows no later write`, async () => {
    await using store = await openTable(newTable());
    const batch = store.batch();
    for (let i = 0; i < 300; i++) {
      batch.put(`k${String(i).padStart(3, "0")}`, i);
    }
    await batch.write();
    const cursor = store.keys({ limit: 10 });
    assert.deepEqual(await cursor.nextMany(2), ["k000", "k001"]);
    await store.put("k250", "later");
    await store.delete("k251");
    cursor.seek("k250");
    assert.deepEqual(await cursor.nextMany(3), ["k250", "k251", "k252"]);
    await cursor.close();
  });
}
