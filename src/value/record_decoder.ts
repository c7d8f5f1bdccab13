/**
 * MessagePack to records: what record_encoder.ts writes, and what the Go TinyKVS stored.
 *
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md; written from that text. The
 * stored width decides the type: integers of up to 32 bits and floats are numbers, 64-bit integers
 * are bigints. A timestamp of whole milliseconds becomes a `Date` (timestamp.ts). Other extensions,
 * Go's time.Time with its nanoseconds among them, become `Extension` objects. Both can be stored
 * again unchanged. Keys of maps may be text, numbers, booleans or nil and are read as text ("1",
 * "true", "null"); of equal keys the last one counts. Keys of other types are refused: JavaScript
 * has no property names for them.
 *
 * Input is not trusted. A claimed length is checked against the bytes that remain before anything
 * is made from it: an array item takes at least one byte, a map entry two. So memory stays within a
 * constant factor of the input. Nesting ends at MAX_RECORD_DEPTH. Property names are always own
 * properties of a fresh object, `__proto__` too.
 */

import { DecodeError, TypeMismatchError } from "../errors.ts";
import { copyBytes } from "./owned_bytes.ts";
import { decodeText } from "./text_codec.ts";
import { Extension } from "./extension.ts";
import { dateOfTimestamp, TIMESTAMP_TYPE } from "./timestamp.ts";
import { MAX_RECORD_DEPTH, type RecordItem } from "./value.ts";

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** Reads one MessagePack item at a time. Calls don't overlap: it runs no code of the user. */
export class RecordDecoder {
  readonly #int64AsNumber: boolean;
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView = NO_VIEW;
  #at = 0;
  #end = 0;

  /** Makes a decoder; with `int64AsNumber` 64-bit integers are read as numbers. */
  constructor(int64AsNumber: boolean) {
    this.#int64AsNumber = int64AsNumber;
  }

  /**
   * Decodes `bytes[start, end)`, which must be one item and nothing else. Bytes in the result are
   * copies that the caller owns.
   *
   * @throws {DecodeError} it is not
   * @throws {RangeError} a 64-bit integer is to be read as a number and is not a safe one
   */
  decode(bytes: Uint8Array, view: DataView, start: number, end: number): RecordItem {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = start;
    this.#end = end;
    try {
      const item = this.#item(0);
      if (this.#at !== end) {
        throw new DecodeError(`${end - this.#at} bytes follow the MessagePack item`, this.#at);
      }
      return item;
    } finally {
      this.#bytes = NO_BYTES;
      this.#view = NO_VIEW;
    }
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) {
      throw new DecodeError(
        `MessagePack item ends after ${this.#end - at} bytes, expected ${count}`,
        at,
      );
    }
    this.#at = at + count;
    return at;
  }

  /** Decodes the next item; `depth` arrays and maps are around it. */
  #item(depth: number): RecordItem {
    const formatAt = this.#take(1);
    const format = this.#bytes[formatAt]!;
    if (format < 0x80) return format;
    if (format >= 0xe0) return format - 0x100;
    if (format < 0x90) return this.#map(format & 0x0f, depth, formatAt);
    if (format < 0xa0) return this.#array(format & 0x0f, depth, formatAt);
    if (format < 0xc0) return this.#text(format & 0x1f);
    const view = this.#view;
    switch (format) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#bin(view.getUint8(this.#take(1)));
      case 0xc5:
        return this.#bin(view.getUint16(this.#take(2)));
      case 0xc6:
        return this.#bin(view.getUint32(this.#take(4)));
      case 0xc7:
        return this.#extension(view.getUint8(this.#take(1)));
      case 0xc8:
        return this.#extension(view.getUint16(this.#take(2)));
      case 0xc9:
        return this.#extension(view.getUint32(this.#take(4)));
      case 0xca:
        return view.getFloat32(this.#take(4));
      case 0xcb:
        return view.getFloat64(this.#take(8));
      case 0xcc:
        return view.getUint8(this.#take(1));
      case 0xcd:
        return view.getUint16(this.#take(2));
      case 0xce:
        return view.getUint32(this.#take(4));
      case 0xcf:
        return this.#int64(view.getBigUint64(this.#take(8)));
      case 0xd0:
        return view.getInt8(this.#take(1));
      case 0xd1:
        return view.getInt16(this.#take(2));
      case 0xd2:
        return view.getInt32(this.#take(4));
      case 0xd3:
        return this.#int64(view.getBigInt64(this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (format - 0xd4));
      case 0xd9:
        return this.#text(view.getUint8(this.#take(1)));
      case 0xda:
        return this.#text(view.getUint16(this.#take(2)));
      case 0xdb:
        return this.#text(view.getUint32(this.#take(4)));
      case 0xdc:
        return this.#array(view.getUint16(this.#take(2)), depth, formatAt);
      case 0xdd:
        return this.#array(view.getUint32(this.#take(4)), depth, formatAt);
      case 0xde:
        return this.#map(view.getUint16(this.#take(2)), depth, formatAt);
      case 0xdf:
        return this.#map(view.getUint32(this.#take(4)), depth, formatAt);
      default:
        throw new DecodeError(
          `MessagePack format is 0x${format.toString(16)}, which is reserved`,
          formatAt,
        );
    }
  }

  #int64(value: bigint): bigint | number {
    if (!this.#int64AsNumber) return value;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw unsafeInt64();
    return number;
  }

  #text(length: number): string {
    const start = this.#take(length);
    const text = decodeText(this.#bytes, start, start + length);
    if (text === undefined) throw new DecodeError("MessagePack text is not UTF-8", start);
    return text;
  }

  #bin(length: number): Uint8Array {
    const start = this.#take(length);
    return copyBytes(this.#bytes, this.#view, start, start + length);
  }

  #extension(length: number): Extension | Date {
    const type = this.#view.getInt8(this.#take(1));
    if (type === TIMESTAMP_TYPE && length <= this.#end - this.#at) {
      const date = dateOfTimestamp(this.#view, this.#at, length);
      if (date !== undefined) {
        this.#at += length;
        return date;
      }
    }
    return new Extension(type, this.#bin(length));
  }

  /** Checks a claimed count of items, each `itemBytes` long or longer, and the depth. */
  #enter(count: number, itemBytes: number, depth: number, at: number): void {
    if (depth >= MAX_RECORD_DEPTH) {
      throw new DecodeError(`MessagePack is nested deeper than ${MAX_RECORD_DEPTH} levels`, at);
    }
    const remaining = this.#end - this.#at;
    if (count * itemBytes > remaining) {
      throw new DecodeError(
        `MessagePack claims ${count} items, ${remaining} bytes remain for them`,
        at,
      );
    }
  }

  #array(count: number, depth: number, at: number): RecordItem[] {
    this.#enter(count, 1, depth, at);
    const items: RecordItem[] = [];
    for (let i = 0; i < count; i++) items.push(this.#item(depth + 1));
    return items;
  }

  #map(count: number, depth: number, at: number): { [name: string]: RecordItem } {
    this.#enter(count, 2, depth, at);
    const object: { [name: string]: RecordItem } = {};
    for (let i = 0; i < count; i++) {
      const name = this.#name();
      const item = this.#item(depth + 1);
      if (name === "__proto__") {
        // Assignment would run the setter of Object.prototype.
        Object.defineProperty(object, name, {
          value: item,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      } else {
        object[name] = item;
      }
    }
    return object;
  }

  /** Decodes the next item, which must be text, a number, a boolean or nil, as a property name. */
  #name(): string {
    const at = this.#at;
    const format = at < this.#end ? this.#bytes[at]! : 0;
    const isText = format >= 0xa0 && format < 0xc0 || format >= 0xd9 && format <= 0xdb;
    const isNumber = format < 0x80 || format >= 0xe0 || format >= 0xca && format <= 0xd3;
    const isNilOrBoolean = format === 0xc0 || format === 0xc2 || format === 0xc3;
    if (!isText && !isNumber && !isNilOrBoolean) {
      throw new DecodeError(
        `MessagePack format of a map key is 0x${format.toString(16)}, expected text, a number, ` +
          "a boolean or nil",
        at,
      );
    }
    return String(this.#item(MAX_RECORD_DEPTH));
  }
}

/** How far after an item's format the type of an extension is; 0 for formats of other items. */
export function extensionTypeAt(format: number): number {
  if (format >= 0xd4 && format <= 0xd8) return 1;
  return format >= 0xc7 && format <= 0xc9 ? [2, 3, 5][format - 0xc7]! : 0;
}

/**
 * The error for an int64 that does not fit a number. The value is not in the text, because texts
 * end up in logs. The caller knows the key, and adds it.
 */
export function unsafeInt64(): TypeMismatchError {
  return new TypeMismatchError(
    "an int64 beyond 2^53 - 1",
    'a safe integer (int64: "number")',
  );
}
