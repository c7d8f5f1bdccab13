/** Writing logs: what reaches the file and when, durable offsets, large and forgotten records. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError } from "../../src/errors.ts";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { readFullySync } from "../../src/platform/transfer.ts";
import { LogWriter } from "../../src/wal/log_writer.ts";
import { bytesOf, hexOf, tombstone, valueOfLength } from "../support/entries.ts";
import { appendBatch, readLogBytes, TEST_STORE_ID } from "../support/logs.ts";

function fileBytes(writer: LogWriter): Uint8Array {
  const bytes = new Uint8Array(writer.handle.sizeSync());
  readFullySync(writer.handle, bytes, 0, bytes.length, 0);
  return bytes;
}

type Write = FileHandle["writeSync"];

/** A file system whose writes go through `through`. */
function writingWith(through: (write: Write, ...args: Parameters<Write>) => number): FileSystem {
  const inner = memoryFileSystem();
  const createSync = (path: string): FileHandle => {
    const handle = inner.createSync(path);
    const write = handle.writeSync.bind(handle);
    return {
      path,
      readSync: handle.readSync.bind(handle),
      writeSync: (...args) => through(write, ...args),
      syncSync: handle.syncSync.bind(handle),
      sizeSync: handle.sizeSync.bind(handle),
      closeSync: handle.closeSync.bind(handle),
    };
  };
  return Object.create(inner, { createSync: { value: createSync } });
}

function durableOffsetAt(bytes: Uint8Array, record: number): number {
  return Number(new DataView(bytes.buffer).getBigUint64(record + 24, true));
}

test("LogWriter writes nothing before writeOutSync and everything with it", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  appendBatch(writer, 10, [{ key: bytesOf("k"), value: tombstone }]);
  assert.equal(writer.handle.sizeSync(), 0);
  assert.equal(writer.sizeBytes, 32 + 40 + 1 + 4 + 1 + 4 + 1);
  writer.writeOutSync();
  assert.equal(writer.writtenBytes, writer.sizeBytes);
  assert.equal(writer.handle.sizeSync(), writer.sizeBytes);
  writer.writeOutSync();
  assert.equal(writer.handle.sizeSync(), writer.sizeBytes);
  assert.deepEqual(readLogBytes(fileBytes(writer), 3).entries, ["10:6b=06"]);
});

test("LogWriter writes the golden log", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  appendBatch(writer, 10, [{ key: bytesOf("k"), value: tombstone }]);
  writer.writeOutSync();
  writer.markDurable(writer.writtenBytes);
  appendBatch(writer, 11, [{ key: bytesOf("k"), value: tombstone }, {
    key: bytesOf(""),
    value: Uint8Array.of(3, 1),
  }]);
  writer.appendEnd(13);
  writer.writeOutSync();
  // Computed from the layout in log_format.ts by a separate program.
  assert.equal(
    hexOf(fileBytes(writer)),
    "544b565357414c0101000000030000000a0000000000000081706f5e7d2fe92b" +
      "3d56265a0e76fbf30b00000082706f5e0a0000000000000000000000000000000100000001000000" +
      "01010000006b0100000006" +
      "0d361f07453c8d771600000082706f5e0b0000000000000053000000000000000200000001000000" +
      "01010000006b01000000060100000000020000000301" +
      "d021a4e0000000000000000082706f5e0d0000000000000053000000000000000000000002000000",
  );
});

test("LogWriter refuses a file that is already there", () => {
  const fileSystem = memoryFileSystem();
  fileSystem.createSync("/log").closeSync();
  assert.throws(
    () => new LogWriter(fileSystem, "/log", TEST_STORE_ID, 3, 10),
    (error) => error instanceof IoError && error.osCode === "EEXIST",
  );
});

test("LogWriter states the durable offset that it was told last in every later record", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  const starts: number[] = [];
  for (let i = 0; i < 4; i++) {
    starts.push(writer.sizeBytes);
    appendBatch(writer, 10 + i, [{ key: bytesOf("k"), value: tombstone }]);
    writer.writeOutSync();
    if (i === 0) writer.markDurable(writer.writtenBytes);
    if (i === 2) writer.markDurable(40);
  }
  const bytes = fileBytes(writer);
  const end = starts[1]!;
  assert.deepEqual(starts.map((start) => durableOffsetAt(bytes, start)), [0, end, end, end]);
});

test("LogWriter counts as durable only when all of it was written and synced", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  assert.equal(writer.isDurable, false);
  writer.writeOutSync();
  assert.equal(writer.isDurable, false);
  writer.markDurable(writer.writtenBytes);
  assert.equal(writer.isDurable, true);
  appendBatch(writer, 10, [{ key: bytesOf("k"), value: tombstone }]);
  assert.equal(writer.isDurable, false);
});

test("LogWriter forgets a record that is cancelled", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  appendBatch(writer, 10, [{ key: bytesOf("a"), value: tombstone }]);
  const size = writer.sizeBytes;
  writer.beginRecord();
  assert.equal(writer.recordPayloadStart, size + 40);
  writer.buffer.appendBytes(valueOfLength(1000, 1), 0, 1000);
  writer.cancelRecord();
  assert.equal(writer.sizeBytes, size);
  appendBatch(writer, 11, [{ key: bytesOf("b"), value: tombstone }]);
  writer.writeOutSync();
  assert.deepEqual(readLogBytes(fileBytes(writer), 3).entries, ["10:61=06", "11:62=06"]);
});

test("LogWriter drops a buffer that a large batch has enlarged", () => {
  const writer = new LogWriter(memoryFileSystem(), "/log", TEST_STORE_ID, 3, 10);
  appendBatch(writer, 10, [{ key: bytesOf("a"), value: valueOfLength(3_000_000, 1) }]);
  writer.writeOutSync();
  assert.ok(writer.buffer.bytes.length <= 1024 * 1024);
  appendBatch(writer, 11, [{ key: bytesOf("b"), value: tombstone }]);
  writer.writeOutSync();
  const { entries } = readLogBytes(fileBytes(writer), 3);
  assert.equal(entries.length, 2);
  assert.equal(entries[1], "11:62=06");
});

test("LogWriter writes all of a record although the file takes few bytes at a time", () => {
  const slow = writingWith((write, from, offset, length, position) =>
    write(from, offset, Math.min(length, 7), position)
  );
  const writer = new LogWriter(slow, "/log", TEST_STORE_ID, 3, 10);
  appendBatch(writer, 10, [{ key: bytesOf("a"), value: valueOfLength(100, 1) }]);
  writer.writeOutSync();
  assert.equal(readLogBytes(fileBytes(writer), 3).entries.length, 1);
});

/** A log that expects a number of bytes, and what is done to its file. */
function extendable(expectedBytes: number, refuse?: (position: number) => string | undefined): {
  readonly writer: LogWriter;
  /** Appends a record of about this number of bytes and syncs it. */
  sync(length: number): void;
} {
  const fileSystem = writingWith((write, from, offset, length, position) => {
    const code = refuse?.(position);
    if (code !== undefined) throw new IoError("write", "/log", "refused", code);
    return write(from, offset, length, position);
  });
  const writer = new LogWriter(fileSystem, "/log", TEST_STORE_ID, 3, 10, expectedBytes);
  writer.writeOutSync();
  writer.markDurable(writer.writtenBytes);
  let sequence = 10;
  return {
    writer,
    sync(length) {
      appendBatch(writer, sequence++, [{ key: bytesOf("k"), value: valueOfLength(length, 1) }]);
      writer.writeOutSync();
      writer.extendSync();
      writer.markDurable(writer.writtenBytes);
    },
  };
}

test("LogWriter extends a log that is synced often, and writes into the zeros", () => {
  const { writer, sync } = extendable(4 * 1024 * 1024);
  for (let i = 0; i < 2; i++) sync(50);
  assert.equal(writer.handle.sizeSync(), writer.writtenBytes, "a few syncs");
  sync(50);
  const extended = writer.writtenBytes + 256 * 1024;
  assert.equal(writer.handle.sizeSync(), extended);
  while (writer.writtenBytes < extended - 200) {
    sync(50);
    assert.equal(writer.handle.sizeSync(), extended);
  }
  sync(50);
  sync(50);
  assert.equal(writer.handle.sizeSync(), extended + 256 * 1024);
  const bytes = fileBytes(writer);
  assert.ok(bytes.subarray(writer.writtenBytes).every((byte) => byte === 0));
  const { entries, summary } = readLogBytes(bytes, 3);
  assert.equal(summary.end, "open");
  assert.equal(entries.length, (writer.writtenBytes - 32) / (40 + 9 + 1 + 50));
});

test("LogWriter does not extend a log for large syncs, nor one of a tiny memtable by more than its part", () => {
  const large = extendable(4 * 1024 * 1024);
  for (let i = 0; i < 20; i++) large.sync(70_000);
  assert.equal(large.writer.handle.sizeSync(), large.writer.writtenBytes);
  const tiny = extendable(4096);
  for (let i = 0; i < 3; i++) tiny.sync(50);
  assert.equal(tiny.writer.handle.sizeSync(), tiny.writer.writtenBytes + 1024);
  const never = extendable(0);
  for (let i = 0; i < 20; i++) never.sync(50);
  assert.equal(never.writer.handle.sizeSync(), never.writer.writtenBytes);
});

test("LogWriter does not extend a log after its end record", () => {
  const { writer, sync } = extendable(4096);
  for (let i = 0; i < 2; i++) sync(50);
  writer.appendEnd(12);
  writer.writeOutSync();
  writer.extendSync();
  assert.equal(writer.handle.sizeSync(), writer.writtenBytes);
  assert.equal(readLogBytes(fileBytes(writer), 3).summary.end, "closed");
});

test("LogWriter continues without an extension that a full disk refuses, and reports any other failure", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    let isFull = false;
    const { writer, sync } = extendable(4096, () => isFull ? code : undefined);
    for (let i = 0; i < 2; i++) sync(50);
    isFull = true;
    writer.extendSync();
    isFull = false;
    for (let i = 0; i < 4; i++) sync(50);
    assert.equal(writer.handle.sizeSync(), writer.writtenBytes);
    assert.equal(readLogBytes(fileBytes(writer), 3).entries.length, 6);
  }
  const { writer, sync } = extendable(4096, (at) => at > 220 ? "EIO" : undefined);
  for (let i = 0; i < 2; i++) sync(50);
  assert.throws(() => writer.extendSync(), IoError);
});
