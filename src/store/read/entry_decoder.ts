/**
 * From entries to what users get: keys as text or bytes, values by their type. One for a whole
 * store.
 */

import type { Entry, EntryOptions } from "../../contract/reader.ts";
import { entryOptions } from "../../contract/reader_base.ts";
import { shownKey } from "../../contract/shown_key.ts";
import { DecodeError, TypeMismatchError } from "../../errors.ts";
import type { EntryView } from "../../iterator/entry_cursor.ts";
import type { ResolvedOptions } from "../../options.ts";
import { contentStart, expiryAt, isExpiring } from "../../value/expiry.ts";
import { asciiText, isAsciiTextFast } from "../../value/ascii_text.ts";
import { decodeKeyText } from "../../value/key_codec.ts";
import { copyScannedBytes } from "../../value/owned_bytes.ts";
import type { Key, Value, ValueTypeName } from "../../value/value.ts";
import {
  bytesContentAt,
  expectType,
  int64At,
  ValueDecoder,
  valueTypeAt,
} from "../../value/value_codec.ts";
import type { KeyEncoding } from "../state/range.ts";
import { corruptValue, type DecodeEntry } from "./read_path.ts";

/** Makes an item from the entry of a scan. */
export type TakeItem<T> = DecodeEntry<T>;

/** Makes items from entries, for either form of the keys. */
export type TakeItems<T> = Readonly<Record<KeyEncoding, TakeItem<T>>>;

/** The key of a scan's entry. */
const KEYS: TakeItems<string | Uint8Array> = { utf8: textKey, bytes: bytesKey };

/**
 * Decodes the entries of one store; results are copies that the caller owns. `KeyOut` and `V` are
 * what its options make of keys and values.
 */
export class EntryDecoder<KeyOut = Key, V = Value> {
  /** The value. @throws {CorruptionError} the stored value can't be read */
  readonly value: DecodeEntry<V>;
  /** Key and value. @throws as for `value` and `keys` */
  readonly entry: DecodeEntry<Entry<KeyOut, V>>;
  readonly #entries: TakeItems<Entry<KeyOut, V>>;
  /** The key of a scan's entry. @throws {StoreError} it must be text and is not UTF-8 */
  readonly keys: TakeItems<KeyOut> = KEYS as TakeItems<unknown> as TakeItems<KeyOut>;
  /** The value of a scan's entry. @throws {CorruptionError} the stored value can't be read */
  readonly values: TakeItems<V>;
  /** Key and value of a scan's entry. */
  readonly pairs: TakeItems<[KeyOut, V]>;
  readonly #directory: string;

  /** Makes the decoder of the store in `directory`. */
  constructor(directory: string, options: ResolvedOptions) {
    const values = new ValueDecoder({ int64: options.int64 });
    const value = (entry: EntryView): V => {
      const { valueBytes, valueView, valueStart, valueEnd } = entry;
      try {
        return values.decode(valueBytes, valueView, valueStart, valueEnd) as V;
      } catch (error) {
        throw readError(directory, entry, error);
      }
    };
    const scannedValue = (entry: EntryView): V => {
      const { valueBytes, valueView, valueStart, valueEnd } = entry;
      let content: number;
      try {
        content = bytesContentAt(valueBytes, valueView, valueStart, valueEnd);
      } catch (error) {
        throw readError(directory, entry, error);
      }
      if (content < 0) return value(entry);
      const length = valueView.getUint32(content - 4, true);
      return copyScannedBytes(valueBytes, valueView, content, content + length) as V;
    };
    this.value = value;
    this.#directory = directory;
    const withValue = (key: unknown, entry: EntryView): Entry<KeyOut, V> => {
      const found = { key: key as KeyOut, value: value(entry) };
      const expiresAt = expiryOf(entry);
      return expiresAt === undefined ? found : { ...found, expiresAt };
    };
    this.#entries = {
      utf8: (entry) =>
        withValue(decodeKeyText(entry.keyBytes, entry.keyStart, entry.keyEnd), entry),
      bytes: (entry) => withValue(entry.keyBytes.slice(entry.keyStart, entry.keyEnd), entry),
    };
    this.entry = this.#entries[options.keyEncoding];
    this.values = { utf8: scannedValue, bytes: scannedValue };
    this.pairs = {
      utf8: (entry) => [textKey(entry) as KeyOut, scannedValue(entry)],
      bytes: (entry) => [bytesKey(entry) as KeyOut, scannedValue(entry)],
    };
  }

  /**
   * Decodes an entry with the key in the form that the options ask for.
   *
   * @throws {TypeError} the options are not valid
   */
  entryFor(options: EntryOptions | undefined): DecodeEntry<Entry<KeyOut, V>> {
    const { keyEncoding } = entryOptions(options);
    return keyEncoding === undefined ? this.entry : this.#entries[keyEncoding];
  }

  /**
   * Decodes values that must be stored as `type`; an int64 becomes a bigint, whatever the options
   * say.
   *
   * @throws {TypeMismatchError} the value has another type; {CorruptionError} it can't be read
   */
  stored(type: ValueTypeName): DecodeEntry<Value> {
    return (entry) => {
      const { valueBytes, valueView, valueStart, valueEnd } = entry;
      try {
        expectType(valueTypeAt(valueBytes, valueStart, valueEnd), type);
        if (type === "int64") {
          return int64At(valueView, contentStart(valueBytes, valueStart), valueEnd);
        }
      } catch (error) {
        throw readError(this.#directory, entry, error);
      }
      return this.value(entry) as Value;
    };
  }
}

/** The time at which an entry expires, in milliseconds since 1970. */
export function expiryOf({ valueBytes, valueView, valueStart }: EntryView): number | undefined {
  return isExpiring(valueBytes, valueStart) ? expiryAt(valueView, valueStart) : undefined;
}

/** The error that a user sees if the value of an entry can't be read. */
function readError(
  directory: string,
  { keyBytes, keyStart, keyEnd }: EntryView,
  error: unknown,
): unknown {
  if (error instanceof DecodeError) return corruptValue(directory, error);
  if (!(error instanceof TypeMismatchError)) return error;
  return error.withKey(shownKey(keyBytes.subarray(keyStart, keyEnd)));
}

function textKey({ keyBytes, keyView, keyStart, keyEnd }: EntryView): string {
  const text = isAsciiTextFast ? asciiText(keyView, keyStart, keyEnd - keyStart) : undefined;
  return text ?? decodeKeyText(keyBytes, keyStart, keyEnd);
}

function bytesKey({ keyBytes, keyView, keyStart, keyEnd }: EntryView): Uint8Array {
  return copyScannedBytes(keyBytes, keyView, keyStart, keyEnd);
}
