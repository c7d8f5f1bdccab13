// putStream and getStream: what comes in comes out, nothing is left half done, and a reader keeps
// its value. tests/store/streams_memory_test.ts measures memory.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import {
  ClosedError,
  type EmbeddedStore,
  IoError,
  memoryFileSystem,
  openSync,
  type Options,
  repairSync,
  verifyStoreSync,
} from "../../mod.ts";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import {
  type InterceptedName,
  interceptingFileSystem,
} from "../support/intercepting_file_system.ts";
import { Random } from "../support/random.ts";
import { randomBytes, withSeedAsync } from "../support/seeded.ts";

const LARGE = 64;
/** A longer stream gets a file of its own. */
const IN_MEMORY = 128 * LARGE;
const PART = 256 * 1024;

function options(fileSystem: FileSystem, more: Options = {}): Options {
  return { fileSystem, largeValueBytes: LARGE, memtableSizeBytes: 4096, walSync: "none", ...more };
}

/** A stream of the bytes in chunks of random lengths, also empty ones. */
function streamOf(bytes: Uint8Array, random: Random): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller): void {
      const length = random.below(8) === 0 ? 0 : random.below(bytes.length / 3 + 2);
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at + length));
      at += length;
      if (at >= bytes.length) controller.close();
    },
  });
}

async function read(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream!) chunks.push(chunk);
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** As `deepEqual`, which takes a second for a megabyte. */
function requireBytes(found: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  assert.ok(found !== undefined && Buffer.compare(found, expected) === 0, `${what} differs`);
}

function valueFiles(fileSystem: FileSystem, directory = "/db"): string[] {
  return fileSystem.listSync(directory).filter((name) => name.endsWith(".val"));
}

async function requireSame(
  store: EmbeddedStore,
  model: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  assert.deepEqual(await store.keys().toArray(), [...model.keys()].sort());
  for (const [key, value] of model) {
    requireBytes(await read(store.getStream(key)), value, `stream of ${key}`);
    requireBytes(await store.getBytes(key), value, key);
  }
}

test("Streams of every length come back, by streams and by gets, after any upkeep", async () => {
  await withSeedAsync(1, async (random) => {
    const fileSystem = new CloneableFileSystem();
    let store = openSync("/db", options(fileSystem));
    const model = new Map<string, Uint8Array>();
    const lengths = [0, 1, LARGE, IN_MEMORY, IN_MEMORY + 1, PART, 2 * PART - 6, 2 * PART + 77];
    for (const length of lengths) {
      const value = randomBytes(length, random);
      await store.putStream(`key ${length}`, streamOf(value, random));
      model.set(`key ${length}`, value);
    }
    assert.equal(valueFiles(fileSystem).length, 4);
    await requireSame(store, model);
    const killed = fileSystem.clone();
    assert.ok(verifyStoreSync("/db", { fileSystem: killed }).isSound);
    const reader = openSync("/db", options(killed, { readOnly: true }));
    await requireSame(reader, model);
    reader.closeSync();
    const recovered = openSync("/db", options(killed));
    await requireSame(recovered, model);
    assert.equal(valueFiles(killed).length, 5, "files of streams stay, values of logs are moved");
    recovered.closeSync();
    await store.checkpoint("/copy");
    await store.flush();
    await requireSame(store, model);
    await store.checkpoint("/flushed");
    await store.compact();
    await requireSame(store, model);
    const { problems } = await store.verify();
    assert.deepEqual(problems, []);
    await store.close();
    for (const directory of ["/copy", "/flushed", "/db"]) {
      assert.ok(verifyStoreSync(directory, { fileSystem }).isSound, directory);
      store = openSync(directory, options(fileSystem));
      await requireSame(store, model);
      store.clearSync();
      await store.compact();
      store.closeSync();
      assert.deepEqual(valueFiles(fileSystem, directory), [], `space of ${directory}`);
    }
  });
});

test("A stream takes effect at its end, in the order of the commits, and is seen like a put", async () => {
  const random = new Random(2);
  const fileSystem = memoryFileSystem();
  await using store = openSync("/db", options(fileSystem));
  const value = randomBytes(3 * IN_MEMORY, random);
  await store.put("key", 1);
  const watch = store.watch();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const put = store.putStream("key", readable, { expiresAt: 8e15 });
  const writer = writable.getWriter();
  await writer.write(value);
  assert.equal(await store.get("key"), 1);
  await store.put("key", 2);
  await writer.close();
  await put;
  assert.deepEqual(await store.getEntry("key"), { key: "key", value, expiresAt: 8e15 });
  assert.deepEqual((await watch.next()).value, {
    operations: [{ type: "put", key: "key", value: 2 }],
  });
  assert.deepEqual((await watch.next()).value, {
    operations: [{ type: "put", key: "key", value, expiresAt: 8e15 }],
  });
  await watch.return?.();

  let attempts = 0;
  await store.transaction(async (tx) => {
    attempts++;
    const found = await tx.get("key");
    if (attempts === 1) await store.putStream("key", streamOf(value.subarray(1), random));
    await tx.put("seen", found as Uint8Array);
  });
  assert.equal(attempts, 2, "the stream conflicts with a transaction that has read the key");
  assert.deepEqual(await store.getBytes("seen"), value.subarray(1));
  // A time that has come by the end of the stream.
  await store.putStream("key", streamOf(value, random), { ttlMs: 0 });
  assert.equal(store.getStream("key"), undefined);
  await store.compact();
  assert.equal(await store.has("key"), false);
});

test("A stream that fails, or is none, leaves the old value and no file", async () => {
  const fileSystem = memoryFileSystem();
  await using store = openSync("/db", options(fileSystem));
  await store.put("key", "old");
  const failing = (end: (controller: ReadableStreamDefaultController) => void) => {
    let chunks = 0;
    let reason: unknown;
    const stream = new ReadableStream({
      pull(controller): void {
        if (chunks++ < 3) controller.enqueue(new Uint8Array(IN_MEMORY));
        else end(controller);
      },
      cancel: (given) => void (reason = given),
    }, { highWaterMark: 0 });
    return { stream, reason: () => reason };
  };
  const broken = failing((controller) => controller.error(new Error("no more")));
  await assert.rejects(store.putStream("key", broken.stream), { message: "no more" });
  const textual = failing((controller) => controller.enqueue("text"));
  await assert.rejects(store.putStream("key", textual.stream), {
    name: "TypeError",
    message: "Cannot put the stream: found a string in it, expected a Uint8Array",
  });
  await Promise.resolve();
  assert.ok(textual.reason() instanceof TypeError, "the source is told");
  for (const wrong of [undefined, null, 5, new Uint8Array(3), { getReader: 1 }]) {
    await assert.rejects(store.putStream("key", wrong as never), TypeError);
  }
  const locked = new ReadableStream<Uint8Array>();
  locked.getReader();
  await assert.rejects(store.putStream("key", locked), TypeError);
  const fine = (): ReadableStream<Uint8Array> => streamOf(new Uint8Array(9), new Random(1));
  await assert.rejects(store.putStream(5 as never, fine()), TypeError);
  await assert.rejects(store.putStream("key", fine(), { ttl: 5 } as never), TypeError);
  await assert.rejects(store.putStream("x".repeat(70_000), fine()), RangeError);
  assert.throws(() => store.getStream("key"), { code: "TYPE_MISMATCH" });
  assert.throws(() => store.getStream(5 as never), TypeError);
  assert.equal(store.getStream("missing"), undefined);
  assert.equal(await store.get("key"), "old");
  assert.deepEqual(valueFiles(fileSystem), []);
});

test("A stream that is longer than a value may be is refused, and nothing is stored", async () => {
  const inner = memoryFileSystem();
  let written = 0;
  // Keeps nothing of the value: a gigabyte takes a second.
  const fileSystem = interceptingFileSystem({
    ...interceptingFileSystem(inner, {}),
    createSync(path: string): FileHandle {
      const handle = inner.createSync(path);
      if (path.endsWith(".val")) {
        handle.writeSync = (_from, _offset, length) => {
          written += length;
          return length;
        };
      }
      return handle;
    },
  }, {});
  await using store = openSync("/db", options(fileSystem));
  await store.put("key", "old");
  const chunk = new Uint8Array(64 * 1024 * 1024);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(chunk),
  }, { highWaterMark: 0 });
  await assert.rejects(store.putStream("key", endless), RangeError);
  assert.ok(written > 2 ** 30 - 2 * PART && written < 2 ** 30, `${written} bytes`);
  assert.equal(await store.get("key"), "old");
  assert.deepEqual(valueFiles(fileSystem), []);
});

test("A failed call of the file system fails the stream, not the store", async () => {
  const random = new Random(5);
  const value = randomBytes(PART + 3 * IN_MEMORY, random);
  for (const failing of ["create", "write", "sync", "sync directory"] as const) {
    let isFailing: InterceptedName | undefined;
    const fileSystem = interceptingFileSystem(memoryFileSystem(), {
      before(operation, path): void {
        if (operation !== isFailing || (failing !== "sync directory" && !path.endsWith(".val"))) {
          return;
        }
        throw new IoError(operation, path, "failed on purpose (EIO)", "EIO");
      },
    });
    await using store = openSync("/db", options(fileSystem));
    await store.putStream("old", streamOf(value, random));
    isFailing = failing;
    await assert.rejects(store.putStream("key", streamOf(value, random)), IoError, failing);
    isFailing = undefined;
    assert.equal(await store.has("key"), false);
    assert.equal(valueFiles(fileSystem).length, 1, failing);
    await store.putStream("key", streamOf(value, random));
    requireBytes(await read(store.getStream("key")), value, failing);
  }
});

test("A stream that is being read keeps its value until it ends, and no longer", async () => {
  const random = new Random(6);
  const fileSystem = memoryFileSystem();
  await using store = openSync("/db", options(fileSystem, { compression: "none" }));
  const value = randomBytes(4 * PART, random);
  // One in a file of its own, and one in a log that compact() moves.
  await store.putStream("stream", streamOf(value, random));
  store.putSync("put", value);
  await store.flush();
  for (const key of ["stream", "put"]) {
    const stream = store.getStream(key)!;
    const cancelled = store.getStream(key)!;
    const reader = stream.getReader();
    const first = (await reader.read()).value!;
    store.deleteSync(key);
    await store.compact();
    const chunks = [first];
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      chunks.push(part.value);
    }
    requireBytes(Buffer.concat(chunks), value, key);
    await cancelled.cancel();
    await store.compact();
  }
  assert.deepEqual(valueFiles(fileSystem), []);
  assert.equal(store.stats().values.files, 0);
});

for (const isSync of [false, true]) {
  test(`A store that is closed ends its streams with a ClosedError: sync ${isSync}`, async () => {
    const random = new Random(7);
    const fileSystem = new CloneableFileSystem();
    const store = openSync("/db", options(fileSystem));
    const value = randomBytes(3 * PART, random);
    await store.putStream("key", streamOf(value, random));
    const reader = store.getStream("key")!.getReader();
    await reader.read();
    let reason: unknown;
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(2 * IN_MEMORY)),
      cancel: (given) => void (reason = given),
    });
    const put = assert.rejects(store.putStream("other", endless), ClosedError);
    while (valueFiles(fileSystem).length < 2) await new Promise((end) => setImmediate(end));
    if (isSync) store.closeSync();
    else await store.close();
    assert.equal(valueFiles(fileSystem).length, 1, "the file of the unfinished stream is gone");
    await put;
    assert.ok(reason instanceof ClosedError);
    await assert.rejects(reader.read(), ClosedError);
    await assert.rejects(store.putStream("other", streamOf(value, random)), ClosedError);
    assert.throws(() => store.getStream("key"), ClosedError);
    const again = openSync("/db", options(fileSystem));
    assert.deepEqual(await again.keys().toArray(), ["key"]);
    requireBytes(await again.getBytes("key"), value, "key");
    again.closeSync();
  });
}

test("A read-only store has no putStream, and its getStream works beside a writer", async () => {
  const random = new Random(8);
  const fileSystem = memoryFileSystem();
  await using store = openSync("/db", options(fileSystem));
  const value = randomBytes(3 * PART, random);
  await store.putStream("key", streamOf(value, random));
  const reader = openSync("/db", options(fileSystem, { readOnly: true }));
  await assert.rejects(reader.putStream("key", streamOf(value, random)), { code: "READ_ONLY" });
  store.deleteSync("key");
  await store.compact();
  requireBytes(await read(reader.getStream("key")), value, "key");
  reader.closeSync();
});

test("A reader of a damaged value gets an error in place of the last part", async () => {
  const random = new Random(9);
  const fileSystem = new CloneableFileSystem();
  const store = openSync("/db", options(fileSystem));
  const value = randomBytes(3 * PART, random);
  await store.putStream("key", streamOf(value, random));
  await store.put("other", 1);
  const isFlushed = random.below(2) === 0;
  for (const flushed of [isFlushed, !isFlushed]) {
    if (flushed) await store.flush();
    const [name] = valueFiles(fileSystem);
    const size = fileSystem.statSync(`/db/${name}`)!.sizeBytes;
    for (const at of [16, 17, 18, 21, 22, PART + 50, 2 * PART + 99, size - 1]) {
      const damaged = fileSystem.clone();
      const bytes = damaged.content(`/db/${name}`).slice();
      bytes[at]! ^= 1 << random.below(8);
      damaged.setContent(`/db/${name}`, bytes);
      const copy = openSync("/db", options(damaged));
      let length = 0;
      await assert.rejects(async () => {
        for await (const part of copy.getStream("key")!) {
          const from = length;
          length += part.length;
          assert.ok(length < value.length, "the last part was passed on");
          if (at < 22) requireBytes(part, value.subarray(from, length), "a part");
        }
      }, { code: "CORRUPTION" });
      assert.ok(!(await copy.verify()).isSound, `byte ${at}`);
      copy.closeSync();
    }
  }
  store.closeSync();
});

test("A lost or damaged file of a stream is found by open, verify and repair, in a log and in tables", async () => {
  const random = new Random(10);
  const value = randomBytes(PART + 5, random);
  for (const isFlushed of [false, true]) {
    for (const damage of ["missing", "short", "bit"] as const) {
      const fileSystem = new CloneableFileSystem();
      const store = openSync("/db", options(fileSystem));
      await store.put("key", "old");
      await store.flush();
      await store.putStream("key", streamOf(value, random));
      await store.put("other", 1);
      if (isFlushed) await store.flush();
      const killed = fileSystem.clone();
      store.closeSync();
      const path = `/db/${valueFiles(killed)[0]}`;
      const bytes = killed.content(path).slice();
      killed.removeSync(path);
      if (damage === "bit") bytes[100]! ^= 4;
      if (damage !== "missing") {
        const handle = killed.createSync(path);
        handle.writeSync(bytes, 0, damage === "short" ? 1000 : bytes.length, 0);
        handle.closeSync();
      }
      const what = `${damage} ${isFlushed ? "of a table" : "of a log"}`;
      const before = killed.listSync("/db").sort();
      if (damage === "missing" || (damage === "short" && !isFlushed)) {
        assert.throws(() => openSync("/db", options(killed)), { code: "CORRUPTION" }, what);
        assert.throws(() => openSync("/db", options(killed, { readOnly: true })), {
          code: "CORRUPTION",
        }, what);
        assert.deepEqual(killed.listSync("/db").sort(), before, what);
      }
      assert.equal(verifyStoreSync("/db", { fileSystem: killed }).isSound, false, what);
      const plan = repairSync("/db", { fileSystem: killed, dryRun: true });
      const report = repairSync("/db", { fileSystem: killed });
      assert.deepEqual({ ...report, dryRun: true }, plan, what);
      assert.equal(report.isSound, false, what);
      assert.ok(report.unknown.length > 0, what);
      const repaired = openSync("/db", options(killed));
      assert.equal(await repaired.get("key"), "old", what);
      assert.equal(await repaired.get("other"), 1, what);
      repaired.closeSync();
      assert.equal(verifyStoreSync("/db", { fileSystem: killed }).isSound, true, what);
    }
  }
});
