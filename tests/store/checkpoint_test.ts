// Checkpoints in our own format: their content, what they refuse, and that the store continues
// meanwhile.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import {
  ClosedError,
  CorruptionError,
  IoError,
  LockedError,
  StoreError,
} from "../../src/errors.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { open, openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { decodeFooter, FOOTER_BYTES } from "../../src/sstable/table_format.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { contentOf as goContentOf, expectedContent, goFiles, openGo } from "../support/go_store.ts";
import { withSeedAsync } from "../support/seeded.ts";
import { contentOf, DIRECTORY, openFiles, recoveredContent } from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const COPY = "/copies/1";

/** A store with tables in some levels and entries in memory, some of them tombstones. */
async function filledStore(fileSystem: CloneableFileSystem): Promise<EmbeddedStore> {
  const store = openFiles(fileSystem);
  for (let i = 0; i < 400; i++) store.putSync(`key ${i % 150}`, `${i} `.repeat(60));
  await store.compact();
  for (let i = 0; i < 60; i++) store.putSync(`key ${i}`, `${i} again `.repeat(30));
  for (let i = 0; i < 150; i += 3) store.deleteSync(`key ${i}`);
  return store;
}

function copyContent(fileSystem: CloneableFileSystem, directory = COPY): Record<string, unknown> {
  const store = openCopy(fileSystem, directory);
  const content = contentOf(store);
  store.closeSync();
  return content;
}

function openCopy(fileSystem: CloneableFileSystem, directory = COPY): EmbeddedStore {
  return openSync(directory, { fileSystem, memtableSizeBytes: 4096, createIfMissing: false });
}

async function refused(call: Promise<void>, code: string, text: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  });
}

test("A checkpoint shows the store as it was at the call while writes, flushes and compactions go on", async () => {
  await withSeedAsync(3, async (random) => {
    const fileSystem = new CloneableFileSystem();
    fileSystem.makeDirectorySync(DIRECTORY);
    const store = await filledStore(fileSystem);
    for (let round = 0; round < 8; round++) {
      const expected = contentOf(store);
      const made = store.checkpoint(`/copies/${round}`);
      const writes: Promise<unknown>[] = [];
      for (let i = 0; i < 60; i++) {
        const key = `key ${random.below(200)}`;
        if (random.below(3) === 0) store.deleteSync(key);
        else writes.push(store.put(key, `${round} ${i} `.repeat(random.below(80))));
      }
      if (round % 2 === 0) writes.push(store.compact());
      await Promise.all([made, ...writes]);
      const now = contentOf(store);
      assert.deepEqual(copyContent(fileSystem, `/copies/${round}`), expected, `round ${round}`);
      assert.deepEqual(contentOf(store), now);
      assert.notDeepEqual(now, expected);
    }
    const { levels } = store.stats();
    assert.ok(levels.filter(({ tables }) => tables > 0).length >= 2, "tables in two levels");
    const last = contentOf(store);
    await store.close();
    assert.equal(fileSystem.openHandles, 0);
    assert.deepEqual(recoveredContent(fileSystem), last);
  });
});

test("A checkpoint holds entries of tables that memtables hide", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = openFiles(fileSystem, { memtableSizeBytes: 1024 * 1024 });
  store.putSync("kept", "1");
  store.putSync("deleted", "1");
  await store.compact();
  store.putSync("kept", "2");
  store.deleteSync("deleted");
  await store.checkpoint(COPY);
  assert.deepEqual(copyContent(fileSystem), { kept: "2" });
  const names = fileSystem.listSync(COPY).sort();
  assert.equal(names.filter((name) => name.endsWith(".sst")).length, 2);
  assert.match(
    names.filter((name) => !name.endsWith(".sst")).join(),
    /^CURRENT,MANIFEST-\d{5}[1-9]$/,
  );
  store.closeSync();
});

test("A checkpoint and its store are independent, and have different ids", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = await filledStore(fileSystem);
  await store.checkpoint(COPY);
  const idOf = (directory: string): string => {
    const current = new TextDecoder().decode(fileSystem.content(`${directory}/CURRENT`));
    return /store=(\w{8})/.exec(current)![1]!;
  };
  assert.notEqual(idOf(COPY), idOf(DIRECTORY));
  const copy = openCopy(fileSystem);
  const expected = contentOf(store);
  for (let i = 0; i < 300; i++) copy.putSync(`of the copy ${i}`, "text ".repeat(20));
  await copy.compact();
  assert.equal(Object.keys(contentOf(copy)).length, Object.keys(expected).length + 300);
  assert.deepEqual(contentOf(store), expected);
  await copy.close();
  await store.close();
});

test("An empty store has a checkpoint, and a checkpoint can be opened and copied again", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = openFiles(fileSystem);
  await store.checkpoint(COPY);
  assert.deepEqual(copyContent(fileSystem), {});
  fileSystem.makeDirectorySync("/empty");
  await store.checkpoint("/empty");
  const copy = openCopy(fileSystem, "/empty");
  copy.putSync("a", "1");
  await copy.checkpoint("/copies/2");
  copy.closeSync();
  store.closeSync();
});

test("A checkpoint of a read-only store has the entries of its logs", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = await filledStore(fileSystem);
  const expected = contentOf(store);
  const crashed = fileSystem.clone();
  store.closeSync();
  const before = crashed.dump(DIRECTORY);
  const readOnly = openFiles(crashed, { readOnly: true });
  await readOnly.checkpoint(COPY);
  assert.deepEqual(copyContent(crashed), expected);
  await readOnly.close();
  assert.deepEqual(crashed.dump(DIRECTORY), before);
});

test("A checkpoint of a taken-over Go store has Go's tables as they are", async () => {
  for (const name of ["v0.3.1-zstd", "v0.4.0-snappy"]) {
    const fileSystem = goFiles(name);
    const store = openGo(fileSystem);
    await store.checkpoint(COPY);
    const content = await open(COPY, { fileSystem, keyEncoding: "bytes" });
    assert.deepEqual(goContentOf(content), expectedContent(name));
    await content.close();
    store.closeSync();
  }
});

test("A store that has failed to write still has a checkpoint", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = await filledStore(fileSystem);
  const expected = contentOf(store);
  fileSystem.before = (operation, path) => {
    if (operation === "write" && path.endsWith(".wal")) {
      throw new IoError("write", path, "refused", "EIO");
    }
  };
  await assert.rejects(store.put("late", "1"));
  fileSystem.before = undefined;
  await store.checkpoint(COPY);
  const content = copyContent(fileSystem);
  delete content["late"];
  assert.deepEqual(content, expected);
  await assert.rejects(store.close());
});

test("A directory that is not empty is refused, and left as it is", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = await filledStore(fileSystem);
  fileSystem.makeDirectorySync("/taken");
  fileSystem.setContent("/taken/mine", new Uint8Array(3));
  fileSystem.setContent("/file", new Uint8Array(3));
  for (const format of ["tinykvs", "go-v0.4"] as const) {
    const exists = "ALREADY_EXISTS";
    await refused(store.checkpoint("/taken", { format }), exists, /"\/taken": it holds "mine"/);
    await refused(store.checkpoint("/file", { format }), exists, /"\/file": it is a file/);
    await refused(store.checkpoint(DIRECTORY, { format }), exists, /expected an empty directory/);
  }
  assert.deepEqual(fileSystem.listSync("/taken"), ["mine"]);
  // One of the two comes first.
  const both = await Promise.allSettled([store.checkpoint(COPY), store.checkpoint(COPY)]);
  assert.deepEqual(both.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.deepEqual(copyContent(fileSystem), contentOf(store));
  store.closeSync();
});

test("Wrong arguments are refused before anything is made", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = openFiles(fileSystem);
  const wrong: readonly [unknown, unknown, RegExp][] = [
    [undefined, undefined, /the path is undefined, expected a string or a file: URL/],
    ["/x", null, /found null, expected options/],
    ["/x", { formats: "tinykvs" }, /unknown option "formats"/],
    ["/x", { format: "go" }, /"format" is "go", expected "tinykvs" or "go-v0.4"/],
    ["/x", { format: 4 }, /"format" is number/],
  ];
  for (const [path, options, text] of wrong) {
    await assert.rejects(store.checkpoint(path as string, options as never), (error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      assert.match(error.message, text);
      return true;
    });
  }
  assert.equal(fileSystem.statSync("/x"), undefined);
  store.closeSync();
  await assert.rejects(store.checkpoint("/x"), ClosedError);
  assert.equal(fileSystem.statSync("/x"), undefined);
});

test("Nobody can open the directory of a checkpoint while it is made, nor make another one there", async () => {
  const fileSystem = new CloneableFileSystem();
  const store = await filledStore(fileSystem);
  let isHeld = false;
  fileSystem.after = (operation, path) => {
    if (isHeld || operation !== "write" || !path.startsWith(COPY)) return;
    isHeld = true;
    assert.throws(() => openSync(COPY, { fileSystem }), LockedError);
  };
  const made = store.checkpoint(COPY);
  await assert.rejects(store.checkpoint(COPY), StoreError);
  await made;
  assert.ok(isHeld);
  const before = contentOf(store);
  assert.deepEqual(copyContent(fileSystem), before);
  store.closeSync();
});

test("A checkpoint that failed on a real disk leaves nothing but its lock, and the next one succeeds", async () => {
  const directory = temporaryDirectory("checkpoint");
  try {
    await using store = await open(join(directory.path, "store"));
    await store.put("a", 1);
    const controller = new AbortController();
    const copy = join(directory.path, "copy");
    const made = store.checkpoint(copy, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(made, /enough/);
    assert.deepEqual(readdirSync(copy).filter((name) => name !== "LOCK"), []);
    await store.checkpoint(copy);
    await using opened = await open(copy);
    assert.equal(await opened.get("a"), 1);
  } finally {
    directory.dispose();
  }
});

for (const format of ["tinykvs", "go-v0.4"] as const) {
  test(`A signal ends a checkpoint (${format}) with its reason and without files`, async () => {
    const fileSystem = new CloneableFileSystem();
    const store = await filledStore(fileSystem);
    const reason = new Error("enough");
    await assert.rejects(
      store.checkpoint(COPY, { format, signal: AbortSignal.abort(reason) }),
      reason,
    );
    assert.equal(fileSystem.statSync(COPY), undefined);
    const controller = new AbortController();
    const { signal } = controller;
    fileSystem.after = (operation, path) => {
      if (operation === "write" && path.startsWith(COPY)) controller.abort(reason);
    };
    await assert.rejects(store.checkpoint(COPY, { format, signal }), reason);
    fileSystem.after = undefined;
    assert.deepEqual(fileSystem.listSync(COPY), []);
    await store.checkpoint(COPY, { format });
    store.closeSync();
    assert.equal(fileSystem.openHandles, 0);
  });

  test(`Damage in a table ends a checkpoint (${format}) with an error that names it, and without files`, async () => {
    const whole = new CloneableFileSystem();
    const filled = await filledStore(whole);
    await filled.compact();
    filled.closeSync();
    const name = whole.listSync(DIRECTORY).filter((file) => file.endsWith(".sst")).sort()[0]!;
    const path = `${DIRECTORY}/${name}`;
    const table = whole.content(path);
    const footer = decodeFooter(
      new DataView(table.buffer),
      table.length - FOOTER_BYTES,
      table.length,
    );
    const inFilter = footer.filterOffset + 40;
    const offsets = [
      5,
      footer.filterOffset - 20,
      footer.indexOffset + 9,
      footer.metadataOffset + 50,
    ];
    // A merge does not use filters.
    if (format === "tinykvs") offsets.push(inFilter);
    for (const offset of offsets) {
      const fileSystem = whole.clone();
      const damaged = table.slice();
      damaged[offset]! ^= 0x10;
      fileSystem.setContent(path, damaged);
      const store = openFiles(fileSystem);
      await assert.rejects(store.checkpoint(COPY, { format }), (error) => {
        assert.ok(error instanceof CorruptionError, String(error));
        assert.equal(error.file, path);
        return true;
      });
      assert.deepEqual(fileSystem.listSync(COPY), [], `byte ${offset}`);
      store.closeSync();
      assert.equal(fileSystem.openHandles, 0);
    }
  });

  test(`The event loop turns while a checkpoint (${format}) is made`, async () => {
    const store = await open("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
    for (let i = 0; i < 30_000; i++) {
      store.putSync(`key ${i * 7919 % 30_000}`, `value ${i} `.repeat(8));
    }
    let turns = 0;
    let isMade = false;
    const made = store.checkpoint(COPY, { format }).then(() => isMade = true);
    while (!isMade) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    await made;
    assert.ok(turns > 10, `${turns} turns`);
    await store.close();
  });

  test(`A checkpoint (${format}) on a real disk is private, and opens`, async () => {
    const temporary = temporaryDirectory("checkpoint");
    try {
      const store = await open(join(temporary.path, "db"));
      const batch = store.batch();
      for (let i = 0; i < 2000; i++) batch.put(`key ${i}`, `value ${i}`);
      await batch.write();
      await store.compact();
      await store.put("key 0", "new");
      const copy = join(temporary.path, "deep", "copy");
      await store.checkpoint(copy, { format });
      if (process.platform !== "win32") {
        assert.equal(statSync(copy).mode & 0o777, 0o700);
        for (const name of ["000001.sst", "wal.log"].slice(format === "tinykvs" ? 2 : 0)) {
          assert.equal(statSync(join(copy, name)).mode & 0o777, 0o600);
        }
      }
      await store.close();
      const again = await open(copy, { createIfMissing: false });
      assert.equal(await again.count(), 2000);
      assert.equal(await again.get("key 0"), "new");
      await again.close();
    } finally {
      temporary.dispose();
    }
  });
}

test("A checkpoint of a store with a damaged large value names the file of the store, not its copy", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  await store.put("large", new Uint8Array(50_000).map((_, i) => i * i >> 5));
  await store.flush();
  const name = fileSystem.listSync("/db").filter((one) => one.endsWith(".wal")).sort()[0]!;
  const log = fileSystem.openReadSync(`/db/${name}`);
  const bytes = new Uint8Array(log.sizeSync());
  log.readSync(bytes, 0, bytes.length, 0);
  log.closeSync();
  bytes[1000]! ^= 1;
  fileSystem.removeSync(`/db/${name}`);
  const changed = fileSystem.createSync(`/db/${name}`);
  changed.writeSync(bytes, 0, bytes.length, 0);
  changed.closeSync();
  for (
    const copy of [
      async () => await store.checkpoint("/copy"),
      async () => await store.checkpointSync("/copy"),
    ]
  ) {
    await assert.rejects(copy, { name: "CorruptionError", file: `/db/${name}` });
  }
});
