// A store as Go v0.11 writes it by default, with MinLZ blocks: the fixture of v0.11.1, whose tables
// are built again by this library's builder with an encoder of the tests.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { open } from "../../src/store/open.ts";
import { GoTableBuilder } from "../../src/go/go_table_writer.ts";
import { decodeFooter, FOOTER_BYTES } from "../../src/sstable/table_format.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { minlzCodec } from "../compression/minlz_encoder.ts";
import { drainSync } from "../support/cursors.ts";
import { viewOf } from "../support/entries.ts";
import {
  contentOf,
  encodeGoManifest,
  expectedContent,
  goFiles,
  type GoManifestRecord,
  goManifestRecords,
  openGo,
  pathOf,
} from "../support/go_store.ts";
import { DIRECTORY } from "../support/store_files.ts";
import { cursorOf, readerOfBytes } from "../support/tables.ts";

/** The table's entries in another file, whose blocks are MinLZ. */
function rebuilt(bytes: Uint8Array): Uint8Array {
  const reader = readerOfBytes(bytes, { sizeBytes: bytes.length, checksum: undefined });
  const cursor = cursorOf(reader);
  const entries = drainSync(cursor).map((text) => {
    const [key, value] = text.split("=").map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
    return { key: key!, value: value! };
  });
  const builder = new GoTableBuilder({
    level: reader.sections.tail!.properties.level,
    compressor: minlzCodec,
    blockSizeBytes: 16_384,
    bloomFalsePositiveRate: reader.sections.tail!.properties.level === 0 ? 0.01 : false,
  });
  for (const entry of entries) builder.add(viewOf(entry));
  builder.finish();
  return builder.output.bytes.slice(0, builder.output.length);
}

/** The record of a table with the numbers of its new file, which are at its end. */
function recordFor(record: GoManifestRecord, file: Uint8Array): GoManifestRecord {
  const fileView = new DataView(file.buffer, file.byteOffset, file.length);
  const footer = decodeFooter(fileView, file.length - FOOTER_BYTES, file.length);
  const body = record.body.slice();
  const view = new DataView(body.buffer, body.length - 40);
  view.setBigUint64(0, BigInt(footer.entryCount), true);
  view.setBigUint64(8, BigInt(file.length), true);
  view.setBigUint64(16, BigInt(footer.indexOffset), true);
  view.setUint32(24, footer.indexSize, true);
  view.setBigUint64(28, BigInt(footer.filterOffset), true);
  view.setUint32(36, footer.filterSize, true);
  return { ...record, body };
}

function minlzStore(): CloneableFileSystem {
  const fileSystem = goFiles("v0.11.1-zstd");
  const files = new Map<number, Uint8Array>();
  for (const name of fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"))) {
    const file = rebuilt(fileSystem.content(pathOf(name)));
    files.set(Number.parseInt(name, 10), file);
    fileSystem.setContent(pathOf(name), file);
  }
  const records = goManifestRecords(fileSystem.content(pathOf("MANIFEST"))).map((record) => {
    const file = record.type === 1 ? files.get(record.body[0]!) : undefined;
    return file === undefined ? record : recordFor(record, file);
  });
  fileSystem.setContent(pathOf("MANIFEST"), encodeGoManifest(records));
  return fileSystem;
}

test("A Go store with MinLZ blocks holds the same, as opened, reopened, and compacted", async () => {
  const fileSystem = minlzStore();
  const expected = expectedContent("v0.11.1-zstd");
  for (const isCompacted of [false, false, true, true]) {
    const store = openGo(fileSystem);
    assert.deepEqual(contentOf(store), expected);
    store.closeSync();
    if (!isCompacted) continue;
    const compacting = await open(DIRECTORY, { fileSystem });
    await compacting.compact();
    await compacting.close();
  }
});
