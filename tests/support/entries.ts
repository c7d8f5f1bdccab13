/** Entries for tests of what is below the store: bytes in, bytes out, and a plain order of keys. */

import { Buffer } from "node:buffer";
import type { EntryView } from "../../src/iterator/entry_cursor.ts";

/** A key and an encoded value. */
export interface PlainEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** An entry in the form in which logs, memtables and blocks hold it. */
export interface EncodedEntry {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Offset of the key length field. */
  readonly start: number;
  readonly keyEnd: number;
  readonly end: number;
}

/** Type byte of a deleted key. */
const TOMBSTONE = 6;

/** A deletion's encoded value. */
export const tombstone: Uint8Array = Uint8Array.of(TOMBSTONE);

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

/** The encoded value for a text: type string, no flag, length, text. */
export function stringValue(text: string): Uint8Array {
  const content = Buffer.from(text);
  const value = new Uint8Array(6 + content.length);
  value[0] = 4;
  new DataView(value.buffer).setUint32(2, content.length, true);
  value.set(content, 6);
  return value;
}

/** An encoded value of `length` bytes (at least 1) that `mark` makes different from others. */
export function valueOfLength(length: number, mark: number): Uint8Array {
  const value = new Uint8Array(length);
  for (let i = 1; i < length; i++) value[i] = (mark + i * 7) & 0xff;
  value[0] = 5;
  return value;
}

/** Key length, key, value length, value, with `lead` bytes of something else in front. */
export function encodeEntry(entry: PlainEntry, lead = 0): EncodedEntry {
  const { key, value } = entry;
  const keyEnd = lead + 4 + key.length;
  const bytes = new Uint8Array(keyEnd + 4 + value.length).fill(0xee, 0, lead);
  const view = new DataView(bytes.buffer);
  view.setUint32(lead, key.length, true);
  bytes.set(key, lead + 4);
  view.setUint32(keyEnd, value.length, true);
  bytes.set(value, keyEnd + 4);
  return { bytes, view, start: lead, keyEnd, end: bytes.length };
}

/** A view on an entry in one buffer. */
export function viewOf(entry: PlainEntry): EntryView {
  const { bytes, view, start, keyEnd, end } = encodeEntry(entry);
  return {
    keyBytes: bytes,
    keyView: view,
    keyStart: start + 4,
    keyEnd,
    valueBytes: bytes,
    valueView: view,
    valueStart: keyEnd + 4,
    valueEnd: end,
  };
}

/** A view on an entry whose value lies in its own buffer. */
export function splitViewOf(entry: PlainEntry): EntryView {
  const value = entry.value.slice();
  return {
    ...viewOf(entry),
    valueBytes: value,
    valueView: new DataView(value.buffer),
    valueStart: 0,
    valueEnd: value.length,
  };
}

/** A copy of what a view shows. */
export function plainOf(entry: EntryView): PlainEntry {
  return {
    key: entry.keyBytes.slice(entry.keyStart, entry.keyEnd),
    value: entry.valueBytes.slice(entry.valueStart, entry.valueEnd),
  };
}

/** "key=value" in hex, for comparing and for messages. */
export function textOf(entry: PlainEntry): string {
  return `${hexOf(entry.key)}=${hexOf(entry.value)}`;
}

/** Bytes in hex. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** The order of keys, by the definition: unsigned bytes, a prefix first. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** A view on all of `bytes`. */
export function dataViewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
