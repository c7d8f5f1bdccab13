/**
 * Who asks for keys only does not read large values: the bytes that are read from tables are
 * counted, not the time that it takes.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedSnapshot,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  type Range,
} from "../../mod.ts";
import { countingFileSystem } from "../support/counting_file_system.ts";
import { Random } from "../support/random.ts";
import { randomBytes, withSeed } from "../support/seeded.ts";

const COUNT = 40;
const VALUE_BYTES = 512 * 1024;
const keyOf = (index: number): string => `key${String(index).padStart(3, "0")}`;
const keys = Array.from({ length: COUNT }, (_, index) => keyOf(index));

/** What walks over keys, and what it has to find. */
const walks: readonly (readonly [
  string,
  (reader: EmbeddedStore | EmbeddedSnapshot) => Promise<unknown>,
  unknown,
])[] = [
  ["keys", async (reader) => await reader.keys().toArray(), keys],
  ["keys, synchronously", (reader) => Promise.resolve([...reader.keys()]), keys],
  [
    "keys in reverse",
    async (reader) => await reader.keys({ reverse: true }).toArray(),
    [
      ...keys,
    ].reverse(),
  ],
  ["keys of a prefix", async (reader) => await reader.keys({ prefix: "key01" }).toArray(), [
    ...keys.slice(10, 20),
  ]],
  ["count", (reader) => reader.count(), COUNT],
  ["count of a range", (reader) => reader.count({ gt: "key005", lte: "key0075" }), 2],
  [
    "has",
    async (reader) => await Promise.all(keys.map((key) => reader.has(key))),
    keys.map(() => true),
  ],
  ["hasMany", (reader) => reader.hasMany(keys), keys.map(() => true)],
  ["hasMany, synchronously", (reader) => Promise.resolve(reader.hasManySync(keys)), [
    ...keys.map(() => true),
  ]],
  ["count, synchronously", (reader) => Promise.resolve(reader.countSync()), COUNT],
  ["has, synchronously", (reader) => Promise.resolve(keys.map((key) => reader.hasSync(key))), [
    ...keys.map(() => true),
  ]],
  ["has of missing keys", async (reader) => {
    return await Promise.all(keys.map((key) => reader.has(`${key}5`)));
  }, keys.map(() => false)],
];

for (
  const [form, options] of Object.entries(
    {
      "are not compressed": { compression: "none" },
      "are compressed": { compression: "zstd" },
      "are in tables without filters": { compression: "snappy", bloomFalsePositiveRate: false },
      "are in blocks": { compression: "none", largeValueBytes: false },
      "are in compressed blocks": { largeValueBytes: false },
    } satisfies Record<string, Options>,
  )
) {
  test(`Keys, count and has do not read large values that ${form}`, async () => {
    for (const isCompacted of [false, true]) {
      const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync: true });
      {
        await using store = await open("/db", { ...options, fileSystem, walSync: "none" });
        for (const [index, key] of keys.entries()) {
          const value = index % 2 === 0
            ? new Uint8Array(VALUE_BYTES).fill(index)
            : randomBytes(VALUE_BYTES, new Random(index));
          store.putSync(key, value);
        }
        if (isCompacted) await store.compact();
      }
      for (const [what, walk, expected] of walks) {
        for (const ofSnapshot of [false, true]) {
          await using store = await open("/db", { ...options, fileSystem, readOnly: true });
          using snapshot = ofSnapshot ? store.snapshot() : undefined;
          const before = fileSystem.counts.readBytes;
          assert.deepEqual(await walk(snapshot ?? store), expected, what);
          const bytes = fileSystem.counts.readBytes - before;
          assert.ok(bytes < 4096 * COUNT, `${what} read ${bytes} bytes, ${isCompacted}`);
        }
      }
    }
  });
}

test("keys() shows the keys of all entries: large and small values, tombstones and memtables", () => {
  for (let seed = 1; seed <= 12; seed++) {
    withSeed(seed, (random) => {
      const fileSystem = memoryFileSystem();
      const options = {
        fileSystem,
        walSync: "none",
        memtableSizeBytes: 64 * 1024,
        blockSizeBytes: 512,
        compression: random.pick(["none", "snappy"] as const),
        largeValueBytes: random.pick([500, 4096, false] as const),
        bloomFalsePositiveRate: random.pick([false, 0.01] as const),
      } as const;
      let store = openSync("/db", options);
      const model = new Map<string, Uint8Array>();
      const some = (): string => `k${random.below(120)}`;
      for (let i = 0; i < 400; i++) {
        const key = some();
        if (random.below(4) === 0) {
          store.deleteSync(key);
          model.delete(key);
        } else {
          const length = random.pick([3, 600, 4000, 4090, 4100, 9000]);
          const value = randomBytes(length, random);
          store.putSync(key, value);
          model.set(key, value);
        }
        if (random.below(150) === 0) {
          store.closeSync();
          store = openSync("/db", options);
        }
      }
      for (let i = 0; i < 60; i++) {
        const range: Range = {
          reverse: random.below(2) === 0,
          ...(random.below(2) === 0 && { gte: some() }),
          ...(random.below(2) === 0 && { lt: some() }),
          ...(random.below(3) === 0 && { limit: random.below(8) }),
        };
        const expected = [...model.keys()].sort().filter((key) =>
          key >= ((range.gte as string | undefined) ?? "") &&
          (range.lt === undefined || key < (range.lt as string))
        );
        if (range.reverse) expected.reverse();
        const limited = expected.slice(0, range.limit ?? Infinity);
        assert.deepEqual([...store.keys(range)], limited, JSON.stringify(range));
        assert.deepEqual([...store.entries(range)].map(([key]) => key), limited);
        const { limit: _, ...unlimited } = range;
        const cursor = store.keys(unlimited);
        const target = some();
        cursor.seek(target);
        const isOutside = (range.gte !== undefined && target < (range.gte as string)) ||
          (range.lt !== undefined && target >= (range.lt as string));
        const from = isOutside
          ? []
          : expected.filter((key) => range.reverse ? key <= target : key >= target);
        assert.deepEqual([...cursor], from, `${JSON.stringify(range)} from ${target}`);
        assert.equal(store.hasSync(target), model.has(target), target);
        assert.deepEqual(store.getSync(target), model.get(target));
      }
      store.closeSync();
    });
  }
});
