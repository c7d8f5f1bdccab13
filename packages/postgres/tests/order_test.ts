/** What reads of a handle see of the writes of the same handle. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

let server: Server;

before(async () => {
  server = await startServer({ synchronous_commit: "off" });
});

after(async () => {
  await server.stop();
});

const WRITERS = 8;
const ROUNDS = 6;

for (const [client, driver] of Object.entries(clients)) {
  test(`By ${client}: after an awaited write every kind of read sees it, however much else goes on`, async () => {
    const table = `order_${client}`;
    // Few connections: reads and writes wait for each other.
    await using store = await openPostgres(driver(server.url), { table, connections: 3 });
    let isOver = false;
    const others = Array.from({ length: 100 }, async (_, at) => {
      while (!isOver) await store.get(`w${at % WRITERS}`);
    });
    const writer = async (key: string): Promise<void> => {
      for (let i = 1; i <= ROUNDS; i++) {
        await store.put(key, i);
        assert.equal(await store.get(key), i);
        await store.batch().put(`${key}/x`, i).put(`${key}/y`, i).write();
        const [one, many, entry] = await Promise.all([
          store.get(`${key}/x`),
          store.getMany([key, `${key}/y`]),
          store.getEntry(`${key}/y`),
        ]);
        assert.deepEqual([one, many, entry?.value], [i, [i, i], i]);
        assert.equal(await store.count({ prefix: `${key}/` }), 2);
        await store.deleteRange({ prefix: `${key}/` });
        assert.deepEqual(await store.keys({ prefix: key }).toArray(), [key]);
        assert.equal(await store.get(`${key}/x`), undefined);
      }
    };
    try {
      await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(`w${at}`)));
    } finally {
      isOver = true;
      await Promise.all(others);
    }
  });

  test(`By ${client}: a get sees writes that were issued before it, also those that wait for the server`, async () => {
    const table = `waits_${client}`;
    await using store = await openPostgres(driver(server.url), { table });
    await store.put("k", 1);
    const blocker = await driver(server.url).connect();
    await blocker.run(`BEGIN; SELECT 1 FROM ${table} FOR UPDATE`);
    const range = store.deleteRange({ prefix: "x" });
    // The next write goes into another statement.
    await Promise.resolve();
    const put = store.put("k", 2);
    const got = store.get("k");
    await range;
    // A get that has not waited for the put is answered by now, because this one is.
    for (let i = 0; i < 3; i++) assert.equal(await store.get("other"), undefined);
    const later = store.put("k", 3);
    await blocker.run("ROLLBACK");
    await put;
    // It may see later writes: it reads what is there when its statement begins.
    assert.ok([2, 3].includes(await got as number), `found ${await got}`);
    await later;
    assert.equal(await store.get("k"), 3);
    await blocker.close();
  });
}
