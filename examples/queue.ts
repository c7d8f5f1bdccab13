/**
 * A queue of jobs that survives a crash. A worker moves a job to "running" before it starts, in one
 * batch with its removal from the queue. After a restart, jobs that were running are queued again.
 *
 *     node examples/queue.ts ./jobs
 *
 * Prints:
 *
 *     took mail to alice
 *     after a restart: 1 job was interrupted, 3 wait
 *     did mail to alice, mail to bob, mail to carol
 */

import process from "node:process";
import { open } from "@tinykvs/core";

const directory = process.argv[2] ?? "./jobs";
const name = (number: bigint) => String(number).padStart(16, "0");

async function openQueue() {
  const store = await open(directory);
  return {
    async add(job: string): Promise<void> {
      const next = (await store.getInt64("next") as bigint | undefined ?? 0n) + 1n;
      await store.batch().put("next", next).put(`waiting:${name(next)}`, job).write();
    },
    async take(): Promise<{ id: string; job: string } | undefined> {
      for await (const [key, job] of store.entries({ prefix: "waiting:", limit: 1 })) {
        const id = String(key).slice("waiting:".length);
        await store.batch().delete(key).put(`running:${id}`, job).write();
        return { id, job: job as string };
      }
      return undefined;
    },
    done: (id: string) => store.delete(`running:${id}`),
    async recover(): Promise<number> {
      const batch = store.batch();
      let count = 0;
      for await (const [key, job] of store.entries({ prefix: "running:" })) {
        batch.delete(key).put(String(key).replace("running:", "waiting:"), job);
        count++;
      }
      await batch.write();
      return count;
    },
    waiting: () => store.count({ prefix: "waiting:" }),
    close: () => store.close(),
  };
}

let queue = await openQueue();
for (const user of ["alice", "bob", "carol"]) await queue.add(`mail to ${user}`);
console.log(`took ${(await queue.take())?.job}`);
await queue.close(); // or a crash

queue = await openQueue();
console.log(
  `after a restart: ${await queue.recover()} job was interrupted, ${await queue.waiting()} wait`,
);
const done: string[] = [];
for (let next = await queue.take(); next !== undefined; next = await queue.take()) {
  done.push(next.job);
  await queue.done(next.id);
}
console.log(`did ${done.join(", ")}`);
await queue.close();
