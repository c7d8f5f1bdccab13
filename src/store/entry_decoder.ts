/** Entries to what users get: keys as text or bytes, values by their type. One for a whole store. */

import { DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { ResolvedOptions } from "../options.ts";
import { decodeKeyText } from "../value/key_codec.ts";
import type { Value } from "../value/value.ts";
import { ValueDecoder } from "../value/value_codec.ts";
import { corruptValue, type DecodeEntry } from "./read_path.ts";

/** Decodes the entries of one store; results are copies that the caller owns. */
export class EntryDecoder {
  /** The key, as `keyEncoding` says. */
  readonly key: DecodeEntry<string | Uint8Array>;
  /** The value. @throws {CorruptionError} what is stored can't be read */
  readonly value: DecodeEntry<Value>;
  /** Key and value. */
  readonly pair: DecodeEntry<[string | Uint8Array, Value]>;

  /** Makes the decoder of the store in `directory`. */
  constructor(directory: string, options: ResolvedOptions) {
    const values = new ValueDecoder({ int64: options.int64 });
    const key: DecodeEntry<string | Uint8Array> = options.keyEncoding === "utf8"
      ? ({ keyBytes, keyStart, keyEnd }) => decodeKeyText(keyBytes, keyStart, keyEnd)
      : ({ keyBytes, keyStart, keyEnd }) => keyBytes.slice(keyStart, keyEnd);
    const value = ({ valueBytes, valueView, valueStart, valueEnd }: EntryView): Value => {
      try {
        return values.decode(valueBytes, valueView, valueStart, valueEnd);
      } catch (error) {
        if (error instanceof DecodeError) throw corruptValue(directory, error);
        throw error;
      }
    };
    this.key = key;
    this.value = value;
    this.pair = (entry) => [key(entry), value(entry)];
  }
}
