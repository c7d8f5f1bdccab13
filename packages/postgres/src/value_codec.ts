/**
 * Values as bytes: one byte for the type, then the content. The types have the numbers of the
 * embedded store. Records are MessagePack: numbers are float64, bigints int64 or uint64, Dates
 * timestamps of 96 bits, so that each comes back as what it was.
 */

import { StoreError, type Value } from "@tinykvs/core/contract";
import { plainBytes, plainText } from "./escaped_row.ts";
import { ownedAscii, ownedBytes } from "./owned_bytes.ts";
import { decodeText } from "./text.ts";

const INT64 = 1;
const FLOAT64 = 2;
const BOOL = 3;
const STRING = 4;
const BYTES = 5;
const RECORD = 8;

const encoder = new TextEncoder();

/** The bytes of a value that was checked by `copyValue`. */
export function encodeValue(value: Value): Uint8Array {
  switch (typeof value) {
    case "bigint":
    case "number": {
      const bytes = new Uint8Array(9);
      const view = new DataView(bytes.buffer);
      bytes[0] = typeof value === "bigint" ? INT64 : FLOAT64;
      if (typeof value === "bigint") view.setBigInt64(1, value);
      else view.setFloat64(1, value);
      return bytes;
    }
    case "boolean":
      return Uint8Array.of(BOOL, value ? 1 : 0);
    case "string":
      return ownedAscii(value, 0, value.length, STRING) ?? tagged(STRING, encoder.encode(value));
    default: {
      if (ArrayBuffer.isView(value)) return tagged(BYTES, value as Uint8Array);
      const writer = new Writer();
      writer.byte(RECORD);
      writer.item(value);
      return writer.finish();
    }
  }
}

/**
 * The value of bytes from `start` on.
 *
 * @throws {StoreError} they are damaged, or of a newer version
 */
export function decodeValue(bytes: Uint8Array, start = 0): Value {
  try {
    switch (bytes[start]) {
      case INT64:
        return viewOf(bytes).getBigInt64(start + 1);
      case FLOAT64:
        return viewOf(bytes).getFloat64(start + 1);
      case BOOL:
        return bytes[start + 1] === 1;
      case STRING:
        return decodeText(bytes, start + 1, bytes.length);
      case BYTES:
        return ownedBytes(bytes, start + 1, bytes.length);
      case RECORD: {
        const reader = new Reader(bytes, viewOf(bytes), start + 1);
        const value = reader.item();
        if (reader.at !== bytes.length) {
          throw new RangeError("bytes are left over");
        }
        return value as Value;
      }
      default:
        throw new RangeError(`the type is ${bytes[start]}`);
    }
  } catch (error) {
    throw new StoreError(
      "CORRUPTION",
      `Cannot decode a value of ${bytes.length - start} bytes: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/**
 * The value of ASCII bytes that are given as text: its type is at `start`. Undefined if it is
 * neither a text nor bytes; then `decodeValue` decodes it.
 */
export function decodePlain(row: string, start: number): Value | undefined {
  switch (row.charCodeAt(start)) {
    case STRING:
      return plainText(row, start + 1, row.length);
    case BYTES:
      return plainBytes(row, start + 1, row.length);
    default:
      return undefined;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tagged(type: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = type;
  bytes.set(content, 1);
  return bytes;
}

/** Appends MessagePack. */
class Writer {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  byte(byte: number): void {
    const at = this.#room(1);
    this.#bytes[at] = byte;
  }

  item(item: unknown): void {
    switch (typeof item) {
      case "number": {
        const at = this.#room(9);
        this.#bytes[at] = 0xcb;
        this.#view.setFloat64(at + 1, item);
        return;
      }
      case "bigint": {
        const at = this.#room(9);
        const isSigned = BigInt.asIntN(64, item) === item;
        this.#bytes[at] = isSigned ? 0xd3 : 0xcf;
        this.#view.setBigUint64(at + 1, BigInt.asUintN(64, item));
        return;
      }
      case "boolean":
        return this.byte(item ? 0xc3 : 0xc2);
      case "string":
        return this.#text(item);
    }
    if (item === null) return this.byte(0xc0);
    if (ArrayBuffer.isView(item)) {
      const bytes = item as Uint8Array;
      this.#head(bytes.length, 0xc4, 0xc5, 0xc6);
      this.#append(bytes);
      return;
    }
    if (Array.isArray(item)) {
      this.#head(item.length, undefined, 0xdc, 0xdd, 0x90);
      for (const part of item) this.item(part);
      return;
    }
    if (item instanceof Date) return this.#date(item.getTime());
    const entries = Object.entries(item as object);
    this.#head(entries.length, undefined, 0xde, 0xdf, 0x80);
    for (const [name, part] of entries) {
      this.#text(name);
      this.item(part);
    }
  }

  #date(ms: number): void {
    const seconds = Math.floor(ms / 1000);
    const at = this.#room(15);
    this.#bytes.set([0xc7, 12, 0xff], at);
    this.#view.setUint32(at + 3, (ms - seconds * 1000) * 1_000_000);
    this.#view.setBigInt64(at + 7, BigInt(seconds));
  }

  #text(text: string): void {
    const bytes = encoder.encode(text);
    if (bytes.length < 32) this.byte(0xa0 | bytes.length);
    else this.#head(bytes.length, 0xd9, 0xda, 0xdb);
    this.#append(bytes);
  }

  #head(
    length: number,
    tag8: number | undefined,
    tag16: number,
    tag32: number,
    fix?: number,
  ): void {
    if (fix !== undefined && length < 16) return this.byte(fix | length);
    const at = this.#room(5);
    if (tag8 !== undefined && length < 0x100) {
      this.#bytes[at] = tag8;
      this.#bytes[at + 1] = length;
      this.#length -= 3;
    } else if (length < 0x1_0000) {
      this.#bytes[at] = tag16;
      this.#view.setUint16(at + 1, length);
      this.#length -= 2;
    } else {
      this.#bytes[at] = tag32;
      this.#view.setUint32(at + 1, length);
    }
  }

  #append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#room(bytes.length));
  }

  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(
        Math.max(this.#length, this.#bytes.length * 2),
      );
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads MessagePack after the byte of the type. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, view: DataView, at: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.at = at;
  }

  item(): unknown {
    const at = this.#step(1);
    const tag = this.#bytes[at]!;
    if (tag >= 0xa0 && tag <= 0xbf) return this.#text(tag & 0x1f);
    if (tag >= 0x90 && tag <= 0x9f) return this.#array(tag & 0x0f);
    if (tag >= 0x80 && tag <= 0x8f) return this.#object(tag & 0x0f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xcb:
        return this.#view.getFloat64(this.#step(8));
      case 0xcf:
        return this.#view.getBigUint64(this.#step(8));
      case 0xd3:
        return this.#view.getBigInt64(this.#step(8));
      case 0xc4:
      case 0xc5:
      case 0xc6: {
        const length = this.#length(tag - 0xc4);
        const start = this.#step(length);
        // Not `slice`: that of a client's buffer shows the buffer's memory, and makes a Buffer.
        return ownedBytes(this.#bytes, start, this.at);
      }
      case 0xc7:
        return this.#date(at);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(tag - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(tag - 0xdb));
      case 0xde:
      case 0xdf:
        return this.#object(this.#length(tag - 0xdd));
      default:
        throw new RangeError(`the tag at ${at} is ${tag}`);
    }
  }

  #length(size: number): number {
    if (size === 0) return this.#view.getUint8(this.#step(1));
    return size === 1 ? this.#view.getUint16(this.#step(2)) : this.#view.getUint32(this.#step(4));
  }

  #date(at: number): Date {
    this.#step(14);
    const ms = Number(this.#view.getBigInt64(at + 7)) * 1000 +
      this.#view.getUint32(at + 3) / 1_000_000;
    const date = new Date(ms);
    if (
      this.#bytes[at + 1] === 12 && this.#bytes[at + 2] === 0xff && date.getTime() === ms
    ) return date;
    throw new RangeError(`the extension at ${at} is not a time in milliseconds`);
  }

  #text(length: number): string {
    const at = this.#step(length);
    return decodeText(this.#bytes, at, this.at);
  }

  #array(length: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.item());
    return items;
  }

  #object(length: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const name = this.item();
      const value = this.item();
      if (typeof name !== "string") {
        throw new RangeError("the name of a property is no text");
      }
      if (name === "__proto__") {
        Object.defineProperty(object, name, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else object[name] = value;
    }
    return object;
  }

  #step(count: number): number {
    const at = this.at;
    this.at += count;
    if (this.at > this.#bytes.length) throw new RangeError("it is cut off");
    return at;
  }
}
