/**
 * Items of MessagePack inside records that JavaScript has no type for. record_decoder.ts makes them
 * for what the Go TinyKVS stored, above all time.Time, and record_encoder.ts writes them back byte
 * for byte: a Date would lose the nanoseconds.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import { isLost, LOST_BYTES } from "../bytes/lost_bytes.ts";
import { markClass } from "../class_marks.ts";

const TIMESTAMP = -1;

/** Whether `type` is a number that can be the type of an extension. */
export function isExtensionType(type: unknown): boolean {
  return Number.isInteger(type) && (type as number) >= -128 && (type as number) <= 127;
}

/**
 * An extension of MessagePack in a record: a type from -128 to 127 and its bytes.
 *
 * @example
 * ```ts
 * import { Extension, memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("event", { at: new Extension(-1, Uint8Array.of(0x65, 0x53, 0xf1, 0)) });
 * const { at } = await store.get("event") as { at: Extension };
 * console.log(new Date(at.timestampMs!).toISOString()); // 2023-11-14T22:13:20.000Z
 * ```
 */
export class Extension {
  /** The type; negative ones are MessagePack's own, -1 is a timestamp. */
  readonly type: number;
  /** The bytes, which belong to this object. */
  readonly data: Uint8Array;

  /**
   * Makes an extension with a copy of `data`.
   *
   * @throws {RangeError} `type` is not an integer from -128 to 127
   * @throws {TypeError} `data` is not a Uint8Array, or its buffer is detached
   */
  constructor(type: number, data: Uint8Array) {
    if (!isExtensionType(type)) {
      throw new RangeError(
        `Cannot make an extension: its type is ${String(type)}, expected -128 to 127`,
      );
    }
    if (!isBytes(data)) {
      throw new TypeError("Cannot make an extension: its data is not a Uint8Array");
    }
    if (data.length === 0 && isLost(data)) {
      throw new TypeError(`Cannot make an extension: its data is ${LOST_BYTES}`);
    }
    this.type = type;
    this.data = new Uint8Array(data);
  }

  /**
   * The time in milliseconds since 1970 if this is a well-formed timestamp; else undefined. The
   * fraction holds the nanoseconds as far as a number can.
   */
  get timestampMs(): number | undefined {
    const { type, data } = this;
    if (type !== TIMESTAMP) return undefined;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let seconds: number;
    let nanoseconds = 0;
    switch (data.length) {
      case 4:
        seconds = view.getUint32(0);
        break;
      case 8:
        nanoseconds = view.getUint32(0) >>> 2;
        seconds = (view.getUint32(0) & 3) * 0x1_0000_0000 + view.getUint32(4);
        break;
      case 12:
        nanoseconds = view.getUint32(0);
        seconds = view.getInt32(4) * 0x1_0000_0000 + view.getUint32(8);
        break;
      default:
        return undefined;
    }
    return nanoseconds < 1e9 ? seconds * 1000 + nanoseconds / 1e6 : undefined;
  }
}

// The encoder checks both fields, even if another copy made the object.
markClass(Extension, Symbol.for("@tinykvs/core extension"), true);
