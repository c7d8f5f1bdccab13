/**
 * The decoders of a table's parts, for the fuzz programme: data block, index, filter, and its tail.
 */

import assert from "node:assert/strict";
import { crc32 } from "../../src/bytes/crc32.ts";
import { CODEC_NONE } from "../../src/compression/compressor.ts";
import { DecodeError } from "../../src/errors.ts";
import { emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import { Block } from "../../src/sstable/block.ts";
import { BLOCK_HEADER_BYTES, BlockBuilder } from "../../src/sstable/block_builder.ts";
import { Filter, FILTER_HEADER_BYTES } from "../../src/sstable/filter.ts";
import { FilterBuilder } from "../../src/sstable/filter_builder.ts";
import { decodeStoredBlock } from "../../src/sstable/stored_block.ts";
import {
  decodeFooter,
  decodeProperties,
  encodeTableTail,
  FOOTER_BYTES,
  GO_METADATA_BYTES,
  type TableExtension,
  type TableFooter,
  type TableProperties,
  UnknownTableFeature,
} from "../../src/sstable/table_format.ts";
import { encodeIndexHead, TableIndex } from "../../src/sstable/table_index.ts";
import { viewOf } from "../support/entries.ts";
import { randomBytes } from "../support/seeded.ts";
import type { Field, FuzzedDecoder } from "./decoder.ts";
import { bytesIn, someSpans, someValue, sortedKeys, viewOn, written } from "./make.ts";
import { plainSpan } from "../../src/memtable/newest_entries.ts";

/** Length of the footer after a stored block. */
const STORED_FOOTER_BYTES = 13;

/** A stored data block without compression: its footer, its checksum, and the entries. */
export const blockDecoder: FuzzedDecoder = {
  name: "data_block",
  valid(random) {
    const builder = new BlockBuilder(256);
    for (const key of sortedKeys(1, 8, random)) {
      builder.add(viewOf({ key, value: someValue(random) }));
    }
    builder.finish();
    const payload = bytesIn(builder.writer);
    return written((writer) => {
      writer.appendBytes(payload, 0, payload.length);
      writer.appendUint32(crc32(payload, viewOn(payload), 0, payload.length));
      writer.appendUint32(payload.length);
      writer.appendUint32(payload.length);
      writer.appendUint8(CODEC_NONE);
    });
  },
  fields(bytes) {
    const end = bytes.length - STORED_FOOTER_BYTES;
    const view = viewOn(bytes);
    const fields: Field[] = [{ at: 0, width: 1 }, { at: 1, width: 2 }, { at: end + 12, width: 1 }];
    fields.push({ at: end + 4, width: 4 }, { at: end + 8, width: 4 });
    for (let at = BLOCK_HEADER_BYTES; at + 9 <= end;) {
      const valueAt = at + 4 + view.getUint32(at, true);
      fields.push({ at, width: 4 }, { at: valueAt, width: 4 });
      at = valueAt + 4 + view.getUint32(valueAt, true);
    }
    return fields;
  },
  reseal(bytes) {
    const end = bytes.length - STORED_FOOTER_BYTES;
    if (end >= 0) viewOn(bytes).setUint32(end, crc32(bytes, viewOn(bytes), 0, end), true);
  },
  decode(bytes) {
    const block = decodeStoredBlock(bytes, viewOn(bytes), 0, bytes.length, true, undefined);
    const entry = emptyEntryView();
    block.showBuffers(entry);
    let work = 0;
    for (let slot = 0; slot < block.count; slot++) {
      block.showAt(slot, entry);
      work += entry.valueEnd - entry.keyStart;
      const { keyView, keyStart, keyEnd } = entry;
      assert.equal(block.find(keyView, keyStart, keyEnd), slot, "a key is not found");
    }
    return {
      items: block.count,
      work,
      requireRoundTrip() {
        const builder = new BlockBuilder(256);
        for (let slot = 0; slot < block.count; slot++) {
          block.showAt(slot, entry);
          builder.add(entry);
        }
        builder.finish();
        const { writer } = builder;
        const { payload } = block;
        requireSame(bytesIn(writer), payload);
        requireSame(bytesIn(writer), Block.decode(payload, 0, payload.length).payload);
      },
    };
  },
  isTyped: (error) => error instanceof UnknownTableFeature,
};

/** Requires that `b` begins with all of `a`. */
function requireSame(a: Uint8Array, b: Uint8Array): void {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) assert.fail(`byte ${i} differs`);
}

/**
 * The index. Before it comes what the footer says: where the blocks end (u64), and how many there
 * are (u32).
 */
export const indexDecoder: FuzzedDecoder = {
  name: "table_index",
  valid(random) {
    const keys = sortedKeys(1, 6, random);
    const sizes = keys.map(() => 1 + random.below(5000));
    const largest = Uint8Array.of(...keys.at(-1)!, 0xff);
    return written((writer) => {
      writer.appendUint64(sizes.reduce((sum, size) => sum + size, 0));
      writer.appendUint32(keys.length);
      encodeIndexHead(writer, random.uint32(), keys[0]!, largest, keys.length);
      let offset = 0;
      for (const [at, key] of keys.entries()) {
        writer.appendUint32(key.length);
        writer.appendBytes(key, 0, key.length);
        writer.appendUint64(offset);
        writer.appendUint32(sizes[at]!);
        offset += sizes[at]!;
      }
    });
  },
  fields(bytes) {
    const view = viewOn(bytes);
    const fields: Field[] = [{ at: 0, width: 8 }, { at: 8, width: 4 }, { at: 12, width: 8 }];
    let at = 20;
    const key = (): void => {
      fields.push({ at, width: 4 });
      at += 4 + view.getUint32(at, true);
    };
    key();
    key();
    fields.push({ at, width: 4 });
    at += 4;
    while (at + 16 <= bytes.length) {
      key();
      fields.push({ at, width: 8 }, { at: at + 8, width: 4 });
      at += 12;
    }
    return fields;
  },
  decode(bytes) {
    if (bytes.length < 12) throw new DecodeError("there is nothing of the footer", 0);
    const view = viewOn(bytes);
    const dataEnd = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
    const index = new TableIndex(bytes, 12, bytes.length, dataEnd, view.getUint32(8, true));
    const { blockCount } = index;
    return {
      items: blockCount,
      work: index.bytes.length,
      requireRoundTrip() {
        const section = written((writer) => {
          const { smallestStart, smallestEnd, largestStart, largestEnd } = index;
          const smallest = index.bytes.slice(smallestStart, smallestEnd);
          const largest = index.bytes.slice(largestStart, largestEnd);
          encodeIndexHead(writer, index.entryCount, smallest, largest, blockCount);
          for (let block = 0; block < blockCount; block++) {
            const [start, end] = [index.firstKeyStart(block), index.firstKeyEnd(block)];
            assert.equal(index.blockFor(index.view, start, end), block, "a key leads elsewhere");
            writer.appendUint32(end - start);
            writer.appendBytes(index.bytes, start, end);
            writer.appendUint64(index.blockOffset(block));
            writer.appendUint32(index.blockSize(block));
          }
        });
        assert.equal(section.length, bytes.length - 12);
        requireSame(section, bytes.subarray(12));
      },
    };
  },
};

const probes = [new Uint8Array(0), Uint8Array.of(0x61), new Uint8Array(40).fill(0xff)];

/** The filter. */
export const filterDecoder: FuzzedDecoder = {
  name: "filter",
  valid(random) {
    const builder = new FilterBuilder(random.pick([0.5, 0.01, 0.001]));
    const keys = sortedKeys(1, 12, random);
    for (const key of keys) builder.addKey(key, 0, key.length);
    const section = builder.finish();
    const filter = Filter.decode(section);
    for (const key of keys) assert.ok(filter.mayContain(key, 0, key.length), "a key is not in it");
    return section;
  },
  fields: () => [0, 8, 16].map((at) => ({ at, width: 8, isBigEndian: true })),
  decode(bytes) {
    const filter = Filter.decode(bytes);
    for (const probe of probes) filter.mayContain(probe, 0, probe.length);
    return {
      items: 1,
      work: filter.sizeBytes,
      requireRoundTrip() {
        // All of it is used: with every bit set, any key may be in the table; with none, no key.
        const full = bytes.slice().fill(0xff, FILTER_HEADER_BYTES);
        const empty = bytes.slice().fill(0, FILTER_HEADER_BYTES);
        for (const probe of probes) {
          assert.equal(Filter.decode(full).mayContain(probe, 0, probe.length), true);
          assert.equal(Filter.decode(empty).mayContain(probe, 0, probe.length), false);
        }
      },
    };
  },
};

/**
 * Metadata and footer, which are the last bytes of a table. Before them comes the file size (u64).
 */
export const tailDecoder: FuzzedDecoder = {
  name: "table_tail",
  valid(random) {
    const filterSize = random.below(2) * (24 + random.below(5000));
    const footer = {
      filterOffset: random.uint32(),
      filterSize,
      indexOffset: 0,
      indexSize: random.uint32(),
      blockCount: random.uint32(),
      entryCount: random.uint32(),
    };
    footer.indexOffset = footer.filterOffset + filterSize;
    const tail = encodeTail(footer, {
      level: random.below(7),
      tombstoneCount: random.uint32(),
      extension: {
        filterCrc: random.uint32(),
        indexCrc: random.uint32(),
        tableNumber: random.uint32(),
        contentCrc: random.uint32(),
        ...(random.below(2) === 0 ? {} : { deletedSpans: someSpans(random) }),
        checksum: 0,
        ...(random.below(3) > 0 ? {} : {
          expiry: {
            count: 1 + random.uint32(),
            times: Array.from({ length: 1 + random.below(9) }, () => random.uint32())
              .sort((a, b) => a - b),
          },
        }),
      },
    });
    if (random.below(4) > 0) return tail;
    return random.below(2) === 0
      ? withoutExtension(tail)
      : withField(tail, random.uint32(), random);
  },
  fields(bytes) {
    const end = bytes.length - FOOTER_BYTES;
    const fields: Field[] = [{ at: 0, width: 8 }, { at: 8, width: 4 }];
    for (const at of [12, 20, 28, 36]) fields.push({ at, width: 8 });
    for (const at of [8, 20, 32, 36]) fields.push({ at: end + at, width: 4 });
    for (const at of [0, 12, 24, 40, 48, 56]) fields.push({ at: end + at, width: 8 });
    const view = viewOn(bytes);
    for (let at = 8 + GO_METADATA_BYTES + 4; at + 8 < end - 4;) {
      fields.push({ at, width: 2 }, { at: at + 2, width: 2 }, { at: at + 4, width: 4 });
      fields.push({ at: at + 8, width: 4 });
      at += 8 + view.getUint32(at + 4, true);
    }
    return fields;
  },
  reseal(bytes) {
    const end = bytes.length - FOOTER_BYTES;
    if (end < 8 + GO_METADATA_BYTES + 8) return;
    const view = viewOn(bytes);
    const crc = crc32(bytes, view, end, bytes.length, crc32(bytes, view, 8, end - 4));
    view.setUint32(end - 4, crc, true);
  },
  decode(bytes) {
    const { footer, properties } = decodeTail(bytes);
    return {
      items: 1,
      work: bytes.length,
      requireRoundTrip() {
        const { extension } = properties;
        if (extension === undefined) return;
        const again = decodeTail(encodeTail(footer, properties));
        for (const name of ["filterOffset", "filterSize", "indexOffset", "indexSize"] as const) {
          assert.equal(again.footer[name], footer[name], name);
        }
        assert.equal(again.footer.blockCount, footer.blockCount);
        assert.equal(again.footer.entryCount, footer.entryCount);
        assert.equal(again.properties.level, properties.level);
        assert.equal(again.properties.tombstoneCount, properties.tombstoneCount);
        const { checksum: _, ...fields } = extension;
        const { checksum: __, ...fieldsAgain } = again.properties.extension!;
        assert.equal(JSON.stringify(fieldsAgain), JSON.stringify(fields));
        const plain = ({ deletedSpans = [] }: Partial<TableExtension>): unknown =>
          deletedSpans.map(plainSpan);
        assert.deepEqual(plain(fieldsAgain), plain(fields));
      },
    };
  },
  isTyped: (error) => error instanceof UnknownTableFeature,
};

const LONE_BLOCKS_TAG = 6;

/** The tail with the size of the whole file in front. */
function encodeTail(
  footer: Omit<TableFooter, "metadataOffset" | "metadataSize">,
  properties: TableProperties,
): Uint8Array {
  return written((writer) => {
    writer.appendUint64(0);
    encodeTableTail(writer, footer, properties, properties.extension!);
    const { view, length } = writer;
    const fileSize = footer.indexOffset + footer.indexSize + length - 8;
    view.setUint32(0, fileSize, true);
    view.setUint32(4, fileSize / 2 ** 32, true);
  });
}

/** Reads a tail as the table reader does: the footer says where the metadata is. */
function decodeTail(bytes: Uint8Array): { footer: TableFooter; properties: TableProperties } {
  const footerAt = bytes.length - FOOTER_BYTES;
  if (footerAt < 8) throw new DecodeError("there is no whole footer", 0);
  const view = viewOn(bytes);
  const fileSize = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  const footer = decodeFooter(view, footerAt, fileSize);
  if (footer.metadataSize > footerAt - 8) throw new DecodeError("the metadata is not here", 0);
  const start = footerAt - footer.metadataSize;
  return { footer, properties: decodeProperties(bytes, view, start, footer.metadataSize) };
}

/** The tail as Go writes it. */
function withoutExtension(tail: Uint8Array): Uint8Array {
  const go = new Uint8Array(8 + GO_METADATA_BYTES + FOOTER_BYTES);
  go.set(tail.subarray(0, 8 + GO_METADATA_BYTES));
  go.set(tail.subarray(tail.length - FOOTER_BYTES), 8 + GO_METADATA_BYTES);
  return resized(go, tail.length - go.length, false);
}

/** The tail with one more field: the optional one of lone blocks, or one that no reader knows. */
function withField(
  tail: Uint8Array,
  tag: number,
  random: Parameters<FuzzedDecoder["valid"]>[0],
): Uint8Array {
  const content = randomBytes(random.below(12), random);
  const field = written((writer) => {
    writer.appendUint16(
      tag % 4 === 0 ? LONE_BLOCKS_TAG : Math.max(LONE_BLOCKS_TAG + 1, tag & 0xffff),
    );
    writer.appendUint16(0);
    writer.appendUint32(content.length);
    writer.appendBytes(content, 0, content.length);
  });
  const at = tail.length - FOOTER_BYTES - 4;
  const longer = Uint8Array.of(...tail.subarray(0, at), ...field, ...tail.subarray(at));
  return resized(longer, -field.length, true);
}

/** Corrects the sizes in a tail that became shorter by `removed` bytes, and its checksum. */
function resized(tail: Uint8Array, removed: number, isSealed: boolean): Uint8Array {
  const view = viewOn(tail);
  const footer = tail.length - FOOTER_BYTES;
  view.setUint32(footer + 32, view.getUint32(footer + 32, true) - removed, true);
  for (const at of [0, footer + 48]) {
    const size = Number(view.getBigUint64(at, true)) - removed;
    view.setBigUint64(at, BigInt(size), true);
  }
  if (isSealed) tailDecoder.reseal!(tail);
  return tail;
}
