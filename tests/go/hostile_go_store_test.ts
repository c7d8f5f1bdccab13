// Go stores that lie: every length, count and offset of a table at its extremes, and single bits.
// If the blocks are whole, the store answers what the table says, or with an error, and never
// anything else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { decodeFooter, FOOTER_BYTES, type TableFooter } from "../../src/sstable/table_format.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { tableName } from "../../src/version/file_names.ts";
import type { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { encodeGoManifest, fixtureBytes, goFiles, openGo, pathOf } from "../support/go_store.ts";
import { goAddRecord, goTableFile, makeGoStore, type Texts } from "../support/go_tables.ts";
import { reportFigure } from "../support/figures.ts";
import { contentOf, DIRECTORY, openFiles } from "../support/store_files.ts";

const texts: Record<string, string | undefined> = {};
for (let i = 0; i < 60; i++) texts[`key ${100 + 3 * i}`] = i % 9 === 4 ? undefined : `value ${i}`;
const other: Texts = { "a": "below", "key 101": "between", "key 106": "below", "zz": "below" };
const tables = [{ level: 1, number: 3, texts: other }, { level: 0, number: 4, texts }] as const;
const good = goTableFile(0, texts);
const footer: TableFooter = decodeFooter(viewOf(good), good.length - FOOTER_BYTES, good.length);

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const expected: Record<string, unknown> = contentOf(openFiles(makeGoStore({ tables })));
const keys = [...Object.keys(texts), ...Object.keys(other), "key 102", "key 999", "a", ""];

/**
 * Scans and gets either agree with the expected content or are errors of ours. Returns whether any
 * was.
 */
function requireRightOrRefused(fileSystem: CloneableFileSystem, what: string): boolean {
  let isRefused = false;
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof StoreError, `${what}: ${error}`);
      isRefused = true;
    }
  };
  attempt(() => {
    const store = openFiles(fileSystem);
    for (const key of keys) {
      attempt(() => assert.equal(store.getSync(key), expected[key], `${what}: get "${key}"`));
    }
    attempt(() => assert.deepEqual(contentOf(store), expected, `${what}: scan`));
    store.closeSync();
  });
  assert.equal(fileSystem.openHandles, 0, what);
  return isRefused;
}

function storeWith(table: Uint8Array, hasManifest = false): CloneableFileSystem {
  const fileSystem = makeGoStore({ tables, hasManifest });
  fileSystem.setContent(pathOf(tableName(4)), table);
  return fileSystem;
}

/** The extremes of an integer of `width` bytes that was `value`. */
function extremes(value: number, width: number): bigint[] {
  const max = (1n << BigInt(8 * width)) - 1n;
  const all = [
    0,
    1,
    value - 1,
    value + 1,
    2 * value,
    good.length,
    good.length + 1,
    2 ** 31,
    255,
    65535,
  ];
  const wide = [max, max - 1n, max >> 1n, (max >> 1n) + 1n, 1n << 53n, (1n << 53n) - 1n, 1n << 63n];
  return [...new Set([...all.map(BigInt), ...wide])].filter((n) => n >= 0n && n <= max);
}

function setInteger(
  bytes: Uint8Array,
  at: number,
  width: number,
  value: bigint,
  bigEndian: boolean,
): void {
  for (let i = 0; i < width; i++) {
    bytes[bigEndian ? at + width - 1 - i : at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

function getInteger(bytes: Uint8Array, at: number, width: number, bigEndian: boolean): number {
  let value = 0;
  for (let i = 0; i < width; i++) {
    value = value * 256 + bytes[bigEndian ? at + i : at + width - 1 - i]!;
  }
  return value;
}

interface Field {
  readonly name: string;
  readonly at: number;
  readonly width: number;
  readonly bigEndian?: boolean;
  /** Start of the stored payload whose checksum has to be made right again, and its end. */
  readonly payload?: readonly [number, number];
}

/** Every integer of the table but those that are under a checksum. */
function fieldsOfSections(): Field[] {
  const fields: Field[] = [];
  const footerAt = good.length - FOOTER_BYTES;
  const widths = [8, 4, 8, 4, 8, 4, 4, 8, 8, 8];
  widths.forEach((width, i) => {
    const at = footerAt + widths.slice(0, i).reduce((sum, before) => sum + before, 0);
    fields.push({ name: `footer field ${i}`, at, width });
  });
  [4, 8, 8, 8, 8].forEach((width, i) => {
    const at = footer.metadataOffset + [0, 4, 12, 20, 28][i]!;
    fields.push({ name: `metadata field ${i}`, at, width });
  });
  for (let i = 0; i < 3; i++) {
    fields.push({
      name: `filter field ${i}`,
      at: footer.filterOffset + 8 * i,
      width: 8,
      bigEndian: true,
    });
  }
  const view = viewOf(good);
  let at = footer.indexOffset;
  fields.push({ name: "index entries", at, width: 8 });
  at += 8;
  for (const key of ["smallest", "largest"]) {
    fields.push({ name: `length of the ${key} key`, at, width: 4 });
    at += 4 + view.getUint32(at, true);
  }
  fields.push({ name: "index blocks", at, width: 4 });
  at += 4;
  for (let block = 0; block < footer.blockCount; block++) {
    fields.push({ name: `key length of block ${block}`, at, width: 4 });
    at += 4 + view.getUint32(at, true);
    fields.push({ name: `offset of block ${block}`, at, width: 8 });
    fields.push({ name: `size of block ${block}`, at: at + 8, width: 4 });
    const start = Number(view.getBigUint64(at, true));
    const end = start + view.getUint32(at + 8, true);
    for (const [i, name] of ["checksum", "length", "stored length"].entries()) {
      fields.push({ name: `${name} of block ${block}`, at: end - 13 + 4 * i, width: 4 });
    }
    fields.push({ name: `codec of block ${block}`, at: end - 1, width: 1 });
    const payload = [start, end - 13] as const;
    fields.push({ name: `type of block ${block}`, at: start, width: 1, payload });
    fields.push({ name: `count of block ${block}`, at: start + 1, width: 2, payload });
    for (let entry = start + 3, n = 0; n < 2; n++) {
      fields.push({ name: `key length ${n} in block ${block}`, at: entry, width: 4, payload });
      entry += 4 + view.getUint32(entry, true);
      fields.push({ name: `value length ${n} in block ${block}`, at: entry, width: 4, payload });
      entry += 4 + view.getUint32(entry, true);
    }
    at += 12;
  }
  assert.equal(at, footer.metadataOffset);
  return fields;
}

test("Every length, count and offset of a Go table at its extremes is harmless or refused", () => {
  let tried = 0;
  let refused = 0;
  for (const { name, at, width, bigEndian = false, payload } of fieldsOfSections()) {
    for (const value of extremes(getInteger(good, at, width, bigEndian), width)) {
      const bytes = good.slice();
      setInteger(bytes, at, width, value, bigEndian);
      if (payload !== undefined) {
        const [start, end] = payload;
        viewOf(bytes).setUint32(end, crc32(bytes, viewOf(bytes), start, end), true);
      }
      // With another level the table is in another place, and its neighbour answers.
      if (name === "metadata field 0" && value !== 0n) continue;
      if (requireRightOrRefused(storeWith(bytes, tried % 2 === 0), `${name} = ${value}`)) refused++;
      tried++;
    }
  }
  assert.ok(tried > 1300 && refused > tried * 0.8, `${refused} of ${tried}`);
  reportFigure("hostile go stores", tried);
});

test("A flipped bit anywhere in a Go table is harmless or refused", () => {
  let tried = 0;
  for (let bit = 0; bit < good.length * 8; bit += 3) {
    const at = bit >>> 3;
    const bytes = good.slice();
    bytes[at]! ^= 1 << (bit & 7);
    if (at >= footer.metadataOffset && at < footer.metadataOffset + 4) continue;
    requireRightOrRefused(storeWith(bytes), `bit ${bit}`);
    tried++;
  }
  assert.ok(tried > 5000, `${tried}`);
  reportFigure("hostile go stores", tried);
});

test("A flipped bit in the index of a Go table never hides a key from a scan that starts anywhere", () => {
  const sorted = Object.keys(expected).sort();
  let refused = 0;
  for (let bit = footer.indexOffset * 8; bit < footer.metadataOffset * 8; bit++) {
    const bytes = good.slice();
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    const fileSystem = storeWith(bytes);
    let store: EmbeddedStore;
    try {
      store = openFiles(fileSystem);
    } catch (error) {
      assert.ok(error instanceof StoreError, `bit ${bit}: ${error}`);
      continue;
    }
    for (const [reverse, key] of keys.flatMap((key) => [[false, key], [true, key]] as const)) {
      const range = reverse ? { lt: key, reverse, limit: 2 } : { gte: key, limit: 2 };
      const all = sorted.filter((other) => reverse ? other < key : other >= key);
      try {
        const found = [...store.keys(range)];
        assert.deepEqual(found, (reverse ? all.reverse() : all).slice(0, 2), `bit ${bit}: ${key}`);
      } catch (error) {
        assert.ok(error instanceof StoreError, `bit ${bit}: ${error}`);
        refused++;
      }
    }
    store.closeSync();
  }
  assert.ok(refused > 1000, `${refused}`);
});

test("A Go table whose index hides its first key in both places is refused", () => {
  const bytes = good.slice();
  const view = viewOf(bytes);
  const smallestEnd = footer.indexOffset + 12 + view.getUint32(footer.indexOffset + 8, true);
  const firstEnd = smallestEnd + 4 + view.getUint32(smallestEnd, true) + 8 + 7;
  bytes[smallestEnd - 1]! += 1;
  bytes[firstEnd - 1]! += 1;
  assert.equal(bytes[firstEnd - 1], bytes[smallestEnd - 1]);
  assert.throws(
    () => openFiles(storeWith(bytes)),
    (error) =>
      error instanceof StoreError && error.code === "CORRUPTION" && /first key/.test(error.message),
  );
});

test("A level in the metadata at its extremes moves the table and does no harm", () => {
  for (const level of [1, 2, 6, 7, 255, 2 ** 31, 2 ** 32 - 1]) {
    const bytes = good.slice();
    viewOf(bytes).setUint32(footer.metadataOffset, level, true);
    const store = openFiles(storeWith(bytes));
    assert.equal(Object.keys(contentOf(store)).length, Object.keys(expected).length);
    store.closeSync();
  }
});

test("A Go table cut at any length is refused", () => {
  for (let length = 0; length < good.length; length += 7) {
    const fileSystem = storeWith(good.slice(0, length), length % 2 === 0);
    const before = fileSystem.dump(DIRECTORY);
    assert.throws(
      () => openFiles(fileSystem),
      (error) => error instanceof StoreError && error.code === "CORRUPTION",
      `${length}`,
    );
    assert.deepEqual(fileSystem.dump(DIRECTORY), before);
  }
});

test("Every field of a Go manifest's table at its extremes is refused or harmless", () => {
  const record = goAddRecord(2, tables[1]);
  let refused = 0;
  let tried = 0;
  for (let at = 0; at + 4 <= record.body.length; at++) {
    for (const value of [0, 1, 5, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
      const body = record.body.slice();
      viewOf(body).setUint32(at, value, true);
      // A level, which can't be compared with anything.
      if (at > 0 && at < 8) continue;
      const fileSystem = makeGoStore({ tables });
      const records = [goAddRecord(1, tables[0]), { ...record, body }];
      fileSystem.setContent(pathOf("MANIFEST"), encodeGoManifest(records));
      if (requireRightOrRefused(fileSystem, `manifest byte ${at} = ${value}`)) refused++;
      tried++;
    }
  }
  assert.ok(refused > tried * 0.8, `${refused} of ${tried}`);
  reportFigure("hostile go stores", tried);
});

test("Blocks of both footers in one Go store, and compressed ones, are read or refused when damaged", () => {
  let tried = 0;
  for (
    const [store, table] of [["v0.3.1-zstd", 11], ["v0.4.0-snappy", 12], [
      "v0.4.0-zstd",
      13,
    ]] as const
  ) {
    const name = tableName(table);
    const bytes = fixtureBytes(`${store}/store/${name}`);
    const all = [...openGo(goFiles(store)).entries()].length;
    for (let at = 0; at < bytes.length; at += 97) {
      const fileSystem = goFiles(store);
      const damaged = bytes.slice();
      damaged[at]! ^= 0x10;
      fileSystem.setContent(pathOf(name), damaged);
      tried++;
      try {
        const found = openGo(fileSystem);
        assert.equal([...found.entries()].length, all, `${store} byte ${at}`);
        found.closeSync();
      } catch (error) {
        assert.ok(error instanceof StoreError, `${store} byte ${at}: ${error}`);
      }
    }
  }
  reportFigure("hostile go stores", tried);
});
