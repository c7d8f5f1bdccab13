// Stores of the Go TinyKVS, opened and compared with what Go says is in them, key by key.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import { open, openSync } from "../../src/store/open.ts";
import { decodeFooter, FOOTER_BYTES, GO_METADATA_BYTES } from "../../src/sstable/table_format.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import {
  CLOSED_STORES,
  type Content,
  contentOf,
  CRASHED_STORES,
  crashedFiles,
  encodeGoLog,
  encodeGoManifest,
  expectedContent,
  fixtureBytes,
  goFiles,
  goManifestRecords,
  openGo,
  pathOf,
  readContent,
} from "../support/go_store.ts";
import { DIRECTORY } from "../support/store_files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** The store of v0.11.1 as it was before its last table: with a log instead of it. */
function crashedV011(): CloneableFileSystem {
  const store = "v0.11.1-zstd";
  const fileSystem = goFiles(store, fixtureBytes(`${store}/wal-batches.bin`));
  const records = goManifestRecords(fileSystem.content(pathOf("MANIFEST")));
  const added = records.findIndex(({ type, body }) => type === 1 && body[0] === 15);
  assert.equal(added, records.length - 1, "table 15 was the last to come");
  fileSystem.setContent(pathOf("MANIFEST"), encodeGoManifest(records.slice(0, -1)));
  fileSystem.removeSync(pathOf("000015.sst"));
  return fileSystem;
}

/** Every store of the fixtures with what it holds. */
function* stores(): Generator<[name: string, CloneableFileSystem, Content]> {
  for (const store of [...CLOSED_STORES, "v0.11.1-zstd"]) {
    yield [store, goFiles(store), expectedContent(store)];
  }
  for (const crashed of CRASHED_STORES) {
    yield [
      `${crashed.store} ${crashed.log}`,
      crashedFiles(crashed),
      expectedContent(crashed.store),
    ];
  }
  yield ["v0.11.1-zstd wal-batches.bin", crashedV011(), expectedContent("v0.11.1-zstd")];
}

/** How many tables in the directory are of the Go program, and how many are ours. */
function tableKinds(fileSystem: CloneableFileSystem): { go: number; ours: number } {
  const kinds = { go: 0, ours: 0 };
  for (const name of fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"))) {
    const bytes = fileSystem.content(pathOf(name));
    const footer = decodeFooter(
      new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      bytes.length - FOOTER_BYTES,
      bytes.length,
    );
    kinds[footer.metadataSize === GO_METADATA_BYTES ? "go" : "ours"]++;
  }
  return kinds;
}

/** The keys of a store, and neighbours of some that it does not have. */
function keysAround(expected: Content): string[] {
  return expected.flatMap(([key], i) => i % 10 === 0 ? [key, `${key}00`] : [key]);
}

function requireContent(fileSystem: CloneableFileSystem, expected: Content, what: string): void {
  const store = openGo(fileSystem);
  assert.deepEqual(contentOf(store), expected, `${what}: scan`);
  const reversed = [...store.keys({ reverse: true })].map((key) =>
    Buffer.from(key as Uint8Array).toString("hex")
  );
  assert.deepEqual(reversed, expected.map(([key]) => key).reverse(), `${what}: reverse scan`);
  const known = new Map(expected);
  assert.deepEqual(
    readContent(store, keysAround(expected)),
    keysAround(expected).map((key) => [key, known.get(key) ?? "absent"]),
    `${what}: gets`,
  );
  store.closeSync();
}

test("A Go store holds what Go says, as opened, reopened, and after a full compaction", async () => {
  let count = 0;
  for (const [name, fileSystem, expected] of stores()) {
    assert.ok(expected.length > 4000);
    requireContent(fileSystem, expected, `${name}, opened`);
    const names = fileSystem.listSync(DIRECTORY);
    assert.ok(!names.includes("wal.log") && !names.includes("MANIFEST"), `${name}: ${names}`);
    assert.ok(names.includes("CURRENT"));
    const taken = tableKinds(fileSystem);
    assert.ok(taken.go >= 7, `${name}: Go tables are taken over as they are`);
    requireContent(fileSystem, expected, `${name}, reopened`);
    assert.deepEqual(tableKinds(fileSystem), taken, `${name}: reopening writes nothing`);
    const store = await open(DIRECTORY, { fileSystem, keyEncoding: "bytes" });
    await store.compact();
    await store.close();
    const kinds = tableKinds(fileSystem);
    assert.equal(kinds.go, 0, `${name}: compaction upgrades every table`);
    assert.ok(kinds.ours > 0);
    requireContent(fileSystem, expected, `${name}, compacted`);
    count++;
  }
  assert.equal(count, 9);
});

test("What is written to a Go store wins over what Go wrote, and stays", async () => {
  for (const [name, fileSystem, before] of stores()) {
    const expected = new Map(before);
    const options: Options = {
      fileSystem,
      keyEncoding: "bytes",
      memtableSizeBytes: 8192,
      compression: "zstd",
    };
    let store = await open(DIRECTORY, options);
    for (const [i, [key]] of before.entries()) {
      const bytes = new Uint8Array(Buffer.from(key, "hex"));
      if (i % 7 === 0) {
        store.putSync(bytes, `new ${i}`);
        expected.set(key, `string ${Buffer.from(`new ${i}`).toString("hex")}`);
      } else if (i % 11 === 0) {
        await store.delete(bytes);
        expected.delete(key);
      }
      if (i === 2000) {
        await store.close();
        store = await open(DIRECTORY, options);
      }
    }
    const added = "ff".repeat(300);
    await store.put(new Uint8Array(Buffer.from(added, "hex")), 5n);
    expected.set(added, "int64 5");
    const sorted = [...expected].sort(([a], [b]) => a < b ? -1 : 1);
    assert.deepEqual(contentOf(store), sorted, `${name}, written`);
    await store.close();
    requireContent(fileSystem, sorted, `${name}, written and reopened`);
    store = await open(DIRECTORY, options);
    await store.compact();
    await store.close();
    assert.equal(tableKinds(fileSystem).go, 0);
    requireContent(fileSystem, sorted, `${name}, written and compacted`);
  }
});

test("A Go store that is opened read-only shows the same and is left as it is", () => {
  for (const [name, fileSystem, expected] of stores()) {
    const before = fileSystem.dump(DIRECTORY);
    const store = openGo(fileSystem, { readOnly: true });
    assert.deepEqual(contentOf(store), expected, name);
    assert.throws(() => store.putSync("a", 1), StoreError);
    store.closeSync();
    assert.deepEqual(fileSystem.dump(DIRECTORY), before, name);
  }
});

test("A Go store opens even if its empty log was not copied", () => {
  for (const readOnly of [true, false]) {
    for (const store of ["v0.3.1-zstd", "v0.11.1-zstd"]) {
      const fileSystem = goFiles(store);
      fileSystem.removeSync(pathOf("wal.log"));
      const opened = openGo(fileSystem, { readOnly, createIfMissing: false });
      assert.deepEqual(contentOf(opened), expectedContent(store));
      opened.closeSync();
      assert.equal(fileSystem.listSync(DIRECTORY).includes("CURRENT"), !readOnly);
      assert.ok(!fileSystem.listSync(DIRECTORY).includes("wal.log"));
    }
  }
});

test("An empty Go store becomes an empty store, and is never created over", () => {
  for (const names of [["wal.log"], ["wal.log", "LOCK"], ["wal.log", "MANIFEST", "LOCK"]]) {
    const fileSystem = goFiles("v0.4.0-zstd");
    for (const name of fileSystem.listSync(DIRECTORY)) fileSystem.removeSync(pathOf(name));
    for (const name of names) {
      fileSystem.setContent(
        pathOf(name),
        name === "MANIFEST" ? encodeGoManifest([]) : new Uint8Array(),
      );
    }
    assert.throws(
      () => openGo(fileSystem, { errorIfExists: true }),
      (error) => error instanceof StoreError && error.code === "ALREADY_EXISTS",
    );
    const store = openGo(fileSystem);
    assert.deepEqual(contentOf(store), []);
    store.putSync(Uint8Array.of(1), 1n);
    store.closeSync();
    const reopened = openGo(fileSystem);
    assert.deepEqual(contentOf(reopened), [["01", "int64 1"]]);
    reopened.closeSync();
  }
});

test("The records of Go v0.7 and later are read out of its log", async () => {
  const fileSystem = goFiles("v0.4.0-none");
  const msgpackMap = [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x62, 0xa1, 0x78];
  const msgpackArray = [0x93, 0x01, 0x02, 0xc3];
  const put = (type: number, content: readonly number[]): Uint8Array =>
    Uint8Array.of(type, content.length, 0, 0, 0, ...content);
  fileSystem.setContent(
    pathOf("wal.log"),
    encodeGoLog([
      { sequence: 1, key: Uint8Array.of(0, 1), value: put(7, msgpackMap) },
      { sequence: 2, key: Uint8Array.of(0, 2), value: put(8, msgpackArray) },
      { sequence: 3, key: Uint8Array.of(0, 3), value: put(7, []) },
      { sequence: 4, key: Uint8Array.of(0, 4), value: put(7, msgpackMap) },
      { sequence: 5, operation: 2, key: Uint8Array.of(0, 4), value: Uint8Array.of(6) },
    ]),
  );
  for (const isCompacted of [false, true]) {
    const store = openGo(fileSystem, { int64: "number" });
    if (isCompacted) await store.compact();
    const describe = (last: number): string | undefined =>
      JSON.stringify(store.getSync(Uint8Array.of(0, last)));
    const found = [1, 2, 3, 4].map(describe);
    assert.deepEqual(found, ['{"a":1,"b":"x"}', "[1,2,true]", "{}", undefined]);
    store.closeSync();
  }
});

test("A Go store on a disk is taken over with the LOCK file that is there, on every runtime", async () => {
  const directory = temporaryDirectory("go");
  const last = new Uint8Array(300).fill(0xff);
  try {
    for (const [at, store] of ["v0.11.1-zstd", "v0.4.0-snappy"].entries()) {
      const path = join(directory.path, `${at}`);
      mkdirSync(path);
      for (const name of goFiles(store).listSync(DIRECTORY)) {
        const source = new URL(`../fixtures/go/${store}/store/${name}`, import.meta.url);
        writeFileSync(join(path, name), name === "wal.log" ? "" : readFileSync(source));
      }
      const opened = await open(path, { keyEncoding: "bytes" });
      assert.throws(
        () => openSync(path),
        (error) => error instanceof StoreError && error.code === "LOCKED",
      );
      assert.deepEqual(contentOf(opened), expectedContent(store));
      await opened.put(last, "new");
      await opened.close();
      const again = openSync(path, { keyEncoding: "bytes" });
      assert.equal(again.getSync(last), "new");
      assert.equal(contentOf(again).length, expectedContent(store).length + 1);
      again.closeSync();
      const names = readdirSync(path);
      assert.ok(
        names.includes("LOCK") && !names.includes("MANIFEST") && !names.includes("wal.log"),
      );
      assert.equal(readFileSync(join(path, "LOCK")).length, 0);
    }
  } finally {
    directory.dispose();
  }
});
