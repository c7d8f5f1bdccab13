// Tests what TinyLevel adds to Level and where it differs: formats, options, batches, locks,
// iterators.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TinyLevel } from "../../../level.ts";
import {
  type EmbeddedStore,
  type FileSystem,
  memoryFileSystem,
  open,
  TypeMismatchError,
} from "../../../mod.ts";
import { MapStore } from "../../contracts/map_store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { crashCopy } from "../../store/file_systems.ts";

type Options = Record<string, unknown>;

async function database(options: Options = {}): Promise<TinyLevel> {
  const db = new TinyLevel("/db", {
    fileSystem: memoryFileSystem(),
    ...options,
  });
  await db.open();
  return db;
}

/** The error of Level that wraps an error of the store. */
async function causeOf(
  opening: Promise<unknown>,
): Promise<{ code?: string; message: string }> {
  const error: unknown = await opening.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof Error);
  assert.equal(
    (error as Error & { code: string }).code,
    "LEVEL_DATABASE_NOT_OPEN",
  );
  return error.cause as { code?: string; message: string };
}

const view = { keyEncoding: "view", valueEncoding: "view" };

test("Text is stored as text and bytes as bytes, and each can be read as the other", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await using db = new TinyLevel(store);
  const bytes = Uint8Array.of(0xe4, 0xbd, 0xa0);
  await db.put("text", "你");
  await db.put<string, Uint8Array>("bytes", bytes, { valueEncoding: "view" });
  assert.equal(await store.get("text"), "你");
  assert.deepEqual(await store.get("bytes"), bytes);
  const asText = [["bytes", "你"], ["text", "你"]];
  assert.deepEqual(await db.iterator().all(), asText);
  assert.deepEqual(await db.getMany(["bytes", "text"]), ["你", "你"]);
  assert.deepEqual(db.getSync("bytes"), "你");
  for (const key of ["bytes", "text"]) {
    const found = await db.get<string, Uint8Array>(key, {
      valueEncoding: "view",
    });
    assert.deepEqual(found, bytes);
    const buffer = await db.get<string, Uint8Array>(key, {
      valueEncoding: "buffer",
    });
    assert.equal(String(buffer), "你");
  }
});

test("What is not UTF-8, and text that is not well-formed, reads as U+FFFD, as Level has it", async () => {
  await using db = await database();
  const bad = Uint8Array.of(0x61, 0xff);
  await db.put<Uint8Array, Uint8Array>(bad, bad, view);
  assert.deepEqual(await db.iterator().all(), [["a\ufffd", "a\ufffd"]]);
  assert.deepEqual(await db.iterator<Uint8Array, Uint8Array>(view).all(), [[
    bad,
    bad,
  ]]);
  await db.clear();
  const text = "x\ud800";
  await db.put(text, text);
  await db.batch([{ type: "put", key: `${text}2`, value: text }]);
  await db.batch().put(`${text}3`, text).write();
  const mended = "x\ufffd";
  assert.deepEqual(await db.keys().all(), [mended, `${mended}2`, `${mended}3`]);
  assert.deepEqual(await db.getMany([text, `${text}2`, `${text}3`]), [
    mended,
    mended,
    mended,
  ]);
  await db.batch([{ type: "del", key: text }, {
    type: "del",
    key: `${text}2`,
  }]);
  await db.del(`${text}3`);
  assert.deepEqual(await db.keys().all(), []);
});

test("A value that is neither text nor bytes is an error with both types, not a guess", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await using db = new TinyLevel(store);
  await store.put("number", 1);
  const expected = (error: unknown): boolean =>
    error instanceof TypeMismatchError && error.found === "float64";
  await assert.rejects(db.get("number"), expected);
  await assert.rejects(db.iterator().all(), expected);
  assert.deepEqual(await db.keys().all(), ["number"]);
});

test("A store that is given stays open, and what its database does is in it", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const db = new TinyLevel(store);
  await db.put("key", "value");
  assert.equal(db.location, "/db");
  await db.close();
  await assert.rejects(db.get("key"), { code: "LEVEL_DATABASE_NOT_OPEN" });
  assert.equal(store.status, "open");
  await db.open();
  assert.equal(await db.get("key"), "value");
  await db.close();
  assert.equal(await store.get("key"), "value");
});

test("A location that can't be one, and an option of classic-level, are refused by name", () => {
  for (const location of [undefined, null, "", 1]) {
    assert.throws(() => new TinyLevel(location as string), /the location is/);
  }
  assert.throws(() => new TinyLevel("/db", { cacheSize: 1 } as Options), {
    name: "TypeError",
    message:
      'Cannot use the options: "cacheSize" is one of classic-level, expected "blockCacheSizeBytes"',
  });
});

test("Options of the store reach it, and compression may be a boolean, as for classic-level", async () => {
  await using db = await database({
    compression: false,
    memtableSizeBytes: 4096,
  });
  await db.put("key", "value");
  const fails = new TinyLevel("/db", {
    fileSystem: memoryFileSystem(),
    memtableSizeBytes: 1,
  });
  assert.match((await causeOf(fails.open())).message, /memtableSizeBytes/);
});

test("Errors of opening have the codes that programs for Level look for", async () => {
  const fileSystem = memoryFileSystem();
  const first = new TinyLevel("/db", { fileSystem });
  await first.open();
  const second = new TinyLevel("/db", { fileSystem });
  assert.equal((await causeOf(second.open())).code, "LEVEL_LOCKED");
  await first.close();
  const strict = new TinyLevel("/db", { fileSystem, errorIfExists: true });
  assert.match((await causeOf(strict.open())).message, /one exists/);
  const missing = new TinyLevel("/other", {
    fileSystem,
    createIfMissing: false,
  });
  assert.match((await causeOf(missing.open())).message, /does not exist/);
  fileSystem.removeSync("/db/CURRENT");
  fileSystem.createSync("/db/CURRENT").closeSync();
  assert.equal(
    (await causeOf(new TinyLevel("/db", { fileSystem }).open())).code,
    "LEVEL_CORRUPTION",
  );
});

test("With sync a write is durable at once, and without it outlives the process", async () => {
  const fileSystem = memoryFileSystem();
  await using db = await database({ fileSystem });
  await db.put("a", "1");
  await db.batch(
    [{ type: "put", key: "b", value: "2" }],
    { sync: true } as Options,
  );
  await db.batch().put("c", "3").write({ sync: true } as Options);
  await db.put("d", "4", { sync: true } as Options);
  await db.del("a", { sync: true } as Options);
  await using killed = await database({
    fileSystem: crashCopy(fileSystem, "/db"),
  });
  assert.deepEqual(await killed.keys().all(), ["b", "c", "d"]);
});

/**
 * Databases that write batches with Level's copies, each for another reason, and one that does not.
 */
const ways: Readonly<Record<string, (db: TinyLevel) => void>> = {
  "without anybody who looks": () => {},
  "with a listener": (db) => void db.on("write", () => {}),
  "with a hook": (db) => db.hooks.prewrite.add(() => {}),
};

for (const [way, prepare] of Object.entries(ways)) {
  test(`A batch ${way} does what its operations say, or nothing`, async () => {
    await using db = await database();
    prepare(db);
    const part = db.sublevel("part", { valueEncoding: "json" });
    const bytes = Uint8Array.of(0x62, 0xff);
    await db.batch<unknown, unknown>([
      { type: "put", key: "a", value: 1 },
      { type: "put", key: "a", value: "last wins" },
      { type: "put", key: "json", value: { x: 1 }, valueEncoding: "json" },
      {
        type: "put",
        key: bytes,
        value: bytes,
        keyEncoding: "view",
        valueEncoding: "view",
      },
      { type: "put", key: "in part", value: { y: 2 }, sublevel: part as never },
      { type: "put", key: "gone", value: "x" },
      { type: "del", key: "gone" },
    ], {});
    assert.equal(await db.get("a"), "last wins");
    assert.equal(await db.get("json"), '{"x":1}');
    assert.deepEqual(await db.get<Uint8Array, Uint8Array>(bytes, view), bytes);
    assert.deepEqual(await part.get("in part"), { y: 2 });
    assert.equal(await db.has("gone"), false);
    // A field counts even if its value is undefined.
    const json = { valueEncoding: "json" };
    const text = {
      type: "put",
      key: "text",
      value: "t",
      valueEncoding: undefined,
    } as const;
    await db.batch<string, unknown>([text, {
      type: "put",
      key: "t2",
      value: "t",
    }], json);
    assert.deepEqual(await db.getMany(["text", "t2"]), ["t", '"t"']);
    await part.batch([{ type: "put", key: "k", value: [3] as never }]);
    assert.deepEqual(await part.get("k") as unknown, [3]);

    const before = await db.iterator().all();
    const good = { type: "put", key: "new", value: "x" } as const;
    const mistakes: [unknown, RegExp | { code: string }][] = [
      [{ type: "put", key: null, value: "x" }, { code: "LEVEL_INVALID_KEY" }],
      [{ type: "put", key: "k", value: undefined }, {
        code: "LEVEL_INVALID_VALUE",
      }],
      [{ type: "del" }, { code: "LEVEL_INVALID_KEY" }],
      [{ type: "move", key: "k" }, /type property/],
      [{ key: "k", value: "x" }, /type property/],
      [{ type: "put", key: "k".repeat(70_000), value: "x" }, /length/],
      [
        { type: "put", key: "k", value: "x", keyEncoding: "none such" },
        /not found/,
      ],
    ];
    for (const [mistake, expected] of mistakes) {
      await assert.rejects(db.batch([good, mistake as never]), expected);
    }
    await assert.rejects(db.batch("no array" as never), /must be an array/);
    assert.deepEqual(await db.iterator().all(), before);
  });
}

test("A listener sees every operation of a batch", async () => {
  await using db = await database();
  const seen: unknown[] = [];
  await db.batch([{ type: "put", key: "a", value: "1" }]);
  db.on(
    "write",
    (operations) => seen.push(...operations.map(({ key }: { key: string }) => key)),
  );
  await db.batch([{ type: "put", key: "b", value: "2" }, {
    type: "del",
    key: "a",
  }]);
  assert.deepEqual(seen, ["b", "a"]);
});

test("A clear of more keys than go into one batch removes all of its range, and nothing else", async () => {
  await using db = await database();
  const keys = Array.from(
    { length: 10_000 },
    (_, i) => `key ${String(i).padStart(5, "0")}`,
  );
  await db.batch(keys.map((key) => ({ type: "put", key, value: key })));
  await db.clear({ gte: keys[100]!, lt: keys[9_900]! });
  assert.deepEqual(await db.keys().all(), [
    ...keys.slice(0, 100),
    ...keys.slice(9_900),
  ]);
  await db.clear({ reverse: true, limit: 150 });
  assert.deepEqual(await db.keys().all(), keys.slice(0, 50));
  const snapshot = db.snapshot();
  await db.put("key 00000b", "later");
  await db.clear({ snapshot });
  await snapshot.close();
  assert.deepEqual(await db.keys().all(), ["key 00000b"]);
});

test("A snapshot of another database is refused where it is used", async () => {
  await using db = await database();
  await using other = await database();
  const snapshot = other.snapshot();
  await assert.rejects(
    db.get("a", { snapshot }),
    /not a snapshot of this database/,
  );
  assert.throws(
    () => db.iterator({ snapshot }),
    /not a snapshot of this database/,
  );
  await snapshot.close();
});

test("An iterator reads few entries ahead of its caller, and may be mixed from all its calls", async () => {
  await using db = await database();
  const keys = Array.from(
    { length: 300 },
    (_, i) => `key ${String(i).padStart(3, "0")}`,
  );
  await db.batch(keys.map((key) => ({ type: "put", key, value: `${key}!` })));
  for (const reverse of [false, true]) {
    const expected = reverse ? keys.toReversed() : keys;
    const iterator = db.iterator({ reverse });
    const found: string[] = [];
    for (const count of [1, 2, 5, 70]) {
      for (let i = 0; i < count; i++) found.push((await iterator.next())![0]);
      found.push(...(await iterator.nextv(3)).map(([key]) => key));
    }
    assert.deepEqual(found, expected.slice(0, found.length));
    iterator.seek(expected[10]!);
    assert.deepEqual(await iterator.next(), [expected[10], `${expected[10]}!`]);
    assert.deepEqual((await iterator.all()).length, 289);
  }
  assert.deepEqual(await db.iterator({ values: false, limit: 1 }).all(), [[
    "key 000",
    undefined,
  ]]);
  assert.deepEqual(await db.iterator({ keys: false, limit: 1 }).all(), [[
    undefined,
    "key 000!",
  ]]);
});

/** The calls of all three iterators. */
interface Iterated extends AsyncIterable<unknown> {
  readonly count: number;
  next(): Promise<unknown>;
  nextv(size: number): Promise<unknown[]>;
  all(): Promise<unknown[]>;
  seek(target: string): void;
  close(): Promise<void>;
}

/** Opens an iterator of a kind. */
function iterate(db: TinyLevel, mode: "iterator" | "keys" | "values", options = {}): Iterated {
  return (db[mode] as (options: unknown) => Iterated).call(db, options);
}

/** A database with ten keys. */
async function tenKeys(valueEncoding = "utf8"): Promise<TinyLevel> {
  const db = await database({ valueEncoding });
  for (let i = 0; i < 10; i++) await db.put(`k${i}`, `${i}`);
  return db;
}

test("A limit counts what was shown, and not what was read ahead of a seek", async () => {
  await using db = await tenKeys();
  for (const mode of ["iterator", "keys", "values"] as const) {
    const iterator = iterate(db, mode, { limit: 7 });
    for (let i = 0; i < 4; i++) await iterator.next();
    assert.equal(iterator.count, 4);
    iterator.seek("k2");
    assert.equal((await iterator.nextv(1)).length, 1);
    assert.equal((await iterator.all()).length, 2, mode);
    assert.equal(iterator.count, 7);
  }
  const iterator = db.keys({ limit: 3 });
  for (let i = 0; i < 3; i++) await iterator.next();
  iterator.seek("k0");
  assert.equal(await iterator.next(), undefined);
  assert.deepEqual(await iterator.nextv(5), []);
  await iterator.close();
});

test("An item that cannot be decoded fails in its turn, whether it was read ahead or not", async () => {
  for (const bad of [0, 1, 2, 5]) {
    await using db = await tenKeys("json");
    await db.put(`k${bad}`, "{", { valueEncoding: "utf8" });
    for (const mode of ["iterator", "values"] as const) {
      const iterator = iterate(db, mode);
      for (let i = 0; i < bad; i++) assert.notEqual(await iterator.next(), undefined);
      await assert.rejects(iterator.next(), { code: "LEVEL_DECODE_ERROR" });
      assert.equal(iterator.count, bad, mode);
      await iterator.close();
    }
  }
});

test("What ends an iterator also hides the items that it has read ahead", async () => {
  await using db = await tenKeys();
  /** How to end it, after two entries, and the code of the next step's error. */
  const snapshot = db.snapshot();
  const abort = new AbortController();
  const ends: [object, (iterator: { close(): Promise<void> }) => unknown, string][] = [
    [{}, (iterator) => iterator.close(), "LEVEL_ITERATOR_NOT_OPEN"],
    [{ signal: abort.signal }, () => abort.abort(), "LEVEL_ABORTED"],
    [{ snapshot }, () => snapshot.close(), "LEVEL_SNAPSHOT_NOT_OPEN"],
  ];
  for (const [options, end, code] of ends) {
    for (const mode of ["iterator", "keys", "values"] as const) {
      if (mode !== "iterator" && options === ends[2]![0]) continue;
      const iterator = iterate(db, mode, options);
      let error: unknown;
      let count = 0;
      try {
        for await (const _ of iterator) {
          if (++count === 2) await end(iterator);
        }
      } catch (found) {
        error = found;
      }
      assert.equal((error as { code?: string }).code, code, mode);
      assert.ok(count <= 2);
      await iterator.close();
    }
  }
  const iterator = db.iterator();
  for await (const [key] of iterator) {
    if (key === "k5") break;
  }
  await assert.rejects(iterator.next(), { code: "LEVEL_ITERATOR_NOT_OPEN" });
});

test("compactRange compacts a range, whatever the encoding of its keys", async () => {
  const fileSystem: FileSystem = memoryFileSystem();
  const store: EmbeddedStore = await open("/db", { fileSystem });
  await using db = new TinyLevel(store);
  for (let i = 0; i < 5; i++) {
    await db.put(`key ${i}`, "value");
    await store.flush();
  }
  await db.compactRange("key 0", "key 9");
  assert.equal(store.stats().levels[0]!.tables, 0);
  await db.close();
  await assert.rejects(db.compactRange("a", "b"), {
    code: "LEVEL_DATABASE_NOT_OPEN",
  });
  await store.close();
});

test("approximateSize grows with what is in its range, and is 0 beside it", async () => {
  await using db = await database();
  assert.equal(db.supports.additionalMethods["approximateSize"], true);
  const keys = Array.from(
    { length: 1_000 },
    (_, i) => `key ${String(i).padStart(4, "0")}`,
  );
  await db.batch(
    keys.map((key) => ({ type: "put", key, value: "v".repeat(100) })),
  );
  const whole = await db.approximateSize("key", "kez");
  const half = await db.approximateSize("key", "key 0500");
  assert.ok(
    whole > 100_000 && half > whole / 3 && half < whole * 2 / 3,
    `${half} of ${whole}`,
  );
  assert.equal(await db.approximateSize("a", "b"), 0);
  await assert.rejects(db.approximateSize("a", undefined as never), TypeError);
});

test("A store that is not an embedded one has no calls of one, and says so", async () => {
  await using db = new TinyLevel(new MapStore());
  await db.put("key", "value");
  await db.batch([{ type: "put", key: "other", value: "2" }]);
  assert.deepEqual(await db.iterator().all(), [["key", "value"], [
    "other",
    "2",
  ]]);
  assert.equal((db.supports as { getSync?: boolean }).getSync, false);
  assert.deepEqual(db.supports.additionalMethods, {});
  const unsupported = { code: "LEVEL_NOT_SUPPORTED" };
  assert.throws(() => db.getSync("key"), unsupported);
  await assert.rejects(db.compactRange("a", "b"), unsupported);
  await assert.rejects(db.approximateSize("a", "b"), unsupported);
  await db.clear();
  assert.deepEqual(await db.keys().all(), []);
});

test("destroy deletes a database, and repair brings back one whose CURRENT is lost", async () => {
  const temporary = temporaryDirectory("tiny-level");
  const location = join(temporary.path, "db");
  try {
    const db = new TinyLevel(location, { flushOnClose: true });
    await db.put("key", "value");
    await db.close();
    rmSync(join(location, "CURRENT"));
    assert.equal(
      (await causeOf(new TinyLevel(location).open())).code,
      "LEVEL_CORRUPTION",
    );
    await TinyLevel.repair(location);
    await db.open();
    assert.equal(await db.get("key"), "value");
    await assert.rejects(TinyLevel.destroy(location), { code: "LOCKED" });
    await db.close();
    await TinyLevel.destroy(location);
    const missing = new TinyLevel(location, { createIfMissing: false });
    assert.equal((await causeOf(missing.open())).code, "NOT_A_STORE");
  } finally {
    temporary.dispose();
  }
});

test("A database that is closed and opened again has what was written", async () => {
  const db = await database();
  await db.put("key", "value");
  await db.close();
  await db.open();
  assert.equal(await db.get("key"), "value");
  await db.close();
});
