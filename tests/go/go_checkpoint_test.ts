// Checkpoints for Go TinyKVS v0.4. The tests do not run the Go program. An independent reader, made
// from the description of its formats, replaces it (tests/support/go_v04_reader.ts).

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { StoreError } from "../../src/errors.ts";
import { goLevelFor } from "../../src/go/go_store_writer.ts";
import type { Options } from "../../src/options.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeValue } from "../../src/value/value_codec.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { contentOf, goFiles } from "../support/go_store.ts";
import { type GoContent, type GoFiles, readGoDirectory } from "../support/go_v04_reader.ts";
import type { Random } from "../support/random.ts";
import { awkwardKey, randomBytes, withSeedAsync } from "../support/seeded.ts";

const COPY = "/copy";
const codecs = ["zstd", "snappy", "none"] as const;

function filesOf(fileSystem: CloneableFileSystem, directory: string): GoFiles {
  const names = fileSystem.listSync(directory);
  return new Map(names.map((name) => [name, fileSystem.content(`${directory}/${name}`)]));
}

function encoded(value: Value): string {
  const writer = new ByteWriter(64);
  encodeValue(value, writer);
  return comparable(Buffer.from(writer.bytes.slice(0, writer.length)));
}

/** The hex of an encoded value; the bits of a NaN, which a runtime may not keep, are left out. */
function comparable(value: Buffer): string {
  return value[0] === 2 && Number.isNaN(value.readDoubleLE(1)) ? "02NaN" : value.toString("hex");
}

/** The values of a store by the hex of their keys, encoded. */
function encodedContent(store: EmbeddedStore): Map<string, string> {
  return new Map(
    [...store.entries()].map(([key, value]) => [
      Buffer.from(key as Uint8Array).toString("hex"),
      encoded(value),
    ]),
  );
}

function hexValues({ values }: GoContent): Map<string, string> {
  return new Map([...values].map(([key, value]) => [key, comparable(value)]));
}

function open(
  fileSystem: CloneableFileSystem,
  directory: string,
  options: Options = {},
): EmbeddedStore {
  return openSync(directory, {
    fileSystem,
    keyEncoding: "bytes",
    memtableSizeBytes: 4096,
    ...options,
  });
}

/** Makes the checkpoint and reads it both ways; returns what the independent reader says. */
async function checkpointed(
  fileSystem: CloneableFileSystem,
  store: EmbeddedStore,
  options: Options,
): Promise<GoContent> {
  const expected = encodedContent(store);
  await store.checkpoint(COPY, { format: "go-v0.4" });
  const content = readGoDirectory(filesOf(fileSystem, COPY), {
    codec: options.compression ?? "zstd",
    blockSizeBytes: options.blockSizeBytes ?? 8 * 1024,
    hasFilters: options.bloomFalsePositiveRate !== false,
  });
  assert.deepEqual(hexValues(content), expected);
  const again = open(fileSystem, COPY, { readOnly: true });
  assert.deepEqual(encodedContent(again), expected);
  again.closeSync();
  return content;
}

function randomValue(random: Random): Value {
  const values: readonly (() => Value)[] = [
    () => BigInt(random.uint32()) - 2n ** 31n,
    () => random.pick([0, -0, NaN, Infinity, -Infinity, random.uint32() / 7]),
    () => random.below(2) === 0,
    () => "größe ".repeat(random.below(20)),
    () => randomBytes(random.below(100), random),
  ];
  return random.pick(values)();
}

for (const compression of codecs) {
  test(`A checkpoint for Go with ${compression} holds what the store holds, and no tombstone`, async () => {
    const fileSystem = new CloneableFileSystem();
    const options = { compression, blockSizeBytes: 1024 };
    const store = open(fileSystem, "/db", options);
    await withSeedAsync(11, async (random) => {
      for (let i = 0; i < 4000; i++) {
        const key = random.below(2) === 0 ? awkwardKey(random) : randomBytes(6, random);
        if (random.below(3) === 0) store.deleteSync(key);
        else store.putSync(key, randomValue(random));
      }
      store.putSync("a value that is larger than any block", randomBytes(300_000, random));
      store.putSync("", "");
      const content = await checkpointed(fileSystem, store, options);
      assert.ok(content.tables > 1, `${content.tables} tables`);
      assert.ok(content.blocks > 60, `${content.blocks} blocks`);
      assert.equal(content.level, 1);
      assert.ok(content.falsePositives < 25 * content.tables, `${content.falsePositives}`);
    });
    store.closeSync();
  });
}

test("A store of Go that was taken over and written to goes back", async () => {
  for (const compression of codecs) {
    for (const name of ["v0.3.1-zstd", `v0.4.0-${compression}`, "v0.11.1-zstd"]) {
      const fileSystem = goFiles(name);
      const store = open(fileSystem, "/db", { compression });
      const before = contentOf(store);
      const added = new TextEncoder().encode("zzz added here");
      store.putSync(added, 1n);
      const content = await checkpointed(fileSystem, store, { compression });
      assert.equal(content.values.size, before.length + 1, name);
      store.closeSync();
    }
  }
});

test("A checkpoint for Go has no more entries in a block than its count of 16 bits can tell", async () => {
  const fileSystem = new CloneableFileSystem();
  const options: Options = {
    compression: "none",
    blockSizeBytes: 4 * 1024 * 1024,
    memtableSizeBytes: 64 * 1024 * 1024,
  };
  const store = open(fileSystem, "/db", options);
  const batch = store.batch();
  for (let i = 0; i < 66_000; i++) batch.put(String(i).padStart(5, "0"), true);
  store.writeSync(batch);
  const content = await checkpointed(fileSystem, store, options);
  assert.equal(content.blocks, 2);
  store.closeSync();
});

test("A checkpoint for Go of a store without filters has none", async () => {
  const fileSystem = new CloneableFileSystem();
  const options = { bloomFalsePositiveRate: false } as const;
  const store = open(fileSystem, "/db", options);
  for (let i = 0; i < 1000; i++) store.putSync(`key ${i}`, i);
  await checkpointed(fileSystem, store, options);
  store.closeSync();
});

test("A checkpoint for Go of an empty store, or of one in which all is deleted, is an empty store of Go", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = open(fileSystem, "/db");
  store.putSync("a", 1);
  store.deleteSync("a");
  const content = await checkpointed(fileSystem, store, {});
  assert.equal(content.tables, 0);
  assert.deepEqual(fileSystem.listSync(COPY), ["wal.log"]);
  store.closeSync();
});

test("A record, which Go v0.4 can't read, is an error that names the key and leaves nothing", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = open(fileSystem, "/db");
  for (let i = 0; i < 500; i++) store.putSync(`key ${i}`, "text".repeat(50));
  const records: readonly [Uint8Array | string, Value, string][] = [
    ["user:1", { name: "Alice" }, `"user:1"`],
    ["user:2", [1, 2], `"user:2"`],
    [Uint8Array.of(0xff, 0x00), {}, "0xff00"],
    ["x".repeat(100), {}, `"${"x".repeat(64)}"...`],
  ];
  for (const [key, value, shown] of records) {
    store.putSync(key, value);
    await assert.rejects(store.checkpoint(COPY, { format: "go-v0.4" }), (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, "TYPE_MISMATCH");
      assert.ok(error.message.includes(`key ${shown} is a record`), error.message);
      assert.match(error.message, /v0\.7 on; store it as JSON text \(putJson\) or as bytes$/);
      return true;
    });
    assert.deepEqual(fileSystem.listSync(COPY), []);
    store.deleteSync(key);
  }
  await checkpointed(fileSystem, store, {});
  store.closeSync();
});

test("The level of a checkpoint for Go is the first one whose limit in Go it does not exceed", () => {
  const MIB = 2 ** 20;
  const sizes: readonly [number, number][] = [
    [0, 1],
    [10 * MIB, 1],
    [10 * MIB + 1, 2],
    [100 * MIB, 2],
    [1000 * MIB, 3],
    [1e6 * MIB, 6],
    [1e12 * MIB, 6],
  ];
  for (const [size, level] of sizes) assert.equal(goLevelFor(size), level, `${size}`);
});

test("The independent reader notices the faults that it looks for", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = open(fileSystem, "/db", { compression: "none" });
  for (let i = 0; i < 200; i++) store.putSync(`key ${i}`, `value ${i}`.repeat(100));
  await store.checkpoint(COPY, { format: "go-v0.4" });
  const files = new Map(filesOf(fileSystem, COPY));
  const expected = { codec: "none", blockSizeBytes: 8 * 1024, hasFilters: true } as const;
  assert.equal(readGoDirectory(files, expected).values.size, 200);
  const table = files.get("000001.sst")!;
  const footer = Buffer.from(table.slice(-64));
  const [bloom, index, meta] = [0, 12, 24].map((at) => Number(footer.readBigUInt64LE(at)));
  const sizes = table.length - 64;
  for (const at of [10, bloom! + 30, index! + 3, meta!, meta! + 25, sizes + 41, sizes + 60]) {
    const damaged = table.slice();
    damaged[at]! ^= 0xff;
    const changed = new Map(files).set("000001.sst", damaged);
    assert.throws(() => readGoDirectory(changed, expected), `byte ${at}`);
  }
  for (const [name, bytes] of [["LOCK", 0], ["wal.log", 7], ["000009.sst", 0]] as const) {
    const changed = new Map(files).set(name, new Uint8Array(bytes));
    assert.throws(() => readGoDirectory(changed, expected), name);
  }
  store.closeSync();
});
