/** Building the payload of a data block: golden bytes, counts, reuse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockBuilder } from "../../src/sstable/block_builder.ts";
import {
  bytesOf,
  hexOf,
  splitViewOf,
  tombstone,
  valueOfLength,
  viewOf,
} from "../support/entries.ts";

const entries = [
  { key: bytesOf(""), value: Uint8Array.of(3, 1) },
  { key: bytesOf("key"), value: tombstone },
];
const golden = "01" + "0200" +
  "00000000" + "02000000" + "0301" +
  "03000000" + "6b6579" + "01000000" + "06";

function payload(builder: BlockBuilder): string {
  builder.finish();
  return hexOf(builder.writer.bytes.slice(0, builder.writer.length));
}

test("BlockBuilder makes the golden payload", () => {
  const builder = new BlockBuilder(64);
  for (const entry of entries) builder.add(viewOf(entry));
  assert.equal(payload(builder), golden);
});

test("BlockBuilder makes the same payload from values that lie in separate buffers", () => {
  const builder = new BlockBuilder(64);
  for (const entry of entries) builder.add(splitViewOf(entry));
  assert.equal(payload(builder), golden);
});

test("BlockBuilder makes the same payload if key and value lie apart in one buffer", () => {
  const builder = new BlockBuilder(64);
  const bytes = Uint8Array.from([...bytesOf("key"), 99, 99, ...tombstone, 3, 1]);
  const view = new DataView(bytes.buffer);
  const common = { keyBytes: bytes, keyView: view, valueBytes: bytes, valueView: view };
  builder.add({ ...common, keyStart: 0, keyEnd: 0, valueStart: 6, valueEnd: 8 });
  builder.add({ ...common, keyStart: 0, keyEnd: 3, valueStart: 5, valueEnd: 6 });
  assert.equal(payload(builder), golden);
});

test("BlockBuilder counts entries and their bytes, and says where the first key is", () => {
  const builder = new BlockBuilder(64);
  assert.deepEqual([builder.entryCount, builder.entryBytes], [0, 0]);
  builder.add(viewOf({ key: bytesOf("first"), value: valueOfLength(10, 1) }));
  builder.add(viewOf({ key: bytesOf("second"), value: valueOfLength(20, 2) }));
  assert.deepEqual([builder.entryCount, builder.entryBytes], [2, 8 + 5 + 10 + 8 + 6 + 20]);
  const { writer, firstKeyStart, firstKeyEnd } = builder;
  assert.equal(hexOf(writer.bytes.slice(firstKeyStart, firstKeyEnd)), hexOf(bytesOf("first")));
});

test("BlockBuilder starts over after reset", () => {
  const builder = new BlockBuilder(64);
  builder.add(viewOf({ key: bytesOf("gone"), value: valueOfLength(5000, 1) }));
  builder.finish();
  builder.reset();
  assert.deepEqual([builder.entryCount, builder.entryBytes], [0, 0]);
  for (const entry of entries) builder.add(viewOf(entry));
  assert.equal(payload(builder), golden);
});

test("BlockBuilder holds 65,535 entries", () => {
  const builder = new BlockBuilder(64);
  const entry = viewOf(entries[1]!);
  for (let i = 0; i < 65_535; i++) builder.add(entry);
  builder.finish();
  assert.equal(builder.writer.view.getUint16(1, true), 65_535);
  assert.equal(builder.writer.length, 3 + 65_535 * 12);
});
