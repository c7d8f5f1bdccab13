/**
 * The layout of a manifest, `MANIFEST-NNNNNN`, and of `CURRENT`. Integers are little-endian.
 *
 * Manifest header, 24 bytes:
 *
 *     0   8 bytes  magic "TKVSMAN" and the byte 0x01
 *     8   u32      format version, 1; 2 if a table may have deleted spans or entries that expire, 3 if
 *                  large values of a table may be in other files
 *     12  u32      number of this manifest, as in its name
 *     16  u32      id of the store, random, from CURRENT
 *     20  u32      CRC-32 of bytes 0 to 19
 *
 * Then records, each of which was fsynced before the next one was written:
 *
 *     0   u32  CRC-32 of bytes 4 to 15 and of the payload
 *     4   u32  payload length
 *     8   u32  tag: the store's id XOR the number of this manifest
 *     12  u32  ordinal of the record, from 0
 *     16  payload: one version edit (version_edit.ts)
 *
 * Record 0 is the whole state at that time. A bad record with a good one of a higher ordinal after
 * it is damage. A bad record with nothing good after it is a write that a crash cut short. It is
 * dropped, because its edit was never in force. (If it was durable and damaged later, the files
 * that it made obsolete are gone, and open finds them missing.)
 *
 * CURRENT is one line of text, replaced as a whole by rename:
 *
 *     tinykvs 1 MANIFEST-000007 store=5e6f7081 crc32=1a2b3c4d\n
 *
 * It has the store's id and, at the end, the CRC-32 of the line up to " crc32=", both as 8
 * hexadecimal digits.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { crc32 } from "../bytes/crc32.ts";
import { fileTag, storeIdText } from "../bytes/store_id.ts";
import { DecodeError } from "../errors.ts";
import { manifestName, parseFileName } from "./file_names.ts";
import { decodeVersionEdit, encodeVersionEdit, type VersionEdit } from "./version_edit.ts";

/** Length of the file header. */
export const MANIFEST_HEADER_BYTES = 24;
/**
 * The version of a manifest whose tables have no deleted spans, and no entries that expire. Every
 * library reads it.
 */
export const MANIFEST_VERSION = 1;
/**
 * The version of a manifest whose tables may have them (2), and large values in other files (3). An
 * older library refuses what it does not know.
 */
export const NEWEST_MANIFEST_VERSION = 3;
/** CURRENT is never longer than this. */
export const MAX_CURRENT_BYTES = 128;

const RECORD_HEADER_BYTES = 16;
const MAGIC_LOW = 0x53564b54; // "TKVS"
const MAGIC_HIGH = 0x014e414d; // "MAN\x01"

/** Appends a manifest's header. */
export function encodeManifestHeader(
  writer: ByteWriter,
  storeId: number,
  number: number,
  version: number = MANIFEST_VERSION,
): void {
  const start = writer.length;
  writer.appendUint32(MAGIC_LOW);
  writer.appendUint32(MAGIC_HIGH);
  writer.appendUint32(version);
  writer.appendUint32(number);
  writer.appendUint32(storeId);
  writer.appendUint32(crc32(writer.bytes, writer.view, start, start + 20));
}

/** Appends a record. */
export function encodeManifestRecord(
  writer: ByteWriter,
  storeId: number,
  number: number,
  ordinal: number,
  edit: VersionEdit,
): void {
  const start = writer.length;
  writer.appendUint32(0);
  writer.appendUint32(0);
  writer.appendUint32(fileTag(storeId, number));
  writer.appendUint32(ordinal);
  encodeVersionEdit(writer, edit);
  const { bytes, view, length } = writer;
  view.setUint32(start + 4, length - start - RECORD_HEADER_BYTES, true);
  view.setUint32(start, crc32(bytes, view, start + 4, length), true);
}

/** The content of a manifest. */
export interface ManifestContent {
  /** The format version if it is newer than this library knows; then there are no edits. */
  readonly newerVersion: number | undefined;
  /** The edits in order; the first is the whole state. */
  readonly edits: readonly VersionEdit[];
  /** Offset just past the last whole record. */
  readonly endOffset: number;
}

/**
 * Reads the manifest `number` of the store `storeId` as a whole.
 *
 * @throws {DecodeError} it is damaged, or another one
 */
export function decodeManifest(
  bytes: Uint8Array,
  storeId: number,
  number: number,
): ManifestContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < MANIFEST_HEADER_BYTES) {
    throw new DecodeError(`the manifest has ${bytes.length} bytes, its header alone has 24`, 0);
  }
  if (crc32(bytes, view, 0, 20) !== view.getUint32(20, true)) {
    throw new DecodeError("the checksum of the manifest's header is wrong", 20);
  }
  if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH) {
    throw new DecodeError("the file does not start with the magic of a manifest", 0);
  }
  const version = view.getUint32(8, true);
  if (version < MANIFEST_VERSION || version > NEWEST_MANIFEST_VERSION) {
    return { newerVersion: version, edits: [], endOffset: 0 };
  }
  if (view.getUint32(12, true) !== number) {
    throw new DecodeError(
      `the manifest is number ${view.getUint32(12, true)}, its name says ${number}`,
      12,
    );
  }
  if (view.getUint32(16, true) !== storeId) {
    throw new DecodeError(
      `the manifest belongs to the store ${storeIdText(view.getUint32(16, true))}, ` +
        `CURRENT says ${storeIdText(storeId)}`,
      16,
    );
  }
  const tag = fileTag(storeId, number);
  const edits: VersionEdit[] = [];
  let offset = MANIFEST_HEADER_BYTES;
  while (offset < bytes.length) {
    const end = recordEnd(bytes, view, offset, tag);
    if (end < 0 || view.getUint32(offset + 12, true) !== edits.length) {
      requireTornTail(bytes, view, offset, tag, edits.length);
      break;
    }
    edits.push(decodeVersionEdit(bytes, offset + RECORD_HEADER_BYTES, end, version));
    offset = end;
  }
  if (edits.length === 0) {
    throw new DecodeError("the manifest's first record is not whole", MANIFEST_HEADER_BYTES);
  }
  return { newerVersion: undefined, edits, endOffset: offset };
}

/** The end of the whole record at `offset`, or -1 if there is none. */
function recordEnd(bytes: Uint8Array, view: DataView, offset: number, tag: number): number {
  const payload = offset + RECORD_HEADER_BYTES;
  if (payload > bytes.length || view.getUint32(offset + 8, true) !== tag) return -1;
  const end = payload + view.getUint32(offset + 4, true);
  if (end > bytes.length) return -1;
  return crc32(bytes, view, offset + 4, end) === view.getUint32(offset, true) ? end : -1;
}

/**
 * @throws {DecodeError} a later record is whole, so the one that belongs at `offset` was once
 *   whole, too
 */
function requireTornTail(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  tag: number,
  ordinal: number,
): void {
  // A hostile file could make every offset look like a record. Past this number of summed bytes it
  // counts as damaged, and it is.
  let budget = bytes.length * 16 + 65536;
  for (let at = offset; at + RECORD_HEADER_BYTES <= bytes.length; at++) {
    if (view.getUint32(at + 8, true) !== tag) continue;
    if (view.getUint32(at + 12, true) < ordinal) continue;
    budget -= RECORD_HEADER_BYTES + Math.min(view.getUint32(at + 4, true), bytes.length - at);
    if (budget < 0 || recordEnd(bytes, view, at, tag) >= 0) {
      throw new DecodeError(`record ${ordinal} is damaged, but later ones are whole`, offset);
    }
  }
}

/** What CURRENT says. */
export interface Current {
  /** Id of the store: a random number of 32 bits that all its logs and manifests carry. */
  readonly storeId: number;
  /** Number of the manifest in force. */
  readonly manifestNumber: number;
}

/** The content of CURRENT. */
export function encodeCurrent({ storeId, manifestNumber }: Current): Uint8Array {
  const text = `tinykvs 1 ${manifestName(manifestNumber)} store=${storeIdText(storeId)}`;
  const bytes = asciiBytes(text);
  const crc = crc32(bytes, new DataView(bytes.buffer), 0, bytes.length);
  return asciiBytes(`${text} crc32=${crc.toString(16).padStart(8, "0")}\n`);
}

/**
 * Decodes the content of CURRENT.
 *
 * @throws {DecodeError} it is malformed
 */
export function decodeCurrent(bytes: Uint8Array): Current {
  const line = String.fromCharCode(...bytes.subarray(0, MAX_CURRENT_BYTES));
  const match = /^tinykvs 1 (MANIFEST-\d{6,10}) store=([0-9a-f]{8}) crc32=[0-9a-f]{8}\n$/.exec(
    line,
  );
  const name = match === null ? undefined : parseFileName(match[1]!);
  if (name === undefined) {
    throw new DecodeError("it does not name a manifest in the form of version 1", 0);
  }
  const current = {
    storeId: Number.parseInt(match![2]!, 16),
    manifestNumber: name.number,
  };
  const expected = encodeCurrent(current);
  if (expected.length !== bytes.length || expected.some((byte, at) => byte !== bytes[at])) {
    throw new DecodeError("its checksum is wrong", bytes.length - 9);
  }
  return current;
}

/**
 * The format version that CURRENT states if it is whole and of another version than this one; its
 * line then begins with "tinykvs", the version and a space, and ends with the same checksum.
 */
export function otherCurrentVersion(bytes: Uint8Array): number | undefined {
  const line = String.fromCharCode(...bytes.subarray(0, MAX_CURRENT_BYTES));
  const match = /^(tinykvs ([1-9]\d{0,8}) [ -~]*) crc32=([0-9a-f]{8})\n$/.exec(line);
  if (match === null || match[2] === "1") return undefined;
  const text = asciiBytes(match[1]!);
  const crc = crc32(text, new DataView(text.buffer), 0, text.length);
  return crc === Number.parseInt(match[3]!, 16) ? Number(match[2]) : undefined;
}

/** Whether this is the CURRENT of LevelDB, or of RocksDB, which began as a copy of it. */
export function isCurrentOfLevelDb(bytes: Uint8Array): boolean {
  return /^MANIFEST-\d{6,20}\n$/.test(
    String.fromCharCode(...bytes.subarray(0, MAX_CURRENT_BYTES)),
  );
}

function asciiBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
