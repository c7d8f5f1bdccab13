/**
 * A session store. Each session has a record, and a second key ordered by the time of its end, so
 * that a sweep finds the ended sessions without reading the others. One batch changes both keys.
 *
 *     node examples/session_store.ts ./sessions
 *
 * Prints:
 *
 *     alice is logged in
 *     swept 2 sessions
 *     alice is logged out, carol is logged in
 */

import process from "node:process";
import { open } from "@tinykvs/core";

await using store = await open(process.argv[2] ?? "./sessions");

interface Session {
  readonly user: string;
  /** In milliseconds since 1970. */
  readonly endsAt: number;
}

/** Numbers as text that sorts as the numbers do. */
const sortable = (time: number) => String(time).padStart(15, "0");

async function begin(id: string, user: string, endsAt: number): Promise<void> {
  await store.batch()
    .put(`session:${id}`, { user, endsAt })
    .put(`end:${sortable(endsAt)}:${id}`, true)
    .write();
}

async function userOf(id: string, now: number): Promise<string | undefined> {
  const session = await store.getMap(`session:${id}`) as Session | undefined;
  return session === undefined || session.endsAt <= now ? undefined : session.user;
}

/** Removes the sessions that have ended, and says how many. */
async function sweep(now: number): Promise<number> {
  const batch = store.batch();
  let count = 0;
  for await (const key of store.keys({ prefix: "end:", lt: `end:${sortable(now)}` })) {
    batch.delete(key).delete(`session:${String(key).split(":")[2]}`);
    count++;
  }
  await batch.write();
  return count;
}

await begin("a1", "alice", 1_000);
await begin("b2", "bob", 2_000);
await begin("c3", "carol", 9_000);
console.log(`${await userOf("a1", 500)} is logged in`);
console.log(`swept ${await sweep(5_000)} sessions`);
const [alice, carol] = [await userOf("a1", 5_000), await userOf("c3", 5_000)];
console.log(`alice is logged ${alice === undefined ? "out" : "in"}, ${carol} is logged in`);
