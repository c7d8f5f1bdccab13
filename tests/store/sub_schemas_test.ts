/**
 * Tests subs with schemas of three libraries, all through the Standard Schema interface, and their
 * types.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import * as z from "zod";
import { memoryFileSystem, open, TypeMismatchError, ValidationError } from "../../mod.ts";
import type { StandardSchema, Store } from "../../mod.ts";
import { MapStore } from "../contracts/map_store.ts";
import { same } from "../support/same_type.ts";

interface User {
  name: string;
  age: number;
}

const zodUser = z.object({ name: z.string(), age: z.number().default(0) });
const valibotUser = v.object({ name: v.string(), age: v.optional(v.number(), 0) });
const arktypeUser = type({ name: "string", age: "number = 0" });

const schemas: readonly [
  name: string,
  schema: StandardSchema<{ name: string; age?: number }, User>,
][] = [
  ["zod", zodUser as StandardSchema<{ name: string; age?: number }, User>],
  ["valibot", valibotUser as StandardSchema<{ name: string; age?: number }, User>],
  ["arktype", arktypeUser as unknown as StandardSchema<{ name: string; age?: number }, User>],
];

const stores: readonly [name: string, open: () => Promise<Store>][] = [
  ["the embedded store", () => open("/db", { fileSystem: memoryFileSystem() })],
  ["a store over an array", () => Promise.resolve(new MapStore())],
];

for (const [library, schema] of schemas) {
  for (const [name, openStore] of stores) {
    test(`A schema of ${library} guards a sub of ${name}`, async () => {
      await using store = await openStore();
      const users = store.sub("users", { value: schema });
      await users.put("a", { name: "Alice" });
      assert.deepEqual(await users.get("a"), { name: "Alice", age: 0 });
      assert.deepEqual(await store.sub("users").get("a"), { name: "Alice", age: 0 });
      const wrong = { name: "Bob", age: "old" } as never;
      const refusal = (error: unknown): boolean => {
        assert.ok(error instanceof ValidationError, String(error));
        assert.match(error.message, /^Cannot store the value in sub "users": .*age.*number/);
        assert.ok(error.issues.length === 1);
        return true;
      };
      await assert.rejects(users.put("b", wrong), refusal);
      await assert.rejects(users.update("a", () => wrong), refusal);
      assert.throws(() => users.batch().put("b", wrong), refusal);
      assert.deepEqual(await users.keys().toArray(), ["a"]);
      // A program without the schema has stored an invalid value. The sub names its key in an
      // error, and does not return the value.
      await store.sub("users").put("b", wrong);
      const mismatch = (error: unknown): boolean => {
        assert.ok(error instanceof TypeMismatchError, String(error));
        assert.match(
          error.message,
          /a value of sub "users" under key "b" \(.*age.*\): it is stored/,
        );
        assert.ok(error.cause instanceof ValidationError);
        return true;
      };
      await assert.rejects(users.get("b"), mismatch);
      await assert.rejects(users.values().toArray(), mismatch);
      await assert.rejects(users.snapshot().getMany(["a", "b"]), mismatch);
      assert.equal(await users.putIfEquals("a", { name: "Eve", age: 5 }, { name: "Alice" }), true);
      assert.deepEqual(await users.update("a", (old) => ({ ...old!, age: old!.age + 1 })), {
        name: "Eve",
        age: 6,
      });
    });
  }
}

test("A schema that does not return what it accepts is refused, as are asynchronous ones", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const cases: [unknown, RegExp][] = [
    [z.string().transform((text) => text.length), /age|expected string|invalid/i],
    [z.string().transform((text) => `${text}!`), /changes what it has made itself/],
    [z.string().refine(async () => await true), /asynchronously/],
    [v.pipe(v.string(), v.transform((text) => `${text}!`)), /changes what it has made itself/],
    [v.pipeAsync(v.string(), v.checkAsync(async () => await true)), /asynchronously/],
    [type("string").pipe((text) => `${text}!`), /changes what it has made itself/],
  ];
  for (const [schema, message] of cases) {
    const sub = store.sub("s", { value: schema as StandardSchema<string> });
    await assert.rejects(sub.put("k", "text"), message);
    assert.throws(() => sub.putSync("k", "text"), message);
  }
  assert.equal(store.countSync(), 0);
  const trimmed = store.sub("s", { value: z.string().trim().toLowerCase() });
  trimmed.putSync("k", "  Text ");
  assert.equal(trimmed.getSync("k"), "text");
});

test("Schemas give a sub its types", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const ofZod = store.sub("s", { value: zodUser, key: "utf8" });
  const ofValibot = store.sub("s", { value: valibotUser, key: "tuple" });
  const ofArktype = store.sub("s", { value: arktypeUser });
  same<Awaited<ReturnType<typeof ofZod.get>>, User | undefined>(true);
  same<Awaited<ReturnType<typeof ofValibot.get>>, User | undefined>(true);
  same<Awaited<ReturnType<typeof ofArktype.get>>, User | undefined>(true);
  same<Parameters<typeof ofZod.putSync>[1], { name: string; age?: number | undefined }>(true);
  same<Parameters<typeof ofZod.put>[0], string>(true);
  same<Parameters<typeof ofArktype.put>[1], { name: string; age?: number }>(true);
  const refused = (): void => {
    // @ts-expect-error the age is no number
    ofZod.putSync("k", { name: "x", age: "y" });
    // @ts-expect-error the key is no text
    ofZod.getSync(Uint8Array.of(1));
    // @ts-expect-error the key is no tuple
    ofValibot.getSync("k");
  };
  assert.throws(refused);
});
