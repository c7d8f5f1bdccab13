/**
 * Where an encoded value of the Go TinyKVS ends. In a log no length comes before it.
 *
 * The encodings are those of src/value/value.ts, by type byte: 1 int64 and 2 float64, 8 bytes; 3
 * bool, 1 byte; 4 string and 5 bytes, u8 flag, u32 length, that many bytes; 6 tombstone, nothing; 7
 * record and 8 MessagePack, u32 length, that many bytes.
 */

import { DecodeError } from "../errors.ts";

/**
 * The offset just past the value that starts at `start`.
 *
 * @throws {DecodeError} it passes `end`, or is of an unknown type
 */
export function goValueEnd(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): number {
  if (start >= end) throw new DecodeError("an entry has no value", start);
  const type = bytes[start]!;
  let length: number;
  switch (type) {
    case 1:
    case 2:
      length = 9;
      break;
    case 3:
      length = 2;
      break;
    case 4:
    case 5:
      if (end - start < 6) throw tooShort(end - start, start);
      if (bytes[start + 1] === 1) {
        throw new DecodeError("a value is a pointer (flag 1), which no Go version wrote", start);
      }
      length = 6 + view.getUint32(start + 2, true);
      break;
    case 6:
      length = 1;
      break;
    case 7:
    case 8:
      if (end - start < 5) throw tooShort(end - start, start);
      length = 5 + view.getUint32(start + 1, true);
      break;
    default:
      throw new DecodeError(`a value has the type ${type}, expected 1 to 8`, start);
  }
  if (length > end - start) throw tooShort(end - start, start);
  return start + length;
}

function tooShort(bytes: number, start: number): DecodeError {
  return new DecodeError(`a value does not fit its ${bytes} bytes`, start);
}
