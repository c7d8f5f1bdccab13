/** Entries to what users get: keys as text or bytes, values by their type. One for a whole store. */

import type { Entry } from "../contract/reader.ts";
import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { ResolvedOptions } from "../options.ts";
import { asciiText, isAsciiTextFast } from "../value/ascii_text.ts";
import { decodeKeyText } from "../value/key_codec.ts";
import { copyScannedBytes } from "../value/owned_bytes.ts";
import type { Value, ValueTypeName } from "../value/value.ts";
import {
  bytesContentAt,
  expectType,
  int64At,
  ValueDecoder,
  valueTypeAt,
} from "../value/value_codec.ts";
import type { KeyEncoding } from "./range.ts";
import { corruptValue, type DecodeEntry } from "./read_path.ts";

/** Makes an item of the entry that a scan stands on. */
export type TakeItem<T> = DecodeEntry<T>;

/** What makes items of entries, for either form of the keys. */
export type TakeItems<T> = Readonly<Record<KeyEncoding, TakeItem<T>>>;

/** The key of a scan's entry. */
const KEYS: TakeItems<string | Uint8Array> = { utf8: textKey, bytes: bytesKey };

/** Decodes the entries of one store; results are copies that the caller owns. */
export class EntryDecoder {
  /** The value. @throws {CorruptionError} what is stored can't be read */
  readonly value: DecodeEntry<Value>;
  /** Key and value. @throws as for `value` and `keys` */
  readonly entry: DecodeEntry<Entry>;
  /** The key of a scan's entry. @throws {StoreError} it is not UTF-8 and is to be text */
  readonly keys: TakeItems<string | Uint8Array> = KEYS;
  /** The value of a scan's entry. @throws {CorruptionError} what is stored can't be read */
  readonly values: TakeItems<Value>;
  /** Key and value of a scan's entry. */
  readonly pairs: TakeItems<[string | Uint8Array, Value]>;
  readonly #directory: string;

  /** Makes the decoder of the store in `directory`. */
  constructor(directory: string, options: ResolvedOptions) {
    const values = new ValueDecoder({ int64: options.int64 });
    const value = ({ valueBytes, valueView, valueStart, valueEnd }: EntryView): Value => {
      try {
        return values.decode(valueBytes, valueView, valueStart, valueEnd);
      } catch (error) {
        if (error instanceof DecodeError) throw corruptValue(directory, error);
        throw error;
      }
    };
    const scannedValue = (entry: EntryView): Value => {
      const { valueBytes, valueView, valueStart, valueEnd } = entry;
      let content: number;
      try {
        content = bytesContentAt(valueBytes, valueView, valueStart, valueEnd);
      } catch (error) {
        if (error instanceof DecodeError) throw corruptValue(directory, error);
        throw error;
      }
      if (content < 0) return value(entry);
      const length = valueView.getUint32(content - 4, true);
      return copyScannedBytes(valueBytes, valueView, content, content + length);
    };
    this.value = value;
    this.#directory = directory;
    const keyAsText = options.keyEncoding === "utf8";
    this.entry = (entry) => {
      const { keyBytes, keyStart, keyEnd } = entry;
      const key = keyAsText
        ? decodeKeyText(keyBytes, keyStart, keyEnd)
        : keyBytes.slice(keyStart, keyEnd);
      return { key, value: value(entry) };
    };
    this.values = { utf8: scannedValue, bytes: scannedValue };
    this.pairs = {
      utf8: (entry) => [textKey(entry), scannedValue(entry)],
      bytes: (entry) => [bytesKey(entry), scannedValue(entry)],
    };
  }

  /**
   * Decodes values that must be stored as `type`; an int64 becomes a bigint whatever the options say.
   *
   * @throws {TypeMismatchError} the value has another type; {CorruptionError} it can't be read
   */
  stored(type: ValueTypeName): DecodeEntry<Value> {
    return (entry) => {
      const { valueBytes, valueView, valueStart, valueEnd } = entry;
      try {
        expectType(valueTypeAt(valueBytes, valueStart, valueEnd), type);
        if (type === "int64") return int64At(valueView, valueStart, valueEnd);
      } catch (error) {
        if (error instanceof DecodeError) throw corruptValue(this.#directory, error);
        throw error;
      }
      return this.value(entry);
    };
  }
}

function textKey({ keyBytes, keyView, keyStart, keyEnd }: EntryView): string {
  const text = isAsciiTextFast ? asciiText(keyView, keyStart, keyEnd - keyStart) : undefined;
  return text ?? decodeKeyText(keyBytes, keyStart, keyEnd);
}

function bytesKey({ keyBytes, keyView, keyStart, keyEnd }: EntryView): Uint8Array {
  return copyScannedBytes(keyBytes, keyView, keyStart, keyEnd);
}
