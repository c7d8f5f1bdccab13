/**
 * The type bytes of values on disk, beside the types and limits that every store has
 * (contract/value.ts).
 *
 * The type bytes are those of the Go TinyKVS (docs/FORMAT.md). An encoded value is one type byte
 * and then:
 *
 *   1 int64       8 bytes, two's complement, little-endian
 *   2 float64     8 bytes, IEEE 754, little-endian
 *   3 bool        1 byte: 0 is false, anything else true; 0 or 1 is written
 *   4 string      u8 flag (0), u32 length, that many bytes of UTF-8
 *   5 bytes       u8 flag (0), u32 length, that many bytes
 *   6 tombstone   nothing: the key is deleted
 *   7 record      u32 length, that many bytes of MessagePack: one map (length 0 is an empty one)
 *   8 msgpack     u32 length, that many bytes of MessagePack: here an array; Go's maps and structs
 *                 (v0.7 and later, which reads at most 1 MB of a record from v0.10 on) and whatever
 *                 else its callers stored, except a nil
 *   9 expiring    u64 milliseconds since 1970, and then one of the above except a tombstone: the key
 *                 has no value from that time on (expiry.ts). No version of Go writes this
 *   10 packed     a large value, compressed: only in logs and value files (packed_value.ts)
 *   11 reference  where a large value is: only in memtables and tables (value_reference.ts)
 *
 * Bytes after an encoded value inside its range are ignored, as in Go.
 */

export {
  describeValue,
  type Key,
  MAX_KEY_BYTES,
  MAX_RECORD_DEPTH,
  MAX_VALUE_BYTES,
  type RecordItem,
  type RecordValue,
  type Value,
  type ValueTypeName,
} from "../contract/value.ts";

/** Type byte of a bigint. */
export const TYPE_INT64 = 1;
/** Type byte of a number. */
export const TYPE_FLOAT64 = 2;
/** Type byte of a boolean. */
export const TYPE_BOOL = 3;
/** Type byte of a string. */
export const TYPE_STRING = 4;
/** Type byte of a Uint8Array. */
export const TYPE_BYTES = 5;
/** Type byte of a deleted key. */
export const TYPE_TOMBSTONE = 6;
/** Type byte of a plain object. */
export const TYPE_RECORD = 7;
/** Type byte of an array, and of anything else that Go's callers stored as raw MessagePack. */
export const TYPE_MSGPACK = 8;
/** Type byte of a value that expires; its time and its own type byte follow. */
export const TYPE_EXPIRING = 9;
/** Type byte of a large value that is compressed. */
export const TYPE_PACKED = 10;
/** Type byte of a reference to a large value in another file. */
export const TYPE_REFERENCE = 11;
