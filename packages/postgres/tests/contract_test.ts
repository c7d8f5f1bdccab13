/** The contract suite, by both clients, against a server. */

import { after, before, test } from "node:test";
import { contractSuite, type Store } from "@tinykvs/core/contract-suite";
import { type Connection, MAX_POSTGRES_KEY_BYTES, openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

let server: Server;

before(async () => {
  // Half of the tests would wait for the disk. The tests of faults do not switch it off.
  server = await startServer({ synchronous_commit: "off" });
});

after(async () => {
  await server.stop();
});

for (const [name, connect] of Object.entries(clients)) {
  const table = `by_${name}`;
  let admin: Connection | undefined;

  /** An empty table: the first one is made by the store, and emptied for the next test. */
  const open = async (): Promise<Store> => {
    const driver = connect(server.url);
    if (admin === undefined) admin = await driver.connect();
    else await admin.run(`DELETE FROM ${table}; DELETE FROM ${table}_log`);
    return await openPostgres(driver, { table });
  };

  contractSuite({
    test: (title, body) => test(`By ${name}: ${title}`, body),
    open,
    maxKeyBytes: MAX_POSTGRES_KEY_BYTES,
  });

  after(() => admin?.destroy());
}
