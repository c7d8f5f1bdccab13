// One key that is not UTF-8 among text keys: how a program comes past it, sees it and deletes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedCursor,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type Options,
  type Range,
  type Value,
} from "../../mod.ts";

const BINARY = Uint8Array.of(0x62, 0xff);
const TEXT = ["a1", "a2", "b", "c1", "c2"];
const options: Options = { blockSizeBytes: 256, compression: "none" };

/** Stores with text keys and one that is not text, in a memtable and in a table. */
async function* stores(more: Options = {}): AsyncGenerator<EmbeddedStore> {
  for (const isFlushed of [false, true]) {
    await using store = await open("/db", { ...options, ...more, fileSystem: memoryFileSystem() });
    for (const key of TEXT) store.putSync(key, `of ${key}`);
    store.putSync(BINARY, "of the binary one");
    if (isFlushed) await store.flush();
    yield store;
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const ALL = [...TEXT.slice(0, 3).map(encode), BINARY, ...TEXT.slice(3).map(encode)];

test("No scan can pass a key that is not UTF-8, and no call can read or delete it", async () => {
  for await (const store of stores()) {
    using snapshot = store.snapshot();
    for (const from of [store, snapshot]) {
      assert.deepEqual([...from.keys({ keyEncoding: "bytes" })], ALL);
      assert.deepEqual(await from.keys({ keyEncoding: "bytes" }).toArray(), ALL);
      const reverse = from.entries({ keyEncoding: "bytes", reverse: true, lt: "c" });
      assert.deepEqual(await reverse.nextMany(2), [[BINARY, "of the binary one"], [
        encode("b"),
        "of b",
      ]]);
      assert.deepEqual([...from.values({ keyEncoding: "bytes", prefix: "b" })].length, 2);
      assert.equal(await from.count(), 6);
    }
    const seen: Uint8Array[] = [];
    const visit = (key: Uint8Array, _: Value): void => void seen.push(key);
    await store.scanPrefix("b", visit, { keyEncoding: "bytes" });
    await store.scanRange("b", "c2", visit, { keyEncoding: "bytes", reverse: true, limit: 2 });
    assert.deepEqual(seen, [encode("b"), BINARY, encode("c1"), BINARY]);
    // What the documentation advises.
    for (const key of store.keys({ keyEncoding: "bytes" })) {
      if (new TextDecoder().decode(key).includes("\ufffd")) await store.delete(key);
    }
    assert.deepEqual(await store.keys().toArray(), TEXT);
    assert.deepEqual([...snapshot.keys({ keyEncoding: "bytes" })], ALL);
  }
});

test("The error for a key that is not UTF-8 does not say how to read it", async () => {
  for await (const store of stores()) {
    const expected = {
      code: "KEY_ENCODING",
      message: /key 0x62ff as text: it is not UTF-8; .* keyEncoding "bytes" in the range/,
    };
    assert.throws(() => [...store.keys()], expected);
    await assert.rejects(store.entries().toArray(), expected);
    await assert.rejects(store.scanPrefix("b", () => {}), expected);
    await assert.rejects(store.scanRange("a", "z", () => {}), expected);
    assert.throws(() => [...store.snapshot().entries()], expected);
    // What needs no key as text works.
    assert.equal([...store.values()].length, 6);
    assert.equal(await store.get(BINARY), "of the binary one");
  }
});

test("A cursor that met a key that is not UTF-8 has ended, and one that starts after the key works", async () => {
  for await (const store of stores()) {
    for (const form of ["sync", "async", "nextMany"] as const) {
      const cursor: EmbeddedCursor<string | Uint8Array> = store.keys();
      const seen: unknown[] = [];
      const error = { code: "KEY_ENCODING" };
      if (form === "sync") {
        assert.throws(() => {
          for (const key of cursor) seen.push(key);
        }, error);
        assert.deepEqual([...cursor], []);
      } else if (form === "async") {
        await assert.rejects(async () => {
          for await (const key of cursor) seen.push(key);
        }, error);
      } else {
        seen.push(...await cursor.nextMany(3));
        await assert.rejects(cursor.nextMany(3), error);
      }
      assert.deepEqual(seen, ["a1", "a2", "b"], form);
      assert.deepEqual(await cursor.nextMany(1), []);
      assert.deepEqual(await cursor.toArray(), []);
    }
    assert.deepEqual(await store.keys({ gt: BINARY }).toArray(), ["c1", "c2"]);
  }
});

test("A store with keys as bytes reads them as text if a range asks for that", async () => {
  for await (const store of stores({ keyEncoding: "bytes" })) {
    assert.deepEqual([...store.keys({ keyEncoding: "utf8", lt: BINARY })], TEXT.slice(0, 3));
    assert.deepEqual([...store.keys({ limit: 1 })], [encode("a1")]);
    assert.throws(() => [...store.keys({ keyEncoding: "utf8" })], { code: "KEY_ENCODING" });
    const texts: string[] = [];
    for (const [key] of store.entries({ keyEncoding: "utf8", gte: "c" })) {
      texts.push(key.slice(0, 1));
    }
    assert.deepEqual(texts, ["c", "c"]);
  }
});

test("A wrong key encoding, or a bound among a scan's options, is refused", async () => {
  for await (const store of stores()) {
    for (const keyEncoding of ["utf-8", "", 1, null, true]) {
      const range = { keyEncoding } as never;
      const expected = {
        name: "TypeError",
        message: /"keyEncoding" is .*, expected "utf8" or "bytes"/,
      };
      assert.throws(() => store.keys(range), expected);
      await assert.rejects(store.count(range), expected);
      await assert.rejects(store.scanPrefix("", () => {}, range), expected);
    }
    const wrong: Range[] = [{ gte: "a" }, { prefix: "a" }];
    for (const bounds of wrong) {
      await assert.rejects(store.scanPrefix("b", () => {}, bounds as never), /unknown option/);
      await assert.rejects(store.scanRange("b", "c", () => {}, bounds as never), /unknown option/);
    }
    await assert.rejects(
      store.scanPrefix("b", () => {}, { foo: 1 } as never),
      /unknown name "foo"/,
    );
    await assert.rejects(store.scanPrefix("b", () => {}, null as never), /found null/);
    await assert.rejects(store.scanPrefix("b", undefined as never), /expected a function to call/);
  }
});

test("A scan by prefix or range ends with the signal's reason", async () => {
  for await (const store of stores()) {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const scan = store.scanPrefix("", (key) => {
      seen.push(key);
      controller.abort(new Error("enough"));
    }, { signal: controller.signal });
    await assert.rejects(scan, /enough/);
    assert.deepEqual(seen, ["a1"]);
    const { signal } = controller;
    await assert.rejects(store.scanRange("a", "b", () => {}, { signal }), /enough/);
  }
});
