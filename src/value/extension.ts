/**
 * Items of MessagePack inside records that JavaScript has no type for. record_decoder.ts makes them
 * for what the Go TinyKVS stored, above all time.Time with parts of a millisecond, and
 * record_encoder.ts writes them back byte for byte: a Date would lose the nanoseconds.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import { isLost, LOST_BYTES } from "../bytes/lost_bytes.ts";
import { markClass } from "../class_marks.ts";
import { TIMESTAMP_TYPE, timestampParts } from "./timestamp.ts";

/** Whether `type` is a number that can be the type of an extension. */
export function isExtensionType(type: unknown): boolean {
  return Number.isInteger(type) && (type as number) >= -128 && (type as number) <= 127;
}

/**
 * An extension of MessagePack in a record: a type from -128 to 127 and its bytes. One that is a
 * timestamp of whole milliseconds, in its shortest form, is read as a `Date`.
 *
 * @example
 * ```ts
 * import { Extension, memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("pixel", { colour: new Extension(5, Uint8Array.of(255, 128, 0)) });
 * const { colour } = await store.get("pixel") as { colour: Extension };
 * console.log(colour.type, ...colour.data); // 5 255 128 0
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
    if (type !== TIMESTAMP_TYPE) return undefined;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const parts = timestampParts(view, 0, data.length);
    return parts && parts.seconds * 1000 + parts.nanoseconds / 1e6;
  }
}

// The encoder checks both fields, even if another copy made the object.
markClass(Extension, Symbol.for("@tinykvs/core extension"), true);
