/**
 * Writes that were acknowledged survive: backends, and the whole server, are ended by SIGKILL while
 * two handles write, with fsync on.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { startServer } from "./server.ts";

const SERVER_KILLS = 17;
const BACKEND_KILLS = 33;
/** Acknowledged writes between two kills. */
const WRITES = 10;

test(`No acknowledged write is lost over ${SERVER_KILLS} kills of the server and ${BACKEND_KILLS} of backends`, async () => {
  const server = await startServer();
  try {
    const options = { table: "kills", retryMs: 120_000 };
    const stores = [
      await openPostgres(clients.pg(server.url), options),
      await openPostgres(clients.postgres(server.url), options),
    ];
    let isOver = false;
    let acknowledged = 0;
    /** Writes until it is told to stop. Returns the number of its writes. */
    const write = async (writer: number): Promise<number> => {
      const store = stores[writer]!;
      let count = 0;
      for (; !isOver; count++) {
        await store.batch().put(`${writer}:${count}`, count).put(
          `${writer}:last`,
          count,
        ).write();
        assert.equal(await store.increment(`${writer}:sum`), BigInt(count + 1));
        acknowledged += 2;
      }
      return count;
    };
    const writing = Promise.all([write(0), write(1)]).finally(() => isOver = true);
    const killing = async (): Promise<void> => {
      for (let kill = 0; kill < SERVER_KILLS + BACKEND_KILLS; kill++) {
        const next = acknowledged + WRITES;
        while (acknowledged < next && !isOver) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        if (isOver) return;
        if (kill % 3 === 0) {
          await server.kill();
          await server.start();
          continue;
        }
        // The postmaster then ends all other backends, and recovers.
        while (!server.killBackend()) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
    };
    await killing().finally(() => isOver = true);
    const counts = await writing;
    await Promise.all(stores.map((store) => store.close()));
    const store = await openPostgres(clients.pg(server.url), options);
    for (const [writer, count] of counts.entries()) {
      assert.equal(await store.get(`${writer}:sum`), BigInt(count));
      assert.equal(await store.get(`${writer}:last`), count - 1);
      const values = await store.values({
        prefix: `${writer}:`,
        limit: Infinity,
      }).toArray();
      assert.equal(values.length, count + 2);
      const keys = Array.from({ length: count }, (_, i) => `${writer}:${i}`);
      assert.deepEqual(await store.getMany(keys), keys.map((_, i) => i));
    }
    await store.close();
    console.log(`${acknowledged} acknowledged writes`);
  } finally {
    await server.stop();
  }
});
