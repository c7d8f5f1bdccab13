// Blocks that the Go encoder of MinLZ wrote, and a table of them
// (tests/fixtures/go/minlz/README.md). Here the decoder is compared with its counterpart; the other
// tests compare it with our own encoders.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { minlzDecompressor } from "../../src/compression/minlz.ts";
import { drainSync } from "../support/cursors.ts";
import { fixtureBytes } from "../support/go_store.ts";
import { cursorOf, lookUp, readerOfBytes } from "../support/tables.ts";
import { referenceDecode } from "./minlz_reference.ts";

interface Expected {
  readonly file: string;
  readonly length: number;
  readonly sha256: string;
}

const blocks: readonly Expected[] = JSON.parse(
  new TextDecoder().decode(fixtureBytes("minlz/expected.json")),
);

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("Every block of the Go encoder decodes to what went in", () => {
  const codec = minlzDecompressor();
  assert.equal(blocks.length, 18);
  for (const { file, length, sha256 } of blocks) {
    const block = fixtureBytes(`minlz/${file}`);
    assert.equal(codec.statedLength(block, 0, block.length), length, file);
    const content = new Uint8Array(length);
    codec.decompress(block, 0, block.length, content, 0, length);
    assert.equal(hashOf(content), sha256, file);
  }
});

test("A block of the Go encoder decodes in the middle of buffers, and touches nothing beside it", () => {
  const codec = minlzDecompressor();
  for (const { file, length, sha256 } of blocks) {
    const block = fixtureBytes(`minlz/${file}`);
    const from = new Uint8Array(block.length + 24).fill(0xaa);
    from.set(block, 11);
    const into = new Uint8Array(length + 24).fill(0x55);
    codec.decompress(from, 11, 11 + block.length, into, 13, length);
    assert.equal(hashOf(into.subarray(13, 13 + length)), sha256, file);
    const beside = [...into.subarray(0, 13), ...into.subarray(13 + length)];
    assert.ok(beside.every((byte) => byte === 0x55), file);
  }
});

test("The plain decoder of the tests agrees with the Go encoder, so it may stand for the specification", () => {
  for (const { file, sha256 } of blocks) {
    const content = referenceDecode(fixtureBytes(`minlz/${file}`));
    assert.equal(hashOf(Uint8Array.from(content!)), sha256, file);
  }
});

test("A table whose blocks the Go encoder wrote reads as the table it was made of", () => {
  const [made, original] = ["minlz/000015.sst", "v0.11.1-zstd/store/000015.sst"].map((path) => {
    const bytes = fixtureBytes(path);
    return readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
  });
  const entries = drainSync(cursorOf(original!));
  assert.equal(entries.length, 307);
  assert.deepEqual(drainSync(cursorOf(made!)), entries);
  for (const entry of entries) {
    const key = new Uint8Array(Buffer.from(entry.split("=")[0]!, "hex"));
    assert.equal(lookUp(made!, key), entry);
  }
});
