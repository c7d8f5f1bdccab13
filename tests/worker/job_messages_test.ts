import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compactionFrom,
  errorFrom,
  plainCompaction,
  plainError,
} from "../../src/worker/job_messages.ts";
import type { Compaction } from "../../src/compaction/compaction.ts";
import {
  ClosedError,
  CorruptionError,
  DecodeError,
  IoError,
  StoreError,
  UnsupportedFormatError,
} from "../../src/errors.ts";
import { tableMetadata } from "../../src/version/table_metadata.ts";
import { bytesOf, tableOf } from "../support/store_tables.ts";

/** A copy of a value, as a thread sends it. */
function sent<T>(value: T): T {
  return structuredClone(value);
}

test("Every class of error arrives from the thread unchanged", () => {
  const cause = new DecodeError("the length is wrong", 17);
  const system = Object.assign(new Error("ENOSPC: no space left, write"), { code: "ENOSPC" });
  const errors: Error[] = [
    new CorruptionError("Cannot read the block", "/db/000007.sst", 4096, { cause }),
    new UnsupportedFormatError("/db/000007.sst", "codec 9", "codecs to 3"),
    new IoError("write", "/db/000008.sst", "no space", "ENOSPC", { cause: system }),
    new IoError("sync", "/db", "it was refused", undefined),
    new ClosedError("store"),
    new StoreError("READ_ONLY", "Cannot write"),
    new RangeError("Cannot compress 5 bytes"),
    new TypeError("not a function"),
    cause,
    system,
    new Error("keys do not ascend"),
  ];
  for (const error of errors) {
    const received = errorFrom(sent(plainError(error)));
    assert.equal(received.constructor, error.constructor, error.name);
    assert.equal(received.message, error.message);
    assert.equal(received.stack, error.stack);
    assert.deepEqual({ ...received, stack: "" }, { ...error, stack: "" }, error.name);
    const behind = received.cause as Error | undefined;
    assert.equal(behind?.constructor, (error.cause as Error | undefined)?.constructor);
    assert.equal(behind?.message, (error.cause as Error | undefined)?.message);
  }
});

test("A thrown value that is not an error arrives as its text", () => {
  assert.equal(errorFrom(sent(plainError("a text"))).message, "a text");
});

test("A chain of causes without end is cut", () => {
  const error = new Error("one");
  error.cause = error;
  let depth = 0;
  for (let at: unknown = errorFrom(sent(plainError(error))); at !== undefined; depth++) {
    at = (at as Error).cause;
  }
  assert.ok(depth > 1 && depth < 20, `${depth} errors`);
});

test("A merge arrives with the same tables, and without the buffers that their keys lie in", () => {
  const manifest = new Uint8Array(100_000);
  manifest.set(bytesOf("dk"), 5000);
  const table = tableMetadata({
    ...tableOf("7[d-k]"),
    smallest: manifest.subarray(5000, 5001),
    largest: manifest.subarray(5001, 5002),
    deletedSpans: [{
      lower: new DataView(manifest.buffer, 5000, 1),
      upper: new DataView(manifest.buffer, 5001, 1),
    }],
  });
  const compaction: Compaction = {
    kind: "merge",
    inputs: [{ level: 0, tables: [table, tableOf("6[a-z]!g")] }, {
      level: 1,
      tables: [tableOf("3[b-c]x3")],
    }],
    outputLevel: 1,
    maxFileSizeBytes: 12345,
    nowMs: 67890,
    moves: [12, 34],
    deeper: [[tableOf("2[a-b]")], []],
  };
  const plain = plainCompaction(compaction);
  for (const { tables } of plain.inputs) {
    for (const { smallest, deletedSpans } of tables) {
      assert.ok(smallest.buffer.byteLength < 10);
      for (const { lower } of deletedSpans) assert.ok(lower.buffer.byteLength < 10);
    }
  }
  const deletedSpans = [{
    lower: tableOf("1[d-k]").smallestView,
    upper: tableOf("1[d-k]").largestView,
  }];
  assert.deepEqual(compactionFrom(sent(plain)), {
    ...compaction,
    inputs: [
      {
        level: 0,
        tables: [tableMetadata({ ...tableOf("7[d-k]"), deletedSpans }), tableOf("6[a-z]!g")],
      },
      compaction.inputs[1],
    ],
  });
});
