// Stores as every version wrote them, committed under tests/fixtures/stores: today's code reads
// them exactly, writes to them, and leaves what it can read again. (make.ts there makes the next
// one.)

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type EmbeddedStore, type FileSystem, memoryFileSystem, open } from "../../mod.ts";
import { writeFullySync } from "../../src/platform/transfer.ts";
import { decompressorFor } from "../../src/compression/compressors.ts";
import { describe } from "../fixtures/stores/make.ts";

const folder = fileURLToPath(new URL("../fixtures/stores/", import.meta.url));

const versions = fs.readdirSync(folder).filter((name) => /^\d+\.\d+\.\d+$/.test(name)).sort();

/** A copy in memory, so that the fixture stays as it is. */
function copyOf(version: string): FileSystem {
  const fileSystem = memoryFileSystem();
  fileSystem.makeDirectorySync("/db");
  for (const name of fs.readdirSync(path.join(folder, version))) {
    if (name === "expected.jsonl") continue;
    const bytes = fs.readFileSync(path.join(folder, version, name));
    const handle = fileSystem.createSync(`/db/${name}`);
    writeFullySync(handle, bytes, 0, bytes.length, 0);
    handle.closeSync();
  }
  return fileSystem;
}

async function linesOf(store: EmbeddedStore): Promise<string[]> {
  const lines: string[] = [];
  for await (const [key, value] of store.entries()) {
    lines.push(describe([key, value]));
    assert.equal(describe(await store.get(key)), describe(value), `get of ${describe(key)}`);
  }
  return lines;
}

test("Stores of all versions are read, written, compacted and read again, to the last value", async () => {
  assert.ok(versions.length >= 1, "there are no fixtures");
  for (const version of versions) {
    const text = fs.readFileSync(path.join(folder, version, "expected.jsonl"), "utf8");
    const expected = text.trimEnd().split("\n");
    assert.ok(expected.length > 30, version);

    const readOnly = await open("/db", { fileSystem: copyOf(version), readOnly: true });
    assert.deepEqual(await linesOf(readOnly), expected, `${version}, read-only`);
    await readOnly.close();

    const fileSystem = copyOf(version);
    const store = await open("/db", { fileSystem });
    assert.deepEqual(await linesOf(store), expected, version);
    await store.put("zzz", "new");
    await store.delete("batch 1");
    await store.compact();
    await store.close();
    const again = await open("/db", { fileSystem });
    const changed = expected.filter((line) => !line.startsWith('["batch 1"'));
    assert.deepEqual(await linesOf(again), [...changed, '["zzz","new"]'], `${version}, changed`);
    await again.close();
  }
});

test("The fixtures have everything that a version can write: each codec, levels, and the log of a killed process", () => {
  for (const version of versions) {
    const names = fs.readdirSync(path.join(folder, version));
    assert.ok(names.some((name) => name.endsWith(".wal")), version);
    assert.ok(names.filter((name) => name.endsWith(".sst")).length >= 3, version);
    // The codec is the last byte of the footer of the first block, whose stored length is before
    // it.
    const codecs = new Set<string>();
    for (const name of names.filter((name) => name.endsWith(".sst"))) {
      const bytes = fs.readFileSync(path.join(folder, version, name));
      for (let at = 0; at + 13 <= bytes.length; at++) {
        const stored = bytes.readUInt32LE(at + 8);
        if (stored === at && bytes[at + 12]! <= 2) codecs.add(String(bytes[at + 12]));
        if (stored === at) break;
      }
    }
    assert.deepEqual([...codecs].sort(), ["0", "1", "2"], version);
    for (const codec of codecs) assert.notEqual(decompressorFor(Number(codec)), undefined);
  }
});

test("A table of a fixture that lost a byte is refused, so that the fixtures are really read", async () => {
  for (const version of versions) {
    const fileSystem = copyOf(version);
    const table = fileSystem.listSync("/db").find((name) => name.endsWith(".sst"))!;
    const source = fileSystem.openReadSync(`/db/${table}`);
    const bytes = new Uint8Array(source.sizeSync() - 1);
    source.readSync(bytes, 0, bytes.length, 0);
    source.closeSync();
    fileSystem.removeSync(`/db/${table}`);
    const handle = fileSystem.createSync(`/db/${table}`);
    writeFullySync(handle, bytes, 0, bytes.length, 0);
    handle.closeSync();
    const store = await open("/db", { fileSystem, readOnly: true });
    await assert.rejects(linesOf(store), { code: "CORRUPTION" });
    await store.close();
  }
});
