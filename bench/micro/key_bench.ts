/**
 * Keys: to bytes and back, and comparing them in place.
 *
 * Each put and get encodes its key once, and each entry of a scan decodes one. A search compares
 * keys when key words tie, and a merge compares them for each entry.
 */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { commonPrefixLength, compareRanges, keyWord } from "../../src/bytes/compare.ts";
import { decodeKeyText, encodeKey } from "../../src/value/key_codec.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import { packedKeys, shuffledNumbers } from "./micro_data.ts";

const KEYS = 4096;
const END = KEYS * keyLength;

/** The cases. */
export function keyCases(): MicroCase[] {
  const shuffled = shuffledNumbers(KEYS);
  const texts = Array.from(shuffled, keyOf);
  const wide = texts.map((text) => `é${text.slice(2)}`);
  const long = texts.map((text) => text.repeat(8));
  const { bytes, view } = packedKeys(texts);
  const parts = texts.map((_, n) => bytes.slice(n * keyLength, (n + 1) * keyLength));
  const writer = new ByteWriter(128);
  const encode = (name: string, keys: readonly (string | Uint8Array)[], length: number) => ({
    name: `encodeKey, ${name}`,
    operations: KEYS,
    expected: KEYS * length,
    run: () => {
      let sum = 0;
      for (let i = 0; i < KEYS; i++) {
        writer.length = 0;
        encodeKey(keys[i]!, writer);
        sum += writer.length;
      }
      return sum;
    },
  });
  let ascents = 0;
  let prefixes = 0;
  for (let i = 1; i < KEYS; i++) {
    ascents += texts[i - 1]! < texts[i]! ? 1 : 0;
    let n = 0;
    while (texts[i - 1]![n] === texts[i]![n]) n++;
    prefixes += n;
  }
  const lastDigits = texts.reduce((sum, text) => sum + text.charCodeAt(keyLength - 1), 0);
  return [
    encode("16 characters", texts, keyLength),
    encode("16 bytes of UTF-8, one character of two", wide, keyLength),
    encode("128 characters", long, 8 * keyLength),
    encode("16 bytes", parts, keyLength),
    {
      name: "decodeKeyText, 16 characters",
      operations: KEYS,
      expected: lastDigits,
      run: () => {
        let sum = 0;
        for (let at = 0; at < END; at += keyLength) {
          sum += decodeKeyText(bytes, at, at + keyLength).charCodeAt(keyLength - 1);
        }
        return sum;
      },
    },
    {
      name: "compareRanges, 16-byte keys",
      operations: KEYS - 1,
      expected: ascents,
      run: () => {
        let sum = 0;
        for (let at = keyLength; at < END; at += keyLength) {
          if (compareRanges(view, at - keyLength, at, view, at, at + keyLength) < 0) sum++;
        }
        return sum;
      },
    },
    {
      name: "commonPrefixLength, 16-byte keys",
      operations: KEYS - 1,
      expected: prefixes,
      run: () => {
        let sum = 0;
        for (let at = keyLength; at < END; at += keyLength) {
          sum += commonPrefixLength(view, at - keyLength, at, view, at, at + keyLength);
        }
        return sum;
      },
    },
    {
      name: "keyWord",
      operations: KEYS,
      expected: lastDigits,
      run: () => {
        let sum = 0;
        for (let end = keyLength; end <= END; end += keyLength) {
          sum += keyWord(view, end - 4, end) & 0xff;
        }
        return sum;
      },
    },
  ];
}
