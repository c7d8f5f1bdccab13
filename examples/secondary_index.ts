/**
 * A secondary index: users by e-mail. Each change of a user changes the index in the same batch, so
 * the two agree after a crash, too.
 *
 *     node examples/secondary_index.ts ./users
 *
 * Prints:
 *
 *     alice@example.com is user 1
 *     alice@example.com is user undefined, alice@example.org is user 1
 *     bob@example.com is taken
 */

import process from "node:process";
import { open } from "@tinykvs/core";

await using store = await open(process.argv[2] ?? "./users");

interface User {
  readonly name: string;
  readonly email: string;
}

const idOf = (email: string) => store.getString(`email:${email}`);

async function save(id: string, user: User): Promise<void> {
  const owner = await idOf(user.email);
  if (owner !== undefined && owner !== id) throw new Error(`${user.email} is taken`);
  const old = await store.getMap(`user:${id}`) as User | undefined;
  const batch = store.batch().put(`user:${id}`, { ...user }).put(`email:${user.email}`, id);
  if (old !== undefined && old.email !== user.email) batch.delete(`email:${old.email}`);
  await batch.write();
}

await save("1", { name: "Alice", email: "alice@example.com" });
await save("2", { name: "Bob", email: "bob@example.com" });
console.log(`alice@example.com is user ${await idOf("alice@example.com")}`);
await save("1", { name: "Alice", email: "alice@example.org" });
const ids = [await idOf("alice@example.com"), await idOf("alice@example.org")];
console.log(`alice@example.com is user ${ids[0]}, alice@example.org is user ${ids[1]}`);
await save("1", { name: "Alice", email: "bob@example.com" }).catch((error: Error) =>
  console.log(error.message)
);
