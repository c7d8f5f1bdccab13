/**
 * Writes the corpus and its README: `node tests/fuzz/make_corpus.ts`, after a change of a format or
 * for a new input. Inputs that the fuzz programme found are added by hand, as its message says,
 * with a line in `found` below; everything else is made here. "valid" inputs are decoded, "hostile"
 * ones refused.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Random } from "../support/random.ts";
import type { Field, FuzzedDecoder } from "./decoder.ts";
import { currentDecoder, logDecoder, manifestDecoder } from "./log_decoders.ts";
import { viewOn } from "./make.ts";
import { blockDecoder, filterDecoder, indexDecoder, tailDecoder } from "./table_decoders.ts";
import { valueDecoder } from "./value_decoder.ts";

/** An input: its name, what it is, and its bytes. */
type Made = readonly [name: string, why: string, bytes: Uint8Array];

const decoders = new Map(
  [logDecoder, manifestDecoder, currentDecoder, blockDecoder, indexDecoder, filterDecoder]
    .concat(tailDecoder, valueDecoder).map((decoder) => [decoder.name, decoder]),
);

/** Inputs that are in the corpus although nothing here makes them: "<decoder>/<name>" and why. */
const found: readonly (readonly [path: string, why: string])[] = [];

/** The first valid input, over seeds, that has a property. */
function validWhere(decoder: FuzzedDecoder, accept: (bytes: Uint8Array) => boolean): Uint8Array {
  for (let seed = 1; seed < 100_000; seed++) {
    const bytes = decoder.valid(new Random(seed));
    if (accept(bytes)) return bytes;
  }
  throw new Error(`no valid input of ${decoder.name} is like that`);
}

/** A copy in which `change` has set something, with right checksums. */
function changed(
  decoder: FuzzedDecoder,
  bytes: Uint8Array,
  change: (view: DataView, fields: readonly Field[]) => void,
): Uint8Array {
  const copy = bytes.slice();
  change(viewOn(copy), decoder.fields(copy));
  decoder.reseal?.(copy);
  return copy;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function isClosed(bytes: Uint8Array): boolean {
  return bytes.length >= 200 && bytes[bytes.length - 4] === 2 && bytes[68] === 1;
}

function wal(): Made[] {
  const log = validWhere(logDecoder, isClosed);
  const set = (at: number, value: number) =>
    changed(logDecoder, log, (view) => view.setUint32(at, value, true));
  const synced = validWhere(logDecoder, (bytes) => {
    const next = bytes.length >= 40 ? 72 + viewOn(bytes).getUint32(40, true) : 0;
    return isClosed(bytes) && viewOn(bytes).getUint32(next + 24, true) === next;
  });
  const damaged = synced.slice();
  damaged[80]! ^= 1;
  return [
    ["valid-header-only", "a log that nothing was written to", log.slice(0, 32)],
    ["valid-short", "a crash within the file header: torn, with nothing in it", log.slice(0, 10)],
    ["valid-closed", "records and an end record", log],
    ["valid-torn", "cut within the last record", log.slice(0, log.length - 7)],
    ["valid-newer-version", "format version 4, which is not damage", set(8, 4)],
    ["hostile-number", "the header names another log", set(12, 8)],
    ["hostile-store", "the header names another store", set(24, 1)],
    ["hostile-magic", "a right checksum over a wrong magic", set(0, 0)],
    ["hostile-sequence", "a first sequence number of 2^63", set(20, 0x80000000)],
    ["hostile-count", "a record that claims 2^32 - 1 entries", set(64, 0xffffffff)],
    ["hostile-key-length", "a key of 2^32 - 1 bytes in a record", set(73, 0xffffffff)],
    [
      "hostile-operation",
      "an entry with the operation 9",
      changed(logDecoder, log, (view) => {
        view.setUint8(72, 9);
      }),
    ],
    ["hostile-durable", "a record that claims more durable bytes than precede it", set(56, 999)],
    [
      "valid-extended",
      "zeros after the end record, ahead of records that were never written",
      joined(log, new Uint8Array(64)),
    ],
    [
      "hostile-behind-end",
      "a second end record after the first",
      joined(log, log.slice(log.length - 40)),
    ],
    ["hostile-middle", "a damaged record that a later one says was durable", damaged],
  ];
}

function manifest(): Made[] {
  const file = validWhere(
    manifestDecoder,
    (bytes) =>
      bytes[40] === 4 && bytes.length > 250 && viewOn(bytes).getUint32(36, true) === 0 &&
      bytes.length - 24 > 16 + viewOn(bytes).getUint32(28, true),
  );
  const added = validWhere(manifestDecoder, (bytes) => bytes[40] === 5);
  const change = (at: number, byte: number) =>
    changed(manifestDecoder, file, (view) => view.setUint8(at, byte));
  const firstEnd = 40 + viewOn(file).getUint32(28, true);
  const damaged = file.slice();
  damaged[41]! ^= 1;
  return [
    ["valid-edits", "several edits with removed and added tables", file],
    ["valid-torn", "cut within the last record", file.slice(0, file.length - 3)],
    ["valid-newer-version", "format version 4, which is not damage", change(8, 4)],
    ["hostile-short", "cut within the header", file.slice(0, 20)],
    ["hostile-no-record", "a header with nothing after it", file.slice(0, 24)],
    ["hostile-first-torn", "cut within the first record", file.slice(0, firstEnd - 1)],
    ["hostile-middle", "a damaged first record before whole ones", damaged],
    ["hostile-store", "the header names another store", change(16, 0)],
    ["hostile-tag", "a field with an unknown tag", change(40, 77)],
    ["hostile-level", "a table in level 255", change(41, 255)],
    [
      "hostile-key-length",
      "a smallest key of 2^32 - 1 bytes",
      changed(
        manifestDecoder,
        added,
        (view) => {
          const keyAt = 71 + (view.getUint8(70) === 1 ? 4 : 0);
          view.setUint32(keyAt, 0xffffffff, true);
        },
      ),
    ],
    [
      "hostile-size",
      "a table of 2^63 bytes",
      changed(manifestDecoder, added, (view) => {
        view.setUint8(53, 0x80);
      }),
    ],
  ];
}

function current(): Made[] {
  const line = currentDecoder.valid(new Random(1));
  const text = String.fromCharCode(...line);
  const sealed = (changedText: string): Uint8Array => {
    const bytes = ascii(changedText);
    currentDecoder.reseal!(bytes);
    return bytes;
  };
  return [
    ["valid-line", "as it is written", line],
    ["hostile-empty", "nothing", new Uint8Array(0)],
    ["hostile-checksum", "a wrong checksum", ascii(text.replace(/.\n$/, "!\n"))],
    [
      "hostile-path",
      "a name that leads out of the directory",
      sealed(
        text.replace(/MANIFEST-\d+/, "MANIFEST-000007/../../x"),
      ),
    ],
    ["hostile-padding", "a number with a zero too many", sealed(text.replace("T-", "T-0"))],
    [
      "hostile-version",
      "version 2, which is distinguished from damage",
      sealed(text.replace(" 1 ", " 2 ")),
    ],
    ["hostile-long", "much more than a line", ascii(text.repeat(40))],
    ["hostile-no-newline", "cut by one byte", line.slice(0, -1)],
  ];
}

function dataBlock(): Made[] {
  const block = validWhere(blockDecoder, (bytes) => bytes[1]! >= 3 && bytes[3]! > 0);
  const emptyKey = validWhere(blockDecoder, (bytes) => bytes[3] === 0);
  const set = (at: number, value: number) =>
    changed(blockDecoder, block, (view) => view.setUint32(at, value, true));
  const end = block.length - 13;
  const first = block.slice(3, 7 + viewOn(block).getUint32(3, true) + 16);
  const twice = validWhere(blockDecoder, (bytes) => bytes[1] === 1);
  const entry = twice.slice(3, twice.length - 13);
  const doubled = joined(twice.slice(0, 3), entry, entry, twice.slice(-13));
  return [
    ["valid-entries", "several entries", block],
    ["valid-empty-key", "the empty key is the first one", emptyKey],
    ["hostile-cut", "only the first bytes", first],
    [
      "hostile-count",
      "65535 entries are claimed",
      changed(blockDecoder, block, (view) => {
        view.setUint16(1, 0xffff, true);
      }),
    ],
    ["hostile-type", "block type 2", changed(blockDecoder, block, (view) => view.setUint8(0, 2))],
    ["hostile-key-length", "a key of 2^32 - 1 bytes", set(3, 0xffffffff)],
    ["hostile-bomb", "2^32 - 1 bytes uncompressed are claimed", set(end + 4, 0xffffffff)],
    [
      "hostile-codec",
      "codec 9",
      changed(blockDecoder, block, (view) => view.setUint8(end + 12, 9)),
    ],
    [
      "hostile-same-key",
      "the same entry twice",
      changed(blockDecoder, doubled, (view) => {
        view.setUint16(1, 2, true);
        const length = doubled.length - 13;
        view.setUint32(length + 4, length, true);
        view.setUint32(length + 8, length, true);
      }),
    ],
  ];
}

function tableIndex(): Made[] {
  const index = validWhere(indexDecoder, (bytes) => bytes[8]! >= 3 && bytes[20]! > 0);
  const one = validWhere(indexDecoder, (bytes) => bytes[8] === 1);
  const fields = indexDecoder.fields(index);
  const set = (field: number, value: number) =>
    changed(indexDecoder, index, (view) => view.setUint32(fields[field]!.at, value, true));
  return [
    ["valid-blocks", "several blocks", index],
    ["valid-one-block", "a single block", one],
    [
      "hostile-count",
      "2^32 - 1 blocks, and the footer agrees",
      changed(indexDecoder, index, (view) => {
        view.setUint32(8, 0xffffffff, true);
        view.setUint32(fields[5]!.at, 0xffffffff, true);
      }),
    ],
    ["hostile-smallest", "a smallest key of 2^32 - 1 bytes", set(3, 0xffffffff)],
    ["hostile-first-key", "a first key of 2^31 bytes", set(6, 2 ** 31)],
    ["hostile-offset", "a block does not begin where the last one ends", set(7, 1)],
    ["hostile-size", "a block of 2^32 - 1 bytes", set(8, 0xffffffff)],
    [
      "hostile-key-order",
      "the first key is not the smallest",
      changed(indexDecoder, index, (view) => {
        view.setUint8(24, view.getUint8(24) ^ 1);
      }),
    ],
  ];
}

function filter(): Made[] {
  const section = validWhere(filterDecoder, () => true);
  const set = (at: number, value: bigint) =>
    changed(filterDecoder, section, (view) => view.setBigUint64(at, value));
  return [
    ["valid-keys", "a filter of some keys", section],
    [
      "hostile-no-bits",
      "no bit, and the set agrees",
      changed(filterDecoder, section, (view) => {
        view.setBigUint64(0, 0n);
        view.setBigUint64(16, 0n);
      }),
    ],
    [
      "hostile-bits",
      "2^40 bits, and the set agrees",
      changed(filterDecoder, section, (view) => {
        view.setBigUint64(0, 2n ** 40n);
        view.setBigUint64(16, 2n ** 40n);
      }),
    ],
    [
      "hostile-more-bits",
      "64 bits more than there are",
      changed(filterDecoder, section, (view) => {
        view.setBigUint64(0, view.getBigUint64(0) + 64n);
        view.setBigUint64(16, view.getBigUint64(16) + 64n);
      }),
    ],
    ["hostile-no-hash", "a key sets no bit, so nothing is absent", set(8, 0n)],
    ["hostile-hashes", "a key sets 2^64 - 1 bits: endless work", set(8, 2n ** 64n - 1n)],
    ["hostile-set", "the set is longer than the filter", set(16, 2n ** 32n)],
    ["hostile-short", "cut within the header", section.slice(0, 20)],
  ];
}

function tableTail(): Made[] {
  const whole = (bytes: Uint8Array): boolean => bytes.length === 8 + 100 + 64;
  const tail = validWhere(tailDecoder, whole);
  const set = (at: number, value: number) =>
    changed(tailDecoder, tail, (view) => view.setUint32(at, value, true));
  const end = tail.length - 64;
  const damaged = tail.slice();
  damaged[8]! ^= 1;
  return [
    ["valid-tail", "as it is written", tail],
    [
      "valid-go",
      "without extension, as Go writes it",
      validWhere(
        tailDecoder,
        (bytes) => bytes.length === 108,
      ),
    ],
    [
      "valid-unknown-field",
      "a field that no reader knows, not critical",
      validWhere(
        tailDecoder,
        (bytes) => bytes.length > 172,
      ),
    ],
    [
      "hostile-critical-field",
      "an unknown field that must not be ignored",
      changed(
        tailDecoder,
        tail,
        (view) => view.setUint16(48, 99, true),
      ),
    ],
    ["hostile-version", "table format 2", set(56, 2)],
    ["hostile-field-length", "a field of 2^32 - 1 bytes", set(52, 0xffffffff)],
    ["hostile-metadata-size", "metadata of 2^32 - 1 bytes", set(end + 32, 0xffffffff)],
    ["hostile-file-size", "another size of the file", set(0, 5)],
    ["hostile-index-offset", "an index at 2^63", set(end + 16, 0x80000000)],
    ["hostile-magic", "a wrong magic", set(end + 56, 0)],
    ["hostile-checksum", "a bit of the metadata is wrong", damaged],
    ["hostile-short", "cut within the footer", tail.slice(0, 60)],
  ];
}

function value(): Made[] {
  const record = (...bytes: readonly number[]): Uint8Array =>
    Uint8Array.of(8, bytes.length & 255, bytes.length >>> 8, 0, 0, ...bytes);
  const nested = (depth: number): Uint8Array => record(...new Array(depth).fill(0x91), 0xc0);
  const object = (...bytes: readonly number[]): Uint8Array => {
    const bytes7 = record(...bytes);
    bytes7[0] = 7;
    return bytes7;
  };
  const text = (name: string): number[] => [0xa0 + name.length, ...ascii(name)];
  return [
    ["valid-int64", "the smallest int64", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 128)],
    ["valid-nan", "a NaN with a payload", Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 248, 127)],
    ["valid-bool", "a boolean of 0xff, which is true", Uint8Array.of(3, 255)],
    ["valid-text", "the empty text, and more bytes after it", Uint8Array.of(4, 0, 0, 0, 0, 0, 9)],
    ["valid-bytes", "three bytes", Uint8Array.of(5, 0, 3, 0, 0, 0, 1, 2, 3)],
    ["valid-empty-record", "a record of no bytes, as Go writes an empty one", object()],
    ["valid-proto", "a property __proto__", object(0x81, ...text("__proto__"), 0x90)],
    [
      "valid-same-name",
      "a name twice: the last one counts",
      object(
        ...[0x82, ...text("a"), 1, ...text("a"), 2],
      ),
    ],
    ["valid-integer-names", "names that are integers", object(0x82, 5, 1, 0xff, 2)],
    [
      "valid-other-names",
      "names that are a float, nil and true",
      object(
        ...[0x83, 0xca, 0x3f, 0xc0, 0, 0, 1, 0xc0, 2, 0xc3, 3],
      ),
    ],
    ["valid-extension", "an extension in an array", record(0x91, 0xd4, 1, 1)],
    ["valid-depth-64", "64 arrays inside one another", nested(64)],
    ["valid-uint64", "a lone uint64 of 2^64 - 1", record(0xcf, ...new Array(8).fill(255))],
    ["hostile-empty", "nothing", new Uint8Array(0)],
    ["hostile-tombstone", "a tombstone, which is not a value", Uint8Array.of(6)],
    ["hostile-type", "type 9", Uint8Array.of(9, 0, 0)],
    ["hostile-pointer", "flag 1", Uint8Array.of(4, 1, 0, 0, 0, 0)],
    ["hostile-text-length", "a text of 2^32 - 1 bytes", Uint8Array.of(4, 0, 255, 255, 255, 255)],
    ["hostile-text", "a text that is not UTF-8", Uint8Array.of(4, 0, 2, 0, 0, 0, 0xc3, 0x28)],
    [
      "hostile-surrogate",
      "half of a surrogate pair in UTF-8",
      Uint8Array.of(
        ...[4, 0, 3, 0, 0, 0, 0xed, 0xa0, 0x80],
      ),
    ],
    ["hostile-depth-65", "65 arrays inside one another", nested(65)],
    ["hostile-deep", "60000 arrays inside one another", nested(60_000)],
    ["hostile-array", "an array that claims 2^32 - 1 items", record(0xdd, 255, 255, 255, 255)],
    ["hostile-map", "a map that claims 2^32 - 1 entries", object(0xdf, 255, 255, 255, 255)],
    ["hostile-bin", "bytes that claim 2^32 - 1", record(0xc6, 255, 255, 255, 255, 0)],
    ["hostile-name", "a property name that is bytes", object(0x81, 0xc4, 1, 0, 1)],
    [
      "hostile-extension",
      "an extension that claims 2^32 - 1 bytes",
      record(
        ...[0xc9, 255, 255, 255, 255, 1],
      ),
    ],
    ["hostile-nil", "a lone nil", record(0xc0)],
    ["hostile-behind", "a byte after the item", record(1, 1)],
    ["hostile-no-map", "a record that is an array", object(0x90)],
  ];
}

const made: readonly (readonly [FuzzedDecoder, Made[]])[] = [
  [logDecoder, wal()],
  [manifestDecoder, manifest()],
  [currentDecoder, current()],
  [blockDecoder, dataBlock()],
  [indexDecoder, tableIndex()],
  [filterDecoder, filter()],
  [tailDecoder, tableTail()],
  [valueDecoder, value()],
];

const lines = [
  "# Corpus of the fuzz programme",
  "",
  "Inputs of each decoder that are replayed in every run and are the base of mutations. `valid-*` must be decoded,",
  "`hostile-*` must be refused with the error that the decoder documents. Made by `node tests/fuzz/make_corpus.ts`,",
  "this file too. Store id 0x5e6f7081, file number 7; the head of the decoder of an index or of a table's tail,",
  "in tests/fuzz/table_decoders.ts, says which bytes come before it.",
  "",
];
for (const [decoder, inputs] of made) {
  const folder = new URL(`./corpus/${decoder.name}/`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  lines.push(`## ${decoder.name}`, "", "| file | what it is |", "|---|---|");
  for (const [name, why, bytes] of inputs) {
    writeFileSync(new URL(name, folder), bytes);
    lines.push(`| \`${name}\` | ${why} |`);
  }
  for (const [path, why] of found.filter(([path]) => path.startsWith(`${decoder.name}/`))) {
    // It has to be there.
    readFileSync(new URL(path, new URL("./corpus/", import.meta.url)));
    lines.push(`| \`${path.slice(decoder.name.length + 1)}\` | found: ${why} |`);
  }
  lines.push("");
}
writeFileSync(new URL("./corpus/README.md", import.meta.url), lines.join("\n"));
console.log(
  `${decoders.size} decoders, ${made.reduce((sum, [, { length }]) => sum + length, 0)} inputs`,
);
