/**
 * The types of keys and values that the compiler infers; `deno check` is what fails here, not the
 * run.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Cursor,
  type EmbeddedCursor,
  type EmbeddedStore,
  json,
  type JsonValue,
  type Key,
  type KeyCodec,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  type Store,
  type Sub,
  type Tuple,
  tuple,
  type Value,
  type ValueCodec,
} from "../../mod.ts";
import { same } from "../support/same_type.ts";

const fileSystem = memoryFileSystem();
type Read<S extends { get(key: never): unknown }> = Awaited<ReturnType<S["get"]>>;
type Shown<S extends { keys(): unknown }> = ReturnType<S["keys"]>;

test("A store's types follow keyEncoding and int64", async () => {
  const text = await open("/1", { fileSystem });
  same<typeof text, EmbeddedStore<string, Value>>(true);
  same<Shown<typeof text>, EmbeddedCursor<Key>>(false);
  const key: string | undefined = text.keys().nextManySync(1)[0];
  const bytes = await open("/2", { fileSystem, keyEncoding: "bytes" });
  same<typeof bytes, EmbeddedStore<Uint8Array, Value>>(true);
  const numbers = openSync("/3", { fileSystem, int64: "number", walSync: "none" });
  same<typeof numbers, EmbeddedStore<string, Exclude<Value, bigint>>>(true);
  same<Read<typeof numbers>, Exclude<Value, bigint> | undefined>(true);
  numbers.putSync("a", 1n);
  const entry: [string, Exclude<Value, bigint>] | undefined = numbers.entries().nextManySync(1)[0];
  assert.deepEqual([key, entry], [undefined, ["a", 1]]);
  const unknown = await open("/4", { fileSystem } as Options);
  same<typeof unknown, EmbeddedStore<Key, Value>>(true);
  const both = await open("/5", { fileSystem, keyEncoding: "bytes", int64: "number" });
  same<typeof both, EmbeddedStore<Uint8Array, Exclude<Value, bigint>>>(true);
  const stores: Store[] = [text, bytes, numbers, unknown, both];
  using snapshot = numbers.snapshot();
  same<Read<typeof snapshot>, Exclude<Value, bigint> | undefined>(true);
  const wrong = async (): Promise<void> => {
    // @ts-expect-error there is no such option
    await open("/6", { createIfMising: false });
  };
  await assert.rejects(wrong, TypeError);
  for (const store of stores) await store.close();
});

test("A sub's types follow its keys and values", async () => {
  await using store = await open("/6", { fileSystem, int64: "number" });
  const plain = store.sub("s");
  same<Read<typeof plain>, Exclude<Value, bigint> | undefined>(true);
  same<Parameters<typeof plain.put>[1], Value>(true);
  same<Parameters<typeof plain.put>[0], Key>(true);
  const shown: string[] = await plain.keys().toArray();
  const users = store.sub<{ name: string }>("users");
  same<Read<typeof users>, { name: string } | undefined>(true);
  const tuples = store.sub(["a", "b"], { key: "tuple", value: "json" });
  same<Parameters<typeof tuples.get>[0], Tuple>(true);
  same<Read<typeof tuples>, JsonValue | undefined>(true);
  const claimed = tuples.sub("c", {
    key: tuple<[user: string, at: number]>(),
    value: json<{ n: number }>(),
  });
  same<Parameters<typeof claimed.put>[0], [user: string, at: number]>(true);
  same<Read<typeof claimed>, { n: number } | undefined>(true);
  const entries: [[string, number], { n: number }][] = await claimed.entries().toArray();
  const pages: KeyCodec<URL> = {
    encode: (page) => new TextEncoder().encode(page.href),
    decode: (bytes) => new URL(new TextDecoder().decode(bytes)),
  };
  const counts: ValueCodec<number | string, number> = { encode: Number, decode: Number };
  const coded = store.sub("c", { key: pages, value: counts });
  same<Parameters<typeof coded.put>[0], URL>(true);
  same<Parameters<typeof coded.put>[1], number | string>(true);
  same<Read<typeof coded>, number | undefined>(true);
  const batch = coded.in(store.batch()).put(new URL("file:///a"), "1");
  same<Parameters<typeof batch.put>[1], number | string>(true);
  using snapshot = store.snapshot();
  const inSnapshot = coded.in(snapshot);
  same<ReturnType<typeof inSnapshot.getSync>, number | undefined>(true);
  const any: Store[] = [plain];
  const bytes = store.sub("b", { key: "bytes" });
  same<Parameters<typeof bytes.get>[0], Uint8Array>(true);
  const asContract: Sub<Uint8Array, Value> = bytes;
  const cursor: Cursor<Uint8Array, Uint8Array> = asContract.keys();
  cursor.seek(Uint8Array.of(1));
  await claimed.keys({ prefix: ["x"], gte: ["x", 1], lt: [] }).toArray();
  const refused = (): void => {
    // @ts-expect-error a beginning of other parts
    claimed.keys({ prefix: [1] });
    // @ts-expect-error a tuple of other parts
    claimed.getSync([1, "x"]);
    // @ts-expect-error no URL
    coded.putSync("k", 1);
    // @ts-expect-error a range of other keys
    bytes.keys({ prefix: "a" });
    // @ts-expect-error no such kind of keys
    store.sub("x", { key: "text" });
  };
  assert.throws(refused);
  assert.deepEqual([shown, entries, any.length], [[], [], 1]);
});

test("A store written from the contract has typed subs, too", async () => {
  await using store: Store = await open("/7", { fileSystem });
  const events = store.sub("e", { key: tuple<[at: number]>(), value: json<string>() });
  same<typeof events, Sub<[at: number], string>>(true);
  await events.put([1], "x");
  const found: [[at: number], string][] = await events.entries().toArray();
  assert.deepEqual(found, [[[1], "x"]]);
});
