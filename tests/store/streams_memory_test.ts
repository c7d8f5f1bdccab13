// A value of 256 MB goes through streams into a file and out of it, and the process stays small.
// docs/measurements/0037-large-values.md has one of a gigabyte.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { crc32 } from "../../src/bytes/crc32.ts";
import { openSync } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const MIB = 1024 * 1024;
const LENGTH = 256 * MIB;
/** Room for garbage: each chunk that is read is a new one. */
const MAX_GROWTH = 96 * MIB;

test("A value of 256 MB passes through streams in less than 96 MB of memory", async () => {
  const directory = temporaryDirectory("streams");
  const store = openSync(directory.path, { walSync: "none" });
  try {
    const chunk = new Uint8Array(MIB);
    const view = new DataView(chunk.buffer);
    for (let i = 0; i < MIB; i += 4) view.setUint32(i, Math.imul(i, 2654435761));
    const before = process.memoryUsage().rss;
    let peak = before;
    const look = (): void => {
      peak = Math.max(peak, process.memoryUsage().rss);
    };
    let crcIn = 0;
    let at = 0;
    await store.putStream(
      "key",
      new ReadableStream<Uint8Array>({
        pull(controller): void {
          look();
          if (at === LENGTH) return controller.close();
          view.setUint32(0, at);
          at += MIB;
          crcIn = crc32(chunk, view, 0, MIB, crcIn);
          controller.enqueue(chunk);
        },
      }, { highWaterMark: 0 }),
    );
    let crcOut = 0;
    let length = 0;
    for await (const part of store.getStream("key")!) {
      look();
      const { buffer, byteOffset } = part;
      crcOut = crc32(part, new DataView(buffer, byteOffset, part.length), 0, part.length, crcOut);
      length += part.length;
    }
    assert.equal(length, LENGTH);
    assert.equal(crcOut, crcIn);
    assert.ok(peak - before < MAX_GROWTH, `it grew by ${Math.round((peak - before) / MIB)} MB`);
  } finally {
    store.closeSync();
    directory.dispose();
  }
});
