/** The decoders of logs, manifests and CURRENT, for the fuzz programme. */

import assert from "node:assert/strict";
import { ByteReader } from "../../src/bytes/byte_reader.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { fileTag } from "../../src/bytes/store_id.ts";
import { DecodeError } from "../../src/errors.ts";
import type { FileHandle } from "../../src/platform/file_system.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import {
  decodeCurrent,
  decodeManifest,
  encodeCurrent,
  encodeManifestHeader,
  encodeManifestRecord,
  MANIFEST_HEADER_BYTES,
  otherCurrentVersion,
} from "../../src/version/manifest_format.ts";
import { tableMetadata } from "../../src/version/table_metadata.ts";
import type { ValueUse } from "../../src/sstable/value_uses.ts";
import { type VersionEdit, versionFor } from "../../src/version/version_edit.ts";
import {
  encodeLogHeader,
  LOG_HEADER_BYTES,
  RECORD_END,
  RECORD_ENTRIES,
  RECORD_HEADER_BYTES,
  sealRecord,
} from "../../src/wal/log_format.ts";
import { type LogSummary, readLog } from "../../src/wal/log_reader.ts";
import type { Random } from "../support/random.ts";
import type { Field, FuzzedDecoder } from "./decoder.ts";
import { someInteger, someSpans, someValue, sortedKeys, viewOn, written } from "./make.ts";
import { encodeRangeOperation } from "../../src/wal/range_operation.ts";
import { awkwardKey } from "../support/seeded.ts";

const STORE_ID = 0x5e6f7081;
const NUMBER = 7;

interface LogContent {
  readonly firstSequence: number;
  readonly version: number;
  /** Operation, key length field, key, value length field and value of each entry. */
  readonly entries: readonly Uint8Array[];
  readonly isClosed: boolean;
}

function encodeLog(content: LogContent, recordEntries: number, random?: Random): Uint8Array {
  return written((writer) => {
    const { firstSequence, version, entries, isClosed } = content;
    encodeLogHeader(writer, { storeId: STORE_ID, logNumber: NUMBER, firstSequence, version });
    const tag = fileTag(STORE_ID, NUMBER);
    const append = (type: number, sequence: number, count: number, write: () => void): void => {
      const start = writer.length;
      writer.reserve(RECORD_HEADER_BYTES);
      writer.length += RECORD_HEADER_BYTES;
      write();
      const durable = random === undefined || random.below(2) === 0 ? 0 : start;
      const { bytes, view, length } = writer;
      sealRecord(bytes, view, start, length, tag, type, sequence, count, durable);
    };
    for (let at = 0; at < entries.length; at += recordEntries) {
      const part = entries.slice(at, at + recordEntries);
      append(RECORD_ENTRIES, firstSequence + at, part.length, () => {
        for (const entry of part) writer.appendBytes(entry, 0, entry.length);
      });
    }
    if (isClosed) append(RECORD_END, firstSequence + entries.length, 0, () => {});
  });
}

/** Reads a log from memory and counts what is read. */
function readBytes(
  bytes: Uint8Array,
): { summary: LogSummary | undefined; entries: Uint8Array[]; work: number } {
  let work = 0;
  const handle: FileHandle = {
    path: "/log",
    readSync(into, offset, length, position) {
      const count = Math.max(0, Math.min(length, bytes.length - position));
      into.set(bytes.subarray(position, position + count), offset);
      work += count;
      return count;
    },
    writeSync: () => assert.fail("a reader writes"),
    syncSync: () => assert.fail("a reader syncs"),
    sizeSync: () => bytes.length,
    closeSync: () => {},
  };
  const entries: Uint8Array[] = [];
  const result = runTaskSync(
    readLog(handle, STORE_ID, NUMBER, (_, from, __, start, ___, end) => {
      entries.push(from.slice(start - 1, end));
    }),
  );
  return { summary: "version" in result ? undefined : result, entries, work };
}

/** The write-ahead log. */
export const logDecoder: FuzzedDecoder = {
  name: "wal",
  valid(random) {
    const version = 1 + random.below(2);
    const entries = Array.from({ length: random.below(6) }, () => {
      if (version === 2 && random.below(3) === 0) {
        const [lower, upper] = sortedKeys(2, 2, random);
        return written((writer) =>
          encodeRangeOperation(writer, lower, random.below(3) === 0 ? undefined : upper)
        );
      }
      const key = awkwardKey(random);
      const value = someValue(random);
      return written((writer) => {
        writer.appendUint8(1);
        writer.appendUint32(key.length);
        writer.appendBytes(key, 0, key.length);
        writer.appendUint32(value.length);
        writer.appendBytes(value, 0, value.length);
      });
    });
    const content = {
      firstSequence: someInteger(random),
      version,
      entries,
      isClosed: random.below(2) === 0,
    };
    return encodeLog(content, 1 + random.below(3), random);
  },
  fields(bytes) {
    const fields: Field[] = [{ at: 8, width: 4 }, { at: 12, width: 4 }, { at: 16, width: 8 }];
    fields.push({ at: 24, width: 4 });
    const view = viewOn(bytes);
    for (const [start, end] of logRecords(bytes)) {
      for (const at of [8, 12, 32]) fields.push({ at: start + at, width: 4 });
      fields.push({ at: start + 16, width: 8 }, { at: start + 24, width: 8 });
      fields.push({ at: start + 36, width: 1 });
      for (let at = start + RECORD_HEADER_BYTES; at + 9 <= end;) {
        const keyLength = view.getUint32(at + 1, true);
        const valueAt = at + 5 + keyLength;
        if (valueAt + 4 > end) break;
        fields.push({ at, width: 1 }, { at: at + 1, width: 4 }, { at: valueAt, width: 4 });
        at = valueAt + 4 + view.getUint32(valueAt, true);
      }
    }
    return fields;
  },
  reseal(bytes) {
    if (bytes.length < LOG_HEADER_BYTES) return;
    const view = viewOn(bytes);
    view.setUint32(28, crc32(bytes, view, 0, 28), true);
    for (const [start, end] of logRecords(bytes)) {
      view.setUint32(start + 4, crc32(bytes, view, start + RECORD_HEADER_BYTES, end), true);
      view.setUint32(start, crc32(bytes, view, start + 4, start + RECORD_HEADER_BYTES), true);
    }
  },
  decode(bytes) {
    const { summary, entries, work } = readBytes(bytes);
    return {
      items: entries.length,
      work,
      requireRoundTrip() {
        if (summary?.header === undefined) return assert.equal(entries.length, 0);
        const { firstSequence } = summary.header;
        assert.equal(summary.nextSequence, firstSequence + entries.length);
        assert.ok(summary.endOffset <= bytes.length);
        const isClosed = summary.end === "closed";
        const version = viewOn(bytes).getUint32(8, true);
        const again = readBytes(encodeLog({ firstSequence, version, entries, isClosed }, 2));
        assert.equal(again.summary?.end, isClosed ? "closed" : "open");
        assert.equal(again.summary.header?.firstSequence, firstSequence);
        assert.equal(again.entries.length, entries.length);
        for (let i = 0; i < entries.length; i++) requireSame(again.entries[i]!, entries[i]!);
      },
    };
  },
  // The window is filled again for a record that reaches past it, and for the search after a bad
  // one.
  maxWork: (length) => length * 3 + 64,
};

function logRecords(bytes: Uint8Array): [start: number, end: number][] {
  const view = viewOn(bytes);
  const records: [number, number][] = [];
  for (let start = LOG_HEADER_BYTES; start + RECORD_HEADER_BYTES <= bytes.length;) {
    const end = start + RECORD_HEADER_BYTES + view.getUint32(start + 8, true);
    records.push([start, Math.min(end, bytes.length)]);
    start = end;
  }
  return records;
}

function requireSame(a: Uint8Array, b: Uint8Array): void {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) assert.fail(`byte ${i} differs`);
}

function encodeManifest(edits: readonly VersionEdit[]): Uint8Array {
  return written((writer) => {
    const version = Math.max(...edits.map(versionFor));
    encodeManifestHeader(writer, STORE_ID, NUMBER, version);
    for (const [at, edit] of edits.entries()) {
      encodeManifestRecord(writer, STORE_ID, NUMBER, at, edit);
    }
  });
}

function someUses(random: Random): ValueUse[] {
  let number = 0;
  return Array.from({ length: 1 + random.below(3) }, () => {
    number += 1 + random.below(1000);
    const entryCount = 1 + random.below(100);
    const usedBytes = entryCount + random.below(10_000);
    const kind = random.pick([0, 1] as const);
    return { kind, number, sizeBytes: usedBytes + random.below(100), usedBytes, entryCount };
  });
}

function someEdit(random: Random): VersionEdit {
  const edit: { -readonly [name in keyof VersionEdit]: VersionEdit[name] } = {
    removed: Array.from({ length: random.below(3) }, () => ({
      level: random.below(7),
      number: random.uint32(),
    })),
    added: Array.from({ length: random.below(3) }, () => {
      const [smallest, largest] = sortedKeys(2, 2, random);
      return {
        level: random.below(7),
        table: tableMetadata({
          number: random.uint32(),
          sizeBytes: someInteger(random),
          entryCount: someInteger(random),
          tombstoneCount: someInteger(random),
          checksum: random.below(3) === 0 ? undefined : random.uint32(),
          valueUses: random.below(3) > 0 ? [] : someUses(random),
          expiry: random.below(3) > 0 ? undefined : {
            count: 1 + random.uint32(),
            times: Array.from({ length: 1 + random.below(9) }, () => someInteger(random))
              .sort((a, b) => a - b),
          },
          smallest: smallest!,
          largest: largest!,
          deletedSpans: random.below(3) === 0 ? someSpans(random) : [],
        }),
      };
    }),
  };
  if (random.below(2) === 0) edit.nextFileNumber = random.uint32();
  if (random.below(2) === 0) edit.lastSequence = someInteger(random);
  if (random.below(2) === 0) edit.log = { number: random.uint32(), live: random.below(2) === 0 };
  return edit;
}

/** The manifest, and the edits in it. */
export const manifestDecoder: FuzzedDecoder = {
  name: "manifest",
  valid: (random) =>
    encodeManifest(Array.from({ length: 1 + random.below(3) }, () => someEdit(random))),
  fields(bytes) {
    const fields: Field[] = [8, 12, 16].map((at) => ({ at, width: 4 }));
    for (const [start, end] of manifestRecords(bytes)) {
      for (const at of [4, 8, 12]) fields.push({ at: start + at, width: 4 });
      try {
        addEditFields(bytes, start + 16, end, fields);
      } catch (error) {
        // A record that is cut off has those fields that are left of it.
        if (!(error instanceof DecodeError)) throw error;
      }
    }
    return fields;
  },
  reseal(bytes) {
    if (bytes.length < MANIFEST_HEADER_BYTES) return;
    const view = viewOn(bytes);
    view.setUint32(20, crc32(bytes, view, 0, 20), true);
    for (const [start, end] of manifestRecords(bytes)) {
      view.setUint32(start, crc32(bytes, view, start + 4, end), true);
    }
  },
  decode(bytes) {
    const { edits, endOffset, newerVersion } = decodeManifest(bytes, STORE_ID, NUMBER);
    const items = edits.reduce((sum, { removed, added }) => sum + removed.length + added.length, 0);
    return {
      items,
      work: endOffset,
      requireRoundTrip() {
        if (newerVersion !== undefined) return assert.equal(edits.length, 0);
        const again = encodeManifest(edits);
        requireSame(encodeManifest(decodeManifest(again, STORE_ID, NUMBER).edits), again);
        // Every field is in the encoding, once; others may come more than once, and the last
        // counts.
        assert.ok(again.length <= endOffset, `${again.length} bytes instead of ${endOffset}`);
      },
    };
  },
};

function addEditFields(bytes: Uint8Array, start: number, end: number, fields: Field[]): void {
  const reader = new ByteReader(bytes, start, end);
  const field = (width: number): number => {
    const at = reader.take(width);
    fields.push({ at, width });
    return at;
  };
  while (reader.remaining > 0) {
    const tag = bytes[field(1)]!;
    if (tag <= 2) field(8);
    else if (tag === 3) field(4), field(1);
    else if (tag === 4) field(1), field(4);
    else if (tag === 6) {
      field(4), field(8);
      for (let times = bytes[field(1)]!; times > 0; times--) field(8);
    } else if (tag === 7) {
      const end = reader.take(0) + 4 + viewOn(bytes).getUint32(field(4), true);
      while (reader.offset < end) reader.take(viewOn(bytes).getUint32(field(4), true));
    } else {
      field(1), field(4), field(8), field(8), field(8);
      if (bytes[field(1)] === 1) field(4);
      for (const _ of [1, 2]) reader.take(viewOn(bytes).getUint32(field(4), true));
    }
  }
}

function manifestRecords(bytes: Uint8Array): [start: number, end: number][] {
  const view = viewOn(bytes);
  const records: [number, number][] = [];
  for (let start = MANIFEST_HEADER_BYTES; start + 16 <= bytes.length;) {
    const end = start + 16 + view.getUint32(start + 4, true);
    records.push([start, Math.min(end, bytes.length)]);
    start = end;
  }
  return records;
}

/** CURRENT. */
export const currentDecoder: FuzzedDecoder = {
  name: "current",
  valid: (random) =>
    encodeCurrent({
      storeId: random.uint32(),
      manifestNumber: random.uint32() >>> random.below(32),
    }),
  // Text: each of its bytes may be an extreme.
  fields: (bytes) => Array.from(bytes, (_, at) => ({ at, width: 1 })),
  reseal(bytes) {
    const at = bytes.length - 16;
    if (at < 0) return;
    const crc = crc32(bytes, viewOn(bytes), 0, at).toString(16).padStart(8, "0");
    for (let i = 0; i < 8; i++) bytes[at + 7 + i] = crc.charCodeAt(i);
  },
  decode(bytes) {
    const other = otherCurrentVersion(bytes);
    assert.ok(other === undefined || (Number.isSafeInteger(other) && other !== 1));
    const current = decodeCurrent(bytes);
    return {
      items: 1,
      work: bytes.length,
      requireRoundTrip: () => requireSame(encodeCurrent(current), bytes),
    };
  },
};
