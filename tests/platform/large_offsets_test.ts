// Offsets and lengths beyond 2^31, 2^32 and 2^53, through the disk of the runtime at hand.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { readFully, readFullySync, writeFullySync } from "../../src/platform/transfer.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const POSITIONS = [
  2 ** 31 - 2,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 1,
  2 ** 33 + 5,
  2 ** 40 + 3,
];

test("disk file system writes and reads a sparse file around 2^31, 2^32 and 2^40", async () => {
  const { path, dispose } = temporaryDirectory("sparse");
  try {
    const fileSystem = defaultFileSystem();
    for (const [index, position] of POSITIONS.entries()) {
      const file = join(path, `${index}.sst`);
      const handle = fileSystem.createSync(file);
      const bytes = Uint8Array.from({ length: 7 }, (_, at) => 1 + at + index * 16);
      writeFullySync(handle, bytes, 0, bytes.length, position);
      handle.syncSync();
      assert.equal(handle.sizeSync(), position + 7);
      assert.equal(fileSystem.statSync(file)?.sizeBytes, position + 7);
      handle.closeSync();

      const reading = fileSystem.openReadSync(file);
      assert.equal(reading.sizeSync(), position + 7);
      const into = new Uint8Array(9);
      readFullySync(reading, into, 1, 7, position);
      assert.deepEqual(into, Uint8Array.of(0, ...bytes, 0), `read at ${position}`);
      into.fill(0);
      await readFully(reading, into, 0, 8, position - 1);
      assert.deepEqual(into, Uint8Array.of(0, ...bytes, 0), `asynchronous read at ${position}`);
      // Nothing was written at the offset without its upper half.
      const low = position % 2 ** 31;
      if (low + 7 < position) {
        readFullySync(reading, into, 0, 7, low);
        assert.deepEqual(into.subarray(0, 7), new Uint8Array(7), `the offset ${low}`);
      }
      reading.closeSync();
      fileSystem.removeSync(file);
    }
  } finally {
    dispose();
  }
});

test("file handles refuse positions that are not safe integers, and write nothing", async () => {
  const { path, dispose } = temporaryDirectory("unsafe");
  try {
    for (const fileSystem of [defaultFileSystem(), memoryFileSystem()]) {
      const directory = fileSystem.name === "memory" ? "/" : path;
      const handle = fileSystem.createSync(fileSystem.joinPath(directory, "file"));
      const bytes = new Uint8Array(4);
      for (const position of [2 ** 53, 2 ** 53 + 2, 2 ** 64, -1, 0.5, NaN, Infinity]) {
        const what = `${fileSystem.name}: ${position}`;
        assert.throws(() => handle.writeSync(bytes, 0, 4, position), RangeError, what);
        assert.throws(() => handle.readSync(bytes, 0, 4, position), RangeError, what);
        if (handle.read !== undefined) {
          await assert.rejects(handle.read(bytes, 0, 4, position), RangeError, what);
        }
      }
      assert.equal(handle.sizeSync(), 0, fileSystem.name);
      handle.closeSync();
    }
  } finally {
    dispose();
  }
});
