/** What a store does when the server, the network or the rights fail. */

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Key, type Store, StoreError, UnsupportedFormatError } from "@tinykvs/core/contract";
import { openPostgres, OutcomeUnknownError, PostgresError, type PostgresOptions } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { type Server, startServer } from "./server.ts";

let server: Server;
let proxy: Proxy;

before(async () => {
  server = await startServer();
  proxy = await startProxy(server.port);
});

after(async () => {
  await proxy.close();
  await server.stop();
});

/** Of each writer, while backends are ended. */
const ROUNDS = 15;

const TERMINATE = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity " +
  "WHERE application_name = 'tinykvs'";

/** Waits until nobody is connected any more: a backend ends some time after its connection. */
async function disconnected(): Promise<void> {
  for (let i = 0; server.clients() > 0; i++) {
    assert.ok(i < 400, `${server.clients()} connections are left`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function errorOf(call: () => Promise<unknown>): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

function assertReason(error: Error, reason: string): void {
  assert.ok(error instanceof PostgresError, `found ${error.stack}`);
  assert.equal(error.reason, reason, error.message);
}

for (const [client, driver] of Object.entries(clients)) {
  const table = `faults_${client}`;

  /** Opens a store for a test, and looks afterwards that no connection is left. */
  const withStore = async (
    url: string,
    body: (store: Store) => Promise<void>,
    options: Partial<PostgresOptions> = {},
    connectTimeoutMs = 3000,
  ): Promise<void> => {
    const store = await openPostgres(driver(url, { connectTimeoutMs }), {
      table,
      ...options,
    });
    try {
      // Not by a scan: with the `snapshotMs` of a test, that may take too long on a busy machine.
      await store.clear();
      await body(store);
    } finally {
      await store.close();
    }
    await disconnected();
  };

  /** The address of a role without a password. */
  const urlOf = (role: string): string => server.url.replace("postgres@", `${role}@`);

  test(`By ${client}: a server that is not there is a typed error`, async () => {
    const url = "postgres://postgres@127.0.0.1:1/postgres";
    const error = await errorOf(() => openPostgres(driver(url), { table }));
    assertReason(error, "connection");
    assert.match(error.message, new RegExp(`faults_${client}.*by ${client}`));
  });

  test(`By ${client}: a wrong password is a typed error`, async () => {
    const role = `guarded_${client}`;
    server.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'right'`);
    const file = join(server.folder, "data", "pg_hba.conf");
    const rule = `host all ${role} 127.0.0.1/32 scram-sha-256\n`;
    writeFileSync(file, rule + readFileSync(file, "utf8"));
    appendFileSync(file, "\n");
    server.sql("SELECT pg_reload_conf()");
    for (let i = 0;; i++) {
      const url = server.url.replace("postgres@", `${role}:wrong@`);
      const error = await errorOf(() => openPostgres(driver(url), { table: "none" }));
      // The server may not have read its file yet.
      if (i < 100 && (error as PostgresError).reason === "rights") continue;
      assertReason(error, "authentication");
      break;
    }
  });

  test(`By ${client}: a role without rights, and one that only reads, get typed errors`, async () => {
    await withStore(server.url, async (store) => {
      await store.put("a", 1);
      server.sql(`CREATE ROLE nobody_${client} LOGIN`);
      const refused = await errorOf(() =>
        openPostgres(driver(urlOf(`nobody_${client}`)), { table })
      );
      assertReason(refused, "rights");
      server.sql(`CREATE ROLE reader_${client} LOGIN;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_${client};
        ALTER ROLE reader_${client} SET default_transaction_read_only = on`);
      const reader = await openPostgres(driver(urlOf(`reader_${client}`)), {
        table,
      });
      assert.equal(await reader.get("a"), 1);
      assert.deepEqual(await reader.keys().toArray(), ["a"]);
      const error = await errorOf(() => reader.put("a", 2));
      assert.ok(error instanceof StoreError);
      assert.ok(["READ_ONLY", "IO"].includes(error.code), error.message);
      await reader.close();
      // With every right, only the setting is left to refuse.
      server.sql(`GRANT ALL ON ALL TABLES IN SCHEMA public TO reader_${client};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO reader_${client}`);
      const owner = await openPostgres(driver(urlOf(`reader_${client}`)), {
        table,
      });
      const second = await errorOf(() => owner.put("a", 2)) as StoreError;
      assert.equal(second.code, "READ_ONLY", second.message);
      const third = await errorOf(() => owner.increment("n")) as StoreError;
      assert.equal(third.code, "READ_ONLY", third.message);
      await owner.close();
      assert.equal(await store.get("a"), 1);
    });
  });

  test(`By ${client}: a table of a newer version is refused, and named`, async () => {
    await withStore(server.url, async () => {
      server.sql(`UPDATE ${table}_meta SET format = 2`);
      const error = await errorOf(() => openPostgres(driver(server.url), { table }));
      server.sql(`UPDATE ${table}_meta SET format = 1`);
      assert.ok(error instanceof UnsupportedFormatError, error.stack);
      assert.equal(error.file, `public.${table}`);
    });
  });

  test(`By ${client}: a table that is missing is an error if it must not be made`, async () => {
    const none = { table: "none_there", create: false };
    assertReason(
      await errorOf(() => openPostgres(driver(server.url), none)),
      "missing",
    );
    await disconnected();
  });

  test(`By ${client}: a statement that takes too long for the server writes nothing`, async () => {
    server.sql(`CREATE ROLE hasty_${client} LOGIN SUPERUSER;
      ALTER ROLE hasty_${client} SET statement_timeout = '300ms'`);
    await withStore(urlOf(`hasty_${client}`), async (store) => {
      const blocker = await driver(server.url).connect();
      await blocker.run(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      const write = errorOf(() => store.put("a", 1));
      const read = errorOf(() => store.get("a"));
      assertReason(await write, "timeout");
      assertReason(await read, "timeout");
      await blocker.run("ROLLBACK");
      assert.equal(await store.get("a"), undefined);
      await store.put("a", 2);
      assert.equal(await store.get("a"), 2);
      await blocker.close();
    });
  });

  test(`By ${client}: a pool that is full is a typed error, and it recovers`, async () => {
    const options = { connections: 4, acquireTimeoutMs: 200 };
    await withStore(server.url, async (store) => {
      await store.put("a", 1);
      const snapshots = [store.snapshot(), store.snapshot()];
      assert.equal(await snapshots[0]!.get("a"), 1);
      const second = store.snapshot();
      assert.equal(await second.get("a"), 1);
      const third = store.snapshot();
      assertReason(await errorOf(() => third.get("a")), "pool");
      // Two connections are kept for reads and writes.
      await store.put("a", 2);
      assert.equal(await store.get("a"), 2);
      for (const snapshot of [...snapshots, second, third]) snapshot.close();
      using fourth = store.snapshot();
      assert.equal(await fourth.get("a"), 2);
    }, options);
  });

  test(`By ${client}: a server without room for more connections is waited for`, async () => {
    server.sql(`CREATE ROLE few_${client} LOGIN CONNECTION LIMIT 2;
      GRANT ALL ON ALL TABLES IN SCHEMA public TO few_${client};
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO few_${client}`);
    await withStore(urlOf(`few_${client}`), async (store) => {
      await store.put("a", 1);
      const values = await Promise.all(
        Array.from({ length: 20 }, () => store.get("a")),
      );
      assert.deepEqual(new Set(values), new Set([1]));
    });
  });

  test(`By ${client}: writes are applied once, however often backends are ended`, async () => {
    await withStore(server.url, async (store) => {
      let isOver = false;
      let ended = 0;
      let done = 0;
      const ending = async (): Promise<void> => {
        for (
          let next = 5;
          !isOver;
          await new Promise((resolve) => setTimeout(resolve, 5))
        ) {
          if (done < next) continue;
          // Not more often: a connection must be made in between.
          ended += Number(server.sql(TERMINATE));
          next = done + 12;
        }
      };
      const count = async (key: string): Promise<void> => {
        for (let i = 0; i < ROUNDS; i++) {
          await store.increment(key);
          await store.batch().put(`${key}:${i}`, i).put(`${key}:${i}x`, i)
            .write();
          await store.transaction(async (tx) => {
            const old = Number(await tx.get(`${key} tx`) ?? 0);
            await tx.put(`${key} tx`, old + 1);
          }, { retries: Infinity });
          done += 3;
        }
      };
      const work = Promise.all([count("a"), count("b")]).finally(() => isOver = true);
      await Promise.all([work, ending()]);
      assert.ok(ended >= 3, `only ${ended} backends were ended`);
      assert.deepEqual(await store.getMany(["a", "b", "a tx", "b tx"]), [
        BigInt(ROUNDS),
        BigInt(ROUNDS),
        ROUNDS,
        ROUNDS,
      ]);
      assert.equal(await store.count({ prefix: "a:" }), 2 * ROUNDS);
    });
  });

  test(`By ${client}: a scan and a snapshot whose backend is ended say so, and a new one works`, async () => {
    await withStore(server.url, async (store) => {
      // More than the page that is shown and the one that is under way.
      const batch = store.batch();
      for (let i = 0; i < 15_000; i++) batch.put(`k${i}`, "x".repeat(100));
      await batch.write();
      const cursor = store.entries();
      assert.equal((await cursor.nextMany(300)).length, 300);
      using snapshot = store.snapshot();
      assert.equal(await snapshot.count(), 15_000);
      server.sql(TERMINATE);
      const error = await errorOf(() => cursor.toArray()) as StoreError;
      assert.equal(error.code, "SNAPSHOT_GONE", error.message);
      assert.equal(
        (await errorOf(() => snapshot.get("k1")) as StoreError).code,
        "SNAPSHOT_GONE",
      );
      assert.equal((await store.keys().toArray()).length, 15_000);
    });
  });

  test(`By ${client}: a snapshot that lives too long is ended, and says so`, async () => {
    await withStore(server.url, async (store) => {
      const start = performance.now();
      using snapshot = store.snapshot();
      // On a busy machine it may end before its first read; it never ends before its time.
      const error = await errorOf(async () => {
        for (;;) assert.equal(await snapshot.get("a"), undefined);
      }) as StoreError;
      assert.equal(error.code, "SNAPSHOT_GONE", error.stack);
      assert.match(error.message, /200 ms/);
      // Timers count whole milliseconds.
      assert.ok(performance.now() - start >= 199);
      assert.equal(await store.get("a"), undefined);
    }, { snapshotMs: 200 });
  });

  const proxied = (): string => `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;

  test(`By ${client}: a write whose answer is lost is sent again, and applied once`, async () => {
    await withStore(proxied(), async (store) => {
      const before = proxy.lost;
      for (let i = 1; i <= 10; i++) {
        await store.put(`k${i}`, i);
        proxy.mode = "lose";
        await store.batch().put("last", i).put(`x${i}`, i).write();
        await store.update("sum", (old) => Number(old ?? 0) + i);
      }
      assert.ok(proxy.lost - before >= 10, "answers were lost");
      assert.equal(await store.get("sum"), 55);
      assert.equal(await store.count({ prefix: "x" }), 10);
    });
  });

  test(`By ${client}: without exactlyOnce, a lost answer is an OutcomeUnknownError`, async () => {
    await withStore(proxied(), async (store) => {
      await store.put("a", 1);
      proxy.mode = "lose";
      const error = await errorOf(() => store.put("a", 2));
      assert.ok(error instanceof OutcomeUnknownError, error.stack);
      assert.equal(await store.get("a"), 2);
    }, { exactlyOnce: false });
  });

  test(`By ${client}: a network that delays works, one that stalls is a typed error`, async () => {
    await withStore(
      proxied(),
      async (store) => {
        proxy.mode = "delay";
        await Promise.all([store.put("a", 1), store.put("b", 2), store.get("a")]);
        assert.deepEqual(await store.keys().toArray(), ["a", "b"]);
        proxy.mode = "stall";
        assertReason(await errorOf(() => store.get("a")), "connection");
        const write = await errorOf(() => store.put("c", 3));
        assertReason(write, "connection");
        proxy.mode = "pass";
        proxy.cut();
        assert.equal(await store.get("a"), 1);
        await store.put("d", 4);
        assert.equal(await store.get("d"), 4);
      },
      { queryTimeoutMs: 300, retryMs: 500 },
      1000,
    );
  });

  test(`By ${client}: a store outlives a restart of the server, and its watch goes on`, async () => {
    await withStore(server.url, async (store) => {
      await using watch = store.watch();
      await store.put("a", 1);
      await server.kill();
      const waiting = store.put("b", 2);
      await server.start();
      await waiting;
      await store.put("c", 3);
      const seen: Key[] = [];
      while (seen.length < 3) {
        const { value } = await watch.next();
        for (const operation of value?.operations ?? []) {
          if (operation.type === "put") seen.push(operation.key);
        }
      }
      assert.deepEqual(seen, ["a", "b", "c"]);
      assert.deepEqual(await store.keys().toArray(), ["a", "b", "c"]);
    }, { retryMs: 60_000 });
  });
}
