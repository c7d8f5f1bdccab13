/** Both drivers: what they leave open, and what they wait for, when a server does not behave. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server as TcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import pg from "pg";
import postgres from "postgres";
import { type Connection, type Driver, openPostgres, pgDriver, postgresDriver } from "../mod.ts";
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

/** The client postgres.js waits for this time before it connects again. */
const BACKOFF_SECONDS = 0.1;

const drivers: Readonly<
  Record<"pg" | "postgres", (url: string, limitMs?: number) => Driver>
> = {
  pg: (url, connectTimeoutMs = 60_000) => pgDriver(pg, url, { connectTimeoutMs }),
  postgres: (url, connectTimeoutMs = 60_000) =>
    postgresDriver(postgres, url, {
      connectTimeoutMs,
      backoff: BACKOFF_SECONDS,
    }),
};

const urlOf = (...ports: readonly number[]): string =>
  `postgres://postgres@${ports.map((port) => `127.0.0.1:${port}`).join(",")}/postgres`;

/** A server that is none. */
async function fakeServer(
  onSocket: (socket: Socket) => void,
): Promise<
  { readonly port: number; readonly sockets: Socket[]; close(): Promise<void> }
> {
  const sockets: Socket[] = [];
  const tcp: TcpServer = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const { port } = tcp.address() as { port: number };
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => tcp.close(() => resolve()));
  };
  return { port, sockets, close };
}

async function select(connection: Connection): Promise<unknown> {
  const [row] = await connection.query(
    { text: "SELECT $1::int", name: "one" },
    [1],
  );
  return row![0];
}

for (const [client, driver] of Object.entries(drivers)) {
  test(`By ${client}: a server that closes each connection at once is an error after one attempt`, async () => {
    const fake = await fakeServer((socket) => socket.end());
    try {
      await assert.rejects(driver(urlOf(fake.port)).connect());
      await assert.rejects(
        driver(urlOf(fake.port)).listen!("c", () => {}, () => {}),
      );
      assert.equal(fake.sockets.length, 2);
    } finally {
      await fake.close();
    }
  });

  test(`By ${client}: a server that says nothing is an error, and its connections are closed`, async () => {
    const fake = await fakeServer((socket) => socket.resume());
    try {
      await assert.rejects(driver(urlOf(fake.port), 200).connect());
      await assert.rejects(
        driver(urlOf(fake.port), 200).listen!("c", () => {}, () => {}),
      );
      while (!fake.sockets.every((socket) => socket.closed)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      await fake.close();
    }
  });

  test(`By ${client}: a listener whose connection is lost says so once, and connects no more`, async () => {
    proxy.mode = "pass";
    let lost = 0;
    let told = (): void => {};
    const isLost = new Promise<void>((resolve) => told = resolve);
    const listener = await driver(urlOf(proxy.port)).listen!(
      "c",
      () => {},
      () => {
        lost++;
        told();
      },
    );
    await proxy.refuse();
    await isLost;
    await listener.close();
    const before = proxy.accepted;
    await proxy.accept();
    // Ten times as long as the client waits.
    await new Promise((resolve) => setTimeout(resolve, 10_000 * BACKOFF_SECONDS));
    assert.deepEqual([lost, proxy.accepted - before], [1, 0]);
  });

  test(`By ${client}: a connection that is destroyed or closed is gone, whatever the server does`, async () => {
    proxy.mode = "pass";
    const [idle, busy, closing] = await Promise.all(
      [1, 2, 3].map(() => driver(urlOf(proxy.port)).connect()),
    );
    const listener = await driver(urlOf(proxy.port)).listen!(
      "c",
      () => {},
      () => {},
    );
    proxy.mode = "silent";
    const result = assert.rejects(select(busy!));
    idle!.destroy();
    busy!.destroy();
    await Promise.all([result, closing!.close(), listener.close()]);
    assert.equal(await proxy.areClientsGone(), true);
    proxy.mode = "pass";
  });

  test(`By ${client}: a store is closed although the server has stopped to answer`, async () => {
    proxy.mode = "pass";
    const store = await openPostgres(driver(urlOf(proxy.port)), {
      table: `driver_${client}`,
      queryTimeoutMs: 10_000,
      retryMs: 100,
    });
    await using watch = store.watch();
    await store.put("a", 1);
    assert.equal((await watch.next()).value?.operations.length, 1);
    proxy.mode = "silent";
    await store.close();
    assert.equal(await proxy.areClientsGone(), true);
    proxy.mode = "pass";
  });

  test(`By ${client}: notifications come by a Unix socket`, async () => {
    const host = encodeURIComponent(server.folder);
    const here = client === "pg"
      ? pgDriver(pg, `postgres://postgres@${host}:${server.port}/postgres`)
      : postgresDriver(postgres, "postgres://postgres@localhost/postgres", {
        path: join(server.folder, `.s.PGSQL.${server.port}`),
      });
    await assertWorks(here, "client_addr IS NULL");
  });

  test(`By ${client}: without a limit for connecting, connections are made`, async () => {
    const connection = await driver(urlOf(server.port), 0).connect();
    assert.equal(Number(await select(connection)), 1);
    await connection.close();
    const listener = await driver(urlOf(server.port), 0).listen!("c", () => {}, () => {});
    await listener.close();
  });

  test(`By ${client}: TLS is used, and a certificate that nobody has signed is refused`, async () => {
    const ca = certificate();
    const url = urlOf(server.port).replace("127.0.0.1", "localhost");
    const connectTimeoutMs = 60_000;
    const by = (ssl: object): Driver =>
      client === "pg"
        ? pgDriver(pg, { connectionString: url, ssl }, { connectTimeoutMs })
        : postgresDriver(postgres, url, { connectTimeoutMs, ssl });
    await assertWorks(by({ ca }), "ssl");
    await assert.rejects(by({}).connect());
  });
}

/** Switches TLS on, if it is not, and returns the server's certificate. */
function certificate(): string {
  const data = join(server.folder, "data");
  const file = join(data, "server.crt");
  if (!existsSync(file)) {
    const key = join(data, "server.key");
    const { status, stderr } = spawnSync("openssl", [
      ...["req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", file],
    ], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    chmodSync(key, 0o600);
    const { uid, gid } = statSync(data);
    chownSync(key, uid, gid);
    chownSync(file, uid, gid);
    server.sql("ALTER SYSTEM SET ssl = on");
    server.sql("SELECT pg_reload_conf()");
    while (server.sql("SHOW ssl").trim() !== "on") continue;
  }
  return readFileSync(file, "utf8");
}

/** A query and a notification pass, by connections of which the condition is true. */
async function assertWorks(driver: Driver, condition: string): Promise<void> {
  let notify = (): void => {};
  const notified = new Promise<void>((resolve) => notify = resolve);
  const listener = await driver.listen!("channel", notify, () => {});
  const connection = await driver.connect();
  assert.equal(Number(await select(connection)), 1);
  const text = `SELECT count(*)::int FROM pg_stat_activity LEFT JOIN pg_stat_ssl USING (pid)
    WHERE application_name = 'tinykvs' AND ${condition}`;
  const [row] = await connection.query({ text, name: "count" }, []);
  assert.equal(Number(row![0]), 2);
  await connection.run("NOTIFY channel");
  await notified;
  await listener.close();
  await connection.close();
}

/** Bytes whose text may be mistaken for something else, and every byte alone. */
function trickyBytes(): Uint8Array[] {
  const texts = [
    "",
    "\\x41",
    "x41",
    "\\101",
    "\\\\",
    "a\\",
    "'\"{},",
    "NULL",
    "a".repeat(5000),
  ];
  return [
    ...texts.map((text) => new TextEncoder().encode(text)),
    new TextEncoder().encode(`${"a".repeat(5000)}\0`),
    new TextEncoder().encode("a\u20ac"),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    Uint8Array.from({ length: 1024 }, (_, at) => at % 256),
  ];
}

for (const prepare of [true, false]) {
  for (const [client, connect] of Object.entries(clients)) {
    test(`By ${client}, ${prepare ? "" : "not "}prepared: bytes arrive as they are, and come back`, async () => {
      const connection = await connect(server.url, { prepare }).connect();
      try {
        const echo = {
          text: "SELECT $1::bytea, encode($1::bytea, 'hex')",
          name: "echo",
        };
        for (const bytes of trickyBytes()) {
          const [row] = await connection.query(echo, [bytes]);
          const hex = Buffer.from(bytes).toString("hex");
          assert.equal(row![1], hex);
          assert.equal(Buffer.from(row![0] as Uint8Array).toString("hex"), hex);
        }
      } finally {
        await connection.close();
      }
    });
  }
}

test("By postgres: of several hosts, those that refuse are passed over, and all may refuse", async () => {
  const several = drivers.postgres(urlOf(1, 2, server.port));
  const connection = await several.connect();
  assert.equal(Number(await select(connection)), 1);
  await connection.close();
  await assert.rejects(
    drivers.postgres(urlOf(1, 2)).connect(),
    /ECONNREFUSED|refused/i,
  );
});
